"""Gymnasium's own hand-written controller for LunarLander."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.base import OnlineAgent, Spaces
from agents.storage import State


class HeuristicLander(OnlineAgent):
    """Aims for the pad and fires against drift, tilt and fall; learns nothing."""

    controls = False

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        flies = isinstance(self.action_space, spaces.Box | spaces.Discrete) and self.observation_space.shape == (8,)
        if not flies:
            given = f"observations {self.observation_space} and actions {self.action_space}"
            raise ValueError(f"heuristic_lander flies LunarLander only, got {given}")
        self._lander = _Lander(isinstance(self.action_space, spaces.Box))

    def prepare(self, env: gym.Env[Any, Any]) -> None:
        """Learns nothing.

        Raises:
            ValueError: the environment is no LunarLander.
        """
        from gymnasium.envs.box2d.lunar_lander import LunarLander

        if not isinstance(env.unwrapped, LunarLander):
            raise ValueError(f"heuristic_lander flies LunarLander only, got {type(env.unwrapped).__name__}")

    def select_action(self, observation: Any, *, explore: bool, mask: NDArray[np.bool_] | None = None) -> Any:
        """The controller's action: an integer, or two throttles [2]; the first legal one where its own is not."""
        from gymnasium.envs.box2d.lunar_lander import heuristic

        control: Any = heuristic
        action = control(self._lander, observation)
        return action if mask is None or mask[action] else int(np.argmax(mask))

    def policy_state(self) -> State:
        """Nothing: the controller is written by hand."""
        return {}

    def set_policy_state(self, state: State) -> None:
        """Nothing."""


class _Lander:
    """All that the controller reads of the environment: whether it takes throttles."""

    def __init__(self, continuous: bool) -> None:
        self.continuous = continuous
        self.unwrapped = self
