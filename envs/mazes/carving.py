"""What several generators need: sets of ways, trees of cells, rooms that are divided, dead ends that are opened."""

import numpy as np
from numpy.typing import NDArray

from envs.mazes.chance import below, shuffle, uniform
from envs.mazes.grid import DOWN, RIGHT, Passages, beyond, carve, is_inside

IntArray = NDArray[np.int64]

# Sets of actions as bits (1 up, 2 right, 4 down, 8 left): how many there are, and which is the first, second, ...
HOW_MANY = np.array([ways.bit_count() for ways in range(16)])  # [16]
WHICH = np.array([([a for a in range(4) if ways >> a & 1] + [0] * 4)[:4] for ways in range(16)])  # [16, 4]


def ways_inside(rows: int, cols: int) -> IntArray:
    """The actions [C] that lead from every cell to another inside the grid, as bits: 1 up, 2 right, 4 down, 8 left."""
    ways = np.full(rows * cols, 15, dtype=np.int64)
    ways[:cols] -= 1
    ways[cols - 1 :: cols] -= 2
    ways[(rows - 1) * cols :] -= 4
    ways[::cols] -= 8
    return ways


def visit(unvisited: IntArray, inside: IntArray, cols: int, cell: int) -> None:
    """Take a cell out of the ways [C] that lead to unvisited neighbours."""
    ways = inside[cell]
    if ways & 1:
        unvisited[cell - cols] &= 11
    if ways & 2:
        unvisited[cell + 1] &= 7
    if ways & 4:
        unvisited[cell + cols] &= 14
    if ways & 8:
        unvisited[cell - 1] &= 13


def random_way(ways: int, rng: np.random.Generator) -> int:
    """One of some ways, given as bits, all equally likely: its action."""
    return int(WHICH[ways, below(rng, HOW_MANY[ways])])


def root(parents: IntArray, cell: int) -> int:
    """The representative of a cell's tree: union-find with path halving (Tarjan 1975)."""
    while parents[cell] != cell:
        parents[cell] = parents[parents[cell]]
        cell = parents[cell]
    return cell


def join(parents: IntArray, one: int, other: int) -> bool:
    """Join the trees of two cells; False where they are one already."""
    one, other = root(parents, one), root(parents, other)
    parents[other] = one
    return one != other


def join_trees(passages: Passages, rows: int, cols: int, parents: IntArray, rng: np.random.Generator) -> None:
    """Take all walls in random order and open those that lie between two trees."""
    walls = np.empty(2 * rows * cols, dtype=np.int64)  # cell * 4 + action
    count = 0
    for cell in range(rows * cols):
        for action in (RIGHT, DOWN):
            if is_inside(cell, action, rows, cols):
                walls[count] = cell * 4 + action
                count += 1
    shuffle(rng, walls[:count])
    for wall in walls[:count]:
        if join(parents, wall // 4, beyond(wall // 4, wall % 4, cols)):
            carve(passages, cols, wall // 4, wall % 4)


def divide(passages: Passages, rows: int, cols: int, room_size: int, rng: np.random.Generator) -> None:
    """Recursive division of the whole grid, down to rooms of at most `room_size` cells a side."""
    for cell in range(rows * cols):
        for action in range(4):
            passages[cell, action] = is_inside(cell, action, rows, cols)
    todo = np.empty((rows * cols, 4), dtype=np.int64)  # top, left, height, width
    todo[0, 0], todo[0, 1], todo[0, 2], todo[0, 3] = 0, 0, rows, cols
    length = 1
    while length > 0:
        length -= 1
        top, left, height, width = todo[length, 0], todo[length, 1], todo[length, 2], todo[length, 3]
        if min(height, width) < 2 or max(height, width) <= room_size:
            continue
        if height > width or (height == width and uniform(rng) < 0.5):
            wall = below(rng, height - 1)
            gap = below(rng, width)
            for col in range(width):
                if col != gap:
                    carve(passages, cols, (top + wall) * cols + left + col, DOWN, False)
            halves = ((top, left, wall + 1, width), (top + wall + 1, left, height - wall - 1, width))
        else:
            wall = below(rng, width - 1)
            gap = below(rng, height)
            for row in range(height):
                if row != gap:
                    carve(passages, cols, (top + row) * cols + left + wall, RIGHT, False)
            halves = ((top, left, height, wall + 1), (top, left + wall + 1, height, width - wall - 1))
        for half in halves:
            todo[length, 0], todo[length, 1], todo[length, 2], todo[length, 3] = half
            length += 1


def braid(passages: Passages, rows: int, cols: int, share: float, rng: np.random.Generator) -> None:
    """Open a share of a maze's dead ends into loops (Buck 2015, "Braiding mazes"); draws nothing where it is 0.

    The dead ends come in random order. Each opens a wall, drawn from those towards other dead ends where there are any,
    which ends both.
    """
    if share == 0:
        return
    ways = passages.sum(axis=1)
    dead_ends = np.flatnonzero(ways == 1)
    shuffle(rng, dead_ends)
    best = np.empty(4, dtype=np.int64)
    closed_off = np.empty(4, dtype=np.int64)
    for cell in dead_ends[: round(share * len(dead_ends))]:
        if ways[cell] > 1:
            continue  # opened from the other side
        num_best, num_closed = 0, 0
        for action in range(4):
            if is_inside(cell, action, rows, cols) and not passages[cell, action]:
                closed_off[num_closed] = action
                num_closed += 1
                if ways[beyond(cell, action, cols)] == 1:
                    best[num_best] = action
                    num_best += 1
        action = best[below(rng, num_best)] if num_best > 0 else closed_off[below(rng, num_closed)]
        ways[carve(passages, cols, cell, action)] += 1
        ways[cell] += 1
