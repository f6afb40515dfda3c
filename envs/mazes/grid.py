"""A maze as data: which neighbouring cells are connected, and how far every cell is from a goal.

Cells are numbered row by row: cell = row * cols + col. Actions, in the order of the book's table:
0 up, 1 right, 2 down, 3 left.

The functions here take arrays and plain numbers, so that Python runs them as they stand and numba compiles them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

UP, RIGHT, DOWN, LEFT = range(4)
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # (row, column) change of each action

Passages = NDArray[np.bool_]  # [C, 4]: may one leave the cell by this action?


@dataclass(frozen=True)
class Maze:
    """Cells and the open passages between them."""

    rows: int
    cols: int
    passages: Passages

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return self.rows * self.cols

    def neighbour(self, cell: int, action: int) -> int:
        """The cell an action leads to; the cell itself when a wall is in the way."""
        return beyond(cell, action, self.cols) if self.passages[cell, action] else cell

    def distances_to(self, goal: int) -> NDArray[np.int64]:
        """Walking distance [C] from every cell to `goal`, in moves; -1 where it cannot be reached."""
        return distances_to(neighbours(self.passages, self.cols), np.array([goal]))


def closed(rows: int, cols: int) -> Maze:
    """A maze with every wall standing: what a generator carves."""
    return Maze(rows, cols, np.zeros((rows * cols, 4), dtype=np.bool_))


def beyond(cell: int, action: int, cols: int) -> int:
    """The cell next to `cell` in the direction of an action, whatever is between them."""
    if action == 0:
        return cell - cols
    if action == 1:
        return cell + 1
    if action == 2:
        return cell + cols
    return cell - 1


def is_inside(cell: int, action: int, rows: int, cols: int) -> bool:
    """Is there a cell in the direction of an action?"""
    if action == 0:
        return cell >= cols
    if action == 1:
        return cell % cols < cols - 1
    if action == 2:
        return cell < (rows - 1) * cols
    return cell % cols > 0


def carve(passages: Passages, cols: int, cell: int, action: int, is_open: bool = True) -> int:
    """Open (or close again) the wall that `action` meets in `cell`, from both sides; returns the cell beyond."""
    neighbour = beyond(cell, action, cols)
    passages[cell, action] = is_open
    passages[neighbour, (action + 2) % 4] = is_open
    return neighbour


def neighbours(passages: Passages, cols: int) -> NDArray[np.int64]:
    """The cell [C, 4] that every action leads to: the cell itself where a wall is in the way."""
    num_cells = len(passages)
    cells = np.arange(num_cells)
    reached = np.empty((num_cells, 4), dtype=np.int64)
    for action in range(4):
        reached[:, action] = np.where(passages[:, action], beyond(cells, action, cols), cells)  # type: ignore[arg-type]
    return reached


def distances_to(successors: NDArray[np.signedinteger[Any]], goals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fewest moves [S] from every state to a goal, -1 where there is no way: breadth-first search, backwards.

    Args:
        successors: the state [S, 4] that every move leads to.
        goals: the goals' states.
    """
    num_states = len(successors)
    # The moves that lead into a state are a linked list: the newest, and from each the one before.
    newest = np.full(num_states, -1, dtype=np.int64)
    before = np.full(num_states * 4, -1, dtype=np.int64)
    for state in range(num_states):
        for action in range(4):
            reached = successors[state, action]
            before[state * 4 + action] = newest[reached]
            newest[reached] = state * 4 + action
    distances = np.full(num_states, -1, dtype=np.int64)
    queue = np.empty(num_states, dtype=np.int64)
    length = 0
    for goal in goals:
        if distances[goal] < 0:
            distances[goal] = 0
            queue[length] = goal
            length += 1
    head = 0
    while head < length:
        state = queue[head]
        head += 1
        move = newest[state]
        while move >= 0:
            origin = move // 4
            if distances[origin] < 0:
                distances[origin] = distances[state] + 1
                queue[length] = origin
                length += 1
            move = before[move]
    return distances
