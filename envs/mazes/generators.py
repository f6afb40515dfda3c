"""Maze generators, each from its published description, by name in `GENERATORS`.

Both carve a *perfect* maze: a spanning tree of the grid, so that exactly one path joins any two cells.
A generator draws from the generator it is given and from nothing else.
"""

from collections.abc import Callable

import numpy as np

from envs.mazes.grid import Maze, carve, closed, inside_neighbours

Generator = Callable[[int, int, np.random.Generator], Maze]
GENERATORS: dict[str, Generator] = {}


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
        action, neighbour = unvisited[int(rng.integers(len(unvisited)))]
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
            neighbours = inside_neighbours(rows, cols, cell)
            last_exit[cell] = neighbours[int(rng.integers(len(neighbours)))]
            cell = last_exit[cell][1]
        cell = root
        while cell not in in_maze:
            action, neighbour = last_exit[cell]
            carve(maze, cell, action)
            in_maze.add(cell)
            cell = neighbour
    return maze
