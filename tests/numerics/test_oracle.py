"""The oracle against other methods: linear programming, breadth-first search, rollouts, published optima."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.toy_text.frozen_lake import generate_random_map
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from agents.planning import exact
from agents.planning.oracle import Oracle
from envs.mazes.difficulty import hitting_time
from envs.mazes.env import MazeEnv
from envs.registry import make_env
from tests.helpers import LOCKED, MAZES


def make_maze(**options: Any) -> MazeEnv:
    return MazeEnv(**options)


def by_linear_programming(env: Any, discount: float) -> np.ndarray[Any, Any]:
    """V* as the least values that no action improves on (Puterman 1994, section 6.9), from `P` itself."""
    model = env.unwrapped.P
    num_states, num_actions = len(model), len(model[0])
    rows, bounds = [], []
    for state in range(num_states):
        for action in range(num_actions):
            row, bound = np.zeros(num_states), 0.0
            row[state] -= 1
            for probability, successor, reward, terminated in model[state][action]:
                bound -= probability * reward
                if not terminated:
                    row[successor] += discount * probability
            rows.append(row)
            bounds.append(bound)
    solution = linprog(np.ones(num_states), A_ub=np.array(rows), b_ub=np.array(bounds), bounds=(None, None))
    assert solution.x is not None
    return np.asarray(solution.x)


@pytest.mark.parametrize("discount", [0.0, 0.9, 0.99])
@pytest.mark.parametrize(
    "name", ["slip", "pits", "pits lead back", "keys", "wind", "cliff", "drawn", "distance", "goal"]
)
def test_values_are_those_of_linear_programming(name: str, discount: float) -> None:
    env = make_maze(**({"rows": 5, "cols": 5} if "layout" not in MAZES[name] else {}) | MAZES[name])
    np.testing.assert_allclose(Oracle(env, discount).values, by_linear_programming(env, discount), atol=1e-6)


@pytest.mark.parametrize(
    "env_id", ["FrozenLake-v1", "CliffWalking-v1", "RLLab/RandomWalk-v0", "RLLab/MaximizationBias-v0"]
)
def test_values_elsewhere_are_those_of_linear_programming(env_id: str) -> None:
    env = make_env(env_id)
    np.testing.assert_allclose(Oracle(env, 0.95).values, by_linear_programming(env, 0.95), atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(2, 8), st.integers(2, 8), st.integers(0, 1000), st.sampled_from([0.0, 0.7]), st.integers(0, 2),
    st.sampled_from([0.0, 0.2]),
)  # fmt: skip
def test_undiscounted_values_are_the_distances(
    rows: int, cols: int, seed: int, share: float, keys: int, one_way: float
) -> None:
    env = make_maze(rows=rows, cols=cols, maze_seed=seed, braid=share, keys=keys, one_way=one_way)
    oracle = Oracle(env)
    reachable = exact.reachable_states(oracle.model, oracle.initial)
    # Keys and one-way passages together may lock the robot out: there is no way to the exit any more, at any price.
    expected = np.where(env.exit_distances < 0, -np.inf, -env.exit_distances)
    np.testing.assert_array_equal(oracle.values[reachable], expected[reachable])
    assert oracle.shortest_length == env.exit_distances[env.s]
    # Optimal are exactly the moves that come nearer.
    nearer = env.exit_distances[env.tables.successors] == env.exit_distances[:, None] - 1
    going_on = reachable & (env.exit_distances > 0)
    np.testing.assert_array_equal(oracle.optimal_actions[going_on], nearer[going_on])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([0.9, 1.0]), st.booleans())
def test_policy_iteration_is_value_iteration(seed: int, discount: float, slippery: bool) -> None:
    lake = gym.make("FrozenLake-v1", desc=generate_random_map(5, seed=seed), is_slippery=slippery)
    model = Oracle(lake, 0.9).model
    np.testing.assert_allclose(exact.solve(model, discount), exact.value_iteration(model, discount, 1e-14), atol=1e-7)


def test_states_that_are_lost_do_not_spoil_the_value() -> None:
    """On this rung some states that no episode comes to are worth -inf; once 0 times -inf made the value nan."""
    env = make_env("RLLab/Maze-Keys-v0")
    oracle = Oracle(env)
    assert np.isneginf(oracle.values).any()
    assert oracle.value == -env.unwrapped.exit_distances[0] == -28  # type: ignore[attr-defined]
    assert oracle.gap(exact.greedy_policy(oracle.q_values), horizon=900) == 0


def test_published_optima() -> None:
    """Gymnasium's reward threshold of FrozenLake is 0.70, its optimum over 100 steps 0.74; CliffWalking's is -13."""
    lake = Oracle(make_env("FrozenLake-v1"))
    assert lake.value == pytest.approx(14 / 17)
    assert lake.policy_value(exact.greedy_policy(lake.q_values), horizon=100) == pytest.approx(0.7402, abs=5e-5)
    cliff = Oracle(make_env("CliffWalking-v1"))
    assert (cliff.value, cliff.shortest_length) == (-13, 13)
    # Taxi's best return is known for each start: 20 for the drop, -1 for every other step on the way.
    taxi = make_env("Taxi-v4")
    oracle = Oracle(taxi)
    steps = exact.fewest_steps(oracle.model, np.ones_like(oracle.optimal_actions))
    starts = oracle.initial > 0
    np.testing.assert_allclose(oracle.values[starts], 20 - (steps[starts] - 1))
    assert oracle.value == pytest.approx(7.93, abs=0.005)


def test_a_policys_value_over_a_horizon_is_what_limited_episodes_measure() -> None:
    """Any policy: epsilon-greedy, and a half-trained one that loops for ever from the start."""
    env = make_maze(rows=4, cols=4, slip=0.1, pits=1, braid=0.5, max_steps=30)
    oracle = Oracle(env)
    greedy = np.eye(4)[exact.greedy_policy(oracle.q_values)]
    looping = np.eye(4)[np.zeros(16, dtype=int)]
    for policy in (0.7 * greedy + 0.3 / 4, looping):
        expected = oracle.policy_value(policy, horizon=30)
        rng = np.random.default_rng(0)
        returns = []
        env.reset(seed=1)
        for _ in range(1500):
            env.reset()
            total, over = 0.0, False
            while not over:
                _, reward, terminated, truncated, _ = env.step(int(rng.choice(4, p=policy[env.s])))
                total, over = total + reward, terminated or truncated
            returns.append(total)
        assert abs(np.mean(returns) - expected) <= 4 * np.std(returns) / np.sqrt(len(returns)) + 1e-9
    assert oracle.policy_value(np.zeros(16, dtype=int), horizon=0) == 0


def test_policy_values_without_a_limit_by_hand() -> None:
    env = make_maze(layout="#######\n#S   E#\n#######")
    oracle = Oracle(env)
    uniform = Oracle.uniform(env)
    # h0 = 1 + (3 h0 + h1) / 4, h1 = 1 + (2 h1 + h0) / 4: h0 = 12, h1 = 8
    np.testing.assert_allclose(oracle.policy_values(uniform), [-12, -8, 0])
    assert oracle.gap(uniform) == pytest.approx(10)
    with pytest.raises(ValueError, match="the policy may go on for ever from the start"):
        oracle.policy_value(np.zeros(3, dtype=int))
    half = np.array([0, 1, 1])  # bumps for ever in the first cell, walks on from the second
    np.testing.assert_array_equal(oracle.policy_values(half), [np.nan, -1, 0])
    discounted = Oracle(env, 0.9)
    assert discounted.policy_value(np.zeros(3, dtype=int)) == pytest.approx(-10)
    slow = np.array([0, 0, 0])
    assert Oracle(env, 0.995).policy_value(slow) == pytest.approx(-200)
    roads = make_maze(layout="two-roads")  # its walls are states that never end, and no episode comes to them
    assert Oracle(roads).value == -4
    assert Oracle(roads).policy_value(Oracle.uniform(roads)) == pytest.approx(-hitting_time(roads.tables, roads.s))


def test_a_state_that_never_ends_is_worth_nothing_where_nothing_costs_and_everything_where_it_does() -> None:
    pocket = "#######\n#S   E#\n# #####\n# #   #\n#######"  # two cells that nothing leads into
    for reward, worth in (("goal", 0.0), ("step", -np.inf)):
        values = Oracle(make_maze(layout=pocket, reward=reward)).values
        assert values[4:].tolist() == [worth, worth]


def test_all_optimal_actions_are_there() -> None:
    env = make_maze(layout="#####\n#S  #\n#   #\n#  E#\n#####")
    assert Oracle(env).optimal_actions[0].tolist() == [False, True, True, False]


def test_a_large_maze_is_solved_by_sparse_arrays() -> None:
    """200 x 200: it takes a third of a second; breadth-first search knows the answer."""
    env = make_maze(rows=200, cols=200)
    oracle = Oracle(env)
    np.testing.assert_array_equal(oracle.values, -env.exit_distances)


def test_there_is_no_optimum_where_a_return_grows_without_bound() -> None:
    env = make_maze(layout=LOCKED, pit_reward=5.0, pit_terminates=False)
    with pytest.raises(ValueError, match=r"did not converge|grows without bound"):
        Oracle(env)
    assert np.isfinite(Oracle(env, 0.9).values).all()


def test_what_the_oracle_refuses() -> None:
    with pytest.raises(
        ValueError, match=r"the oracle needs an exact model \(env.unwrapped.P\), and LunarLander has none"
    ):
        Oracle(make_env("LunarLander-v3"))
    for options in ({"maze_seed": None}, {"levels": 3}, MAZES["layout change"]):
        with pytest.raises(ValueError, match="the oracle needs one model"):
            Oracle(make_maze(**options))
    with pytest.raises(ValueError, match="leaves out fickle_passenger"):
        Oracle(gym.make("Taxi-v4", fickle_passenger=True))
    oracle = Oracle(make_maze(rows=2, cols=2))
    for policy in (np.zeros(3, dtype=int), np.full((4, 4), 0.3), np.array([0, 1, 2, 4]), -np.eye(4)):
        with pytest.raises(ValueError, match="policy: expected"):
            oracle.policy_value(policy, horizon=3)
    with pytest.raises(ValueError, match=r"discount: expected 0 to 1, got 1\.5"):
        Oracle(make_maze(), 1.5)
    with pytest.raises(ValueError, match="horizon: expected at least 0"):
        oracle.policy_value(np.zeros(4, dtype=int), horizon=-1)


def test_the_models_two_forms_are_one() -> None:
    for name in ("keys", "pits", "wind", "drawn", "distance", "two exits"):
        env = make_maze(**MAZES[name])
        one = exact.FiniteModel.from_dictionary(env.P)
        other = exact.FiniteModel.from_arrays(**env.model_arrays())
        np.testing.assert_allclose(one.rewards, other.rewards, atol=1e-12)
        assert abs(one.transitions - other.transitions).max() < 1e-12
