"""Agents that plan from the environment's exact model instead of learning from experience."""

from abc import abstractmethod
from typing import Any, ClassVar, Literal

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pydantic import Field

from agents.base import OnlineAgent, Settings, require_discrete_actions
from agents.planning import exact, sweeps
from agents.planning.exact import FiniteModel, FloatArray
from agents.planning.oracle import exact_model


class PlannerSettings(Settings):
    """Settings of every planner."""

    discount: float = Field(
        1.0, ge=0, le=1, description="weight of the next step's value; 1 plans for the return itself"
    )


class Planner(OnlineAgent):
    """Solves `P` when it is made, and then acts greedily; a subclass says how."""

    Settings: ClassVar[type[Settings]] = PlannerSettings
    settings: PlannerSettings
    name: ClassVar[str]  # for messages

    def __init__(self, env: gym.Env[Any, Any], *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        require_discrete_actions(self.name, env.action_space)
        model, initial = exact_model(env, self.name)
        if not isinstance(env.observation_space, spaces.Discrete):
            raise ValueError(
                f"{self.name} needs the state as observation (Discrete), got {type(env.observation_space).__name__}"
            )
        self.q_values = self.plan(model)
        self.greedy_actions = exact.greedy_policy(self.q_values)
        self._refuse_ties(model, initial)

    @abstractmethod
    def plan(self, model: FiniteModel) -> FloatArray:
        """Q* [S, A]."""

    def _refuse_ties(self, model: FiniteModel, initial: FloatArray) -> None:
        """Raise where, undiscounted, the greedy policy would be arbitrary, and may never end."""
        if self.settings.discount < 1:
            return
        reachable = exact.reachable_states(model, initial)
        finite = self.q_values[reachable & np.isfinite(self.q_values).all(axis=1)]
        all_alike = np.ptp(finite, axis=1).max(initial=0.0) < exact.TIE_TOLERANCE
        if all_alike or not exact.surely_ends(model, self.greedy_actions, initial):
            raise ValueError(
                f"{self.name}: with discount 1 every path is worth the same here, so that no plan is the best: "
                "expected a discount below 1, got 1"
            )

    def select_action(self, observation: Any, *, explore: bool) -> int:
        """The optimal action; ties go to the lowest index."""
        return int(self.greedy_actions[observation])

    def action_values(self, observation: Any) -> NDArray[np.float64]:
        """Q*(S, .) [A]."""
        values: NDArray[np.float64] = self.q_values[observation]
        return values


class ValueIterationSettings(PlannerSettings):
    """Settings of `value_iteration`."""

    method: Literal["exact", "sweeps", "gauss_seidel"] = Field(
        "exact",
        description="'sweeps' are the textbook's, 'gauss_seidel' updates in place; 'exact' is as good as a linear "
        "solve, also where no policy ends",
    )


class ValueIteration(Planner):
    """Value iteration on `P` (Sutton & Barto, section 4.4): the ground truth on finite environments."""

    Settings: ClassVar[type[Settings]] = ValueIterationSettings
    settings: ValueIterationSettings
    name = "value_iteration"

    def plan(self, model: FiniteModel) -> FloatArray:
        """Q* [S, A]."""
        discount, method = self.settings.discount, self.settings.method
        if method == "exact":
            return exact.solve(model, discount)
        values, _ = sweeps.iterate_values(model, discount, gauss_seidel=method == "gauss_seidel")
        return model.backup(values, discount)


class PolicyIteration(Planner):
    """Policy iteration on `P` (Sutton & Barto, section 4.3): evaluate exactly, improve, until nothing changes."""

    name = "policy_iteration"

    def plan(self, model: FiniteModel) -> FloatArray:
        """Q* [S, A]."""
        if self.settings.discount == 1 and not exact.can_end(model).all():
            raise ValueError(
                "policy_iteration: from some states no policy ends: expected a discount below 1, or value_iteration"
            )
        return exact.policy_iteration(model, self.settings.discount)
