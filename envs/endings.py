"""How an episode ends, in words: whether it succeeded, and what that is called in an environment."""

from typing import Any, NamedTuple

import gymnasium as gym

from envs.mazes.env import MazeEnv

TIMED_OUT = "timed out"


class Words(NamedTuple):
    """What the ends of an environment's episodes are called."""

    succeeded: str = "succeeded"
    failed: str = "failed"
    terminated: str = "terminated"  # where nothing tells which of the two
    truncated: str = TIMED_OUT


# By how the environments' ids begin; from their datasheets.
WORDS = {
    "RLLab/Maze-": Words("reached the exit", "fell into a pit"),
    "LunarLander": Words("landed", "crashed"),
    "FrozenLake": Words("reached the goal", "fell into a hole"),
    "CliffWalking": Words(terminated="reached the goal"),
    "MountainCar": Words(terminated="reached the goal"),
    "Acrobot": Words(terminated="reached the goal"),
    "Taxi": Words(terminated="delivered"),
    "CartPole": Words(terminated="fell", truncated="stayed up"),
}
GENERIC = Words()


def ending_words(env_id: str) -> Words:
    """What the ends of episodes are called in an environment of this id."""
    return next((words for begin, words in WORDS.items() if env_id.startswith(begin)), GENERIC)


def ending(words: Words, *, terminated: bool, success: bool | None) -> str:
    """What an episode's end is called: a word of its environment's.

    Args:
        words: the environment's.
        terminated: did it terminate? Else it was truncated.
        success: did it succeed, where that is known?
    """
    if success:
        return words.succeeded
    if not terminated:
        return words.truncated
    return words.terminated if success is None else words.failed


def success_of(env: gym.Env[Any, Any]) -> bool | None:
    """Has the episode that terminates now succeeded, by the state of an environment that does not tell? None: unknown.

    LunarLander has landed when its body has come to rest; FrozenLake is done when the goal is reached.
    """
    base: Any = env.unwrapped
    if isinstance(base, MazeEnv) or not type(base).__module__.startswith("gymnasium.envs."):
        return None
    name = type(base).__name__
    if name == "LunarLander":
        return not base.lander.awake
    if name == "FrozenLakeEnv":
        return bool(base.desc.flat[int(base.s)] == b"G")
    return None
