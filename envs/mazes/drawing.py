"""Mazes as text: what `layout` takes, and how a level is written down.

A maze of R rows and C columns is drawn on 2R + 1 lines of 2C + 1 characters. Anywhere `#` is a wall and a blank is
open. At a cell's centre (even line, even column, counted from 1) stand `S` the start, `E` an exit, `O` a pit,
`a` to `d` keys. Between two cells stand `A` to `D`, the doors that they open, and `^ > v <`, one-way passages.

    #########
    #S  A  E#
    ### #####
    #a  >O  #
    #########
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.mazes.grid import MOVES, Maze, beyond, carve, closed, is_inside

WALL, FLOOR, START, EXIT, PIT = "#", " ", "S", "E", "O"
KEYS, DOORS, ONE_WAY = "abcd", "ABCD", "^>v<"
_AT_CELLS = WALL + FLOOR + START + EXIT + PIT + KEYS
_BETWEEN = WALL + FLOOR + DOORS + ONE_WAY


@dataclass(frozen=True)
class Drawing:
    """What a drawing shows."""

    maze: Maze
    start: int | None
    exits: tuple[int, ...]  # in reading order
    pits: NDArray[np.bool_]  # [C]
    keys: NDArray[np.int8]  # [C]: the number of the key that lies there, from 1; 0: none
    doors: NDArray[np.int8]  # [C, 4]: the number of the key that this way needs; 0: none


def parse_drawing(text: str) -> Drawing:
    """Read a maze from text.

    Raises:
        ValueError: with the line and column of what is wrong.
    """
    lines = _lines(text)
    rows, cols = len(lines) // 2, len(lines[0]) // 2
    _check_characters(lines)
    centres = [lines[2 * row + 1][2 * col + 1] for row in range(rows) for col in range(cols)]
    maze = closed(rows, cols)
    doors = np.zeros((maze.num_cells, 4), dtype=np.int8)
    for cell in range(maze.num_cells):
        for action in (1, 2):
            if not is_inside(cell, action, rows, cols) or WALL in (centres[cell], centres[beyond(cell, action, cols)]):
                continue
            _passage(maze, doors, cell, action, _between(lines, cols, cell, action))
    exits = tuple(cell for cell, mark in enumerate(centres) if mark == EXIT)
    if not exits:
        raise ValueError("the layout has no exit: mark one cell with 'E'")
    start = centres.index(START) if START in centres else None
    pits = np.array([mark == PIT for mark in centres])
    keys = np.array([KEYS.find(mark) + 1 for mark in centres], dtype=np.int8)
    _check_keys(keys, doors)
    return Drawing(maze, start, exits, pits, keys, doors)


def draw(drawing: Drawing) -> str:
    """The text of a drawing, as `parse_drawing` reads it."""
    maze = drawing.maze
    canvas = np.full((2 * maze.rows + 1, 2 * maze.cols + 1), WALL)
    for cell in range(maze.num_cells):
        row, col = divmod(cell, maze.cols)
        around = [beyond(cell, a, maze.cols) for a in range(4) if is_inside(cell, a, maze.rows, maze.cols)]
        enters = any(maze.neighbour(other, action) == cell for other in around for action in range(4))
        if maze.passages[cell].any() or enters or cell == drawing.start or cell in drawing.exits:
            canvas[2 * row + 1, 2 * col + 1] = _mark(drawing, cell)
        for action in (1, 2):
            if is_inside(cell, action, maze.rows, maze.cols):
                row_change, col_change = MOVES[action]
                canvas[2 * row + 1 + row_change, 2 * col + 1 + col_change] = _passage_mark(drawing, cell, action)
    return "\n".join("".join(line) for line in canvas)


def from_blocks(text: str) -> str:
    """The drawing of a grid world in which every character is a cell, and `#` a blocked one."""
    lines = text.strip("\n").splitlines()
    canvas = np.full((2 * len(lines) + 1, 2 * len(lines[0]) + 1), WALL)
    for row, line in enumerate(lines):
        for col, mark in enumerate(line):
            canvas[2 * row + 1, 2 * col + 1] = mark
            if mark != WALL and col + 1 < len(line) and line[col + 1] != WALL:
                canvas[2 * row + 1, 2 * col + 2] = FLOOR
            if mark != WALL and row + 1 < len(lines) and lines[row + 1][col] != WALL:
                canvas[2 * row + 2, 2 * col + 1] = FLOOR
    return "\n".join("".join(line) for line in canvas)


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    width = max(map(len, lines), default=0)
    if len(lines) < 3 or len(lines) % 2 == 0 or width < 3 or width % 2 == 0:
        raise ValueError(
            f"a drawing of R x C cells has 2R + 1 lines of 2C + 1 characters, got {len(lines)} lines of up to {width}"
        )
    return [line.ljust(width) for line in lines]


def _check_characters(lines: list[str]) -> None:
    started = False
    for line_number, line in enumerate(lines):
        for column, character in enumerate(line):
            at_cell = line_number % 2 == 1 and column % 2 == 1
            at_post = line_number % 2 == 0 and column % 2 == 0
            place = f"line {line_number + 1}, column {column + 1}"
            if character not in _AT_CELLS + _BETWEEN:
                expected = "'#', a blank, 'S', 'E', 'O', keys 'a' to 'd', doors 'A' to 'D' or one of '^>v<'"
                raise ValueError(f"{place}: expected {expected}, got {character!r}")
            if at_cell and character not in _AT_CELLS:
                raise ValueError(f"{place}: {character!r} must stand between two cells, not at a cell's centre")
            if not at_cell and character not in (WALL + FLOOR if at_post else _BETWEEN):
                where = "at a cell's centre (even line, even column)" if character in _AT_CELLS else "between two cells"
                raise ValueError(f"{place}: {character!r} must stand {where}")
            if character == START:
                if started:
                    raise ValueError(f"{place}: a second 'S'; a layout has one")
                started = True
            on_border = line_number in (0, len(lines) - 1) or column in (0, len(line) - 1)
            if on_border and character != WALL:
                raise ValueError(f"{place}: the border must be wall, got {character!r}")


def _check_keys(keys: NDArray[np.int8], doors: NDArray[np.int8]) -> None:
    drawn = sorted(int(key) for key in keys if key)
    if drawn != list(range(1, len(drawn) + 1)):
        got = ", ".join(repr(KEYS[key - 1]) for key in drawn)
        raise ValueError(f"keys are one each of 'a', 'b', ... in this order, got {got}")
    for door in map(int, np.unique(doors)):
        if door > len(drawn):
            raise ValueError(f"the layout has a door {DOORS[door - 1]!r} and no key {KEYS[door - 1]!r}")


def _between(lines: list[str], cols: int, cell: int, action: int) -> str:
    row, col = divmod(cell, cols)
    row_change, col_change = MOVES[action]
    return lines[2 * row + 1 + row_change][2 * col + 1 + col_change]


def _passage(maze: Maze, doors: NDArray[np.int8], cell: int, action: int, mark: str) -> None:
    if mark == WALL:
        return
    other = carve(maze.passages, maze.cols, cell, action)
    back = (action + 2) % 4
    if mark in ONE_WAY:
        direction = ONE_WAY.index(mark)
        if direction % 2 != action % 2:
            raise ValueError(f"a one-way passage {mark!r} leads to neither of the two cells that it stands between")
        maze.passages[cell, action] = direction == action
        maze.passages[other, back] = direction == back
    elif mark in DOORS:
        doors[cell, action] = doors[other, back] = DOORS.index(mark) + 1


def _mark(drawing: Drawing, cell: int) -> str:
    if cell == drawing.start:
        return START
    if cell in drawing.exits:
        return EXIT
    if drawing.pits[cell]:
        return PIT
    return KEYS[drawing.keys[cell] - 1] if drawing.keys[cell] else FLOOR


def _passage_mark(drawing: Drawing, cell: int, action: int) -> str:
    maze = drawing.maze
    back = (action + 2) % 4
    there, returns = maze.passages[cell, action], maze.passages[beyond(cell, action, maze.cols), back]
    if there and returns:
        door = drawing.doors[cell, action]
        return DOORS[door - 1] if door else FLOOR
    if there or returns:
        return ONE_WAY[action if there else back]
    return WALL
