"""Which environments the lab knows by name, and how one is made.

Any other Gymnasium id works too, and so does `module:Name`, where `Name` is an environment class of that module, a
function that is defined there and makes an environment, or an id that the module registers.
"""

import copy
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, cast

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec, load_env_creator

from envs.arguments import did_you_mean

_MAZE, _MAZES = "envs.mazes.env:MazeEnv", "envs.mazes.vector:MazeVectorEnv"


@dataclass(frozen=True)
class Entry:
    """One environment of ours, or one of Gymnasium's that the lab shows."""

    description: str
    entry_point: str | None = None  # None: Gymnasium registers it
    vector_entry_point: str | None = None
    options: dict[str, Any] = field(default_factory=dict)  # its own defaults, where they differ from the class's


ENTRIES = {
    "RLLab/Maze-v0": Entry("a robot looks for the exit of a maze whose exact optimum is known", _MAZE, _MAZES),
    "RLLab/Maze-Small-v0": Entry("ladder 1: 5 x 5", _MAZE, _MAZES, {"rows": 5, "cols": 5}),
    "RLLab/Maze-Medium-v0": Entry(
        "ladder 2: 9 x 9, many short dead ends", _MAZE, _MAZES, {"rows": 9, "cols": 9, "generator": "prim"}
    ),
    "RLLab/Maze-Large-v0": Entry(
        "ladder 3: 15 x 15, any perfect maze", _MAZE, _MAZES, {"rows": 15, "cols": 15, "generator": "wilson"}
    ),
    "RLLab/Maze-Slippery-v0": Entry(
        "ladder 4: 9 x 9 with loops, one move in five slips", _MAZE, _MAZES, {"braid": 0.5, "slip": 0.2}
    ),
    "RLLab/Maze-Pits-v0": Entry(
        "ladder 5: 9 x 9 with loops, pits, and slippery", _MAZE, _MAZES, {"braid": 0.5, "slip": 0.1, "pits": 5}
    ),
    "RLLab/Maze-Keys-v0": Entry(
        "ladder 6: 9 x 9, two doors and their keys",
        _MAZE,
        _MAZES,
        {"generator": "growing_tree", "keys": 2},
    ),
    "RLLab/Maze-Partial-v0": Entry(
        "ladder 7: 100 mazes of 9 x 9, of which 5 x 5 cells are seen",
        _MAZE,
        _MAZES,
        {"levels": 100, "braid": 0.2, "observation": "view", "view": 5},
    ),
    "RLLab/Maze-Generalise-v0": Entry(
        'ladder 8: 500 mazes of 9 x 9 to train on, seen from above; split = "test" has 500 others',
        _MAZE,
        _MAZES,
        {"levels": 500, "split": "train", "observation": "grid"},
    ),
    "RLLab/RandomWalk-v0": Entry("Sutton & Barto's random walk (Examples 6.2 and 7.1)", "envs.small:RandomWalkEnv"),
    "RLLab/MaximizationBias-v0": Entry(
        "Sutton & Barto's Example 6.7: the worse choice looks better", "envs.small:MaximizationBiasEnv"
    ),
    "LunarLander-v3": Entry("land between the flags (Gymnasium's, discrete actions)"),
}
ENVIRONMENTS = {env_id: entry.description for env_id, entry in ENTRIES.items()}
LADDER = tuple(env_id for env_id, entry in ENTRIES.items() if entry.description.startswith("ladder"))
OUR_MAZES = tuple(env_id for env_id, entry in ENTRIES.items() if entry.entry_point == _MAZE)
# These say of every option what it takes.
CHECKED_BY_THEMSELVES = frozenset(env_id for env_id, entry in ENTRIES.items() if entry.entry_point)


class UnknownEnvironmentError(ValueError):
    """No environment has that name."""


class Around(NamedTuple):
    """A wrapper to be put around an environment: `module:Class`, and its arguments beside the environment."""

    id: str
    arguments: Mapping[str, Any] = {}


class EnvironmentVersionError(UnknownEnvironmentError):
    """The environment exists, in other versions."""


def register_all() -> None:
    """Register our environments with Gymnasium; a second call changes nothing."""
    for env_id, entry in ENTRIES.items():
        if entry.entry_point is not None and env_id not in gym.registry:
            gym.register(
                env_id,
                entry_point=entry.entry_point,
                vector_entry_point=entry.vector_entry_point,
                kwargs=entry.options,
            )


def find_spec(env_id: str) -> EnvSpec:
    """The Gymnasium spec of an id, of ours, Gymnasium's or `module:Name`.

    Raises:
        UnknownEnvironmentError: nothing has that name.
    """
    module_name, _, name = env_id.rpartition(":")
    if ":" in module_name:
        raise UnknownEnvironmentError(f"no environment is called {env_id!r}")
    if module_name.endswith(".py"):
        raise UnknownEnvironmentError(f"expected {module_name.removesuffix('.py')}:{name}, got {env_id!r}")
    if module_name:
        candidate = getattr(_imported(module_name, UnknownEnvironmentError), name, None)
        if inspect.isclass(candidate) and issubclass(candidate, gym.Env):
            return EnvSpec(id=name, entry_point=env_id)
        if inspect.isfunction(candidate) and candidate.__module__ == module_name:
            return EnvSpec(id=name, entry_point=env_id)
    try:
        return gym.spec(name)
    except (gym.error.VersionNotFound, gym.error.DeprecatedEnv) as error:  # Gymnasium says which versions there are
        raise EnvironmentVersionError(" ".join(str(error).split())) from error
    except gym.error.Error as error:
        where = f" in {module_name}" if module_name else ""
        near = did_you_mean(name, [one for one in vars(sys.modules[module_name]) if one[0] != "_"]) if where else ""
        raise UnknownEnvironmentError(f"no environment is called {name!r}{where}{near}") from error


