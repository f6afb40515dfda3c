"""What a given policy is worth: TD(0), n-step TD, TD(lambda), Monte Carlo (Sutton & Barto, 2nd ed., ch. 5 to 7, 12).

`memory.q` is a table of state values V with one column, so that control's functions do for prediction what is the
same there: `action` is 0.
"""

from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents.base import Settings
from agents.planning import exact
from agents.planning.oracle import exact_model
from agents.planning.trust import why_no_model
from agents.policy import FunctionPolicy, Policy, Spaces
from agents.seeding import Rng
from agents.storage import State
from agents.tabular import monte_carlo, n_step
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import drawn_share
from agents.tabular.learning import NOTHING, move
from agents.tabular.memory import ACTIONS, TIME, FloatArray, Layout, Memory, PairFloats, Parameters, Step
from agents.tabular.monte_carlo import EpisodeActions, EpisodeRewards, EpisodeStates, Times, remember
from agents.tabular.n_step import LastActions, LastRewards, LastStates
from agents.tabular.settings import (
    BINNING,
    EXPLORING,
    MonteCarloSettings,
    NStepSettings,
    TabularSettings,
    TraceSettings,
)
from agents.tabular.traces import PairList, cut, move_all_values, visit
from agents.td import td_target


def td_update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """V(S) moves towards R + discount * V(S') (section 6.1)."""
    target = td_target(step.reward, step.terminated, memory.q[step.next_state, 0], parameters.discount)
    return move(memory.q, memory, parameters, step.state, 0, target)


def td_lambda_update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """Every V(s) moves by the error R + discount * V(S') - V(S), in proportion to its trace (section 12.2)."""
    next_value = memory.q[step.next_state, 0]
    error = td_target(step.reward, step.terminated, next_value, parameters.discount) - memory.q[step.state, 0]
    visit(memory, parameters, step.state, 0)
    move_all_values(memory, parameters, error)
    return error


def lambda_return_update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """At the end, every V(S) moves towards its lambda-return, by the values of the whole episode (section 12.1)."""
    remember(memory, step)
    if not (step.terminated or step.truncated):
        return NOTHING
    states, rewards = memory.own.states, memory.own.rewards
    following = 0.0 if step.terminated else memory.q[step.next_state, 0]
    ret, length = following, memory.counters[TIME]
    for time in range(length - 1, -1, -1):
        # G(t) = R + discount * ((1 - lambda) V(S') + lambda G(t + 1)): it takes the place of the reward.
        mixed = (1.0 - parameters.trace_decay) * following + parameters.trace_decay * ret
        ret = rewards[time] + parameters.discount * mixed
        rewards[time] = ret
        following = memory.q[states[time], 0]
    errors = 0.0
    for time in range(length):
        errors += abs(move(memory.q, memory, parameters, states[time], 0, rewards[time]))
    return errors / length


def value_of_rest(memory: Memory, parameters: Parameters, rng: Rng, next_state: int) -> float:
    """V(S')."""
    return memory.q[next_state, 0]


def value_of(memory: Memory, parameters: Parameters, state: int) -> float:
    """V(s)."""
    return memory.q[state, 0]


def follow(memory: Memory, parameters: Parameters, rng: Rng, state: int) -> int:
    """An action drawn from the policy that is given."""
    policy = memory.own.policy
    for action in range(parameters.num_actions):
        memory.scratch[action] = policy[state, action]
    return drawn_share(memory.scratch, rng, parameters.num_actions)


PolicyArray = Annotated[FloatArray, Layout(extent=ACTIONS)]  # [R, A] its probabilities


class Given(NamedTuple):
    """The policy that is followed."""

    policy: PolicyArray


class GivenAndLastSteps(NamedTuple):
    """The policy, and the last n steps."""

    policy: PolicyArray
    states: LastStates
    actions: LastActions
    rewards: LastRewards


class GivenAndTraces(NamedTuple):
    """The policy, and eligibility traces of the states."""

    policy: PolicyArray
    traces: PairFloats
    active: PairList


class GivenAndEpisode(NamedTuple):
    """The policy, and all steps of the episode."""

    policy: PolicyArray
    first_times: Times
    states: EpisodeStates
    actions: EpisodeActions
    rewards: EpisodeRewards


class PredictionSettings(TabularSettings):
    """Settings of the predictors."""

    policy: Annotated[list[int] | list[list[float]] | None, Field(union_mode="left_to_right")] = Field(
        None,
        description="the policy: one action for each state, or the probabilities of all; without it every action is "
        "equally likely",
    )

    def without_effect(self) -> dict[str, str]:
        """A predictor does not choose its actions."""
        exploring = dict.fromkeys(EXPLORING, "a predictor follows its policy, and explores nothing")
        return super().without_effect() | exploring | dict.fromkeys(BINNING, "a predictor takes numbered states only")


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


