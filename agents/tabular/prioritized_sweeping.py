"""Prioritized sweeping (Moore & Atkeson 1993; Sutton & Barto, 2nd ed., section 8.4).

The queue and the sets of predecessors are Python's: this agent has the readable loop only.
"""

import heapq
from collections import defaultdict
from typing import Any, ClassVar

import gymnasium as gym
from pydantic import Field

from agents.base import Settings, Transition
from agents.seeding import Rng
from agents.storage import State
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import best_value
from agents.tabular.dyna import remember
from agents.tabular.learning import move
from agents.tabular.memory import THE_END, UNTRIED, Memory, Parameters
from agents.tabular.settings import DynaSettings
from agents.td import td_target

Pair = tuple[int, int]  # (state, action)


def update(
    memory: Memory,
    parameters: Parameters,
    rng: Rng,
    state: int,
    action: int,
    reward: float,
    next_state: int,
    terminated: bool,
    truncated: bool,
) -> float:
    """The model remembers the step; how wrong Q(S, A) is by Q-learning's target is said, and nothing moves yet."""
    remember(memory, parameters, state, action, reward, THE_END if terminated else next_state)
    return target(memory, parameters, state, action) - memory.q[state, action]


def target(memory: Memory, parameters: Parameters, state: int, action: int) -> float:
    """Q-learning's target of a pair that the model knows."""
    next_state = memory.model_states[state, action]
    terminated = next_state == THE_END
    next_value = 0.0 if terminated else best_value(memory.q, next_state, parameters.num_actions)
    return td_target(memory.model_rewards[state, action], terminated, next_value, parameters.discount)


class PrioritizedSweepingSettings(DynaSettings):
    """Settings of `prioritized_sweeping`."""

    threshold: float = Field(1e-4, ge=0, description="errors that are smaller are not worth an update")


class PrioritizedSweeping(TabularAgent):
    """Plans where the values are most wrong, and from there backwards to what leads there."""

    Settings: ClassVar[type[Settings]] = PrioritizedSweepingSettings
    settings: PrioritizedSweepingSettings
    name = "prioritized_sweeping"
    needs = ("model",)
    update_rule = staticmethod(update)

    def __init__(self, env: gym.Env[Any, Any], *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        self.priorities: dict[Pair, float] = {}  # of the pairs that wait
        self.queue: list[tuple[float, Pair]] = []  # (-priority, pair); what `priorities` does not say is out of date
        self.predecessors: defaultdict[int, set[Pair]] = defaultdict(set)  # the pairs that lead to a state

    def update(self, transition: Transition) -> float | None:
        """Note what happened, then update up to `planning_steps` pairs in the order of their errors."""
        pair = self.row(transition.observation), int(transition.action)
        before = int(self.table.memory.model_states[pair])
        error = super().update(transition)
        after = int(self.table.memory.model_states[pair])
        if before != after:
            self.predecessors[before].discard(pair)
            self.predecessors[after].add(pair)
        self._enqueue(pair)
        for _ in range(self.settings.planning_steps):
            if not self._sweep():
                break
        return error

    def _enqueue(self, pair: Pair) -> None:
        memory = self.table.view
        priority = abs(target(memory, self.parameters, *pair) - memory.q[pair])
        if priority > max(self.settings.threshold, self.priorities.get(pair, 0.0)):
            self.priorities[pair] = priority
            heapq.heappush(self.queue, (-priority, pair))

    def _sweep(self) -> bool:
        """Update the pair that is most wrong; False where none waits."""
        while self.queue:
            priority, pair = heapq.heappop(self.queue)
            if self.priorities.get(pair) == -priority:
                del self.priorities[pair]
                memory = self.table.view
                move(memory.q, memory, self.parameters, *pair, target(memory, self.parameters, *pair))
                for predecessor in self.predecessors[pair[0]]:
                    self._enqueue(predecessor)
                return True
        return False

    def get_state(self) -> State:
        """As of every table, and the pairs that wait."""
        waiting = [[*pair, priority] for pair, priority in sorted(self.priorities.items())]
        return super().get_state() | {"waiting": waiting}

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave."""
        super().set_state(state)
        self.priorities = {(int(one), int(action)): float(priority) for one, action, priority in state["waiting"]}
        self.queue = [(-priority, pair) for pair, priority in self.priorities.items()]
        heapq.heapify(self.queue)
        self.predecessors.clear()
        following = self.table.memory.model_states
        for one, action in zip(*(following != UNTRIED).nonzero(), strict=True):
            self.predecessors[int(following[one, action])].add((int(one), int(action)))
