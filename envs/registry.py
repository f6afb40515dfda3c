"""Which environments the lab knows by name, and how one is made.

Any other Gymnasium id works too, and so does `module:Name`, where `Name` is an environment class of that module
or an id that the module registers.
"""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator

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
