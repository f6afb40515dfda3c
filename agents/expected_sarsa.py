"""Expected SARSA (van Seijen et al. 2009; Sutton & Barto, 2nd ed., section 6.6)."""

from typing import Any

from agents.tabular import TabularAgent
from agents.td import epsilon_greedy_probabilities, expected_sarsa_target


class ExpectedSarsa(TabularAgent):
    """Q(S, A) moves towards R + discount * the mean of Q(S', .) under the policy that acts.

    As SARSA, without the noise of drawing A'; where epsilon is 0 it is Q-learning.
    """

    name = "expected_sarsa"

    def target(self, reward: float, terminated: bool, next_observation: Any) -> float:
        """Expected SARSA's target."""
        next_q_values = self.table[self.state(next_observation)]
        probabilities = epsilon_greedy_probabilities(next_q_values, self.current_epsilon)
        return expected_sarsa_target(reward, terminated, next_q_values, probabilities, self.settings.discount)
