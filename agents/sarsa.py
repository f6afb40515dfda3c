"""SARSA (Rummery & Niranjan 1994; Sutton & Barto, 2nd ed., section 6.4)."""

from typing import Any

from agents.storage import State
from agents.tabular import TabularAgent
from agents.td import sarsa_target


class Sarsa(TabularAgent):
    """Q(S, A) moves towards R + discount * Q(S', A'), for the very action A' that is taken next (on-policy).

    It learns what its own exploring policy is worth, and so keeps away from where a random step is dear.
    """

    name = "sarsa"
    next_action: tuple[int, int] | None = None  # (S', A'): chosen by the update, taken in the next step

    def begin_episode(self) -> None:
        """The action that the last episode was cut off before is never taken."""
        self.next_action = None

    def select_action(self, observation: Any, *, explore: bool) -> int:
        """The action that the last update has chosen; the first of an episode is epsilon-greedy."""
        if explore and self.next_action is not None and self.next_action[0] == self.state(observation):
            return self.next_action[1]
        return super().select_action(observation, explore=explore)

    def target(self, reward: float, terminated: bool, next_observation: Any) -> float:
        """SARSA's target; chooses A'."""
        self.next_action = None
        if terminated:
            return sarsa_target(reward, terminated, 0.0, self.settings.discount)
        next_state = self.state(next_observation)
        self.next_action = next_state, super().select_action(next_observation, explore=True)
        next_q_value = self.table[next_state][self.next_action[1]]
        return sarsa_target(reward, terminated, next_q_value, self.settings.discount)

    def get_state(self) -> State:
        """As of every table; and the chosen action."""
        return super().get_state() | {"next_action": None if self.next_action is None else list(self.next_action)}

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave."""
        super().set_state(state)
        chosen = state["next_action"]
        self.next_action = None if chosen is None else (int(chosen[0]), int(chosen[1]))
