"""What a given policy is worth: TD(0), n-step TD, TD(lambda), Monte Carlo (Sutton & Barto, 2nd ed., ch. 5 to 7, 12).

`memory.q` is a table of state values V with one column, so that control's functions do for prediction what is the
same there: `action` is 0.
"""

from typing import Annotated, Any, ClassVar, Literal

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents.base import Settings
from agents.planning import exact
from agents.planning.oracle import exact_model, has_model
from agents.policy import FunctionPolicy, Policy, Spaces, first_best
from agents.seeding import Rng
from agents.storage import State
from agents.tabular import monte_carlo, n_step
from agents.tabular.agent import TabularAgent
from agents.tabular.learning import NOTHING, move
from agents.tabular.memory import TIME, Memory, Parameters
from agents.tabular.monte_carlo import remember
from agents.tabular.settings import MonteCarloSettings, NStepSettings, TabularSettings, TraceSettings
from agents.tabular.traces import cut, move_all, visit
from agents.td import td_target


def td_update(
    memory: Memory,
    parameters: Parameters,
    rng: Rng,
    state: int,
    action: int,
    reward: float,
    next_state: int,
    terminated: bool,
    truncated: bool,
) -> float:
    """V(S) moves towards R + discount * V(S') (section 6.1)."""
    target = td_target(reward, terminated, memory.q[next_state, 0], parameters.discount)
    return move(memory.q, memory, parameters, state, 0, target)


def td_lambda_update(
    memory: Memory,
    parameters: Parameters,
    rng: Rng,
    state: int,
    action: int,
    reward: float,
    next_state: int,
    terminated: bool,
    truncated: bool,
) -> float:
    """Every V(s) moves by the error R + discount * V(S') - V(S), in proportion to its trace (section 12.2)."""
    error = td_target(reward, terminated, memory.q[next_state, 0], parameters.discount) - memory.q[state, 0]
    visit(memory, parameters, state, 0)
    move_all(memory, parameters, error)
    return error


def lambda_return_update(
    memory: Memory,
    parameters: Parameters,
    rng: Rng,
    state: int,
    action: int,
    reward: float,
    next_state: int,
    terminated: bool,
    truncated: bool,
) -> float:
    """At the end, every V(S) moves towards its lambda-return, by the values of the whole episode (section 12.1)."""
    remember(memory, state, 0, reward)
    if not (terminated or truncated):
        return NOTHING
    following = 0.0 if terminated else memory.q[next_state, 0]
    ret, length = following, memory.counters[TIME]
    for time in range(length - 1, -1, -1):
        # G(t) = R + discount * ((1 - lambda) V(S') + lambda G(t + 1)): it takes the place of the reward.
        mixed = (1.0 - parameters.trace_decay) * following + parameters.trace_decay * ret
        ret = memory.rewards[time] + parameters.discount * mixed
        memory.rewards[time] = ret
        following = memory.q[memory.states[time], 0]
    errors = 0.0
    for time in range(length):
        errors += abs(move(memory.q, memory, parameters, memory.states[time], 0, memory.rewards[time]))
    return errors / length


def value_of_rest(memory: Memory, parameters: Parameters, rng: Rng, next_state: int) -> float:
    """V(S')."""
    return memory.q[next_state, 0]


def value_of(memory: Memory, parameters: Parameters, state: int) -> float:
    """V(s)."""
    return memory.q[state, 0]


class PredictionSettings(TabularSettings):
    """Settings of the predictors."""

    policy: Annotated[list[int] | list[list[float]] | None, Field(union_mode="left_to_right")] = Field(
        None,
        description="the policy: one action for each state, or the probabilities of all; without it every action is "
        "equally likely",
    )


class NStepPredictionSettings(PredictionSettings, NStepSettings):
    """Settings of `n_step_td`."""


class LambdaSettings(PredictionSettings):
    """Settings of `lambda_return`."""

    trace_decay: float = Field(0.9, ge=0, le=1, description="lambda")

    def parameters(self, num_actions: int) -> Parameters:
        """As plain numbers."""
        return super().parameters(num_actions)._replace(trace_decay=self.trace_decay)


class TracePredictionSettings(PredictionSettings, TraceSettings):
    """Settings of `td_lambda`."""

    traces: Literal["accumulating", "replacing", "dutch"] = Field(
        "accumulating", description="what a visit does to a trace: add 1 (the textbook's), set it to 1, or in between"
    )


class MonteCarloPredictionSettings(PredictionSettings, MonteCarloSettings):
    """Settings of `monte_carlo_prediction`."""


