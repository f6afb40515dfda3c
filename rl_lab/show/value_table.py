"""The values that an agent has learned, as a table: a row a state, a column an action."""

import math
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.base import Agent
from agents.tabular.agent import TabularAgent
from agents.tabular.discretiser import Discretiser
from agents.tabular.linear import LinearAgent
from envs.action_names import action_names
from envs.mazes.env import MazeEnv
from experiments.errors import InputError
from experiments.evaluation.environments import closing
from experiments.runs.open_run import OpenRun

MOST_TIED = 2  # actions that are named as the best, if they are alike
MOST_STATES = 1_000_000  # that are asked for their values, where observations are numbers

FloatArray = NDArray[np.float64]


class ValueTable(NamedTuple):
    """Q(s, a), or V(s), of the states that an agent knows something of."""

    title: str
    places: list[str]  # the headings of the columns that say which state it is
    actions: list[str]  # the headings of the values
    states: list[list[str]]  # [rows, places]
    values: FloatArray  # [rows, A], or [rows, 1]
    bins: list[str] | None  # [rows]: the numbers of the bins that a state is, where observations are put into bins
    unknown: int | None  # states that it knows nothing of; None where these are not counted

    def best(self, row: int) -> str:
        """The names of the best actions of a row; "" where these are the values of states."""
        values = self.values[row]
        if len(self.actions) == 1 or not np.isfinite(values).any():
            return ""
        names = [name for name, value in zip(self.actions, values, strict=True) if value == values.max()]
        return ", ".join(names) if len(names) <= MOST_TIED else f"{len(names)} alike"


def value_table(opened: OpenRun, env_step: int | None = None) -> ValueTable:
    """The table of a run's agent; as it was at the last snapshot at or before an env step, if one is given.

    Raises:
        InputError: its agent has no values of states that can be told apart.
    """
    agent = opened.agent(env_step)
    with closing(opened.make_env()) as env:
        space = env.observation_space
        if isinstance(agent, TabularAgent) and not isinstance(agent, LinearAgent):
            numbers = agent.table.known()
            values = np.array([agent.table[state] for state in numbers]).reshape(len(numbers), agent.table.columns)
            number_of_states, discretiser = agent.table.num_states, agent.discretiser
        elif isinstance(space, spaces.Discrete) and space.start == 0 and space.n <= MOST_STATES:
            numbers, values = _asked(agent, int(space.n), opened)
            number_of_states, discretiser = int(space.n), None
        else:
            raise InputError(
                f"{opened.path}: show: expected an agent with a table of values, or one that observes numbered states, "
                f"got {opened.run_spec.agent.label} on observations {space}"
            )
        places, states = _states(env, numbers, discretiser)
        names = ["V(s)"] if values.shape[1] == 1 else action_names(env)
    return ValueTable(
        title=f"{opened.whose}, {opened.how_far(env_step)}: {'V(s)' if len(names) == 1 else 'Q(s, a)'}",
        places=places,
        actions=names,
        states=states,
        values=values,
        bins=None if discretiser is None else [discretiser.indices_text(state) for state in numbers],
        unknown=number_of_states - len(numbers) if discretiser is None else None,
    )


def _asked(agent: Agent, num_states: int, opened: OpenRun) -> tuple[list[int], FloatArray]:
    """The states that an agent tells actions apart in, and their values."""
    found: dict[int, FloatArray] = {}
    for state in range(num_states):
        values = agent.action_values(state)
        if values is None:
            raise InputError(
                f"{opened.path}: show: expected an agent with values of actions, got {opened.run_spec.agent.label}"
            )
        if np.ptp(values) > 0 or not np.isfinite(values).all():
            found[state] = np.asarray(values, dtype=np.float64)
    return list(found), np.array(list(found.values())).reshape(len(found), -1)


def _states(
    env: gym.Env[Any, Any], numbers: list[int], discretiser: Discretiser | None
) -> tuple[list[str], list[list[str]]]:
    """What the states are called: the headings, and a row each."""
    maze = env.unwrapped
    if discretiser is not None:
        rows = [[_bin(low, high) for low, high in discretiser.bins(state)] for state in numbers]
        return [f"observation {index}" for index in range(len(discretiser.edges))], rows
    is_plain = isinstance(env.observation_space, spaces.Discrete) and env.observation_space == maze.observation_space
    if not isinstance(maze, MazeEnv) or not is_plain:
        return ["state"], [[str(state)] for state in numbers]
    keys = int(getattr(env.observation_space, "n", 0)) > maze.num_cells
    cells = [divmod(state % maze.num_cells, maze.cols) for state in numbers]
    places = [[str(row), str(col)] for row, col in cells]
    if keys:
        held = (state // maze.num_cells for state in numbers)
        of_keys = ("".join(letter for bit, letter in enumerate("abcd") if one >> bit & 1) for one in held)
        places = [[*place, of or "none"] for place, of in zip(places, of_keys, strict=True)]
    return ["row", "col", *["keys"] * keys], places


def _bin(low: float, high: float) -> str:
    """Such as "[-0.5, 0.1)"."""
    if math.isinf(low):
        return f"below {high:.4g}"
    return f"at least {low:.4g}" if math.isinf(high) else f"[{low:.4g}, {high:.4g})"
