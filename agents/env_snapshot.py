"""Where an environment is, as arrays and JSON values, so that a training goes on there in another process.

Between two episodes that is its generators (and what it says itself that it keeps, see `get_env_state`). Within an
episode it is what the episode began from, and the actions since, which are made again: no environment need be
picklable.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from agents.storage import State


def get_env_state(env: gym.Env[Any, Any]) -> State:
    """What an environment takes with it from one episode to the next.

    That is its generator and its action space's. An environment that keeps more has `get_lasting_state()` and
    `set_lasting_state(state)`, as mazes whose layout changes do.
    """
    base: Any = env.unwrapped
    state = {
        "generator": base.np_random.bit_generator.state,
        "action_space": get_space_state(env.action_space),
    }
    return state | ({"lasting": base.get_lasting_state()} if hasattr(base, "get_lasting_state") else {})


def set_env_state(env: gym.Env[Any, Any], state: State) -> None:
    """Take over a state that `get_env_state` gave; an episode has to begin then."""
    base: Any = env.unwrapped
    base.np_random.bit_generator.state = state["generator"]
    set_space_state(env.action_space, state["action_space"])
    if "lasting" in state:
        base.set_lasting_state(state["lasting"])


def get_space_state(space: gym.Space[Any]) -> list[State]:
    """Where the generators of a space are."""
    return [dict(leaf.np_random.bit_generator.state) for leaf in leaves(space)]


def set_space_state(space: gym.Space[Any], state: list[State]) -> None:
    """Put them where `get_space_state` found them."""
    for leaf, generator in zip(leaves(space), state, strict=True):
        leaf.np_random.bit_generator.state = generator


def leaves(space: gym.Space[Any]) -> list[gym.Space[Any]]:
    """The spaces that a space is put together of, itself if of none: each draws by itself."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
        return [leaf for part in parts for leaf in leaves(part)]
    return [space]


class NotReplayedError(ValueError):
    """An environment did not come to where it had been: it keeps more than its generator from episode to episode."""


class Replayable(gym.Wrapper[Any, Any, Any, Any]):
    """Keeps what the episode began from and the actions since.

    Args:
        env: what is wrapped.
        snapshot: where the first `reset` brings it, whatever it is asked for.
    """

    def __init__(self, env: gym.Env[Any, Any], snapshot: State | None = None) -> None:
        super().__init__(env)
        self._to_do = snapshot
        self._begun: State = {}
        self._actions: list[Any] = []
        self._observation: Any = None

    def come_back(self, snapshot: State) -> None:
        """Let the next `reset` bring it to a snapshot, whatever it is asked for."""
        self._to_do = snapshot

    def snapshot(self) -> State:
        """Where the environment is."""
        seen = spaces.flatten(self.observation_space, self._observation)
        return self._begun | {"actions": np.array(self._actions), "seen": np.asarray(seen)}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, or come to the position that was given."""
        snapshot, self._to_do = self._to_do, None
        if snapshot is None:
            self._begun = {"state": get_env_state(self.env), "seed": seed, "options": options}
            self._actions = []
            self._observation, info = self.env.reset(seed=seed, options=options)
            return self._observation, info
        set_env_state(self.env, snapshot["state"])
        seen, info = self.reset(seed=snapshot["seed"], options=snapshot["options"])
        for action in snapshot["actions"]:
            seen, _, terminated, truncated, info = self.step(action)
            if terminated or truncated:
                break
        if not np.array_equal(self.snapshot()["seen"], snapshot["seen"], equal_nan=True):
            raise NotReplayedError("the environment does not do again what it did: the training cannot go on")
        return seen, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One step, which is kept."""
        self._actions.append(np.array(action))
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._observation = observation
        return observation, reward, terminated, truncated, info