class Predictor(TabularAgent):
    """Follows a policy that is given, and learns what its states are worth.

    Where the environment has an exact model, `value_error` in the log is the root mean squared error over the states
    that the policy can come to, after each episode.
    """

    Settings: ClassVar[type[Settings]] = PredictionSettings
    settings: PredictionSettings
    metric_names = ("value_error",)
    values_states = True
    controls = False
    seeded_policy = True

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        space = self.observation_space
        if not isinstance(space, gym.spaces.Discrete) or not self.table.dense:
            raise ValueError(f"{self.name} needs numbered states (Discrete) in a dense table, got {space}")
        self.given_policy = self._given_policy(int(space.n))
        self.table.memory.policy[:] = self.given_policy
        self.true_values: NDArray[np.float64] | None = None

    def prepare(self, env: gym.Env[Any, Any]) -> None:
        """Solve for the policy's true values, where there is an exact model: the log tells how far V is from them."""
        self.true_values = self._true_values(env)

    def _true_values(self, env: gym.Env[Any, Any]) -> NDArray[np.float64] | None:
        """V [S], nan in states that the policy never comes to; None where there is no exact model."""
        if not has_model(env.unwrapped) or not getattr(env.unwrapped, "fixed_model", True):
            return None
        model, initial = exact_model(env, self.name)
        values = exact.unlimited_policy_values(model, self.given_policy, self.settings.discount)
        values[~exact.reached_states(model, self.given_policy, initial)] = np.nan
        return values

    def _given_policy(self, num_states: int) -> NDArray[np.float64]:
        given = self.settings.policy
        if given is None:
            return np.full((num_states, self.num_actions), 1 / self.num_actions)
        expected = f"policy: expected {num_states} actions from 0 to {self.num_actions - 1}, one a state, or "
        expected += f"{num_states} lists of {self.num_actions} probabilities"
        array = np.asarray(given) if len({len(row) if isinstance(row, list) else 0 for row in given}) == 1 else None
        if array is None or len(array) != num_states:
            raise ValueError(f"{self.name}: {expected}, got {len(given)} of them or rows of different lengths")
        if array.ndim == 1 and array.dtype.kind == "i" and array.min() >= 0 and array.max() < self.num_actions:
            chosen: NDArray[np.float64] = np.eye(self.num_actions)[array]
            return chosen
        if array.shape == (num_states, self.num_actions) and (array >= 0).all() and np.allclose(array.sum(axis=1), 1):
            return array.astype(np.float64)
        raise ValueError(f"{self.name}: {expected} that add up to 1, got others")

    def policy(self, seed: int) -> Policy:
        """The given policy; where it is random it draws from `seed`."""
        rng = np.random.default_rng([self.seed, seed])
        given = self.given_policy

        def draw(observation: Any, mask: NDArray[np.bool_] | None) -> int:
            probabilities = given[observation]
            if mask is not None:
                weights = np.where(mask, probabilities, 0.0)
                probabilities = (weights if weights.any() else mask) / (weights if weights.any() else mask).sum()
            return int(rng.choice(self.num_actions, p=probabilities))

        return FunctionPolicy(draw)

    def select_action(self, observation: Any, *, explore: bool, mask: NDArray[np.bool_] | None = None) -> int:
        """An action of the given policy; without exploring its likeliest, the lowest of several."""
        if explore:
            return super().select_action(observation, explore=True, mask=mask)
        return first_best(self.given_policy[observation].tolist(), mask)

    def action_values(self, observation: Any) -> None:
        """A predictor has no opinion of actions."""
        return

    def get_state(self) -> State:
        """As of every table, and the true values."""
        return super().get_state() | ({} if self.true_values is None else {"true_values": self.true_values})

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave.

        Raises:
            ValueError: the true values are not of this environment's states.
        """
        super().set_state(state)
        if "true_values" in state:
            if state["true_values"].shape != (len(self.given_policy),):
                raise ValueError(f"true_values: expected one a state, got shape {state['true_values'].shape}")
            self.true_values = state["true_values"]

    @property
    def state_values(self) -> NDArray[np.float64]:
        """V [S]."""
        values: NDArray[np.float64] = self.table.memory.q[:, 0].copy()
        return values

    def metrics(self) -> dict[str, float]:
        """How wrong the values are."""
        if self.true_values is None:
            return {}
        known = np.isfinite(self.true_values)
        errors = self.table.memory.q[known, 0] - self.true_values[known]
        return {"value_error": float(np.sqrt(np.mean(errors**2)))}


class TD(Predictor):
    """TD(0): learns a guess from a guess."""

    name = "td"
    update_rule = staticmethod(td_update)


class NStepTD(Predictor):
    """Learns from n real rewards and a guess of the rest (section 7.1)."""

    Settings: ClassVar[type[Settings]] = NStepPredictionSettings
    name = "n_step_td"
    needs = ("ring",)
    update_rule = staticmethod(n_step.update)
    parts = {"value_of_rest": value_of_rest, "seen_from": n_step.sampled}  # noqa: RUF012


class TDLambda(Predictor):
    """Every state of the way learns from every step, less the longer ago it was left."""

    Settings: ClassVar[type[Settings]] = TracePredictionSettings
    name = "td_lambda"
    long_updates = True
    needs = ("traces",)
    update_rule = staticmethod(td_lambda_update)
    parts = {"forget": cut}  # noqa: RUF012


class LambdaReturn(Predictor):
    """The off-line lambda-return algorithm: what TD(lambda) stands for, with all that came later at hand."""

    Settings: ClassVar[type[Settings]] = LambdaSettings
    name = "lambda_return"
    needs = ("traces", "history")
    update_rule = staticmethod(lambda_return_update)
    parts = {"forget": monte_carlo.forget}  # noqa: RUF012


class MonteCarloPrediction(Predictor):
    """Averages the returns that came (section 5.1)."""

    Settings: ClassVar[type[Settings]] = MonteCarloPredictionSettings
    name = "monte_carlo_prediction"
    needs = ("traces", "history")
    update_rule = staticmethod(monte_carlo.update)
    parts = {"forget": monte_carlo.forget, "expected_value": value_of}  # noqa: RUF012
