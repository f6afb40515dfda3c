"""Planning against hand-worked values, a linear solve, breadth-first search and rollouts."""

import numpy as np
import pytest

from agents.planning.exact import (
    FiniteModel,
    greedy_policy,
    optimal_values,
    policy_values,
    surely_ends,
    value_iteration,
)
from agents.registry import make_agent
from envs.mazes.env import MazeEnv
from envs.registry import make_env
from experiments.evaluation.score_scale import score_scale_for
from experiments.specs.spec import EnvEntry

TEN_MOVES = "#######################\n#S                   E#\n#######################"  # 11 cells in a row


def test_the_books_minus_nine_and_minus_eleven() -> None:
    env = MazeEnv(layout=TEN_MOVES)
    q_values = value_iteration(FiniteModel.from_dictionary(env.P), 1.0)
    assert q_values[1].tolist() == [-10, -9, -10, -11]  # a bump up or down; on; away and back


@pytest.mark.parametrize("seed", range(3))
def test_undiscounted_values_are_minus_the_distance(seed: int) -> None:
    env = MazeEnv(rows=7, cols=6, maze_seed=seed)
    q_values = value_iteration(FiniteModel.from_dictionary(env.P), 1.0)
    np.testing.assert_array_equal(q_values.max(axis=1), -env.exit_distances)


@pytest.mark.parametrize("env_id", ["FrozenLake-v1", "CliffWalking-v1", "Taxi-v4"])
def test_value_iteration_is_the_linear_solve(env_id: str) -> None:
    from typing import Any

    base: Any = make_env(env_id).unwrapped
    model = FiniteModel.from_dictionary(base.P)
    q_values = value_iteration(model, 0.95)
    policy = greedy_policy(q_values)
    num_states, num_actions = q_values.shape
    chosen = np.arange(num_states) * num_actions + policy
    transitions = model.transitions[chosen].toarray()
    values = np.linalg.solve(np.eye(num_states) - 0.95 * transitions, model.rewards.ravel()[chosen])
    np.testing.assert_allclose(q_values.max(axis=1), values, atol=1e-9)


def test_a_cell_without_a_way_out_has_no_value_and_stops_nobody() -> None:
    env = MazeEnv(layout="#######\n#S   E#\n# #####\n# #   #\n#######")
    q_values = value_iteration(FiniteModel.from_dictionary(env.P), 1.0)
    assert q_values.max(axis=1)[:4].tolist() == [-2, -1, 0, -3]
    assert make_agent("value_iteration", env).select_action(0, explore=False) == 1


def test_published_optima() -> None:
    lake = FiniteModel.from_dictionary(make_env("FrozenLake-v1").unwrapped.P)  # type: ignore[attr-defined]
    assert value_iteration(lake, 1.0).max(axis=1)[0] == pytest.approx(14 / 17, abs=1e-6)  # 0.8235
    cliff = FiniteModel.from_dictionary(make_env("CliffWalking-v1").unwrapped.P)  # type: ignore[attr-defined]
    assert value_iteration(cliff, 1.0).max(axis=1)[36] == -13
    assert make_agent("value_iteration", make_env("FrozenLake-v1")).select_action(0, explore=False) == 0


def test_time_limited_values_by_hand() -> None:
    model = FiniteModel.from_dictionary(MazeEnv(layout="#######\n#S   E#\n#######").P)
    assert optimal_values(model, 1).tolist() == [-1, -1, 0]
    assert optimal_values(model, 5).tolist() == [-2, -1, 0]
    right = np.zeros((3, 4))
    right[:, 1] = 1
    assert policy_values(model, right, 5).tolist() == [-2, -1, 0]
    uniform = np.full((3, 4), 0.25)
    # One step always costs 1; the second only if the exit was not reached: from cell 1 with probability 3/4.
    assert policy_values(model, uniform, 2).tolist() == [-2, -1.75, 0]


def test_exact_policy_values_are_what_rollouts_measure() -> None:
    env = MazeEnv(rows=3, cols=3, slip=0.2, max_steps=20)
    uniform = np.full((9, 4), 0.25)
    expected = policy_values(FiniteModel.from_dictionary(env.P), uniform, 20)[0]
    rng = np.random.default_rng(0)
    returns = []
    env.reset(seed=0)
    for _ in range(3000):
        env.reset()
        total, ended = 0.0, False
        while not ended:
            _, reward, terminated, truncated, _ = env.step(int(rng.integers(4)))
            total, ended = total + reward, terminated or truncated
        returns.append(total)
    assert abs(np.mean(returns) - expected) < 4 * np.std(returns) / np.sqrt(len(returns))


def test_ties_go_to_the_lowest_index_within_rounding() -> None:
    assert greedy_policy(np.array([[1.0, 1.0 + 1e-13, 0.5], [0.0, 2.0, 2.0]])).tolist() == [0, 1]


def test_what_ends_and_what_does_not() -> None:
    env = MazeEnv(layout="#######\n#S   E#\n#######")
    model = FiniteModel.from_dictionary(env.P)
    assert surely_ends(model, np.array([1, 1, 0]), env.initial_state_distrib)
    assert not surely_ends(model, np.array([0, 1, 0]), env.initial_state_distrib)
    assert surely_ends(model, np.array([0, 1, 0]), np.array([0.0, 1.0, 0.0]))


def test_references_of_fixed_and_of_new_mazes() -> None:
    fixed = score_scale_for(EnvEntry(id="RLLab/Maze-v0", settings={"layout": TEN_MOVES}), [1, 2, 3])
    assert fixed is not None
    assert (fixed.ceiling, fixed.kind, fixed.measure) == (-10, "exact optimum", "return")
    assert -44 < fixed.floor < -30  # at most 4 * 11 moves

    entry = EnvEntry(id="RLLab/Maze-v0", settings={"maze_seed": "new", "rows": 4, "cols": 4, "start": "random"})
    seeds = [11, 12, 13, 14]
    new = score_scale_for(entry, seeds)
    assert new is not None
    env = MazeEnv(maze_seed=None, rows=4, cols=4, start="random")
    distances = []
    for seed in seeds:
        env.reset(seed=seed)
        distances.append(env.exit_distances[env.s])
    assert new.ceiling == -np.mean(distances)


def test_rewards_that_do_not_tell_are_scored_by_steps() -> None:
    entry = EnvEntry(id="RLLab/Maze-v0", settings={"layout": TEN_MOVES, "reward": "distance"})
    scale = score_scale_for(entry, [1])
    assert scale is not None
    assert (scale.ceiling, scale.measure) == (-10, "-steps")


def test_pits_and_paying_exits_are_scored_by_the_return_also_where_they_are_drawn() -> None:
    pit = "#####\n#S O#\n#   #\n#  E#\n#####"
    for settings in ({"layout": pit}, {"pits": 2, "braid": 0.5}, {"exit_rewards": [3.0]}):
        scale = score_scale_for(EnvEntry(id="RLLab/Maze-v0", settings=settings | {"reward": "goal"}), [1])
        assert scale is not None
        assert scale.measure == "return"
    dyna = score_scale_for(EnvEntry(id="RLLab/Maze-v0", settings={"layout": "dyna-maze"}), [1])
    assert dyna is not None
    assert (dyna.measure, dyna.ceiling) == ("-steps", -14)


def test_the_landers_reference_is_for_the_plain_lander_only() -> None:
    lander = score_scale_for(EnvEntry(id="LunarLander-v3"), [1])
    assert lander is not None
    assert lander.ceiling == 200
    assert score_scale_for(EnvEntry(id="LunarLander-v3", settings={"gravity": -3.0}), [1]) is None
