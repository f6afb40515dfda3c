"""Agents that plan from the environment's exact model instead of learning from experience."""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pydantic import Field

from agents import planning
from agents.base import OnlineAgent, Settings
from agents.oracle import exact_model


class ValueIterationSettings(Settings):
    """Settings of `value_iteration`."""

    discount: float = Field(
        1.0, ge=0, le=1, description="weight of the next step's value; 1 plans for the return itself"
    )


class ValueIteration(OnlineAgent):
    """Value iteration on `P` (Sutton & Barto, section 4.4): the ground truth on finite environments."""

    Settings: ClassVar[type[Settings]] = ValueIterationSettings
    settings: ValueIterationSettings

    def __init__(self, env: gym.Env[Any, Any], *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        model, initial = exact_model(env, "value_iteration")
        if not isinstance(env.observation_space, spaces.Discrete):
            raise ValueError(
                "value_iteration needs the state as observation (Discrete), "
                f"came {type(env.observation_space).__name__}"
            )
        self.q_values = planning.solve(model, self.settings.discount)
        self.greedy_actions = planning.greedy_policy(self.q_values)
        reachable = planning.reachable_states(model, initial)
        finite = self.q_values[reachable & np.isfinite(self.q_values).all(axis=1)]
        all_alike = np.ptp(finite, axis=1).max(initial=0.0) < planning.TIE_TOLERANCE
        ends = planning.surely_ends(model, self.greedy_actions, initial)
        if self.settings.discount == 1 and (all_alike or not ends):
            raise ValueError(
                "value_iteration: with discount 1 every path is worth the same here, so that no plan is the best: "
                "expected a discount below 1, came 1"
            )

    def select_action(self, observation: Any, *, explore: bool) -> int:
        """The optimal action; ties go to the lowest index."""
        return int(self.greedy_actions[observation])

    def action_values(self, observation: Any) -> NDArray[np.float64]:
        """Q*(S, .) [A]."""
        values: NDArray[np.float64] = self.q_values[observation]
        return values
