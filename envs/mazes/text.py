"""A maze as text with box-drawing characters: for terminals, wide and narrow, with values or without."""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from envs.mazes.blocks import draw_blocks
from envs.mazes.cell_values import MOST_CHARACTERS, decimals, known_values, written
from envs.mazes.scene import Scene

# Joint of the wall pieces that meet at a corner; bits: 1 up, 2 right, 4 down, 8 left.
JOINTS = " ╵╶└╷│┌├╴┘─┴┐┤┬┼"
ARROWS = "↑→↓←"
ONE_WAY = "▴▸▾◂"
ROBOT, EXIT, START, PIT, PATH, TRAIL = "●", "★", "∘", "○", "·", "•"
COLOURS = {ROBOT: "38;5;208", EXIT: "32;1", PIT: "35", START: "2"}  # SGR codes, on any background
TRAIL_COLOUR, KEY_COLOURS = "38;5;178", ("34", "35", "33", "36")
MOST_WITH_VALUES = 10  # rows and columns of a maze whose values are written
ARROWS_ONLY = "arrow: a cell's best move (no room for its value in figures)"
GAP = 3  # columns between two texts side by side
LEAST_CAPTION = 40  # columns


class Room(NamedTuple):
    """What a text may take, and whether it may be coloured."""

    columns: int | None = None  # None: as many as it needs
    lines: int | None = None
    colours: bool = False


class _Cells(NamedTuple):
    """How large a cell is drawn, in characters without its walls, and what stands in it."""

    width: int
    height: int = 1
    values: bool = False  # the cell's, or those of its moves where it is higher than a line


VALUES, MOVES_VALUES = _Cells(MOST_CHARACTERS + 2, values=True), _Cells(2 * MOST_CHARACTERS + 1, 3, values=True)
WIDE, NARROW = _Cells(3), _Cells(1)


def terminal_room(reserved: int = 2) -> Room:
    """The room on standard output, without some lines for captions; no limit of lines where that is no terminal."""
    size = shutil.get_terminal_size((10_000, 24))
    if not sys.stdout.isatty():
        return Room(size.columns)
    return Room(size.columns, max(1, size.lines - reserved), "NO_COLOR" not in os.environ)


def draw_box(scene: Scene, columns: int | None = None, lines: int | None = None, *, colours: bool = False) -> str:
    """The maze in 2 * rows + 1 lines of 4 * cols + 1 characters, or fewer where the room is less.

    Doors are `A` to `D`, keys `a` to `d`, pits `○`, one-way passages triangles; an overlay's arrows, or those of its
    action values, fill the empty cells, its path and visited cells are dotted. In small mazes its values are written,
    where there is room. Below is the wind, where there is any, and the overlay's caption.

    Args:
        scene: what there is to draw.
        columns: at most so many, if it can be: cells shrink from 3 (or more, with values) to 1 character.
        lines: at most so many, if it can be: two lines become one, of half blocks.
        colours: with ANSI's codes for colours, and the robot's trail.
    """
    text, cells = "", NARROW
    for cells in _ways(scene):
        text = "\n".join(_Box(scene, cells, colours=colours).lines())
        if _fits(text, columns, lines):
            break
    else:
        if lines is not None and len(text.split("\n")) > lines:
            text = draw_blocks(scene, colours=colours)
    captioned = "\n".join([text, *_caption(scene, columns, text, with_values=cells.values)])
    return captioned if _fits(captioned, columns, lines) else text


def smallest(rows: int, cols: int) -> tuple[int, int]:
    """The columns and lines that a maze of this size needs at least."""
    return 2 * cols + 1, rows + 1


def beside(left: str, right: str) -> str:
    """Two texts side by side."""
    pair = [text.split("\n") for text in (left, right)]
    height, width = max(map(len, pair)), _width(left)
    for lines in pair:
        lines += [""] * (height - len(lines))
    return "\n".join(
        f"{one}{' ' * (width - _visible(one) + GAP)}{other}".rstrip() for one, other in zip(*pair, strict=True)
    )


def _ways(scene: Scene) -> Iterator[_Cells]:
    """How the cells may be drawn, the best first."""
    overlay = scene.overlay
    if overlay is not None and max(scene.rows, scene.cols) <= MOST_WITH_VALUES:
        if overlay.q_values is not None:
            yield MOVES_VALUES
        elif overlay.values is not None:
            yield VALUES
    yield WIDE
    yield NARROW


def _fits(text: str, columns: int | None, lines: int | None) -> bool:
    return (columns is None or _width(text) <= columns) and (lines is None or len(text.split("\n")) <= lines)


def _width(text: str) -> int:
    return max(map(_visible, text.split("\n")))


def _visible(line: str) -> int:
    return len(re.sub("\x1b\\[[0-9;]*m", "", line))


def _caption(scene: Scene, columns: int | None, text: str, *, with_values: bool) -> list[str]:
    width = max(_width(text), LEAST_CAPTION)
    sentences = list(scene.overlay.caption) if scene.overlay is not None else []
    if scene.overlay is not None and scene.overlay.has_values and sentences and not with_values:
        sentences[-1] = ARROWS_ONLY
    return [line for one in sentences for line in textwrap.wrap(one, width if columns is None else min(width, columns))]


