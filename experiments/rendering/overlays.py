"""What is drawn over a maze: what an agent thinks of its cells, or what is true of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.base import Agent
from agents.planning import exact
from agents.planning.oracle import current_model
from envs.mazes.env import MazeEnv
from envs.mazes.level import shortest_path
from envs.mazes.moves import AT_EXIT
from envs.mazes.scene import Overlay
from experiments.errors import InputError, unknown

KINDS = ("values", "q_values", "visits", "path", "none")
MEANINGS = {
    "values": "value of a cell: that of its best move, max Q(s, a); arrow: that move",
    "q_values": "values of a cell: Q(s, a) of each move, on the move's side",
    "visits": "dots: how often a cell was visited in this episode, on a logarithmic scale",
    "path": "blue line: the shortest way to an exit",
}
OPTIMAL = "what is optimal"  # whose values the oracle's are
Opinions = Callable[[int], NDArray[np.float64] | None]  # the action values [4] of a state


def check_kind(kind: str) -> None:
    """Raise where there is no such overlay.

    Raises:
        InputError: the name is unknown.
    """
    if kind not in KINDS:
        raise unknown("overlay", kind, KINDS)


def maze_overlay(
    agent: Agent,
    env: gym.Env[Any, Any],
    kind: str = "values",
    visits: NDArray[np.int64] | None = None,
    *,
    title: str = "",
    wall_moves: bool = False,
) -> Overlay | None:
    """What an agent thinks of every cell of the current maze, with the keys held now; None where there is nothing.

    Cells it has no opinion of (all actions equal, as before a first visit) get neither value nor arrow.

    Args:
        agent: the agent.
        env: its environment; off mazes there is no overlay.
        kind: one of `KINDS`; "path" is the shortest way from where the robot is, whatever the agent thinks.
        visits: how often [C] each cell was visited, for "visits".
        title: what the caption begins with, such as the agent's name and how long it has trained.
        wall_moves: of "q_values", draw those of moves into walls too.
    """
    maze = env.unwrapped
    if not isinstance(maze, MazeEnv) or kind == "none":
        return None
    if kind != "visits" and env.observation_space != maze.observation_space:
        return None  # what the agent observes is not what the maze shows of a cell
    caption = [title] * bool(title) + [MEANINGS[kind]]
    if kind == "visits":
        none = np.zeros(maze.num_cells, dtype=np.int64)
        return Overlay(visits=none if visits is None else visits, caption=caption)
    if kind == "path":
        return Overlay(path=_shortest_way(maze), caption=caption)
    overlay = _of_opinions(maze, lambda state: agent.action_values(maze.observe(state)), kind, all_best=False)
    return _finished(overlay, maze, caption, wall_moves=wall_moves)


def oracle_overlay(
    maze: MazeEnv, kind: str = "values", discount: float = 1.0, *, wall_moves: bool = False
) -> Overlay | None:
    """What is true of every cell of the current maze: optimal values, and all optimal actions."""
    if kind == "none":
        return None
    if kind in ("path", "visits"):
        return Overlay(path=_shortest_way(maze), caption=[MEANINGS["path"]])
    try:
        q_values = exact.solve(current_model(maze), discount)
    except ValueError as error:
        raise InputError(f"the optimum cannot be drawn: {error}") from error
    overlay = _of_opinions(maze, lambda state: q_values[state], kind, all_best=True)
    caption = [f"{OPTIMAL} at discount {discount:g}", MEANINGS[kind].replace("arrow: that move", "arrows: those moves")]
    return _finished(overlay, maze, caption, wall_moves=wall_moves)


def _finished(overlay: Overlay | None, maze: MazeEnv, caption: Sequence[str], *, wall_moves: bool) -> Overlay | None:
    """The overlay with its caption, and without the values of moves that go nowhere, unless these are wanted."""
    if overlay is None:
        return None
    q_values = overlay.q_values
    if q_values is not None and not wall_moves:
        q_values = np.where(maze.level.passages, q_values, np.nan)
    return replace(overlay, q_values=q_values, caption=caption)


def _of_opinions(maze: MazeEnv, opinion: Opinions, kind: str, *, all_best: bool) -> Overlay | None:
    num_cells = maze.num_cells
    table, arrows = np.full((num_cells, 4), np.nan), np.zeros((num_cells, 4), dtype=bool)
    first = maze.s // num_cells * num_cells  # of the states with the keys held now
    scene = maze.scene()
    for cell in range(num_cells):
        q_values = opinion(first + cell)
        if q_values is None:
            return None
        finite = q_values[np.isfinite(q_values)]  # undiscounted, a move to where no exit can be reached is worth -inf
        alike = len(finite) == 0 or (len(finite) == 4 and np.ptp(finite) == 0)
        if not maze.tables.ends[cell] and not scene.is_blocked(cell) and not alike:
            table[cell] = np.where(np.isfinite(q_values), q_values, np.nan)
            best = exact.best_actions(q_values[None])[0]
            arrows[cell] = best if all_best else np.arange(4) == np.argmax(best)
    if kind == "q_values":
        return Overlay(q_values=table, arrows=arrows)
    values = np.where(np.isfinite(table), table, -np.inf).max(axis=1)
    return Overlay(values=np.where(np.isfinite(values), values, np.nan), arrows=arrows)


def _shortest_way(maze: MazeEnv) -> tuple[int, ...]:
    goals = np.flatnonzero(maze.tables.ends == AT_EXIT)
    if maze.exit_distances[maze.s] < 0:
        return ()
    moves = shortest_path(maze.tables.successors.astype(np.int64), maze.s, goals)
    states = [maze.s] + [int(maze.tables.successors[move // 4, move % 4]) for move in moves]
    return tuple(state % maze.num_cells for state in states)


def with_one_scale(one: Overlay | None, other: Overlay | None) -> tuple[Overlay | None, Overlay | None]:
    """The same overlays, whose colours mean the same numbers."""
    numbers = [
        values[np.isfinite(values)]
        for overlay in (one, other)
        if overlay is not None
        for values in (overlay.values, overlay.q_values)
        if values is not None
    ]
    together = np.concatenate([*numbers, np.empty(0)])
    if one is None or other is None or not len(together):
        return one, other
    scale = (float(together.min()), float(together.max()))
    return replace(one, scale=scale), replace(other, scale=scale)
