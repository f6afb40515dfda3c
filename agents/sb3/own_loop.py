"""stable-baselines3's own loop, with nothing of ours around it: what speeds are compared to."""

from typing import Any

import gymnasium as gym
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.sb3.baselines import SB3Agent


class OwnLoop:
    """Trains an agent's model in an environment.

    Args:
        agent: whose model it is.
        env: where it learns.
    """

    def __init__(self, agent: SB3Agent, env: gym.Env[Any, Any]) -> None:
        self._model = agent.model
        self._model.set_env(DummyVecEnv([lambda: env]))

    def train(self, steps: int) -> int:
        """Go on for so many env steps, or until what they began is learned from; how many they were."""
        before = self._model.num_timesteps
        self._model.learn(steps, reset_num_timesteps=False, log_interval=None)
        return int(self._model.num_timesteps - before)
