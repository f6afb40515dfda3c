"""The environments of a run: the one that it trains in, and the one that it is judged in."""

from typing import Any

import gymnasium as gym

from agents.policy import Spaces
from envs.registry import make_env
from envs.wrappers import ResetSeed, StepLimit, step_limit
from experiments.errors import InputError
from experiments.specs.spec import EnvEntry

DEFAULT_STEP_LIMIT = 1_000  # steps an episode, where the environment sets no limit itself


def make_training_env(entry: EnvEntry) -> gym.Env[Any, Any]:
    """The environment that a run trains in."""
    env = make_env(entry.id, **entry.settings)
    return env if entry.reset_seed is None else ResetSeed(env, entry.reset_seed)


def make_evaluation_env(entry: EnvEntry, render_mode: str | None = None) -> gym.Env[Any, Any]:
    """The environment of an entry with a limit of steps, and without the reset seed: evaluation chooses its own."""
    env = make_env(entry.id, render_mode=render_mode, **entry.settings)
    return env if step_limit(env) else StepLimit(env, DEFAULT_STEP_LIMIT)


def episode_limit(env: gym.Env[Any, Any]) -> int:
    """The most steps of an evaluation episode."""
    return step_limit(env) or DEFAULT_STEP_LIMIT


def check_same_spaces(expected: Spaces, env: gym.Env[Any, Any]) -> None:
    """Raise where an agent that was trained with some spaces cannot act in an environment.

    Raises:
        InputError: the environment's observations or actions differ.
    """
    for name in ("observation_space", "action_space"):
        wanted, got = getattr(expected, name), getattr(env, name)
        if wanted != got:
            raise InputError(f"the agent does not fit: expected the {name.replace('_', ' ')} {wanted}, got {got}")