def _imported(module_name: str, error_class: type[ValueError]) -> Any:
    try:
        return importlib.import_module(module_name)
    except ImportError as error:
        hint = ""
        if isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]:
            hint = f"; run it in the folder where {error.name}.py is"
        raise error_class(f"cannot import module {module_name!r}: {error}{hint}") from error


def find_wrapper(wrapper_id: str) -> type[gym.Wrapper[Any, Any, Any, Any]]:
    """The class of a wrapper, `module:Class`.

    Raises:
        ValueError: there is none, or it is no `gymnasium.Wrapper`.
    """
    module_name, colon, name = wrapper_id.rpartition(":")
    if not colon or ":" in module_name:
        raise ValueError(f"expected a wrapper as module:Class, got {wrapper_id!r}")
    candidate = getattr(_imported(module_name, ValueError), name, None)
    if candidate is None:
        raise ValueError(f"{wrapper_id}: there is no {name!r} in module {module_name!r}")
    if not (inspect.isclass(candidate) and issubclass(candidate, gym.Wrapper)):
        raise ValueError(f"{wrapper_id}: expected a subclass of gymnasium.Wrapper, got {candidate!r}")
    return candidate


class Options(NamedTuple):
    """The options of an environment, without `render_mode`."""

    defaults: dict[str, Any]  # None where there is none
    are_all: bool  # False: it takes others too, and says itself what it makes of them


def env_options(env_id: str) -> dict[str, Any]:
    """The options of an environment and their defaults, without `render_mode`."""
    return find_options(env_id).defaults


def find_options(env_id: str) -> Options:
    """The options of an environment; of a class that hands `**options` on, those of its base classes too."""
    spec = find_spec(env_id)
    try:
        creator: Any = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
    except gym.error.DependencyNotInstalled:  # such as Box2D's: it says so when it is to be made
        return Options(dict(spec.kwargs), are_all=False)
    makers: list[Any] = [creator]
    if inspect.isclass(creator):
        makers = [vars(base)["__init__"] for base in creator.__mro__ if "__init__" in vars(base)]
    defaults: dict[str, Any] = {}
    hands_on = True
    for maker in makers:
        if not hands_on:
            break
        hands_on = False
        for name, parameter in _parameters(maker):
            hands_on |= parameter.kind is parameter.VAR_KEYWORD
            if name not in ("self", "render_mode") and parameter.kind not in _VARIABLE:
                known = None if parameter.default is parameter.empty else parameter.default
                defaults.setdefault(name, spec.kwargs.get(name, known))
    return Options(defaults, are_all=not hands_on)


@lru_cache(maxsize=256)
def _parameters(maker: Callable[..., Any]) -> list[tuple[str, inspect.Parameter]]:
    return list(inspect.signature(maker).parameters.items())


_VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def plain(value: Any) -> Any:
    """An option as JSON and TOML have it, where there are neither tuples nor arrays."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def _like(value: Any, default: Any) -> Any:
    """An option as the environment means it: a list is a tuple or an array where its default is one."""
    if isinstance(value, list) and isinstance(default, np.ndarray):
        return np.asarray(value)
    return tuple(value) if isinstance(value, list) and isinstance(default, tuple) else value


def make_env(
    env_id: str,
    *,
    render_mode: str | None = None,
    max_episode_steps: int | None = None,
    wrappers: Sequence[Around] = (),
    **options: Any,
) -> gym.Env[Any, Any]:
    """`gym.make` for every name the lab accepts, without Gymnasium's step-by-step checker (our tests run it).

    Args:
        env_id: the environment.
        render_mode: how it draws.
        max_episode_steps: steps after which an episode is truncated, instead of what the environment is registered
            with.
        wrappers: what is put around it, the innermost first.
        options: of the environment.

    Raises:
        UnknownEnvironmentError: nothing has that name.
        TypeError: an option is unknown.
        ValueError: an option has a wrong value, or a wrapper is none.
    """
    spec, (defaults, are_all) = find_spec(env_id), find_options(env_id)
    unknown = set(options) - set(defaults)
    if unknown and are_all:
        raise TypeError(f"unknown option {min(unknown)!r}")
    options = {name: _like(value, defaults.get(name)) for name, value in options.items()}
    chosen = copy.copy(spec)
    chosen.kwargs = spec.kwargs | options  # there, so that an option may have the name of one of `gymnasium.make`'s
    classes = [(find_wrapper(wrapper.id), wrapper.arguments) for wrapper in wrappers]

    def make(render_mode: str | None = None) -> gym.Env[Any, Any]:
        drawn: dict[str, Any] = {} if render_mode is None else {"render_mode": render_mode}  # not all know the word
        env = gym.make(chosen, max_episode_steps, disable_env_checker=True, **drawn)
        for wrapper, arguments in classes:
            env = wrapper(env, **arguments)
        return env

    if not classes:
        return make(render_mode)
    # As the entry point of a spec, so that Gymnasium can make it again, wrappers and all.
    whole = EnvSpec(id=spec.id, entry_point=cast(Any, make), order_enforce=False)
    return gym.make(whole, disable_env_checker=True, render_mode=render_mode)
