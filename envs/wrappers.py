"""Wrappers that the lab puts around environments."""

import operator
from collections.abc import Iterator
from typing import Any, SupportsFloat

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from envs.mazes.env import MazeEnv


class ResetSeed(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Begin every episode from one seed, as the book's lander does (`reset(seed=42)`)."""

    def __init__(self, env: gym.Env[Any, Any], seed: int) -> None:
        RecordConstructorArgs.__init__(self, seed=seed)
        super().__init__(env)
        self._seed = seed

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset from the fixed seed, whichever is asked for."""
        return self.env.reset(seed=self._seed, options=options)


class StepLimit(gym.Wrapper[Any, Any, Any, Any]):
    """Truncate an episode after `max_steps` steps: for evaluation where an environment sets no limit itself."""

    def __init__(self, env: gym.Env[Any, Any], max_steps: int) -> None:
        super().__init__(env)
        self._max_steps = max_steps
        self._steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self._steps = 0
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """One step; truncated when it is the last that is allowed."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._steps += 1
        return observation, reward, terminated, truncated or (not terminated and self._steps >= self._max_steps), info


def step_limit(env: gym.Env[Any, Any]) -> int | None:
    """The steps after which an environment is known to truncate an episode, or None.

    Gymnasium's wrapper imposes its limit, and our mazes theirs. What another environment says of itself is no limit.
    """
    limits = [one._max_episode_steps for one in chain(env) if isinstance(one, gym.wrappers.TimeLimit)]
    limits += [env.unwrapped.max_steps] if isinstance(env.unwrapped, MazeEnv) else []
    return min(limits, default=None)


def claimed_limit(env: gym.Env[Any, Any]) -> int | None:
    """The limit of steps that an environment tells of in an attribute `max_steps`, which it may or may not impose."""
    try:
        limit = operator.index(env.unwrapped.max_steps)  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        return None
    return limit if limit > 0 else None


def chain(env: gym.Env[Any, Any]) -> Iterator[gym.Env[Any, Any]]:
    """An environment's wrappers, the outermost first, and what they are around."""
    yield env
    while isinstance(env, gym.Wrapper):
        env = env.env
        yield env
