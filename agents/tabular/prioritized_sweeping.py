"""Prioritized sweeping (Moore & Atkeson 1993; Sutton & Barto, 2nd ed., section 8.4).

The model counts what followed every pair, so that it is right on slippery ground as well. It, the queue and the sets of
predecessors are Python's: this agent has the readable loop only.
"""

import heapq
import math
from collections import defaultdict
from typing import Any, ClassVar

import gymnasium as gym
from pydantic import Field

from agents.base import Settings, Transition
from agents.seeding import Rng
from agents.storage import State
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import best_value
from agents.tabular.learning import move
from agents.tabular.memory import THE_END, Memory, Parameters, Step
from agents.tabular.settings import DynaSettings
from agents.td import td_target

Pair = tuple[int, int]  # (state, action)


def update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """Says how wrong Q(S, A) is by Q-learning's target; nothing moves yet."""
    next_value = best_value(memory.q, step.next_state, parameters.num_actions)
    return td_target(step.reward, step.terminated, next_value, parameters.discount) - memory.q[step.state, step.action]


class PrioritizedSweepingSettings(DynaSettings):
    """Settings of `prioritized_sweeping`."""

    planning_steps: int = Field(10, ge=1, le=100_000, description="updates after every real step")
    learning_rate: float = Field(1.0, ge=0, le=1, description="share of the error that an update takes; 1: all of it")
    threshold: float = Field(1e-4, ge=0, description="errors that are smaller are not worth an update")


class PrioritizedSweeping(TabularAgent):
    """Plans where the values are most wrong, and from there backwards to what leads there."""

    Settings: ClassVar[type[Settings]] = PrioritizedSweepingSettings
    settings: PrioritizedSweepingSettings
    name = "prioritized_sweeping"
    update_rule = staticmethod(update)

    def __init__(self, env: gym.Env[Any, Any], *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        self.rewards: defaultdict[Pair, float] = defaultdict(float)  # their sums
        self.followers: defaultdict[Pair, dict[int, int]] = defaultdict(dict)  # next state (or THE_END) -> how often
        self.predecessors: defaultdict[int, set[Pair]] = defaultdict(set)  # the pairs that have led to a state
        self.priorities: dict[Pair, float] = {}  # of the pairs that wait
        self.queue: list[tuple[float, Pair]] = []  # (-priority, pair); what `priorities` does not say is out of date

    def update(self, transition: Transition) -> float | None:
        """Count what happened, then update up to `planning_steps` pairs in the order of their errors."""
        error = super().update(transition)
        pair = self.row(transition.observation), int(transition.action)
        next_state = THE_END if transition.terminated else self.row(transition.next_observation)
        self.rewards[pair] += transition.reward
        if self.settings.count_bonus > 0:
            self.rewards[pair] += self.settings.count_bonus / math.sqrt(self.table.memory.visits[pair])
        self.followers[pair][next_state] = self.followers[pair].get(next_state, 0) + 1
        self.predecessors[next_state].add(pair)
        self._enqueue(pair)
        for _ in range(self.settings.planning_steps):
            if not self._sweep():
                break
        return error

    def target(self, pair: Pair) -> float:
        """The mean reward + discount * the mean of max_a Q(S', a), over all that has followed a pair."""
        followers, memory = self.followers[pair], self.table.view
        count, value = sum(followers.values()), 0.0
        for next_state, times in followers.items():
            if next_state != THE_END:
                value += times / count * best_value(memory.q, next_state, self.num_actions)
        return self.rewards[pair] / count + self.settings.discount * value

    def _enqueue(self, pair: Pair) -> None:
        priority = abs(self.target(pair) - self.table.view.q[pair])
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
                move(memory.q, memory, self.parameters, *pair, self.target(pair))
                for predecessor in self.predecessors[pair[0]]:
                    self._enqueue(predecessor)
                return True
        return False

    # -- on disk ----------------------------------------------------------------------------------------------

    def _checked_pair(self, state: int, action: int) -> Pair:
        if not (0 <= int(state) < len(self.table.memory.q) and 0 <= int(action) < self.num_actions):
            raise ValueError(f"model: no such state and action: {state}, {action}")
        return int(state), int(action)

    def get_state(self) -> State:
        """As of every table; the model, and the pairs that wait."""
        model = [[*pair, self.rewards[pair], list(followers.items())] for pair, followers in self.followers.items()]
        waiting = [[*pair, priority] for pair, priority in sorted(self.priorities.items())]
        return super().get_state() | {"model": model, "waiting": waiting}

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave."""
        super().set_state(state)
        for known in (self.rewards, self.followers, self.predecessors):
            known.clear()
        for one, action, reward, followers in state["model"]:
            pair = self._checked_pair(one, action)
            self.rewards[pair] = float(reward)
            self.followers[pair] = {int(next_state): int(times) for next_state, times in followers}
            for next_state in self.followers[pair]:
                self.predecessors[next_state].add(pair)
        self.priorities = {self._checked_pair(one, action): float(value) for one, action, value in state["waiting"]}
        self.queue = [(-priority, pair) for pair, priority in self.priorities.items()]
        heapq.heapify(self.queue)
