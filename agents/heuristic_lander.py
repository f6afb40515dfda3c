"""Gymnasium's own hand-written controller for LunarLander."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym

from agents.base import OnlineAgent


class HeuristicLander(OnlineAgent):
    """Aims for the pad and fires against drift, tilt and fall; learns nothing."""

    controls = False

    def __init__(self, env: gym.Env[Any, Any], *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        from gymnasium.envs.box2d.lunar_lander import LunarLander, heuristic

        if not isinstance(env.unwrapped, LunarLander):
            raise ValueError(f"heuristic_lander flies LunarLander only, got {type(env.unwrapped).__name__}")
        self._env = env
        self._heuristic: Callable[..., Any] = heuristic

    def select_action(self, observation: Any, *, explore: bool) -> Any:
        """The controller's action: an integer, or two throttles [2] for the continuous lander."""
        return self._heuristic(self._env, observation)
