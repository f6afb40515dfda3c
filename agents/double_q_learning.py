"""Double Q-learning (van Hasselt 2010; Sutton & Barto, 2nd ed., section 6.7)."""

from typing import Any

import gymnasium as gym

from agents.base import Transition
from agents.seeding import generator
from agents.storage import State
from agents.table import QTable
from agents.tabular import TabularAgent
from agents.td import double_q_learning_target


class DoubleQLearning(TabularAgent):
    """Two tables, one of which, drawn by a coin, learns from what the other thinks of its best action.

    A single table's maximum over noisy values is too high on average; here who chooses does not judge. Actions are
    epsilon-greedy by the mean of both.
    """

    name = "double_q_learning"

    def __init__(self, env: gym.Env[Any, Any], *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        self.tables = (self.table, QTable(self.num_actions, self.settings.initial_values, seed))
        # Not the same random values as the first table's.
        self.tables[1].entropy = int(generator(seed, "table").integers(2**63))
        self._updated = 0

    def q_values(self, state: int) -> list[float]:
        """The mean of both tables [A]."""
        one, other = self.tables[0][state], self.tables[1][state]
        return [(first + second) / 2 for first, second in zip(one, other, strict=True)]

    def target(self, reward: float, terminated: bool, next_observation: Any) -> float:
        """Double Q-learning's target for the table whose turn it is."""
        next_state = self.state(next_observation)
        choosing, judging = self.tables[self._updated][next_state], self.tables[1 - self._updated][next_state]
        return double_q_learning_target(reward, terminated, choosing, judging, self.settings.discount)

    def update(self, transition: Transition) -> float:
        """One update of the table that the coin says."""
        self._updated = int(self.exploration_rng.integers(2))
        return super().update(transition)

    def move(self, table: QTable, transition: Transition, target: float) -> float:
        """Of the table whose turn it is."""
        return super().move(self.tables[self._updated], transition, target)

    def get_state(self) -> State:
        """As of every table, and the second one."""
        second = self.tables[1]
        return super().get_state() | {
            "second_entropy": second.entropy,
            "second_states": second.states,
            "second_q_values": second.used().copy(),
        }

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave."""
        super().set_state(state)
        self.tables[1].entropy = state["second_entropy"]
        self.tables[1].replace(state["second_states"], state["second_q_values"])
