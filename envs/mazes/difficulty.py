"""How hard a level is, measured on its graph: what a benchmark reports beside its scores."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from envs.mazes.grid import neighbours
from envs.mazes.level import Level, Recipe, reached_from, shortest_path
from envs.mazes.moves import GOES_ON, Tables, exit_distances, move_tables


@dataclass(frozen=True)
class Difficulty:
    """The measures of one level; from its first start, where there are several."""

    shortest_path: int  # fewest moves to an exit, as if nothing slipped
    turns: int  # on that path
    junctions: int  # cells with three or four ways out
    dead_ends: int  # cells with one way out
    straights: int  # cells with two ways out that are opposite
    loops: int  # independent cycles: passages - cells + components; 0 in a perfect maze
    explored: float  # share of the reachable states that breadth-first search has seen when it finds an exit
    hitting_time: float  # moves that a uniformly random walk needs to an exit, on average: exact; inf where it may fail

    def as_dict(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


def measure(recipe: Recipe, level: Level) -> Difficulty:
    """All measures of a level."""
    tables = move_tables(recipe, level)
    start = int(level.starts[0])
    distances = exit_distances(tables.successors, tables.ends)
    goals = np.flatnonzero(tables.ends == 1)
    path = shortest_path(tables.successors.astype(np.int64), start, goals) % 4
    ways = level.passages.sum(axis=1)
    straight = (level.passages[:, 0] & level.passages[:, 2]) | (level.passages[:, 1] & level.passages[:, 3])
    return Difficulty(
        shortest_path=int(distances[start]),
        turns=int((path[1:] != path[:-1]).sum()),
        junctions=int((ways >= 3).sum()),
        dead_ends=int((ways == 1).sum()),
        straights=int(((ways == 2) & straight).sum()),
        loops=_loops(recipe, level),
        explored=_explored(tables, start, int(distances[start])),
        hitting_time=hitting_time(tables, start),
    )


def hitting_time(tables: Tables, start: int) -> float:
    """Expected moves of a uniformly random walk from `start` to an exit: a sparse linear solve.

    h(s) = 1 + sum over actions of h(s') / 4, and 0 at an exit; infinite where the walk may fall into a pit, or come to
    where no exit can be reached.
    """
    reached = reached_from(tables.successors.astype(np.int64), start)
    distances = exit_distances(tables.successors, tables.ends)
    if (distances[reached] < 0).any():
        return float("inf")
    states = np.flatnonzero(reached & (tables.ends == GOES_ON))
    place = np.full(len(reached), -1)
    place[states] = np.arange(len(states))
    targets = place[tables.successors[states]]  # [N, 4]; -1: an exit
    rows = np.repeat(np.arange(len(states)), 4)
    going_on = targets.ravel() >= 0
    shape = (len(states), len(states))
    walk = sparse.csr_array((np.full(going_on.sum(), 0.25), (rows[going_on], targets.ravel()[going_on])), shape=shape)
    times = linalg.spsolve(sparse.csc_array(sparse.eye_array(len(states)) - walk), np.ones(len(states)))
    return float(np.atleast_1d(times)[place[start]])


def _loops(recipe: Recipe, level: Level) -> int:
    """Independent cycles of the graph of cells and passages; one way counts as a passage."""
    one_way = neighbours(level.passages, recipe.cols)
    cells = np.arange(len(one_way))
    edges = {
        (min(int(cell), int(other)), max(int(cell), int(other)))
        for cell, row in zip(cells, one_way, strict=True)
        for other in row
        if other != cell
    }
    graph = sparse.coo_array(
        (np.ones(len(edges)), tuple(np.array(sorted(edges), dtype=np.int64).reshape(-1, 2).T)),
        shape=(len(cells), len(cells)),
    )
    components = sparse.csgraph.connected_components(graph, directed=False)[0]
    return len(edges) - len(cells) + int(components)


def _explored(tables: Tables, start: int, length: int) -> float:
    """The share of the reachable states that are at most as far from the start as the nearest exit."""
    reached = reached_from(tables.successors.astype(np.int64), start)
    depths = _depths(tables.successors.astype(np.int64), start)
    return float(((depths >= 0) & (depths <= length)).sum() / reached.sum())


def _depths(successors: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    """Fewest moves from the start to every state; -1 where it cannot be reached."""
    depths = np.full(len(successors), -1, dtype=np.int64)
    depths[start] = 0
    front = np.array([start])
    while len(front):
        ahead = np.unique(successors[front])
        ahead = ahead[depths[ahead] < 0]
        depths[ahead] = depths[front[0]] + 1
        front = ahead
    return depths
