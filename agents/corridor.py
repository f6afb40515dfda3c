"""The two-armed corridor in which agents are checked, and a wrapper that counts what they do there."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces


class Corridor(gym.Env[int, int]):
    """Two arms: from the second of four cells, left ends at once and earns 0.25; right takes two steps and earns 4.

    Every step costs 0.5, so the optimum is 3, to the right; what pays sooner is worse. With its exact model.
    """

    START, NUM_STATES = 1, 4
    OPTIMUM = 3.0

    def __init__(self) -> None:
        self.observation_space: Any = spaces.Discrete(self.NUM_STATES)
        self.action_space: Any = spaces.Discrete(2)
        ends = {0: 0.25, self.NUM_STATES - 1: 4.0}
        self.P: dict[int, dict[int, list[tuple[float, int, float, bool]]]] = {}
        for state in range(self.NUM_STATES):
            self.P[state] = {}
            for action, change in enumerate((-1, 1)):
                reached = state if state in ends else state + change
                reward = 0.0 if state in ends else ends.get(reached, 0.0) - 0.5
                self.P[state][action] = [(1.0, reached, reward, reached in ends)]
        self.initial_state_distrib = np.eye(self.NUM_STATES)[self.START]
        self.s = self.START
        self.steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Begin in the second cell."""
        super().reset(seed=seed)
        self.s, self.steps = self.START, 0
        return self.s, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """One step; at most 50 in an episode.

        Raises:
            ValueError: the action is neither 0 nor 1.
        """
        if not self.action_space.contains(action):
            raise ValueError(f"action: expected 0 or 1, got {action!r}")
        _, self.s, reward, terminated = self.P[self.s][int(action)][0]
        self.steps += 1
        return self.s, reward, terminated, not terminated and self.steps >= 50, {}


class Counted(gym.Wrapper[Any, Any, Any, Any]):
    """Counts the steps, and keeps the lengths of the episodes that have ended."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.steps, self.length = 0, 0
        self.lengths: list[int] = []

    def reset(self, **keywords: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self.length = 0
        return self.env.reset(**keywords)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self.steps, self.length = self.steps + 1, self.length + 1
        if terminated or truncated:
            self.lengths.append(self.length)
        return observation, reward, terminated, truncated, info
