"""Can the model that an environment has be believed of it? What lies around the model may change what it tells."""

from collections.abc import Iterator
from typing import Any

import gymnasium as gym

# These change no more than where an episode begins, where it is cut off, and what is counted.
HARMLESS_WRAPPERS = {
    "gymnasium.wrappers.common:TimeLimit",
    "gymnasium.wrappers.common:OrderEnforcing",
    "gymnasium.wrappers.common:PassiveEnvChecker",
    "gymnasium.wrappers.common:RecordEpisodeStatistics",
    "envs.contract:Checked",
    "envs.wrappers:StepLimit",
    "envs.wrappers:ResetSeed",
    "agents.env_snapshot:Replayable",
}
HARMLESS_METHODS = {"__init__", "__init_subclass__", "render", "close", "get_keys_to_action"}
WITH_MODELS = ("envs.", "gymnasium.envs.toy_text.")  # in these packages a class that has a model follows it


def name_of(one: object) -> str:
    """The class of an object, `module:Class`."""
    return f"{type(one).__module__}:{type(one).__qualname__}"


def wrappers_of(env: gym.Env[Any, Any]) -> Iterator[gym.Wrapper[Any, Any, Any, Any]]:
    """The wrappers around an environment, the outermost first."""
    while isinstance(env, gym.Wrapper):
        yield env
        env = env.env


def has_model(base: Any) -> bool:
    """Does an unwrapped environment have a model, to be believed or not? (Looking at ours does not build it.)"""
    return (hasattr(type(base), "P") or "P" in vars(base)) and hasattr(base, "initial_state_distrib")


def why_no_model(env: gym.Env[Any, Any]) -> str | None:
    """Why there is no model of an environment that can be believed; None where there is."""
    base: Any = env.unwrapped
    kind = type(base)
    if not has_model(base):
        lacks = [name for name in ("P", "initial_state_distrib") if not hasattr(base, name)]
        return f"{kind.__name__} has no {' and no '.join(lacks)}" if len(lacks) == 1 else f"{kind.__name__} has none"
    for wrapper in wrappers_of(env):
        if name_of(wrapper) not in HARMLESS_WRAPPERS:
            return f"{kind.__name__}'s does not tell what the wrapper {type(wrapper).__name__} changes"
    if method := _overridden(kind):
        return f"{kind.__name__} overrides {method}, which the model of its base class does not tell of"
    return None


def _overridden(kind: type[Any]) -> str | None:
    """The method in which a class departs from the model that it inherits; None where it does not.

    The model is that of the first of its bases that is known to follow its own, else of the first one with a
    constructor: a class that makes its own `P` may do with its methods what it likes.
    """
    younger: list[type[Any]] = []
    for owner in kind.__mro__:
        is_known = f"{owner.__module__}.".startswith(WITH_MODELS)
        if is_known or ("__init__" in vars(owner) and not _has_known_base(owner)):
            names = [name for one in younger for name in vars(one) if name not in HARMLESS_METHODS]
            return next((name for name in names if callable(getattr(owner, name, None))), None)
        younger.append(owner)
    return None


def _has_known_base(kind: type[Any]) -> bool:
    return any(f"{base.__module__}.".startswith(WITH_MODELS) for base in kind.__mro__)
