"""What the actions of an environment are called, for people."""

from collections.abc import Sequence
from enum import Enum
from typing import Any

import gymnasium as gym

from envs.mazes.env import MazeEnv

_MOVES = ("up", "right", "down", "left")
# Gymnasium's own, by the names of their classes; from their datasheets.
NAMES = {
    "LunarLander": ("nothing", "left engine", "main engine", "right engine"),
    "CartPoleEnv": ("left", "right"),
    "AcrobotEnv": ("torque -1", "torque 0", "torque +1"),
    "MountainCarEnv": ("left", "nothing", "right"),
    "FrozenLakeEnv": ("left", "down", "right", "up"),
    "CliffWalkingEnv": _MOVES,
    "TaxiEnv": ("south", "north", "east", "west", "pick up", "drop off"),
    "BlackjackEnv": ("stick", "hit"),
}


def action_names(env: gym.Env[Any, Any]) -> list[str]:
    """A name [A] for each discrete action; "0", "1" and so on where it has none, or none that can be printed.

    An environment of one's own tells them with an attribute `action_names` (texts), or `actions` (an Enum).
    """
    count = int(getattr(env.action_space, "n", 0))
    base: Any = env.unwrapped
    if isinstance(base, MazeEnv):
        names: Sequence[Any] = _MOVES
    elif type(base).__module__.startswith("gymnasium."):
        names = NAMES.get(type(base).__name__, ())
    else:
        names = _told(base)
    words = [name for name in names if isinstance(name, str) and name.strip() and name.isprintable()]
    fits = len(words) == count == len(set(words))
    return words if fits else [str(action) for action in range(count)]


def _told(base: Any) -> Sequence[Any]:
    try:
        names, actions = getattr(base, "action_names", None), getattr(base, "actions", None)
        if isinstance(names, list | tuple):
            return names
        if isinstance(actions, type) and issubclass(actions, Enum):
            return [action.name.replace("_", " ") for action in actions]
    except Exception:  # whatever user code makes of being asked: numbers do
        return ()
    return ()
