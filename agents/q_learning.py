"""Tabular Q-learning (Watkins 1989; Sutton & Barto, 2nd ed., section 6.5), as the book has it."""

from typing import Any

from agents.tabular import TabularAgent
from agents.td import q_learning_target


class QLearning(TabularAgent):
    """Q(S, A) moves towards R + discount * max_a Q(S', a), whatever is done in S' (off-policy)."""

    name = "q_learning"

    def target(self, reward: float, terminated: bool, next_observation: Any) -> float:
        """The Bellman target."""
        next_q_values = self.table[self.state(next_observation)]
        return q_learning_target(reward, terminated, next_q_values, self.settings.discount)
