"""The environments of a run: the one that it trains in, and the one that it is judged in."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import gymnasium as gym

from agents.policy import Spaces
from envs.contract import Checked, is_known
from envs.registry import Around, make_env
from envs.wrappers import ResetSeed, StepLimit, chain, claimed_limit, step_limit
from experiments.errors import InputError, in_words
from experiments.specs.spec import EnvEntry

DEFAULT_STEP_LIMIT = 1_000  # steps an episode, where nothing is known to impose a limit

_log = logging.getLogger(__name__)


def make_training_env(entry: EnvEntry) -> gym.Env[Any, Any]:
    """The environment that a run trains in."""
    env = _make(entry)
    return env if entry.reset_seed is None else ResetSeed(env, entry.reset_seed)


def make_evaluation_env(entry: EnvEntry, render_mode: str | None = None) -> gym.Env[Any, Any]:
    """The environment of an entry as agents are judged in it.

    It has a limit of steps, and not the reset seed: evaluation chooses its own.
    """
    judged = entry.model_copy(update={"settings": entry.settings | entry.evaluation})
    env = _make(judged, render_mode)
    return env if step_limit(env) else StepLimit(env, episode_limit(env))


def make_own_side_env(entry: EnvEntry) -> gym.Env[Any, Any] | None:
    """The environment as they train in it, to be judged in that too; None where that is the same one."""
    return make_evaluation_env(entry.model_copy(update={"evaluation": {}})) if entry.evaluation else None


def _make(entry: EnvEntry, render_mode: str | None = None) -> gym.Env[Any, Any]:
    """The environment with its wrappers; what it gives is looked at, unless it is known to keep the contract."""
    around = [Around(wrapper.id, wrapper.settings) for wrapper in entry.wrappers]
    limit = entry.max_episode_steps
    env = make_env(entry.id, render_mode=render_mode, max_episode_steps=limit, wrappers=around, **entry.settings)
    return env if is_known(env) else Checked(env)


def episode_limit(env: gym.Env[Any, Any]) -> int:
    """The most steps of an evaluation episode: the limit that is imposed on it, else what it tells of, up to 1,000."""
    return step_limit(env) or min(claimed_limit(env) or DEFAULT_STEP_LIMIT, DEFAULT_STEP_LIMIT)


def num_beyond_bounds(env: gym.Env[Any, Any]) -> int:
    """How many observations have left the bounds of their Box, as far as they were looked at."""
    return sum(one.num_beyond for one in chain(env) if isinstance(one, Checked))


@contextlib.contextmanager
def closing(env: gym.Env[Any, Any]) -> Iterator[gym.Env[Any, Any]]:
    """Close an environment in the end. One that cannot be closed spoils nothing that was done in it."""
    try:
        yield env
    finally:
        close(env)


def close(env: gym.Env[Any, Any]) -> None:
    """Close an environment; where that fails, it is said."""
    try:
        env.close()
    except (Exception, SystemExit) as error:
        _log.warning("%s: close: %s", type(env.unwrapped).__name__, in_words(error))


def check_same_spaces(expected: Spaces, env: gym.Env[Any, Any]) -> None:
    """Raise where an agent that was trained with some spaces cannot act in an environment.

    Raises:
        InputError: the environment's observations or actions differ.
    """
    for name in ("observation_space", "action_space"):
        wanted, got = getattr(expected, name), getattr(env, name)
        if wanted != got:
            raise InputError(f"the agent does not fit: expected the {name.replace('_', ' ')} {wanted}, got {got}")
