"""The random policy: the floor that every comparison is measured from."""

from typing import Any

import gymnasium as gym
import numpy as np

from agents.base import OnlineAgent, Policy


class RandomAgent(OnlineAgent):
    """Draws every action uniformly from the action space."""

    controls = False
    seeded_policy = True

    def __init__(self, env: gym.Env[Any, Any], *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        # Greedy calls outside an evaluation have no seed: they draw from a generator that is no part of the state.
        self._greedy_rng = np.random.default_rng([seed, 1])

    def select_action(self, observation: Any, *, explore: bool) -> Any:
        """A random action: this policy has no greedy one."""
        return self._sample(self.exploration_rng if explore else self._greedy_rng)

    def policy(self, seed: int) -> Policy:
        """The random policy of one episode, a function of the episode's and the agent's seed."""
        rng = np.random.default_rng([self.seed, seed])
        return lambda observation: self._sample(rng)

    def _sample(self, rng: np.random.Generator) -> Any:
        if isinstance(self.action_space, gym.spaces.Discrete):
            return int(rng.integers(self.action_space.n)) + int(self.action_space.start)
        self.action_space.seed(int(rng.integers(2**31)))
        return self.action_space.sample()
