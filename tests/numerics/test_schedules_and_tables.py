"""Schedules at their ends, bins at their edges, tables before and after a first visit."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from agents.budget import Budget
from agents.tabular.discretiser import Discretiser
from agents.tabular.q_learning import QLearning
from agents.tabular.settings import TabularSettings
from agents.tabular.table import Table
from envs.registry import make_env
from tests.helpers import train


def table(num_actions: int, initial_values: Any, seed: int, num_states: int = 11**8, kind: str = "auto") -> Table:
    parameters = TabularSettings().parameters(num_actions)
    return Table(num_states, parameters, kind, tuple, num_actions, initial_values, seed)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"epsilon_decay": 0.5, "epsilon_min": 0.2}, [1.0, 0.5, 0.25, 0.2, 0.2]),
        ({"epsilon": 0.0}, [0.0] * 5),  # below epsilon_min: a decay never rises
        ({"epsilon_schedule": "linear", "epsilon": 0.0, "epsilon_decay_steps": 4}, [0.0] * 5),
        ({"epsilon_schedule": "constant", "epsilon": 0.3}, [0.3] * 5),
        ({"epsilon_schedule": "linear", "epsilon_min": 0.0, "epsilon_decay_steps": 4}, [0.75, 0.25, 0.0, 0.0, 0.0]),
        (
            {"epsilon_schedule": "linear", "epsilon_min": 0.2, "epsilon_decay_steps": 4, "decay_every": "episode"},
            [1.0, 0.8, 0.6, 0.4, 0.2],
        ),
        (
            {"epsilon_decay": 0.5, "epsilon_min": 0.0, "decay_every": "step"},
            [1 / 2, 1 / 8, 1 / 32, 1 / 128, 1 / 512],
        ),
    ],
)
def test_the_logged_epsilon_is_that_of_the_episodes_last_step(settings: dict[str, Any], expected: list[float]) -> None:
    options: dict[str, Any] = {"max_steps": 2, "layout": "#####\n#S#E#\n# # #\n#   #\n#####"}  # exit 3 steps away
    agent = QLearning(make_env("RLLab/Maze-v0", **options), **settings)
    monitor = train(agent, "RLLab/Maze-v0", options, Budget(episodes=5))
    assert [episode.length for episode in monitor.episodes] == [2] * 5
    assert [episode.epsilon for episode in monitor.episodes] == pytest.approx(expected, abs=1e-15)


def test_bins_inside_outside_and_on_the_edges() -> None:
    discretiser = Discretiser([[-1.0, 0.0, 1.0]])
    values = [-np.inf, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, np.inf]
    assert [discretiser(np.array([value])) for value in values] == [0, 0, 1, 1, 2, 2, 3, 3, 3]


@given(st.lists(st.floats(-2, 2, width=32), min_size=2, max_size=2))
def test_bins_are_numpys(observation: list[float]) -> None:
    edges = np.linspace(-1, 1, 10)
    discretiser = Discretiser([edges.tolist(), [0.0, 0.5]])
    first, second = np.digitize(observation[0], edges), np.digitize(observation[1], [0.0, 0.5])
    assert discretiser(np.array(observation, dtype=np.float32)) == first * 3 + second


def test_the_books_grid_costs_what_its_visits_cost() -> None:
    env = make_env("LunarLander-v3")
    agent = QLearning(env, edges=np.linspace(-1, 1, 10).tolist())
    assert agent.discretiser is not None
    assert agent.discretiser.num_states == 11**8
    train(agent, "LunarLander-v3", {}, Budget(steps=500))
    assert 10 < len(agent.table) <= 500
    assert not agent.table.dense
    assert agent.table_size().bytes == agent.table.num_bytes < 100_000


def test_default_edges_come_from_the_bounds_or_from_the_book() -> None:
    space = spaces.Box(np.array([0.0, -np.inf], np.float32), np.array([9.0, np.inf], np.float32))
    discretiser = Discretiser.for_space(space, None, 10)
    assert discretiser.edges[0] == list(map(float, range(10)))
    assert discretiser.edges[1] == np.linspace(-1, 1, 10).tolist()


@pytest.mark.parametrize(
    ("edges", "message"),
    [([[0.0], [0.0]], "expected 1 lists, one a dimension, got 2"), ([1.0, 0.0], "expected increasing numbers")],
)
def test_edges_that_do_not_fit(edges: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Discretiser.for_space(spaces.Box(-1, 1, (1,)), edges, 10)


@pytest.mark.parametrize("space", [spaces.MultiDiscrete([2, 10**9]), spaces.Discrete(10**9, start=3)])
def test_whole_numbers_of_too_many_values_are_refused_at_once(space: spaces.Space[Any]) -> None:
    with pytest.raises(ValueError, match="at most 100000 values of a number apart, got 1000000000"):
        Discretiser.for_space(space, None, 10)


def test_looking_stores_nothing_and_the_first_visit_keeps_what_was_seen() -> None:
    one = table(4, "random", seed=1)
    seen = one[12345]
    assert len(one) == 0
    assert all(0 <= value < 1 for value in seen)
    one.row(1)
    assert one.memory.q[one.row(12345)].tolist() == seen  # whichever state came first
    assert table(4, "random", seed=2)[12345] != seen


def test_dense_and_sparse_tables_begin_alike() -> None:
    dense, sparse = (table(4, "random", seed=1, num_states=50, kind=kind) for kind in ("dense", "sparse"))
    assert dense.dense
    assert not sparse.dense
    assert [dense[state] for state in range(50)] == [sparse[state] for state in range(50)]
    values = np.array([dense[state] for state in range(50)])
    assert abs(values.mean() - 0.5) < 4 * (1 / 12 / 200) ** 0.5  # uniform: 4 standard errors
    assert len(np.unique(values)) == 200


def test_a_table_is_dense_when_small() -> None:
    assert table(4, "zero", 0, num_states=250_000).dense
    assert not table(4, "zero", 0, num_states=250_001).dense


def test_tables_grow_and_keep_their_values() -> None:
    one = table(2, 7.0, seed=0)
    for state in range(1000):
        row = one.row(state * 3)  # first: it may replace the arrays by longer ones
        one.memory.q[row, 0] = state
    assert len(one) == 1000
    assert one[300 * 3] == [300.0, 7.0]
    assert one[1] == [7.0, 7.0]
    other = table(2, 7.0, seed=0)
    other.set_state(one.get_state())
    assert [other[state * 3] for state in range(1000)] == [one[state * 3] for state in range(1000)]
    assert other[1] == [7.0, 7.0]


def test_the_books_decay_reaches_its_floor() -> None:
    options: dict[str, Any] = {"max_steps": 1, "rows": 3, "cols": 3}
    agent = QLearning(make_env("RLLab/Maze-v0", **options))
    monitor = train(agent, "RLLab/Maze-v0", options, Budget(episodes=921))
    epsilons = [episode.epsilon or 0.0 for episode in monitor.episodes]
    assert epsilons[918] > epsilons[919] == epsilons[920] == 0.01  # 0.995 ** 918 = 0.01004, 0.995 ** 919 = 0.00999


def test_position_and_state_observations_learn_the_same_maze() -> None:
    lengths = []
    for observation in ("state", "position"):
        options: dict[str, Any] = {"rows": 4, "cols": 4, "observation": observation}
        env: gym.Env[Any, Any] = make_env("RLLab/Maze-v0", **options)
        agent = QLearning(env, discount=1.0, learning_rate=1.0, epsilon_decay=0.9)
        monitor = train(agent, "RLLab/Maze-v0", options, Budget(episodes=60))
        lengths.append([episode.length for episode in monitor.episodes])
    assert lengths[0] == lengths[1]
