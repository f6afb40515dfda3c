"""Monitors for training without an experiment: `agent.train(env, Budget(steps=1_000))`."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym

from agents.base import Agent, Episode
from agents.env_snapshot import get_env_state
from agents.storage import State

UNLIMITED = 1 << 62


class Budget:
    """Counts env steps or episodes, and keeps the episodes.

    Args:
        steps: env steps that the training may make.
        episodes: or episodes that it may finish.
    """

    def __init__(self, steps: int | None = None, episodes: int | None = None) -> None:
        if (steps is None) == (episodes is None):
            raise ValueError(f"budget: expected steps or episodes, got steps = {steps} and episodes = {episodes}")
        self.steps, self.num_episodes = steps, episodes
        self.count = 0
        self.env_snapshot: State | None = None
        self.episodes: list[Episode] = []
        self.learned: list[dict[str, float]] = []

    @property
    def running(self) -> bool:
        """Is there budget left?"""
        return min(self.allowance()) > 0

    @property
    def max_steps(self) -> int:
        """The most env steps, for schedules."""
        return self.steps or 1_000_000

    def allowance(self) -> tuple[int, int]:
        """The env steps and episodes that are left."""
        if self.steps is not None:
            return self.steps - self.count, UNLIMITED
        return UNLIMITED, (self.num_episodes or 0) - len(self.episodes)

    def step(self, count: int = 1) -> None:
        """Add env steps to those that were made."""
        self.count += count

    def episode(self, episode: Episode) -> None:
        """Keep an episode that has ended, in `episodes`."""
        self.episodes.append(episode)

    def learning(self, values: Mapping[str, float]) -> None:
        """Keep what the agent says of its learning, in `learned`."""
        self.learned.append(dict(values))

    def safe_point(self, snapshot: Callable[[], State] | None = None) -> None:
        """Nothing is saved."""


class Stopped(Budget):
    """A budget of steps in whose middle the agent is saved, as if the training were stopped there.

    Args:
        steps: env steps of the whole training.
        agent: the agent that trains.
        env: where it trains.
        folder: where the agent is saved, at the first safe point from half of the steps on.
    """

    def __init__(self, steps: int, agent: Agent, env: gym.Env[Any, Any], folder: Path) -> None:
        super().__init__(steps=steps)
        self.state: State | None = None  # of the environment, where it was saved
        self._agent, self._env, self._folder = agent, env, folder
        self._snapshot: State | None = None
        self._count, self._num_ended = 0, 0

    def safe_point(self, snapshot: Callable[[], State] | None = None) -> None:
        """Save, once."""
        if self.state is None and self.count >= (self.steps or 0) / 2:
            self._agent.save(self._folder)
            self.state = copy.deepcopy(get_env_state(self._env))
            self._snapshot = None if snapshot is None else copy.deepcopy(snapshot())
            self._count, self._num_ended = self.count, len(self.episodes)

    def rest(self) -> Budget:
        """What was left of the budget there."""
        rest = Budget(steps=self.steps)
        rest.count, rest.episodes, rest.env_snapshot = self._count, self.episodes[: self._num_ended], self._snapshot
        return rest
