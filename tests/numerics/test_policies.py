"""Policies on batches, masks and exploring among legal actions, by hand."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from agents.policy import Spaces, TablePolicy
from agents.registry import make_agent
from envs.registry import make_env

Q = np.array([[1.0, 2.0, 2.0], [0.0, -1.0, -2.0]])
MASKS = np.array([[True, False, True], [False, False, True]])


def test_ties_go_to_the_first_and_masks_leave_the_best_legal_one() -> None:
    policy = TablePolicy(Q)
    assert policy.act(np.array([0, 1, 0])).tolist() == [1, 0, 1]
    assert policy.act(np.array([0, 1]), MASKS).tolist() == [2, 2]
    assert policy.action(0) == 1
    assert policy.action(0, MASKS[0]) == 2
    np.testing.assert_array_equal(policy.action_values(np.array([1, 0])), Q[[1, 0]])


def explored(settings: dict[str, Any], draws: int = 4_000) -> Counter[int]:
    agent: Any = make_agent("q_learning", make_env("RLLab/Maze-v0", rows=2, cols=2), seed=1, **settings)
    agent.table.memory.q[0] = [3.0, 1.0, 1.0, 0.0]
    mask = np.array([False, True, True, True])
    return Counter(agent.select_action(0, explore=True, mask=mask) for _ in range(draws))


def test_epsilon_greedy_among_the_legal() -> None:
    """Epsilon 0.3 over three legal actions: 0.1 each; the rest goes to the two best legal ones, which tie."""
    counts = explored({"epsilon": 0.3, "epsilon_schedule": "constant"})
    for action, share in ((0, 0.0), (1, 0.45), (2, 0.45), (3, 0.1)):
        assert counts[action] / 4_000 == pytest.approx(share, abs=0.03)


def test_boltzmann_among_the_legal() -> None:
    """Weights e, e and 1 of values 1, 1 and 0."""
    counts = explored({"exploration": "boltzmann", "temperature": 1.0})
    total = 2 * np.e + 1
    for action, share in ((0, 0.0), (1, np.e / total), (2, np.e / total), (3, 1 / total)):
        assert counts[action] / 4_000 == pytest.approx(share, abs=0.03)


def test_ucb_among_the_legal_tries_what_is_untried() -> None:
    assert set(explored({"exploration": "ucb"}, draws=50)) <= {1, 2, 3}


def test_bins_that_wait_to_be_fitted_say_so_and_are_state() -> None:
    env = make_env("CartPole-v1")
    agent: Any = make_agent("q_learning", env, bins="quantile", num_edges=3)
    other: Any = make_agent("q_learning", Spaces.of(env), bins="quantile", num_edges=3)
    observation, _ = env.reset(seed=0)
    with pytest.raises(ValueError, match=r"has no bins yet: expected prepare\(env\), or a state"):
        other.select_action(observation, explore=False)
    other.set_state(agent.get_state())
    assert other.discretiser.edges == agent.discretiser.edges
    assert other.state(observation) == agent.state(observation)


def test_a_dense_policy_state_has_only_the_rows_that_changed() -> None:
    env = make_env("RLLab/Maze-v0", rows=5, cols=5)
    agent: Any = make_agent("q_learning", env, initial_values="random", seed=2)
    agent.table.memory.q[7, 1] = 5.0
    state = agent.policy_state()["table"]
    assert state["changed"].tolist() == [7]
    other: Any = make_agent("q_learning", Spaces.of(env), initial_values="random", seed=3)
    other.set_policy_state(agent.policy_state())
    np.testing.assert_array_equal(other.table.memory.q, agent.table.memory.q)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"changed": np.array([99])}, "changed: expected numbers from 0 to 24"),
        ({"q": np.zeros((1, 3))}, r"q: expected float64 \(1, 4\)"),
        ({"q": np.zeros((2, 4))}, r"q: expected float64 \(1, 4\)"),
    ],
)
def test_a_policy_state_that_is_not_the_tables_is_refused(change: dict[str, Any], expected: str) -> None:
    env = make_env("RLLab/Maze-v0", rows=5, cols=5)
    agent: Any = make_agent("q_learning", env)
    agent.table.memory.q[7, 1] = 5.0
    with pytest.raises(ValueError, match=expected):
        agent.table.set_policy_state(agent.table.policy_state() | change)
