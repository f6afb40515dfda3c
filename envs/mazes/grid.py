"""A maze as data: which neighbouring cells are connected, and how far every cell is from a goal.

Cells are numbered row by row: cell = row * cols + col. Actions, in the order of the book's table:
0 up, 1 right, 2 down, 3 left.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UP, RIGHT, DOWN, LEFT = range(4)
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # (row, column) change of each action

WALL, FLOOR, START, EXIT = "#", " ", "S", "E"


@dataclass(frozen=True)
class Maze:
    """Cells and the open passages between them."""

    rows: int
    cols: int
    passages: NDArray[np.bool_]  # [S, 4]: may one leave the cell by this action?

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return self.rows * self.cols

    def neighbour(self, cell: int, action: int) -> int:
        """The cell an action leads to; the cell itself when a wall is in the way."""
        if not self.passages[cell, action]:
            return cell
        row_change, col_change = MOVES[action]
        return cell + row_change * self.cols + col_change

    def distances_to(self, goal: int) -> NDArray[np.int64]:
        """Walking distance [S] from every cell to `goal`, in moves; -1 where it cannot be reached."""
        distances = np.full(self.num_cells, -1, dtype=np.int64)
        distances[goal] = 0
        queue = deque([goal])
        while queue:
            cell = queue.popleft()
            for action in range(4):
                neighbour = self.neighbour(cell, action)
                if distances[neighbour] < 0:
                    distances[neighbour] = distances[cell] + 1
                    queue.append(neighbour)
        return distances


def closed(rows: int, cols: int) -> Maze:
    """A maze with every wall standing: what a generator carves."""
    return Maze(rows, cols, np.zeros((rows * cols, 4), dtype=np.bool_))


def inside_neighbours(rows: int, cols: int, cell: int) -> list[tuple[int, int]]:
    """The (action, cell) pairs around a cell that lie inside the grid, in the order of the actions."""
    row, col = divmod(cell, cols)
    return [
        (action, (row + row_change) * cols + col + col_change)
        for action, (row_change, col_change) in enumerate(MOVES)
        if 0 <= row + row_change < rows and 0 <= col + col_change < cols
    ]


def carve(maze: Maze, cell: int, action: int, *, open_: bool = True) -> None:
    """Open (or close again) the wall that `action` meets in `cell`, from both sides."""
    row_change, col_change = MOVES[action]
    maze.passages[cell, action] = open_
    maze.passages[cell + row_change * maze.cols + col_change, (action + 2) % 4] = open_


def parse_drawing(drawing: str) -> tuple[Maze, int | None, int]:
    """Read a maze from text: the maze, its start (or None) and its exit.

    A maze of R rows and C columns is drawn on 2R + 1 lines of 2C + 1 characters: `#` is a wall, a blank is
    open, and at a cell's centre `S` marks the start and `E` the exit.

        #####
        #S  #
        ### #
        #E  #
        #####

    Raises:
        ValueError: with the line and column of what is wrong.
    """
    lines = drawing.strip("\n").splitlines()
    width = max((len(line.rstrip()) for line in lines), default=0)
    if len(lines) < 3 or len(lines) % 2 == 0 or width < 3 or width % 2 == 0:
        raise ValueError(
            f"a drawing of R x C cells has 2R + 1 lines of 2C + 1 characters, came {len(lines)} lines of up to {width}"
        )
    lines = [line.rstrip().ljust(width) for line in lines]
    maze = closed(len(lines) // 2, width // 2)
    marks: dict[str, int] = {}
    for line_number, line in enumerate(lines):
        for column, character in enumerate(line):
            at_cell = line_number % 2 == 1 and column % 2 == 1
            place = f"line {line_number + 1}, column {column + 1}"
            if character not in (WALL, FLOOR, START, EXIT):
                raise ValueError(f"{place}: expected '#', a blank, 'S' or 'E', came {character!r}")
            if character in (START, EXIT):
                if not at_cell:
                    raise ValueError(f"{place}: {character!r} must stand at a cell's centre (even line, even column)")
                if character in marks:
                    raise ValueError(f"{place}: a second {character!r}; a layout has one")
                marks[character] = (line_number // 2) * maze.cols + column // 2
            on_border = line_number in (0, len(lines) - 1) or column in (0, width - 1)
            if on_border and character != WALL:
                raise ValueError(f"{place}: the border must be wall, came {character!r}")
    for cell in range(maze.num_cells):
        row, col = divmod(cell, maze.cols)
        if lines[2 * row + 1][2 * col + 1] == WALL:
            continue  # a blocked cell has no passages
        for action, neighbour in inside_neighbours(maze.rows, maze.cols, cell):
            next_row, next_col = divmod(neighbour, maze.cols)
            between = lines[row + next_row + 1][col + next_col + 1]
            centre = lines[2 * next_row + 1][2 * next_col + 1]
            if between != WALL and centre != WALL:
                maze.passages[cell, action] = True
    if EXIT not in marks:
        raise ValueError("the layout has no exit: mark one cell with 'E'")
    return maze, marks.get(START), marks[EXIT]


def draw(maze: Maze, start: int | None = None, exit_cell: int | None = None) -> str:
    """The drawing of a maze, as `parse_drawing` reads it."""
    canvas = np.full((2 * maze.rows + 1, 2 * maze.cols + 1), WALL)
    for cell in range(maze.num_cells):
        row, col = divmod(cell, maze.cols)
        if maze.passages[cell].any() or cell in (start, exit_cell):
            canvas[2 * row + 1, 2 * col + 1] = FLOOR
        for action in np.flatnonzero(maze.passages[cell]):
            row_change, col_change = MOVES[action]
            canvas[2 * row + 1 + row_change, 2 * col + 1 + col_change] = FLOOR
    for cell_or_none, mark in ((start, START), (exit_cell, EXIT)):
        if cell_or_none is not None:
            row, col = divmod(cell_or_none, maze.cols)
            canvas[2 * row + 1, 2 * col + 1] = mark
    return "\n".join("".join(line) for line in canvas)
