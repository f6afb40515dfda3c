"""What an agent sees of a maze: functions of states and pictures, for one environment and for many alike."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.mazes.grid import MOVES
from envs.mazes.level import Level

# Intensities in a picture's three channels.
WALL_CHANNEL, ROBOT_CHANNEL, EXIT_CHANNEL = range(3)
WALL, ROBOT, EXIT = 255, 255, 255
DOOR, ONE_WAY, KEY, PIT = 160, 40, 100, 60  # the first of its kind; the next ones are 20 more each
STEP_BETWEEN = 20
NEXT_EXIT = -15


@dataclass(frozen=True)
class Observer:
    """Turns states into observations of one kind."""

    kind: str  # "state", "position", "grid" or "view"
    rows: int
    cols: int
    num_keys: int
    view: int  # cells a side, of a "view"

    @property
    def needs_pictures(self) -> bool:
        """Does an observation depend on more than the state?"""
        return self.kind in ("grid", "view")

    def space(self) -> spaces.Space[Any]:
        """The space of one observation."""
        if self.kind == "state":
            return spaces.Discrete((self.rows * self.cols) << self.num_keys)
        if self.kind == "position":
            high = [self.rows - 1, self.cols - 1] + [1] * self.num_keys
            return spaces.Box(np.zeros(len(high), np.float32), np.array(high, np.float32))
        shape = (2 * self.rows + 1, 2 * self.cols + 1) if self.kind == "grid" else (2 * self.view + 1,) * 2
        return spaces.Box(0, 255, (*shape, 3), np.uint8)

    def pictures(self, level: Level) -> NDArray[np.uint8]:
        """A level without its robot [2^K, H, W, 3], for every set of keys held; for a view, with walls around it."""
        pictures = np.stack([self._picture(level, held) for held in range(1 << self.num_keys)])
        if self.kind == "grid":
            return pictures
        border = ((0, 0), (self.view, self.view), (self.view, self.view))
        channels = [np.pad(pictures[..., WALL_CHANNEL], border, constant_values=WALL)]
        channels += [np.pad(pictures[..., channel], border) for channel in (ROBOT_CHANNEL, EXIT_CHANNEL)]
        return np.stack(channels, axis=-1)

    def observe(self, states: NDArray[np.int64], pictures: NDArray[np.uint8] | None, which: Any) -> NDArray[Any]:
        """The observations [N, ...] of states [N] in the levels whose pictures are `pictures[which]`."""
        if self.kind == "state":
            return states.copy()
        held, cells = np.divmod(states, self.rows * self.cols)
        row, col = np.divmod(cells, self.cols)
        if self.kind == "position":
            flags = [(held >> key) & 1 for key in range(self.num_keys)]
            return np.stack([row, col, *flags], axis=-1).astype(np.float32)
        assert pictures is not None
        index = np.arange(len(states))
        if self.kind == "grid":
            images: NDArray[Any] = pictures[which, held]  # a copy
            images[index, 2 * row + 1, 2 * col + 1, ROBOT_CHANNEL] = ROBOT
            return images
        # The border is as wide as half the window, so that the window around (y, x) begins at (y, x) in the picture.
        window = np.arange(2 * self.view + 1)
        lines = (2 * row + 1)[:, None] + window
        columns = (2 * col + 1)[:, None] + window
        levels = np.broadcast_to(which, states.shape)
        windows: NDArray[Any] = pictures[
            levels[:, None, None], held[:, None, None], lines[:, :, None], columns[:, None, :]
        ]
        windows[index, self.view, self.view, ROBOT_CHANNEL] = ROBOT
        return windows

    def _picture(self, level: Level, held: int) -> NDArray[np.uint8]:
        rows, cols = self.rows, self.cols
        picture = np.zeros((2 * rows + 1, 2 * cols + 1, 3), dtype=np.uint8)
        walls = picture[:, :, WALL_CHANNEL]
        walls[:] = WALL
        walls[1::2, 1::2] = 0
        ways = level.passages.reshape(rows, cols, 4)
        right, left = ways[:, :-1, 1], ways[:, 1:, 3]
        down, up = ways[:-1, :, 2], ways[1:, :, 0]
        for there, back, forward, between in (
            (right, left, 1, walls[1::2, 2:-1:2]),
            (down, up, 2, walls[2:-1:2, 1::2]),
        ):
            between[there & back] = 0
            between[there & ~back] = ONE_WAY + STEP_BETWEEN * forward
            between[~there & back] = ONE_WAY + STEP_BETWEEN * (forward + 2 & 3)
        for cell, action in np.argwhere(level.doors):
            number = int(level.doors[cell, action])
            if not held >> (number - 1) & 1:
                row, col = divmod(int(cell), cols)
                row_change, col_change = MOVES[action]
                walls[2 * row + 1 + row_change, 2 * col + 1 + col_change] = DOOR + STEP_BETWEEN * (number - 1)
        for cell in np.flatnonzero(level.keys):
            number = int(level.keys[cell])
            if not held >> (number - 1) & 1:
                self._set(picture, int(cell), ROBOT_CHANNEL, KEY + STEP_BETWEEN * (number - 1))
        for cell in np.flatnonzero(level.pits):
            self._set(picture, int(cell), EXIT_CHANNEL, PIT)
        for index, cell in enumerate(level.exits):
            self._set(picture, int(cell), EXIT_CHANNEL, max(EXIT + NEXT_EXIT * index, PIT + STEP_BETWEEN))
        return picture

    def _set(self, picture: NDArray[np.uint8], cell: int, channel: int, value: int) -> None:
        row, col = divmod(cell, self.cols)
        picture[2 * row + 1, 2 * col + 1, channel] = value