class _Box:
    """A maze between lines."""

    def __init__(self, scene: Scene, cells: _Cells, *, colours: bool) -> None:
        self.scene, self.cells, self.colours = scene, cells, colours
        overlay = scene.overlay
        self.num_decimals = decimals(known_values(overlay.values, overlay.q_values)) if overlay else 0
        self.trail = {state % scene.num_cells for state in scene.trail} if colours else set()
        self.across = np.ones((scene.rows + 1, scene.cols), dtype=bool)  # wall above cell (row, col)
        self.upright = np.ones((scene.rows, scene.cols + 1), dtype=bool)  # wall to the left of cell (row, col)
        for cell in range(scene.num_cells):
            row, col = divmod(cell, scene.cols)
            places = ((self.across, row, col), (self.upright, row, col + 1), (self.across, row + 1, col))
            for action, (walls, at_row, at_col) in enumerate([*places, (self.upright, row, col)]):
                if scene.level.passages[cell, action]:
                    walls[at_row, at_col] = False

    def lines(self) -> Iterator[str]:
        scene = self.scene
        for row in range(scene.rows + 1):
            yield "".join(self._joint(row, col) + self._above(row, col) for col in range(scene.cols)) + self._joint(
                row, scene.cols
            )
            if row < scene.rows:
                contents = [self._content(row * scene.cols + col) for col in range(scene.cols)]
                for line in range(self.cells.height):
                    middle = line == self.cells.height // 2
                    parts = (self._left(row, col, middle) + contents[col][line] for col in range(scene.cols))
                    yield "".join(parts) + ("│" if self.upright[row, scene.cols] else " ")
        if any(scene.wind):
            yield "".join(" " + f"{strength or '·'}".center(self.cells.width) for strength in scene.wind) + " "

    def _joint(self, row: int, col: int) -> str:
        up = row > 0 and self.upright[row - 1, col]
        down = row < self.scene.rows and self.upright[row, col]
        left = col > 0 and self.across[row, col - 1]
        right = col < self.scene.cols and self.across[row, col]
        return JOINTS[up + 2 * right + 4 * down + 8 * left]

    def _above(self, row: int, col: int) -> str:
        width = self.cells.width
        return "─" * width if self.across[row, col] else self._gate((row - 1) * self.scene.cols + col, 2, width)

    def _left(self, row: int, col: int, middle: bool) -> str:
        if self.upright[row, col]:
            return "│"
        return self._gate(row * self.scene.cols + col - 1, 1, 1) if middle else " "

    def _gate(self, cell: int, action: int, width: int) -> str:
        """What stands in an opening: a locked door, the arrow of a one-way passage, or nothing."""
        number = self.scene.door(cell, action)
        if number:
            return self._coloured("ABCD"[number - 1].center(width), KEY_COLOURS[number - 1])
        there, back = self.scene.level.passages[cell, action], self.scene.returns(cell, action)
        if there and back:
            return " " * width
        return ONE_WAY[action if there else (action + 2) % 4].center(width)

    def _content(self, cell: int) -> list[str]:
        """The lines that fill a cell."""
        sign, overlay = self._sign(cell), self.scene.overlay
        if self.cells.values and overlay is not None and cell not in self.scene.level.exits:
            if overlay.q_values is not None:
                return self._moves(sign, cell)
            if overlay.values is not None and np.isfinite(overlay.values[cell]):
                text = written(float(overlay.values[cell]), self.num_decimals)
                return [self._coloured(sign, self._colour(cell, sign)) + text.rjust(MOST_CHARACTERS) + " "]
        blank = " " * self.cells.width
        lines = [blank] * self.cells.height
        lines[self.cells.height // 2] = self._coloured(sign.center(self.cells.width), self._colour(cell, sign))
        return lines

    def _moves(self, sign: str, cell: int) -> list[str]:
        assert self.scene.overlay is not None
        assert self.scene.overlay.q_values is not None
        values = self.scene.overlay.q_values[cell]
        up, right, down, left = (
            written(float(value), self.num_decimals) if np.isfinite(value) else "" for value in values
        )
        middle = self._coloured(sign, self._colour(cell, sign))
        return [
            up.center(self.cells.width),
            left.ljust(MOST_CHARACTERS) + middle + right.rjust(MOST_CHARACTERS),
            down.center(self.cells.width),
        ]

    def _colour(self, cell: int, sign: str) -> str | None:
        if self.scene.key(cell):
            return COLOURS.get(sign) or KEY_COLOURS[self.scene.key(cell) - 1]
        return COLOURS.get(sign) or (TRAIL_COLOUR if cell in self.trail else None)

    def _coloured(self, text: str, colour: str | None) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colours and colour and text.strip() else text

    def _sign(self, cell: int) -> str:
        """The one character that tells most of a cell."""
        scene, overlay = self.scene, self.scene.overlay
        if cell == scene.robot:
            return ROBOT
        if cell in scene.level.exits:
            return EXIT
        if scene.level.pits[cell]:
            return PIT
        if scene.key(cell):
            return "abcd"[scene.key(cell) - 1]
        if overlay is not None and overlay.arrows is not None and overlay.arrows[cell].any():
            return ARROWS[int(np.argmax(overlay.arrows[cell]))]
        q_values = overlay.q_values if overlay is not None and overlay.arrows is None else None
        if q_values is not None and np.isfinite(q_values[cell]).any():
            return ARROWS[int(np.nanargmax(q_values[cell]))]
        if overlay is not None and (cell in overlay.path or (overlay.visits is not None and overlay.visits[cell])):
            return PATH
        if [cell] == list(scene.level.starts):
            return START
        return TRAIL if cell in self.trail else " "
