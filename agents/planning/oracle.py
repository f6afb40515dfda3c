"""What is exactly true of a finite environment: optimal values, optimal actions, and what any policy is worth.

It works on every Gymnasium environment that has its model as toy_text has it, `P` and `initial_state_distrib`; mazes
may give the same as arrays (`model_arrays`), which is quicker.
"""

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.planning import exact
from agents.planning.exact import FiniteModel, FloatArray
from agents.planning.trust import why_no_model


class Oracle:
    """The truth about one environment at one discount; S states, A actions.

    Attributes:
        model: the environment's model, as arrays.
        initial: probability [S] of starting in each state.
        q_values: Q* [S, A], without a limit of steps.
        values: V* [S].
        optimal_actions: which actions [S, A] are optimal; ties are all there.
    """

    def __init__(self, env: gym.Env[Any, Any], discount: float = 1.0) -> None:
        """Solve the environment.

        Raises:
            ValueError: it has no exact model, or no optimum at this discount.
        """
        if not 0 <= discount <= 1:
            raise ValueError(f"discount: expected 0 to 1, got {discount}")
        self.discount = discount
        self.model, self.initial = exact_model(env)
        self.q_values = exact.solve(self.model, discount)
        self.values: FloatArray = self.q_values.max(axis=1)
        self.optimal_actions = exact.best_actions(self.q_values)

    @property
    def value(self) -> float:
        """The best expected return of an episode."""
        return self._from_the_start(self.values)

    @property
    def shortest_length(self) -> int:
        """The fewest steps in which an episode can end that begins in the likeliest start and acts optimally.

        However it ends: where optimal moves can slip into a pit, the pit counts.

        Raises:
            ValueError: acting optimally never ends.
        """
        steps = exact.fewest_steps(self.model, self.optimal_actions)[int(np.argmax(self.initial))]
        if steps < 0:
            raise ValueError("acting optimally never ends here")
        return int(steps)

    def policy_value(self, policy: NDArray[Any], horizon: int | None = None) -> float:
        """The exact expected return of an episode under any policy.

        Args:
            policy: probabilities [S, A], or one action for each state [S].
            horizon: the limit of steps; None: no limit, which asks for a discount below 1 or a policy that surely ends.

        Raises:
            ValueError: the policy is none, or it has no value without a limit.
        """
        value = self._from_the_start(self.policy_values(policy, horizon))
        if np.isnan(value):
            raise ValueError("the policy may go on for ever from the start: expected a horizon, or a discount below 1")
        return value

    def policy_values(self, policy: NDArray[Any], horizon: int | None = None) -> FloatArray:
        """The same from every state [S]; nan where the policy may go on for ever, without a limit or a discount."""
        probabilities = self._probabilities(policy)
        if horizon is None:
            return exact.unlimited_policy_values(self.model, probabilities, self.discount)
        if horizon < 0:
            raise ValueError(f"horizon: expected at least 0 steps, got {horizon}")
        return exact.policy_values(self.model, probabilities, horizon, self.discount)

    def _from_the_start(self, values: FloatArray) -> float:
        begins = self.initial > 0  # elsewhere a value may be -inf
        return float(self.initial[begins] @ values[begins])

    def gap(self, policy: NDArray[Any], horizon: int | None = None) -> float:
        """How far a policy's value is below the best there is without a limit of steps."""
        return self.value - self.policy_value(policy, horizon)

    def _probabilities(self, policy: NDArray[Any]) -> FloatArray:
        policy, shape = np.asarray(policy), self.model.rewards.shape
        if policy.shape == shape[:1] and policy.dtype.kind in "iu":
            if policy.min() < 0 or policy.max() >= shape[1]:
                raise ValueError(
                    f"policy: expected actions from 0 to {shape[1] - 1}, got {policy.min()}..{policy.max()}"
                )
            deterministic: FloatArray = np.eye(shape[1])[policy]
            return deterministic
        if policy.shape != shape:
            expected = f"probabilities {shape} or integers {shape[:1]}"
            raise ValueError(f"policy: expected {expected}, got {policy.dtype} of shape {policy.shape}")
        if (policy < 0).any() or not np.allclose(policy.sum(axis=1), 1):
            raise ValueError("policy: expected probabilities that add up to 1 in every state, got others")
        probabilities: FloatArray = policy.astype(np.float64)
        return probabilities

    @staticmethod
    def uniform(env: gym.Env[Any, Any]) -> FloatArray:
        """The uniformly random policy [S, A] of an environment."""
        model, _ = exact_model(env)
        return np.full(model.rewards.shape, 1 / model.num_actions)


def exact_model(env: gym.Env[Any, Any], user: str = "the oracle") -> tuple[FiniteModel, FloatArray]:
    """The model and the distribution of the start [S] of an environment, for a user that is named in errors.

    Raises:
        ValueError: it has none, or one that its options leave false.
    """
    base: Any = env.unwrapped
    name = type(base).__name__
    if reason := why_no_model(env):
        raise ValueError(f"{user} needs an exact model (env.unwrapped.P), and {reason}")
    if not getattr(base, "fixed_model", True):
        raise ValueError(
            f"{user} needs one model, and here another maze comes (maze_seed = 'new', levels or layout_change)"
        )
    if getattr(base, "fickle_passenger", False):
        raise ValueError(f"{user} needs an exact model, and {name}'s leaves out fickle_passenger: expected it off")
    return current_model(base), np.asarray(base.initial_state_distrib, dtype=float)


def current_model(base: Any) -> FiniteModel:
    """The model of the episode that an unwrapped environment is in."""
    if hasattr(base, "model_arrays"):
        return FiniteModel.from_arrays(**base.model_arrays())
    return FiniteModel.from_dictionary(base.P)
