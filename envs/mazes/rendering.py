"""A maze as a picture, drawn with pygame.

The renderer draws the arrays that it is given; it knows nothing of environments or agents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mazes.grid import MOVES, Maze

PAPER, INK, FLOOR = (250, 248, 243), (38, 50, 56), (255, 255, 255)
ROBOT, ROBOT_EYE, EXIT, START, TRAIL = (213, 94, 0), (255, 255, 255), (0, 158, 115), (204, 204, 204), (230, 159, 0)
ARROW = (60, 60, 60)
# Cividis-like ramp, low to high: readable with every kind of colour vision, light enough for dark arrows.
RAMP = np.array([(92, 112, 145), (140, 150, 165), (178, 178, 168), (217, 203, 140), (250, 228, 110)], dtype=float)

TARGET_PIXELS = 480  # the longer side of a frame, about
OVERSAMPLING = 2  # drawn larger and scaled down: smooth edges


@dataclass(frozen=True)
class Overlay:
    """What to draw over the cells: numbers that somebody else computed."""

    values: NDArray[np.float64] | None = None  # [S]; nan where there is none
    arrows: NDArray[np.bool_] | None = None  # [S, 4]: the greedy actions


class Renderer:
    """Draws mazes into RGB arrays, or into a window."""

    def __init__(self, *, window: bool, fps: int) -> None:
        self._window, self._fps = window, fps
        self._screen: Any = None
        self._clock: Any = None

    def draw(
        self,
        maze: Maze,
        robot: int,
        starts: Sequence[int],
        exit_cell: int,
        trail: Sequence[int],
        overlay: Overlay | None,
    ) -> NDArray[np.uint8] | None:
        """One frame: an RGB array [H, W, 3], or None when it went to the window."""
        import pygame

        unit = max(4, round(TARGET_PIXELS / max(maze.rows, maze.cols)) // 2 * 2)  # pixels a cell; even, for video
        margin = max(4, unit // 3 // 2 * 2)
        scale = OVERSAMPLING
        size = (maze.cols * unit + 2 * margin, maze.rows * unit + 2 * margin)
        canvas = pygame.Surface((size[0] * scale, size[1] * scale))
        _Painter(pygame, canvas, maze, unit * scale, margin * scale).paint(robot, starts, exit_cell, trail, overlay)
        frame = pygame.transform.smoothscale(canvas, size)
        if not self._window:
            return np.ascontiguousarray(np.transpose(pygame.surfarray.array3d(frame), (1, 0, 2)))
        if self._screen is None:
            pygame.display.init()
            pygame.display.set_caption("RL Lab: maze")
            self._screen = pygame.display.set_mode(size)
            self._clock = pygame.time.Clock()
        self._screen.blit(frame, (0, 0))
        pygame.event.pump()
        pygame.display.flip()
        self._clock.tick(self._fps)
        return None

    def close(self) -> None:
        """Close the window."""
        if self._screen is not None:
            import pygame

            pygame.display.quit()
            self._screen = None


class _Painter:
    """The layers of one frame, from the floor up."""

    def __init__(self, pygame: Any, canvas: Any, maze: Maze, unit: int, margin: int) -> None:
        self.pygame, self.canvas, self.maze, self.unit, self.margin = pygame, canvas, maze, unit, margin

    def paint(
        self, robot: int, starts: Sequence[int], exit_cell: int, trail: Sequence[int], overlay: Overlay | None
    ) -> None:
        self.canvas.fill(PAPER)
        self._floor(overlay)
        if len(starts) == 1:
            self._start(starts[0])
        self._exit(exit_cell)
        self._trail(trail)
        if overlay is not None and overlay.arrows is not None:
            self._arrows(overlay.arrows, skip={robot, exit_cell})
        self._walls()
        self._robot(robot)

    def _centre(self, cell: int) -> tuple[float, float]:
        row, col = divmod(cell, self.maze.cols)
        return self.margin + (col + 0.5) * self.unit, self.margin + (row + 0.5) * self.unit

    def _square(self, cell: int, share: float = 1.0) -> Any:
        x, y = self._centre(cell)
        side = self.unit * share
        return self.pygame.Rect(round(x - side / 2), round(y - side / 2), round(side) + 1, round(side) + 1)

    def _floor(self, overlay: Overlay | None) -> None:
        colours = np.full((self.maze.num_cells, 3), FLOOR, dtype=float)
        if overlay is not None and overlay.values is not None:
            known = np.isfinite(overlay.values)
            if known.any():
                low, high = overlay.values[known].min(), overlay.values[known].max()
                share = (overlay.values[known] - low) / max(high - low, 1e-12)
                for channel in range(3):
                    colours[known, channel] = np.interp(share, np.linspace(0, 1, len(RAMP)), RAMP[:, channel])
        for cell in range(self.maze.num_cells):
            blocked = not self.maze.passages[cell].any()
            self.pygame.draw.rect(self.canvas, INK if blocked else colours[cell], self._square(cell))

    def _start(self, cell: int) -> None:
        width = max(2, self.unit // 16)
        self.pygame.draw.circle(self.canvas, START, self._centre(cell), self.unit * 0.3, width)

    def _exit(self, cell: int) -> None:
        self.pygame.draw.rect(self.canvas, EXIT, self._square(cell, 0.7), border_radius=max(1, self.unit // 8))
        x, y = self._centre(cell)
        angles = np.pi / 5 * np.arange(10) - np.pi / 2
        radii = self.unit * np.where(np.arange(10) % 2 == 0, 0.24, 0.1)
        star = [(x + r * np.cos(a), y + r * np.sin(a)) for r, a in zip(radii, angles, strict=True)]
        self.pygame.draw.polygon(self.canvas, FLOOR, star)

    def _trail(self, trail: Sequence[int]) -> None:
        points = [self._centre(cell) for cell in trail]
        width = max(2, self.unit // 9)
        for begin, end in pairwise(points):
            self.pygame.draw.line(self.canvas, TRAIL, begin, end, width)
        for point in points[1:-1]:
            self.pygame.draw.circle(self.canvas, TRAIL, point, width / 2)

    def _arrows(self, arrows: NDArray[np.bool_], skip: set[int]) -> None:
        for cell, action in np.argwhere(arrows):
            if cell in skip:
                continue
            x, y = self._centre(int(cell))
            down, right = MOVES[action]
            reach, half = self.unit * 0.26, self.unit * 0.12
            tip = (x + right * reach, y + down * reach)
            neck = (x + right * (reach - 1.6 * half), y + down * (reach - 1.6 * half))
            wings = [(neck[0] + side * down * half, neck[1] + side * right * half) for side in (1, -1)]
            tail = (x - right * reach * 0.7, y - down * reach * 0.7)
            self.pygame.draw.line(self.canvas, ARROW, tail, neck, max(1, self.unit // 18))
            self.pygame.draw.polygon(self.canvas, ARROW, [tip, *wings])

    def _walls(self) -> None:
        thickness = max(2, self.unit // 10)
        left, top = self.margin, self.margin
        for cell in range(self.maze.num_cells):
            row, col = divmod(cell, self.maze.cols)
            x, y = left + col * self.unit, top + row * self.unit
            right, bottom = x + self.unit, y + self.unit
            up, down = ((x, y), (right, y)), ((x, bottom), (right, bottom))
            sides = (up, ((right, y), (right, bottom)), down, ((x, y), (x, bottom)))
            for action, (begin, end) in enumerate(sides):
                if not self.maze.passages[cell, action]:
                    self._wall(begin, end, thickness)

    def _wall(self, begin: tuple[int, int], end: tuple[int, int], thickness: int) -> None:
        half = thickness // 2
        bar = self.pygame.Rect(
            begin[0] - half, begin[1] - half, end[0] - begin[0] + 2 * half, end[1] - begin[1] + 2 * half
        )
        self.pygame.draw.rect(self.canvas, INK, bar, border_radius=half)

    def _robot(self, cell: int) -> None:
        x, y = self._centre(cell)
        self.pygame.draw.circle(self.canvas, ROBOT, (x, y), self.unit * 0.32)
        for side in (-1, 1):
            eye = (x + side * self.unit * 0.11, y - self.unit * 0.05)
            self.pygame.draw.circle(self.canvas, ROBOT_EYE, eye, self.unit * 0.08)
            self.pygame.draw.circle(self.canvas, INK, eye, self.unit * 0.04)
