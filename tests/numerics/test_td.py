"""Targets worked by hand: what is cut at an end, and what is not."""

from typing import Any

import gymnasium as gym
import pytest
from gymnasium import spaces

from agents.base import Transition
from agents.q_learning import QLearning
from agents.td import moved_towards, q_learning_target


def test_targets_worked_by_hand() -> None:
    assert q_learning_target(-1.0, False, [-9.0, -11.0], 1.0) == -10.0
    assert q_learning_target(-1.0, False, [4.0, 2.0], 0.5) == 1.0
    assert q_learning_target(-1.0, True, [4.0, 2.0], 0.5) == -1.0


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


@pytest.mark.parametrize(("terminates", "expected"), [(True, 1.0), (False, 1.0 + 0.9 * 5.0)])
def test_termination_cuts_the_bootstrap_and_truncation_does_not(terminates: bool, expected: float) -> None:
    env = TwoStates(terminates)
    agent = QLearning(env, learning_rate=1.0, discount=0.9)
    agent.table.values[agent.table.row(1)] = [5.0, 2.0]  # what is known of state 1
    next_state, reward, terminated, truncated, _ = env.step(0)
    error = agent.update(Transition(0, 0, reward, next_state, terminated, truncated))
    assert agent.table[0] == [pytest.approx(expected, abs=1e-15), 0.0]
    assert error == pytest.approx(expected, abs=1e-15)


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
