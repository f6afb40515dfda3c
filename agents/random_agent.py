"""The random policy: the floor that every comparison is measured from."""

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.base import OnlineAgent
from agents.policy import FunctionPolicy, Policy, Spaces
from agents.storage import State


class RandomAgent(OnlineAgent):
    """Draws every action uniformly from the action space."""

    controls = False
    seeded_policy = True

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        # Greedy calls outside an evaluation have no seed: they draw from a generator that is no part of the state.
        self._greedy_rng = np.random.default_rng([seed, 1])

    def select_action(self, observation: Any, *, explore: bool, mask: NDArray[np.bool_] | None = None) -> Any:
        """A random action: this policy has no greedy one."""
        return self._sample(self.exploration_rng if explore else self._greedy_rng, mask)

    def policy_state(self) -> State:
        """Nothing: a random policy has learned nothing."""
        return {}

    def set_policy_state(self, state: State) -> None:
        """Nothing."""

    def policy(self, seed: int) -> Policy:
        """The random policy of one episode, a function of the episode's and the agent's seed."""
        rng = np.random.default_rng([self.seed, seed])
        return FunctionPolicy(lambda observation, mask: self._sample(rng, mask))

    def _sample(self, rng: np.random.Generator, mask: NDArray[np.bool_] | None) -> Any:
        if isinstance(self.action_space, gym.spaces.Discrete):
            if mask is not None:
                return int(rng.choice(np.flatnonzero(mask))) + int(self.action_space.start)
            return int(rng.integers(self.action_space.n)) + int(self.action_space.start)
        self.action_space.seed(int(rng.integers(2**31)))
        return self.action_space.sample()