class Predictor(TabularAgent, abstract=True):
    """Follows a policy that is given, and learns what its states are worth.

    Where the environment has an exact model, `value_error` in the log is the root mean squared error over the states
    that the policy can come to, after each episode.
    """

    Settings: ClassVar[type[Settings]] = PredictionSettings
    settings: PredictionSettings
    metric_names = ("value_error",)
    values_states = True
    Arrays: ClassVar[type[Any]] = Given
    parts = {"act": follow}  # noqa: RUF012
    controls = False
    seeded_policy = True

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        space = self.observation_space
        if not isinstance(space, gym.spaces.Discrete) or not self.table.dense:
            raise ValueError(f"{self.name} needs numbered states (Discrete) in a dense table, got {space}")
        self.given_policy = self._given_policy(int(space.n))
        self.table.memory.own.policy[:] = self.given_policy
        self.true_values: NDArray[np.float64] | None = None  # V [S], nan in states that the policy never comes to

    def prepare(self, env: gym.Env[Any, Any]) -> None:
        """Find out what the policy is worth, where there is an exact model."""
        super().prepare(env)
        self.true_values = self._true_values(env)

    def _true_values(self, env: gym.Env[Any, Any]) -> NDArray[np.float64] | None:
        """V [S], nan in states that the policy never comes to; None where there is no exact model."""
        if why_no_model(env) is not None or not getattr(env.unwrapped, "fixed_model", True):
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
        return FunctionPolicy(
            lambda observation, mask: int(rng.choice(self.num_actions, p=self._legal(observation, mask)))
        )

    def _legal(self, state: int, mask: NDArray[np.bool_] | None) -> NDArray[np.float64]:
        """The probabilities [A] of the given policy, of legal actions alone; where it has none, all are alike."""
        given: NDArray[np.float64] = self.given_policy[state]
        if mask is None:
            return given
        legal = np.where(mask, given, 0.0)
        total: float = legal.sum()
        return legal / total if total > 0 else mask / mask.sum()

    def _explore_legally(self, state: int, mask: NDArray[np.bool_]) -> int:
        return drawn_share(self._legal(state, mask), self._draws, self.num_actions)

    def _best(self, observation: Any, mask: NDArray[np.bool_] | None) -> int:
        """The policy's likeliest action, the lowest of several."""
        return int(np.argmax(self._legal(observation, mask)))

    def action_values(self, observation: Any) -> None:
        """A predictor has no opinion of actions."""
        return

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

    def get_state(self) -> State:
        """As of every table, and the true values where they are known."""
        return super().get_state() | ({} if self.true_values is None else {"true_values": self.true_values.copy()})

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave; 0.4.0 kept no true values: those that were prepared are the same."""
        super().set_state(state)
        values = state.get("true_values", self.true_values)
        if values is not None and values.shape != (self.table.num_states,):
            raise ValueError(f"true_values: expected shape {(self.table.num_states,)}, got {values.shape}")
        self.true_values = values


class TD(Predictor):
    """TD(0): learns a guess from a guess."""

    name = "td"
    update_rule = staticmethod(td_update)


class NStepTD(Predictor):
    """Learns from n real rewards and a guess of the rest (section 7.1)."""

    Settings: ClassVar[type[Settings]] = NStepPredictionSettings
    name = "n_step_td"
    Arrays = GivenAndLastSteps
    update_rule = staticmethod(n_step.update)
    parts = {"value_of_rest": value_of_rest, "seen_from": n_step.sampled}  # noqa: RUF012


class TDLambda(Predictor):
    """Every state of the way learns from every step, less the longer ago it was left."""

    Settings: ClassVar[type[Settings]] = TracePredictionSettings
    name = "td_lambda"
    Arrays = GivenAndTraces
    update_rule = staticmethod(td_lambda_update)
    parts = {"forget": cut}  # noqa: RUF012


class LambdaReturn(Predictor):
    """The off-line lambda-return algorithm: what TD(lambda) stands for, with all that came later at hand."""

    Settings: ClassVar[type[Settings]] = LambdaSettings
    name = "lambda_return"
    Arrays = GivenAndEpisode
    update_rule = staticmethod(lambda_return_update)
    parts = {"forget": monte_carlo.forget}  # noqa: RUF012


class MonteCarloPrediction(Predictor):
    """Averages the returns that came (section 5.1)."""

    Settings: ClassVar[type[Settings]] = MonteCarloPredictionSettings
    name = "monte_carlo_prediction"
    Arrays = GivenAndEpisode
    update_rule = staticmethod(monte_carlo.update)
    parts = {"forget": monte_carlo.forget, "value_where_cut": value_of}  # noqa: RUF012
