"""Maze generators, each from its published description, by name in `GENERATORS`.

All make a *perfect* maze: a spanning tree of the grid, so that exactly one path joins any two cells. They differ in
which trees they favour: their docstrings say how, and tests hold what can be counted. A generator draws from the
generator it is given and from nothing else.

Descriptions: Buck, "Mazes for Programmers" (2015); for single ones, the papers named at their functions.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from envs.mazes.grid import DOWN, RIGHT, UP, Maze, carve, closed, inside_neighbours

Generator = Callable[[int, int, np.random.Generator], Maze]
GENERATORS: dict[str, Generator] = {}
Choice = TypeVar("Choice")


def generator(name: str) -> Callable[[Generator], Generator]:
    """Enter a generator in the registry under a name."""

    def enter(function: Generator) -> Generator:
        GENERATORS[name] = function
        return function

    return enter


@generator("backtracker")
def backtracker(rows: int, cols: int, rng: np.random.Generator) -> Maze:
    """Randomised depth-first search: walk to an unvisited neighbour, go back when there is none.

    Bias: long winding corridors and few dead ends (about one cell in ten).
    """
    maze = closed(rows, cols)
    first = int(rng.integers(rows * cols))
    visited = {first}
    stack = [first]
    while stack:
        cell = stack[-1]
        unvisited = [pair for pair in inside_neighbours(rows, cols, cell) if pair[1] not in visited]
        if not unvisited:
            stack.pop()
            continue
        action, neighbour = _pick(unvisited, rng)
        carve(maze, cell, action)
        visited.add(neighbour)
        stack.append(neighbour)
    return maze


@generator("wilson")
def wilson(rows: int, cols: int, rng: np.random.Generator) -> Maze:
    """Loop-erased random walks (Wilson 1996, "Generating random spanning trees more quickly than the cover time").

    Bias: none. Every spanning tree of the grid is equally likely.
    """
    maze = closed(rows, cols)
    in_maze = {int(rng.integers(rows * cols))}
    for root in range(rows * cols):
        last_exit: dict[int, tuple[int, int]] = {}  # overwriting a cell's last exit is what erases the loop
        cell = root
        while cell not in in_maze:
            last_exit[cell] = _pick(inside_neighbours(rows, cols, cell), rng)
            cell = last_exit[cell][1]
        cell = root
        while cell not in in_maze:
            action, neighbour = last_exit[cell]
            carve(maze, cell, action)
            in_maze.add(cell)
            cell = neighbour
    return maze


@generator("aldous_broder")
def aldous_broder(rows: int, cols: int, rng: np.random.Generator) -> Maze:
    """A random walk that carves wherever it enters a new cell (Broder 1989; Aldous 1990).

    Bias: none, as Wilson's; the walk needs longer.
    """
    maze = closed(rows, cols)
    cell = int(rng.integers(rows * cols))
    visited = {cell}
    while len(visited) < rows * cols:
        action, neighbour = _pick(inside_neighbours(rows, cols, cell), rng)
        if neighbour not in visited:
            carve(maze, cell, action)
            visited.add(neighbour)
        cell = neighbour
    return maze


@generator("hunt_and_kill")
def hunt_and_kill(rows: int, cols: int, rng: np.random.Generator) -> Maze:
    """Walk to unvisited neighbours; at a dead end, go on from the first unvisited cell, row by row, beside the maze.

    Bias: long corridors and few dead ends, like the backtracker's.
    """
    maze = closed(rows, cols)
    cell = int(rng.integers(rows * cols))
    visited = {cell}
    while len(visited) < rows * cols:
        unvisited = [pair for pair in inside_neighbours(rows, cols, cell) if pair[1] not in visited]
        if unvisited:
            action, neighbour = _pick(unvisited, rng)
            carve(maze, cell, action)
            cell = neighbour
        else:
            for cell in range(rows * cols):
                beside = [pair for pair in inside_neighbours(rows, cols, cell) if pair[1] in visited]
                if cell not in visited and beside:
                    carve(maze, cell, _pick(beside, rng)[0])
                    break
        visited.add(cell)
    return maze


@generator("prim")
def prim(rows: int, cols: int, rng: np.random.Generator) -> Maze:
    """Prim's algorithm (1957), randomised: open a wall drawn from those between the maze and the rest.

    Bias: short branches, many dead ends (about one cell in three), a texture that grows out of the first cell.
    """
    maze = closed(rows, cols)
    first = int(rng.integers(rows * cols))
    inside = {first}
    frontier = [(first, *pair) for pair in inside_neighbours(rows, cols, first)]
    while frontier:
        cell, action, neighbour = _take(frontier, int(rng.integers(len(frontier))))
        if neighbour in inside:
            continue
        carve(maze, cell, action)
        inside.add(neighbour)
        frontier += [(neighbour, *pair) for pair in inside_neighbours(rows, cols, neighbour) if pair[1] not in inside]
    return maze


@generator("kruskal")
def kruskal(rows: int, cols: int, rng: np.random.Generator) -> Maze:
    """Kruskal's algorithm (1956), randomised: take all walls in random order, open those that lie between two trees.

    Bias: short dead ends everywhere; the minimum spanning tree of random weights, which is not uniform.
    """
    maze = closed(rows, cols)
    walls = [(cell, *pair) for cell in range(rows * cols) for pair in inside_neighbours(rows, cols, cell)]
    walls = [wall for wall in walls if wall[1] in (RIGHT, DOWN)]
    trees = _Trees(rows * cols)
    for index in rng.permutation(len(walls)):
        cell, action, neighbour = walls[int(index)]
        if trees.join(cell, neighbour):
            carve(maze, cell, action)
    return maze


@generator("eller")
def eller(rows: int, cols: int, rng: np.random.Generator) -> Maze:
    """Eller's algorithm (1982): row by row, knowing only which cells of the row are connected; any number of rows.

    Walls to the right are opened, and openings downwards made, with probability 1/2 each; every connected set goes down
    at least once, and the last row joins all that is left.

    Bias: rows and columns are treated differently; the last row is nearly free of walls.
    """
    maze = closed(rows, cols)
    trees = _Trees(rows * cols)
    for row in range(rows):
        cells = range(row * cols, (row + 1) * cols)
        for cell in cells[:-1]:
            if (row == rows - 1 or rng.random() < 0.5) and trees.join(cell, cell + 1):
                carve(maze, cell, RIGHT)
        if row == rows - 1:
            break
        sets: dict[int, list[int]] = {}
        for cell in cells:
            sets.setdefault(trees.root(cell), []).append(cell)
        for members in sets.values():
            going_down = [cell for cell in members if rng.random() < 0.5] or [_pick(members, rng)]
            for cell in going_down:
                carve(maze, cell, DOWN)
                trees.join(cell, cell + cols)
    return maze


@generator("binary_tree")
def binary_tree(rows: int, cols: int, rng: np.random.Generator) -> Maze:
    """Every cell opens the wall above it or the one to its right.

    Bias: extreme. The top row and the right column are corridors, and every path leads up and right.
    """
    maze = closed(rows, cols)
    for cell in range(rows * cols):
        choices = [pair for pair in inside_neighbours(rows, cols, cell) if pair[0] in (UP, RIGHT)]
        if choices:
            carve(maze, cell, _pick(choices, rng)[0])
    return maze


@generator("sidewinder")
def sidewinder(rows: int, cols: int, rng: np.random.Generator) -> Maze:
    """Row by row: extend a run to the right, or close it and open the wall above one of its cells, with equal chances.

    Bias: the top row is a corridor, and every path leads up.
    """
    maze = closed(rows, cols)
    for row in range(rows):
        run: list[int] = []
        for cell in range(row * cols, (row + 1) * cols):
            run.append(cell)
            at_end = cell % cols == cols - 1
            if row > 0 and (at_end or rng.random() < 0.5):
                carve(maze, _pick(run, rng), UP)
                run = []
            elif not at_end:
                carve(maze, cell, RIGHT)
    return maze


@generator("recursive_division")
def recursive_division(rows: int, cols: int, rng: np.random.Generator) -> Maze:
    """Divide an empty room by a wall with one gap, and both halves again (Reynolds's description in Buck 2015).

    A room is divided across its longer side, across either when it is square; where, and where the gap is, is drawn.

    Bias: long straight walls, rooms within rooms; few ways from one half to the other.
    """
    maze = closed(rows, cols)
    for cell in range(rows * cols):
        for action, _ in inside_neighbours(rows, cols, cell):
            maze.passages[cell, action] = True
    rooms = [(0, 0, rows, cols)]  # top, left, height, width
    while rooms:
        top, left, height, width = rooms.pop()
        if height < 2 or width < 2:
            continue
        if height > width or (height == width and rng.random() < 0.5):
            wall, gap = int(rng.integers(height - 1)), int(rng.integers(width))
            for col in range(width):
                if col != gap:
                    carve(maze, (top + wall) * cols + left + col, DOWN, open_=False)
            rooms += [(top, left, wall + 1, width), (top + wall + 1, left, height - wall - 1, width)]
        else:
            wall, gap = int(rng.integers(width - 1)), int(rng.integers(height))
            for row in range(height):
                if row != gap:
                    carve(maze, (top + row) * cols + left + wall, RIGHT, open_=False)
            rooms += [(top, left, height, wall + 1), (top, left + wall + 1, height, width - wall - 1)]
    return maze


def braid(maze: Maze, share: float, rng: np.random.Generator) -> None:
    """Open a share of a maze's dead ends into loops (Buck 2015, "Braiding mazes"); draws nothing where it is 0.

    The dead ends come in random order. Each opens a wall, drawn from those towards other dead ends where there are any,
    which ends both.
    """
    if share == 0:
        return
    dead_ends = np.flatnonzero(maze.passages.sum(axis=1) == 1)
    for cell in map(int, rng.permutation(dead_ends)[: round(share * len(dead_ends))]):
        if maze.passages[cell].sum() > 1:
            continue  # opened from the other side
        closed_off = [
            pair for pair in inside_neighbours(maze.rows, maze.cols, cell) if not maze.passages[cell, pair[0]]
        ]
        best = [pair for pair in closed_off if maze.passages[pair[1]].sum() == 1]
        carve(maze, cell, _pick(best or closed_off, rng)[0])


class _Trees:
    """Which cells are connected: union-find with path halving (Tarjan 1975)."""

    def __init__(self, num_cells: int) -> None:
        self._parent = list(range(num_cells))

    def root(self, cell: int) -> int:
        """The representative of a cell's tree."""
        while self._parent[cell] != cell:
            self._parent[cell] = self._parent[self._parent[cell]]
            cell = self._parent[cell]
        return cell

    def join(self, one: int, other: int) -> bool:
        """Join the trees of two cells; False where they are one already."""
        one, other = self.root(one), self.root(other)
        self._parent[other] = one
        return one != other


def _pick(choices: list[Choice], rng: np.random.Generator) -> Choice:
    """One of them, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


def _take(items: list[Choice], index: int) -> Choice:
    """Remove one item in constant time; the last takes its place."""
    items[index], items[-1] = items[-1], items[index]
    return items.pop()
