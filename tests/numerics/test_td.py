"""Targets worked by hand: what is cut at an end, and what is not."""

from typing import Any

import gymnasium as gym
import pytest
from gymnasium import spaces

from agents.base import Transition
from agents.double_q_learning import DoubleQLearning
from agents.expected_sarsa import ExpectedSarsa
from agents.q_learning import QLearning
from agents.sarsa import Sarsa
from agents.tabular import TabularAgent
from agents.td import (
    double_q_learning_target,
    epsilon_greedy_probabilities,
    expected_sarsa_target,
    moved_towards,
    q_learning_target,
    sarsa_target,
)


def test_targets_worked_by_hand() -> None:
    assert q_learning_target(-1.0, False, [-9.0, -11.0], 1.0) == -10.0
    assert q_learning_target(-1.0, False, [4.0, 2.0], 0.5) == 1.0
    assert q_learning_target(-1.0, True, [4.0, 2.0], 0.5) == -1.0


def test_the_other_targets_worked_by_hand() -> None:
    assert sarsa_target(-1.0, False, -11.0, 1.0) == -12.0
    assert sarsa_target(-1.0, True, -11.0, 1.0) == -1.0
    assert expected_sarsa_target(1.0, False, [4.0, 8.0], [0.75, 0.25], 0.5) == 1.0 + 0.5 * 5.0
    assert expected_sarsa_target(1.0, True, [4.0, 8.0], [0.75, 0.25], 0.5) == 1.0
    # The first table chooses its best action, 1; the second says that it is worth 3 (its own best would be 7).
    assert double_q_learning_target(1.0, False, [2.0, 5.0], [7.0, 3.0], 1.0) == 4.0
    assert double_q_learning_target(1.0, True, [2.0, 5.0], [7.0, 3.0], 1.0) == 1.0


def test_epsilon_greedy_probabilities_by_hand() -> None:
    assert epsilon_greedy_probabilities([1.0, 3.0, 2.0, 0.0], 0.2) == pytest.approx([0.05, 0.85, 0.05, 0.05])
    assert epsilon_greedy_probabilities([3.0, 3.0, 0.0, 0.0], 0.2) == pytest.approx([0.45, 0.45, 0.05, 0.05])
    assert epsilon_greedy_probabilities([1.0, 1.0], 1.0) == [0.5, 0.5]


def test_moving_by_hand() -> None:
    assert moved_towards(10.0, 20.0, 0.25) == 12.5
    assert moved_towards(0.1, 0.3, 1.0) == 0.3  # the target itself: 0.1 + (0.3 - 0.1) would be 0.30000000000000004
    assert moved_towards(0.1, 0.3, 0.0) == 0.1


class TwoStates(gym.Env[int, int]):
    """State 0 leads to state 1 with reward 1; the episode then ends by termination or by truncation."""

    def __init__(self, terminates: bool) -> None:
        self.observation_space: Any = spaces.Discrete(2)
        self.action_space: Any = spaces.Discrete(2)
        self.terminates = terminates

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        return 1, 1.0, self.terminates, not self.terminates, {}


@pytest.mark.parametrize(("terminates", "bootstrap"), [(True, 0.0), (False, 1.0)])
@pytest.mark.parametrize(
    ("agent_class", "next_value"),
    [(QLearning, 5.0), (Sarsa, 5.0), (ExpectedSarsa, 0.2 * 3.5 + 0.8 * 5.0), (DoubleQLearning, 5.0)],
)
def test_termination_cuts_the_bootstrap_and_truncation_does_not(
    agent_class: type[TabularAgent], next_value: float, terminates: bool, bootstrap: float
) -> None:
    env = TwoStates(terminates)
    epsilon = 0.2 if agent_class is ExpectedSarsa else 0.0
    agent = agent_class(env, learning_rate=0.5, discount=0.9, epsilon=epsilon, epsilon_schedule="constant")
    for table in getattr(agent, "tables", (agent.table,)):
        table.values[table.row(1)] = [5.0, 2.0]  # what is known of state 1
    next_state, reward, terminated, truncated, _ = env.step(0)
    error = agent.update(Transition(0, 0, reward, next_state, terminated, truncated))
    expected = 1.0 + bootstrap * 0.9 * next_value
    learned = [table[0] for table in getattr(agent, "tables", (agent.table,))]
    assert [pytest.approx(0.5 * expected, abs=1e-15), 0.0] in learned  # half of the way: the learning rate counts
    assert error == pytest.approx(expected, abs=1e-15)


def test_sarsa_learns_from_the_action_that_it_takes_next() -> None:
    """Not from another draw of the same policy, which would be as good on average and another algorithm."""
    agent = Sarsa(TwoStates(False), epsilon=1.0, epsilon_schedule="constant", learning_rate=1.0, discount=1.0)
    agent.table.values[agent.table.row(1)] = [5.0, 2.0]
    for _ in range(50):
        agent.update(Transition(0, 0, 0.0, 1, False, False))
        taken = agent.select_action(1, explore=True)
        assert agent.table[0][0] == [5.0, 2.0][taken]  # at learning rate 1, the target itself
        assert agent.select_action(1, explore=False) == 0  # looking changes nothing
        assert agent.select_action(1, explore=True) == taken
    agent.begin_episode()
    assert {agent.select_action(1, explore=True) for _ in range(50)} == {0, 1}


def test_double_q_learning_updates_one_table_at_a_time_by_what_the_other_says() -> None:
    agent = DoubleQLearning(TwoStates(False), learning_rate=1.0, discount=1.0, seed=4)
    for table, values in zip(agent.tables, ([2.0, 5.0], [7.0, 3.0]), strict=True):
        table.values[table.row(1)] = values
        table.values[table.row(0)] = [0.0, 0.0]
    agent.update(Transition(0, 0, 1.0, 1, False, False))
    learned = [table[0][0] for table in agent.tables]
    assert learned in ([4.0, 0.0], [0.0, 3.0])  # 1 + second's view of the first's best action, or the reverse
    assert agent.q_values(1) == [4.5, 4.0]


def test_greedy_ties_go_to_the_lowest_index_and_exploring_ties_are_drawn() -> None:
    agent = QLearning(TwoStates(True), epsilon=0.0)
    agent.table.values[agent.table.row(0)] = [3.0, 3.0]
    assert {agent.select_action(0, explore=False) for _ in range(50)} == {0}
    assert {agent.select_action(0, explore=True) for _ in range(50)} == {0, 1}


def test_epsilon_is_the_share_of_random_actions() -> None:
    agent = QLearning(TwoStates(True), epsilon=0.4, epsilon_schedule="constant")
    agent.table.values[agent.table.row(0)] = [1.0, 0.0]
    draws = [agent.select_action(0, explore=True) for _ in range(20_000)]
    assert sum(draws) / len(draws) == pytest.approx(0.2, abs=0.012)  # half of the random ones; 4 standard errors
