"""Which environments the lab knows by name, and how one is made.

Any other Gymnasium id works too, and so does `module:Name`, where `Name` is an environment class of that module
or an id that the module registers.
"""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator

ENVIRONMENTS = {
    "RLLab/Maze-v0": "a robot looks for the exit of a maze whose exact optimum is known",
    "LunarLander-v3": "land between the flags (Gymnasium's, discrete actions)",
}
_ENTRY_POINTS = {"RLLab/Maze-v0": "envs.mazes.env:MazeEnv"}
CHECKED_BY_THEMSELVES = frozenset(_ENTRY_POINTS)  # ours say of every option what it takes


class UnknownEnvironmentError(ValueError):
    """No environment has that name."""


class EnvironmentVersionError(UnknownEnvironmentError):
    """The environment exists, in other versions."""


def register_all() -> None:
    """Register our environments with Gymnasium; a second call changes nothing."""
    for env_id, entry_point in _ENTRY_POINTS.items():
        if env_id not in gym.registry:
            gym.register(env_id, entry_point=entry_point)


def find_spec(env_id: str) -> EnvSpec:
    """The Gymnasium spec of an id, of ours, Gymnasium's or `module:Name`.

    Raises:
        UnknownEnvironmentError: nothing has that name.
    """
    module_name, _, name = env_id.rpartition(":")
    if ":" in module_name:
        raise UnknownEnvironmentError(f"no environment is called {env_id!r}")
    if module_name:
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            raise UnknownEnvironmentError(f"cannot import module {module_name!r}: {error}") from error
        candidate = getattr(module, name, None)
        if inspect.isclass(candidate) and issubclass(candidate, gym.Env):
            return EnvSpec(id=name, entry_point=env_id)
    try:
        return gym.spec(name)
    except (gym.error.VersionNotFound, gym.error.DeprecatedEnv) as error:  # Gymnasium says which versions there are
        raise EnvironmentVersionError(" ".join(str(error).split())) from error
    except gym.error.Error as error:
        raise UnknownEnvironmentError(f"no environment is called {name!r}") from error


def env_options(env_id: str) -> dict[str, Any]:
    """The options of an environment and their defaults, without `render_mode`."""
    spec = find_spec(env_id)
    creator = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
    target: Callable[..., Any] = creator.__init__ if inspect.isclass(creator) else creator  # type: ignore[assignment]
    options: dict[str, Any] = {}
    for name, parameter in inspect.signature(target).parameters.items():
        if name == "self" or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        options[name] = spec.kwargs.get(name, None if parameter.default is parameter.empty else parameter.default)
    options.pop("render_mode", None)
    return options


def make_env(env_id: str, *, render_mode: str | None = None, **options: Any) -> gym.Env[Any, Any]:
    """`gym.make` for every name the lab accepts, without Gymnasium's step-by-step checker (our tests run it).

    Raises:
        UnknownEnvironmentError: nothing has that name.
        TypeError: an option is unknown.
        ValueError: an option has a wrong value.
    """
    spec = find_spec(env_id)
    unknown = set(options) - set(env_options(env_id))
    if unknown:
        raise TypeError(f"unknown option {min(unknown)!r}")
    if render_mode is not None:
        options["render_mode"] = render_mode  # an environment that draws nothing need not know the word
    return gym.make(spec, disable_env_checker=True, **options)
