"""How a maze looks: a scene as shapes on a canvas, whether that makes pixels or an SVG file."""

import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from envs.mazes.cell_values import decimals, known_values, written
from envs.mazes.grid import MOVES
from envs.mazes.scene import Overlay, Scene

Colour = tuple[int, int, int]
Point = tuple[float, float]

PAPER, INK, FLOOR = (250, 248, 243), (38, 50, 56), (255, 255, 255)
ROBOT, EXIT, START, TRAIL = (213, 94, 0), (0, 158, 115), (204, 204, 204), (230, 159, 0)
PIT, PIT_RIM, PATH, VISITS, ARROW = (70, 62, 80), (130, 118, 140), (86, 180, 233), (86, 100, 120), (60, 60, 60)
# Keys and their doors: told apart by colour and by letter (Okabe & Ito's palette).
KEY_COLOURS = ((0, 114, 178), (204, 121, 167), (148, 112, 0), (0, 120, 90))
# Cividis-like ramp, low to high: readable with every kind of colour vision, light enough for dark arrows.
RAMP = np.array([(92, 112, 145), (140, 150, 165), (178, 178, 168), (217, 203, 140), (250, 228, 110)], dtype=float)
SCALE_CELLS = 1.9  # width of the colour scale beside the maze, in units of `scale_unit`
DIGITS_UNIT = 52  # pixels a cell from which on its values are written in it: up to 9 x 9 cells in 480 pixels
LETTER_WIDTH = 0.6  # of a letter, as a share of its height; about
AMONG_DIGITS = 0.62  # how much smaller the robot and its start are where numbers stand around them


class Canvas(Protocol):
    """What shapes are drawn on; lengths in pixels, the origin at the top left."""

    def rect(self, x: float, y: float, width: float, height: float, colour: Colour, radius: float = 0) -> None:
        """A filled rectangle."""

    def circle(self, centre: Point, radius: float, colour: Colour, outline: float = 0) -> None:
        """A disc, or a ring with an outline of some width."""

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """A filled polygon."""

    def line(self, begin: Point, end: Point, colour: Colour, width: float) -> None:
        """A line with round ends."""

    def text(self, centre: Point, text: str, height: float, colour: Colour) -> None:
        """A line of text, `height` high, around a point."""


