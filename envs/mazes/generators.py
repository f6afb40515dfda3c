"""Maze generators, each from its published description, by name in `GENERATORS`.

Most make a *perfect* maze: a spanning tree of the grid, so that exactly one path joins any two cells; `rooms` and
`percolation` have loops. They differ in which trees they favour: their docstrings say how, and tests hold what can be
counted. A generator carves the passages [C, 4] that it is given, all closed, and draws from its generator of random
numbers only. Python runs it as it stands; `envs.mazes.compiled` compiles the same lines.

Descriptions: Buck, "Mazes for Programmers" (2015); for single ones, the papers named at their functions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from envs.mazes.carving import HOW_MANY, WHICH, divide, join, join_trees, random_way, root, visit, ways_inside
from envs.mazes.chance import below, uniform
from envs.mazes.grid import DOWN, RIGHT, UP, Maze, Passages, beyond, carve, closed, is_inside

Carver = Callable[[Passages, int, int, float, np.random.Generator], None]


@dataclass(frozen=True)
class Generator:
    """One entry of the registry; calling it makes a maze."""

    name: str
    carver: Carver
    parameter: str | None = None  # the maze option that tunes it
    default: float = 0.0  # of that option
    perfect: bool = True

    def __call__(self, rows: int, cols: int, rng: np.random.Generator, parameter: float | None = None) -> Maze:
        """A new maze."""
        maze = closed(rows, cols)
        self.carver(maze.passages, rows, cols, self.default if parameter is None else parameter, rng)
        return maze


GENERATORS: dict[str, Generator] = {}


def generator(
    name: str, *, parameter: str | None = None, default: float = 0.0, perfect: bool = True
) -> Callable[[Carver], Carver]:
    """Enter a generator in the registry under a name."""

    def enter(carver: Carver) -> Carver:
        GENERATORS[name] = Generator(name, carver, parameter, default, perfect)
        return carver

    return enter


@generator("backtracker")
def backtracker(passages: Passages, rows: int, cols: int, _: float, rng: np.random.Generator) -> None:
    """Randomised depth-first search: walk to an unvisited neighbour, go back when there is none.

    Bias: long winding corridors and few dead ends (about one cell in ten).
    """
    inside = ways_inside(rows, cols)
    unvisited = inside.copy()
    stack = np.empty(rows * cols, dtype=np.int64)
    cell = below(rng, rows * cols)
    visit(unvisited, inside, cols, cell)
    stack[0] = cell
    height = 1
    while height > 0:
        cell = int(stack[height - 1])
        if unvisited[cell] == 0:
            height -= 1
            continue
        cell = carve(passages, cols, cell, random_way(unvisited[cell], rng))
        visit(unvisited, inside, cols, cell)
        stack[height] = cell
        height += 1


@generator("growing_tree", parameter="mixing", default=0.5)
def growing_tree(passages: Passages, rows: int, cols: int, mixing: float, rng: np.random.Generator) -> None:
    """Grow from a cell of the maze that still has unvisited neighbours: the newest with probability `mixing`, else any.

    Bias: between the backtracker's long corridors (`mixing` = 1) and short branches like Prim's (0).
    """
    inside = ways_inside(rows, cols)
    unvisited = inside.copy()
    growing = np.empty(rows * cols, dtype=np.int64)
    cell = below(rng, rows * cols)
    visit(unvisited, inside, cols, cell)
    growing[0] = cell
    length = 1
    while length > 0:
        index = length - 1 if uniform(rng) < mixing else below(rng, length)
        cell = int(growing[index])
        if unvisited[cell] == 0:
            for later in range(index + 1, length):  # the order tells which is the newest
                growing[later - 1] = growing[later]
            length -= 1
            continue
        cell = carve(passages, cols, cell, random_way(unvisited[cell], rng))
        visit(unvisited, inside, cols, cell)
        growing[length] = cell
        length += 1


@generator("wilson")
def wilson(passages: Passages, rows: int, cols: int, _: float, rng: np.random.Generator) -> None:
    """Loop-erased random walks (Wilson 1996, "Generating random spanning trees more quickly than the cover time").

    Bias: none. Every spanning tree of the grid is equally likely.
    """
    inside = ways_inside(rows, cols)
    in_maze = np.zeros(rows * cols, dtype=np.bool_)
    in_maze[below(rng, rows * cols)] = True
    last_exit = np.zeros(rows * cols, dtype=np.int64)  # overwriting a cell's last exit is what erases the loop
    for first in range(rows * cols):
        cell = first
        while not in_maze[cell]:
            last_exit[cell] = random_way(inside[cell], rng)
            cell = beyond(cell, int(last_exit[cell]), cols)
        cell = first
        while not in_maze[cell]:
            in_maze[cell] = True
            cell = carve(passages, cols, cell, int(last_exit[cell]))


@generator("aldous_broder")
def aldous_broder(passages: Passages, rows: int, cols: int, _: float, rng: np.random.Generator) -> None:
    """A random walk that carves wherever it enters a new cell (Broder 1989; Aldous 1990).

    Bias: none, as Wilson's; the walk needs longer.
    """
    inside = ways_inside(rows, cols)
    visited = np.zeros(rows * cols, dtype=np.bool_)
    cell = below(rng, rows * cols)
    visited[cell] = True
    num_visited = 1
    while num_visited < rows * cols:
        action = random_way(inside[cell], rng)
        neighbour = beyond(cell, action, cols)
        if not visited[neighbour]:
            carve(passages, cols, cell, action)
            visited[neighbour] = True
            num_visited += 1
        cell = neighbour


@generator("hunt_and_kill")
def hunt_and_kill(passages: Passages, rows: int, cols: int, _: float, rng: np.random.Generator) -> None:
    """Walk to unvisited neighbours; at a dead end, go on from the first unvisited cell, row by row, beside the maze.

    Bias: long corridors and few dead ends, like the backtracker's.
    """
    inside = ways_inside(rows, cols)
    unvisited = inside.copy()
    visited = np.zeros(rows * cols, dtype=np.bool_)
    cell = below(rng, rows * cols)
    for _visit in range(rows * cols - 1):
        visited[cell] = True
        visit(unvisited, inside, cols, cell)
        if unvisited[cell] != 0:
            cell = carve(passages, cols, cell, random_way(unvisited[cell], rng))
            continue
        cell = 0
        while visited[cell] or unvisited[cell] == inside[cell]:
            cell += 1
        carve(passages, cols, cell, random_way(inside[cell] - unvisited[cell], rng))


@generator("prim")
def prim(passages: Passages, rows: int, cols: int, _: float, rng: np.random.Generator) -> None:
    """Prim's algorithm (1957), randomised: open a wall drawn from those between the maze and the rest.

    Bias: short branches, many dead ends (about one cell in three), a texture that grows out of the first cell.
    """
    inside = ways_inside(rows, cols)
    unvisited = inside.copy()
    visited = np.zeros(rows * cols, dtype=np.bool_)
    frontier = np.empty(4 * rows * cols, dtype=np.int64)  # walls: cell * 4 + action
    cell = below(rng, rows * cols)
    length = 0
    for _visit in range(rows * cols):
        visited[cell] = True
        visit(unvisited, inside, cols, cell)
        for index in range(HOW_MANY[unvisited[cell]]):
            frontier[length] = cell * 4 + WHICH[unvisited[cell], index]
            length += 1
        while length > 0:
            index = below(rng, length)
            wall = int(frontier[index])
            length -= 1
            frontier[index] = frontier[length]
            cell = beyond(wall // 4, wall % 4, cols)
            if not visited[cell]:
                carve(passages, cols, wall // 4, wall % 4)
                break


@generator("kruskal")
def kruskal(passages: Passages, rows: int, cols: int, _: float, rng: np.random.Generator) -> None:
    """Kruskal's algorithm (1956), randomised: take all walls in random order, open those that lie between two trees.

    Bias: short dead ends everywhere; the minimum spanning tree of random weights, which is not uniform.
    """
    join_trees(passages, rows, cols, np.arange(rows * cols), rng)


@generator("percolation", parameter="openness", default=0.5, perfect=False)
def percolation(passages: Passages, rows: int, cols: int, openness: float, rng: np.random.Generator) -> None:
    """Bond percolation (Broadbent & Hammersley 1957): every wall is open with probability `openness`.

    The clusters that come of it are then joined by Kruskal's algorithm, so that there is a path between any two cells.

    Bias: loops and open places; `openness` = 0 is `kruskal`, 1 has no walls.
    """
    parents = np.arange(rows * cols)
    for cell in range(rows * cols):
        for action in (RIGHT, DOWN):
            if is_inside(cell, action, rows, cols) and uniform(rng) < openness:
                join(parents, cell, carve(passages, cols, cell, action))
    join_trees(passages, rows, cols, parents, rng)


@generator("eller")
def eller(passages: Passages, rows: int, cols: int, _: float, rng: np.random.Generator) -> None:
    """Eller's algorithm (1982): row by row, knowing only which cells of the row are connected; any number of rows.

    Walls to the right are opened, and openings downwards made, with probability 1/2 each; every connected set goes down
    at least once, and the last row joins all that is left.

    Bias: rows and columns are treated differently; the last row is nearly free of walls.
    """
    parents = np.arange(rows * cols)
    roots = np.empty(cols, dtype=np.int64)
    members = np.empty(cols, dtype=np.int64)
    for row in range(rows):
        first = row * cols
        for cell in range(first, first + cols - 1):
            if (row == rows - 1 or uniform(rng) < 0.5) and join(parents, cell, cell + 1):
                carve(passages, cols, cell, RIGHT)
        if row == rows - 1:
            break
        for col in range(cols):
            roots[col] = root(parents, first + col)
        for col in range(cols):
            if (roots[:col] == roots[col]).any():
                continue  # this set has had its turn
            count, going_down = 0, 0
            for other in range(col, cols):
                if roots[other] == roots[col]:
                    members[count] = first + other
                    count += 1
                    if uniform(rng) < 0.5:
                        join(parents, first + other, carve(passages, cols, first + other, DOWN))
                        going_down += 1
            if going_down == 0:
                cell = int(members[below(rng, count)])
                join(parents, cell, carve(passages, cols, cell, DOWN))


@generator("binary_tree")
def binary_tree(passages: Passages, rows: int, cols: int, _: float, rng: np.random.Generator) -> None:
    """Every cell opens the wall above it or the one to its right.

    Bias: extreme. The top row and the right column are corridors, and every path leads up and right.
    """
    for cell in range(rows * cols):
        has_above, has_right = is_inside(cell, UP, rows, cols), is_inside(cell, RIGHT, rows, cols)
        if has_above and has_right:
            carve(passages, cols, cell, UP if below(rng, 2) == 0 else RIGHT)
        elif has_above or has_right:
            carve(passages, cols, cell, UP if has_above else RIGHT)


@generator("sidewinder")
def sidewinder(passages: Passages, rows: int, cols: int, _: float, rng: np.random.Generator) -> None:
    """Row by row: extend a run to the right, or close it and open the wall above one of its cells, with equal chances.

    Bias: the top row is a corridor, and every path leads up.
    """
    for row in range(rows):
        run_start = row * cols
        for cell in range(row * cols, (row + 1) * cols):
            at_end = cell % cols == cols - 1
            if row > 0 and (at_end or uniform(rng) < 0.5):
                carve(passages, cols, run_start + below(rng, cell + 1 - run_start), UP)
                run_start = cell + 1
            elif not at_end:
                carve(passages, cols, cell, RIGHT)


@generator("recursive_division")
def recursive_division(passages: Passages, rows: int, cols: int, _: float, rng: np.random.Generator) -> None:
    """Divide an empty room by a wall with one gap, and both halves again (Reynolds's description in Buck 2015).

    A room is divided across its longer side, across either when it is square; where, and where the gap is, is drawn.

    Bias: long straight walls, rooms within rooms; few ways from one half to the other.
    """
    divide(passages, rows, cols, 1, rng)


@generator("rooms", parameter="room_size", default=3, perfect=False)
def rooms(passages: Passages, rows: int, cols: int, room_size: float, rng: np.random.Generator) -> None:
    """Recursive division that stops at rooms of at most `room_size` cells a side; every wall between two has one door.

    Bias: open places joined by narrow doors, and a tree of rooms: one way from room to room.
    """
    divide(passages, rows, cols, int(room_size), rng)


def carve_maze(
    number: int, passages: Passages, rows: int, cols: int, parameter: float, rng: np.random.Generator
) -> None:
    """Carve by the generator that has this place in the registry; compiled code has one of them under this name."""
    _CARVERS[number](passages, rows, cols, parameter, rng)


_CARVERS = [entry.carver for entry in GENERATORS.values()]
