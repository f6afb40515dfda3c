"""What a picture of a maze shows, whoever draws it: pixels, text or SVG."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from envs.mazes.cell_values import known_values
from envs.mazes.level import Level


@dataclass(frozen=True)
class Overlay:
    """What to draw over the cells: numbers that somebody else computed, over the C cells; nan where there is none."""

    values: NDArray[np.float64] | None = None  # [C]: coloured cells
    arrows: NDArray[np.bool_] | None = None  # [C, 4]: the greedy actions
    q_values: NDArray[np.float64] | None = None  # [C, 4]: four coloured triangles a cell (arrows in text only)
    visits: NDArray[np.int64] | None = None  # [C]: dots, larger for more
    path: Sequence[int] = field(default=())  # cells of a path, such as the optimal one
    scale: tuple[float, float] | None = None  # the values at the colours' ends; None: the lowest and highest there are
    caption: Sequence[str] = field(default=())  # sentences below the maze: whose numbers these are, what colours mean

    @property
    def has_values(self) -> bool:
        """Does it tell what cells or moves are worth?"""
        return self.values is not None or self.q_values is not None

    def value_range(self) -> tuple[float, float]:
        """The values at the ends of the colour scale."""
        if self.scale is not None:
            return self.scale
        known = known_values(self.values, self.q_values)
        return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)


@dataclass(frozen=True)
class Scene:
    """A level, the robot in it, and what is drawn over both."""

    rows: int
    cols: int
    level: Level
    robot: int | None  # its cell; None: not drawn
    held: int = 0  # bit k - 1: key k is held
    trail: Sequence[int] = field(default=())  # states that the robot came through
    overlay: Overlay | None = None
    wind: Sequence[int] = field(default=())  # for each column, cells upwards

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return self.rows * self.cols

    def is_blocked(self, cell: int) -> bool:
        """Is there no way out of a cell, and none into it?"""
        if self.level.passages[cell].any() or cell in self.level.exits or self.level.pits[cell]:
            return False
        row, col = divmod(cell, self.cols)
        ways = self.level.passages.reshape(self.rows, self.cols, 4)
        into = (
            (row > 0 and ways[row - 1, col, 2])
            or (row + 1 < self.rows and ways[row + 1, col, 0])
            or (col > 0 and ways[row, col - 1, 1])
            or (col + 1 < self.cols and ways[row, col + 1, 3])
        )
        return not into

    def door(self, cell: int, action: int) -> int:
        """The number of the key that a locked door here needs; 0 where there is none, or none locked."""
        number = int(self.level.doors[cell, action])
        return 0 if number and self.held >> (number - 1) & 1 else number

    def key(self, cell: int) -> int:
        """The number of the key that still lies in a cell; 0 where there is none."""
        number = int(self.level.keys[cell])
        return 0 if number and self.held >> (number - 1) & 1 else number

    def returns(self, cell: int, action: int) -> bool:
        """Does the way on the other side of this wall lead here?"""
        row, col = divmod(cell, self.cols)
        inside = (row > 0, col + 1 < self.cols, row + 1 < self.rows, col > 0)[action]
        other = cell + (-self.cols, 1, self.cols, -1)[action]
        return bool(inside and self.level.passages[other, (action + 2) % 4])
