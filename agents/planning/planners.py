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
from agents.policy import Policy, Spaces, TablePolicy
from agents.storage import State


class PlannerSettings(Settings):
    """Settings of every planner."""

    discount: float = Field(
        1.0, ge=0, le=1, description="weight of the next step's value; 1 plans for the return itself"
    )


class Planner(OnlineAgent):
    """Solves `P` in `prepare`, and then acts greedily; a subclass says how."""

    Settings: ClassVar[type[Settings]] = PlannerSettings
    settings: PlannerSettings
    name: ClassVar[str]  # for messages

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        self.num_actions = require_discrete_actions(self.name, self.action_space)
        if not isinstance(self.observation_space, spaces.Discrete):
            kind = type(self.observation_space).__name__
            raise ValueError(f"{self.name} needs an exact model of numbered states (Discrete), got {kind}")
        self.num_states = int(self.observation_space.n)
        self._q_values: FloatArray | None = None
        self.greedy_actions = np.zeros(0, dtype=np.int64)

    @property
    def q_values(self) -> FloatArray:
        """Q* [S, A].

        Raises:
            ValueError: nothing is planned yet.
        """
        if self._q_values is None:
            raise ValueError(f"{self.name} has no plan yet: expected prepare(env) before it acts")
        return self._q_values

    def prepare(self, env: gym.Env[Any, Any]) -> None:
        """Solve the environment.

        Raises:
            ValueError: it has no exact model, or no best plan.
        """
        model, initial = exact_model(env, self.name)
        self._take(self.plan(model))
        self._refuse_ties(model, initial)

    def _take(self, q_values: FloatArray) -> None:
        self._q_values, self.greedy_actions = q_values, exact.greedy_policy(q_values)

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

    def select_action(self, observation: Any, *, explore: bool, mask: NDArray[np.bool_] | None = None) -> int:
        """The optimal action; ties go to the lowest index."""
        return int(TablePolicy(self.q_values, self.greedy_actions).action(observation, mask))

    def action_values(self, observation: Any) -> NDArray[np.float64]:
        """Q*(S, .) [A]."""
        values: NDArray[np.float64] = self.q_values[observation]
        return values

    def policy(self, seed: int) -> Policy:
        """The plan."""
        return TablePolicy(self.q_values, self.greedy_actions)

    def get_state(self) -> State:
        """The counters, and the plan."""
        return super().get_state() | self.policy_state()

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave."""
        super().set_state(state)
        self.set_policy_state(state)

    def policy_state(self) -> State:
        """The plan."""
        return {"q_values": self.q_values}

    def set_policy_state(self, state: State) -> None:
        """Take over a state that `policy_state` gave.

        Raises:
            ValueError: it is no plan for these spaces.
        """
        if "q_values" not in state and self._q_values is not None:
            return  # 0.4.0 kept no plan: that which was prepared is the same
        q_values, shape = state["q_values"], (self.num_states, self.num_actions)
        if q_values.shape != shape or q_values.dtype != np.float64:
            raise ValueError(f"q_values: expected float64 {shape}, got {q_values.dtype} {q_values.shape}")
        self._take(q_values)


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