class Geometry:
    """Where things are in a picture whose longer side is about `size` pixels."""

    def __init__(self, scene: Scene, size: int) -> None:
        overlay = scene.overlay
        self.has_scale = overlay is not None and (overlay.values is not None or overlay.q_values is not None)
        self.unit = max(4, round(size / max(scene.rows, scene.cols)) // 2 * 2)  # pixels a cell; even, for video
        self.margin = max(4, self.unit // 3 // 2 * 2)
        self.scale_unit = max(24, size // 14) // 2 * 2
        scale_width = int(SCALE_CELLS * self.scale_unit) // 2 * 2 if self.has_scale else 0
        self.maze_width = scene.cols * self.unit + 2 * self.margin
        self.width = self.maze_width + scale_width
        self.maze_height = scene.rows * self.unit + 2 * self.margin
        self.letter_height = max(10, size // 40)
        width = int((self.width - self.margin) / (self.letter_height * LETTER_WIDTH))
        sentences = () if overlay is None else overlay.caption
        self.caption = [line for one in sentences for line in textwrap.wrap(one, max(12, width))]
        caption_height = round((len(self.caption) + 0.5) * self.line_height) if self.caption else 0
        self.height = (self.maze_height + caption_height + 1) // 2 * 2

    @property
    def line_height(self) -> float:
        """Of the caption, in pixels."""
        return self.letter_height * 1.6


def paint(scene: Scene, canvas: Canvas, geometry: Geometry, scale: int = 1) -> None:
    """Draw a scene, `scale` times as large as its geometry says."""
    _Painter(scene, canvas, geometry, scale).paint()


def ramp_colour(value: float, low: float, high: float) -> Colour:
    """The colour of a value on a scale."""
    share = (value - low) / max(high - low, 1e-12)
    red, green, blue = (int(np.interp(share, np.linspace(0, 1, len(RAMP)), RAMP[:, channel])) for channel in range(3))
    return red, green, blue


class _Painter:
    """The layers of one frame, from the floor up."""

    def __init__(self, scene: Scene, canvas: Canvas, geometry: Geometry, scale: int) -> None:
        self.scene, self.level, self.canvas, self.geometry = scene, scene.level, canvas, geometry
        self.scale, self.unit, self.margin = scale, geometry.unit * scale, geometry.margin * scale
        self.overlay = scene.overlay or Overlay()
        self.low, self.high = self.overlay.value_range()
        self.has_digits = geometry.has_scale and geometry.unit >= DIGITS_UNIT
        self.figure_unit = self.unit * (AMONG_DIGITS if self.has_digits else 1.0)  # the size of the robot and its start

    def paint(self) -> None:
        scene = self.scene
        self.canvas.rect(0, 0, self.geometry.width * self.scale, self.geometry.height * self.scale, PAPER)
        self._floor()
        if self.overlay.q_values is not None:
            self._triangles(self.overlay.q_values)
        if self.overlay.visits is not None:
            self._visits(self.overlay.visits)
        if len(self.level.starts) == 1:
            ring = self.figure_unit * 0.3, START, max(2, self.unit / 16)
            self.canvas.circle(self._centre(int(self.level.starts[0])), *ring)
        for cell in np.flatnonzero(self.level.pits):
            self.canvas.circle(self._centre(int(cell)), self.unit * 0.36, PIT_RIM)
            self.canvas.circle(self._centre(int(cell)), self.unit * 0.29, PIT)
        for cell in self.level.exits:
            self._exit(int(cell))
        self._line_through(list(self.overlay.path), PATH, self.unit / 14)
        self._line_through([state % scene.num_cells for state in scene.trail], TRAIL, self.unit / 9)
        if self.overlay.arrows is not None and self.overlay.q_values is None:
            self._arrows(self.overlay.arrows)
        for cell in np.flatnonzero(self.level.keys):
            self._key(int(cell))
        self._walls()
        if scene.robot is not None:
            self._robot(scene.robot)
        if any(scene.wind):
            self._wind(scene.wind)
        if self.geometry.has_scale:
            self._colour_scale()
        if self.has_digits:
            self._digits()
        self._caption()

    def _centre(self, cell: int) -> Point:
        row, col = divmod(cell, self.scene.cols)
        return self.margin + (col + 0.5) * self.unit, self.margin + (row + 0.5) * self.unit

    def _corners(self, cell: int) -> list[Point]:
        """Top left, top right, bottom right, bottom left."""
        (x, y), half = self._centre(cell), self.unit / 2
        return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]

    # -- the floor and what colours it ----------------------------------------------------------------------

    def _colour(self, value: float) -> Colour:
        return ramp_colour(value, self.low, self.high)

    def _floor(self) -> None:
        values = self.overlay.values
        for cell in range(self.scene.num_cells):
            colour: Colour = FLOOR
            if self.scene.is_blocked(cell):
                colour = INK
            elif values is not None and np.isfinite(values[cell]):
                colour = self._colour(float(values[cell]))
            (x, y), side = self._corners(cell)[0], self.unit + 1
            self.canvas.rect(x, y, side, side, colour)

    def _triangles(self, q_values: NDArray[np.float64]) -> None:
        for cell in range(self.scene.num_cells):
            if self.scene.is_blocked(cell) or cell in self.level.exits:
                continue
            corners = self._corners(cell)
            for action in range(4):
                if np.isfinite(q_values[cell, action]):
                    side = [corners[action], corners[(action + 1) % 4], self._centre(cell)]
                    self.canvas.polygon(side, self._colour(float(q_values[cell, action])))
            for corner in corners:
                self.canvas.line(corner, self._centre(cell), PAPER, max(1, self.unit / 40))

    def _visits(self, visits: NDArray[np.int64]) -> None:
        most = max(1, int(visits.max()))
        for cell in np.flatnonzero(visits):
            # The area grows with the logarithm: a cell visited once is seen beside one visited a thousand times.
            share = np.log1p(visits[cell]) / np.log1p(most)
            self.canvas.circle(self._centre(int(cell)), self.unit * 0.42 * float(np.sqrt(share)), VISITS)

    def _colour_scale(self) -> None:
        unit, steps = self.geometry.scale_unit * self.scale, 48
        left = self.geometry.maze_width * self.scale + unit * 0.35
        text_height = unit * 0.42
        top, bottom = (
            self.margin + 1.5 * text_height,
            self.geometry.maze_height * self.scale - self.margin - 1.5 * text_height,
        )
        height = (bottom - top) / steps
        for step in range(steps):
            share = 1 - (step + 0.5) / steps
            colour = self._colour(self.low + share * (self.high - self.low))
            self.canvas.rect(left, top + step * height, unit * 0.5, height + 1, colour)
        for value, y in ((self.high, top - 0.8 * text_height), (self.low, bottom + 0.8 * text_height)):
            self.canvas.text((left + unit * 0.45, y), f"{value:.4g}", text_height, INK)

    def _wind(self, wind: Sequence[int]) -> None:
        """Its strength under every column, with a triangle the way it blows."""
        y = self.margin + self.scene.rows * self.unit + 0.55 * self.margin
        for col, strength in enumerate(wind):
            x = self.margin + (col + 0.5) * self.unit
            self.canvas.text((x + 0.1 * self.unit, y), f"{abs(strength)}", self.margin * 0.6, INK)
            if strength:
                up, half = (1 if strength > 0 else -1), 0.2 * self.margin
                left = x - 0.15 * self.unit
                tip, base = (left, y - up * half), y + up * half
                self.canvas.polygon([tip, (left - half, base), (left + half, base)], INK)

    def _digits(self) -> None:
        """The values in figures: of a cell at its bottom, of its moves at its sides."""
        values, q_values = self.overlay.values, self.overlay.q_values
        num_decimals = decimals(known_values(values, q_values))
        for cell in range(self.scene.num_cells):
            x, y = self._centre(cell)
            if values is not None and np.isfinite(values[cell]):
                place = (x, y + 0.36 * self.unit)
                self.canvas.text(place, written(float(values[cell]), num_decimals), self.unit * 0.17, INK)
            if q_values is None or cell in self.level.exits:
                continue
            for action, (down, right) in enumerate(MOVES):
                if np.isfinite(q_values[cell, action]):
                    place = (x + right * 0.28 * self.unit, y + down * 0.35 * self.unit)
                    text = written(float(q_values[cell, action]), num_decimals)
                    self.canvas.text(place, text, self.unit * 0.145, INK)

    def _caption(self) -> None:
        for number, line in enumerate(self.geometry.caption):
            y = (self.geometry.maze_height + (number + 0.5) * self.geometry.line_height) * self.scale
            middle = self.geometry.width * self.scale / 2
            self.canvas.text((middle, y), line, self.geometry.letter_height * self.scale, INK)

    # -- what stands on it ----------------------------------------------------------------------------------

    def _exit(self, cell: int) -> None:
        x, y = self._centre(cell)
        side = self.unit * 0.7
        self.canvas.rect(x - side / 2, y - side / 2, side, side, EXIT, self.unit / 8)
        angles = np.pi / 5 * np.arange(10) - np.pi / 2
        radii = self.unit * np.where(np.arange(10) % 2 == 0, 0.24, 0.1)
        self.canvas.polygon(
            [(x + float(r * np.cos(a)), y + float(r * np.sin(a))) for r, a in zip(radii, angles, strict=True)], FLOOR
        )

    def _line_through(self, cells: Sequence[int], colour: Colour, width: float) -> None:
        for begin, end in pairwise(cells):
            if begin != end:
                self.canvas.line(self._centre(begin), self._centre(end), colour, max(2, width))

    def _key(self, cell: int) -> None:
        number = self.scene.key(cell)
        if number == 0:
            return
        (x, y), colour, unit = self._centre(cell), KEY_COLOURS[number - 1], self.unit
        self.canvas.line((x, y), (x + unit * 0.3, y), colour, unit / 12)
        for tooth in (0.2, 0.29):
            self.canvas.line((x + unit * tooth, y), (x + unit * tooth, y + unit * 0.13), colour, unit / 14)
        self.canvas.circle((x - unit * 0.14, y), unit * 0.19, colour)
        self.canvas.text((x - unit * 0.14, y), "abcd"[number - 1], unit * 0.28, FLOOR)

    def _arrows(self, arrows: NDArray[np.bool_]) -> None:
        for cell, action in np.argwhere(arrows):
            if cell == self.scene.robot or cell in self.level.exits or self.scene.key(int(cell)):
                continue
            x, y = self._centre(int(cell))
            if self.has_digits:
                y -= self.unit * 0.08  # the number stands below it
            down, right = MOVES[action]
            reach, half = self.unit * 0.26, self.unit * 0.12
            tip = (x + right * reach, y + down * reach)
            neck = (x + right * (reach - 1.6 * half), y + down * (reach - 1.6 * half))
            wings = [(neck[0] + side * down * half, neck[1] + side * right * half) for side in (1, -1)]
            back = 0.0 if arrows[cell].sum() > 1 else 0.7  # of several, each begins in the middle
            tail = (x - right * reach * back, y - down * reach * back)
            self.canvas.line(tail, neck, ARROW, max(1, self.unit / 18))
            self.canvas.polygon([tip, *wings], ARROW)

    def _walls(self) -> None:
        thickness = max(2, self.unit / 10)
        for cell in range(self.scene.num_cells):
            corners = self._corners(cell)
            for action in range(4):
                begin, end = sorted((corners[action], corners[(action + 1) % 4]))
                if self.level.passages[cell, action]:
                    if action in (1, 2) or not self.scene.returns(cell, action):
                        self._gate(cell, action, begin, end, thickness)
                elif not self.scene.returns(cell, action):
                    half = thickness / 2
                    width, height = end[0] - begin[0] + thickness, end[1] - begin[1] + thickness
                    self.canvas.rect(begin[0] - half, begin[1] - half, width, height, INK, half)

    def _gate(self, cell: int, action: int, begin: Point, end: Point, thickness: float) -> None:
        """A locked door, or the arrowheads of a passage that leads one way, or nothing."""
        middle = ((begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2)
        number = self.scene.door(cell, action)
        if number:
            self.canvas.line(begin, end, KEY_COLOURS[number - 1], thickness * 1.6)
            self.canvas.circle(middle, self.unit * 0.17, KEY_COLOURS[number - 1])
            self.canvas.text(middle, "ABCD"[number - 1], self.unit * 0.24, FLOOR)
        elif not self.scene.returns(cell, action):
            down, right = MOVES[action]
            for share in (0.2, 0.5, 0.8):
                x, y = begin[0] + share * (end[0] - begin[0]), begin[1] + share * (end[1] - begin[1])
                tip = (x + right * self.unit * 0.16, y + down * self.unit * 0.16)
                wings = [(x + side * down * self.unit * 0.1, y + side * right * self.unit * 0.1) for side in (1, -1)]
                self.canvas.polygon([tip, *wings], INK)

    def _robot(self, cell: int) -> None:
        x, y = self._centre(cell)
        unit = self.figure_unit
        self.canvas.circle((x, y), unit * 0.32, ROBOT)
        for side in (-1, 1):
            eye = (x + side * unit * 0.11, y - unit * 0.05)
            self.canvas.circle(eye, unit * 0.08, FLOOR)
            self.canvas.circle(eye, unit * 0.04, INK)
        held = [number for number in range(4) if self.scene.held >> number & 1]
        for index, number in enumerate(held):
            spot = (x + (index - (len(held) - 1) / 2) * unit * 0.16, y + unit * 0.16)
            self.canvas.circle(spot, unit * 0.08, FLOOR)
            self.canvas.circle(spot, unit * 0.06, KEY_COLOURS[number])
