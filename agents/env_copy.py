"""Environments like one that is given: made again from what Gymnasium made it from."""

import copy
from collections.abc import Callable
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from gymnasium.wrappers import TimeLimit

from agents.planning.trust import wrappers_of


def spec_of(env: gym.Env[Any, Any], user: str) -> EnvSpec:
    """From what `gymnasium.make` makes the environment again, for a user that is named in errors.

    Raises:
        ValueError: it was not made by `gymnasium.make`.
    """
    spec = copy.copy(env.spec)
    if spec is None:
        raise ValueError(f"{user}: expected an environment that gymnasium.make can make again, got {env}")
    if not any(isinstance(wrapper, TimeLimit) for wrapper in wrappers_of(env)):
        spec.max_episode_steps = None  # it tells a limit that it imposes itself
    return spec


def maker_of(env: gym.Env[Any, Any], user: str) -> Callable[[], gym.Env[Any, Any]]:
    """Makes the environment again.

    Raises:
        ValueError: it was not made by `gymnasium.make`.
    """
    spec = spec_of(env, user)
    return lambda: gym.make(spec, disable_env_checker=True)
