"""What tabular agents share: the memory, the bins of Box observations, and the two speeds.

An algorithm is its `update_rule`, and nothing else; see `agents.tabular.q_learning` for the shortest.
"""

import inspect
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, cast

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.base import Engine, Monitor, OnlineAgent, Settings, TableSize, Transition, require_discrete_actions
from agents.policy import Policy, Spaces, TablePolicy, first_best
from agents.seeding import UniformDraws
from agents.storage import State
from agents.tabular import engine as compiled_engine
from agents.tabular.behaviour import choose
from agents.tabular.composite import dimensions
from agents.tabular.discretiser import CompositeDiscretiser, Discretiser, fitted_edges
from agents.tabular.memory import (
    EPSILON_GREEDY,
    LAST,
    NEXT_ACTION,
    NEXT_STATE,
    NOW,
    OTHERWISE,
    TIME,
    Memory,
    Parameters,
    Step,
    for_python,
    in_slots,
)
from agents.tabular.mirror import MirroredView
from agents.tabular.policies import MirroredPolicy, StatesPolicy
from agents.tabular.rules import Algorithm, algorithm
from agents.tabular.sampler import why_not
from agents.tabular.settings import TabularSettings
from agents.tabular.table import Table
from machine_code.compiling import Function

_log = logging.getLogger(__name__)
WORTH_COMPILING = 50_000  # env steps: below, loading the machine code takes longer than Python's loop
LOOP = ("update", "select_action", "begin_episode", "train", "last_epsilon")  # what the engine does in their place
OBSERVED = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary, spaces.Dict, spaces.Tuple)
RULE = "update(memory, parameters, rng, step)"


class TabularAgent(OnlineAgent):
    """Learns numbers of states and actions by a rule on arrays.

    A subclass has an `update_rule`, a function on arrays (see `agents.tabular.learning.update`), and where it needs
    them `Arrays` of its own besides `q`, and `parts`: functions for the other slots of those that it shares, by the
    slots' names; they add to those of the classes above it. A `whole_episode` is a function (memory, parameters, ...)
    that the rule calls once an episode: it is worth compiling where all else runs in Python. One that is no algorithm
    yet is made `abstract=True`.

    Raises:
        ValueError: (when the class is made) a part's name is no slot, a slot is empty, or the rule takes something else
            than a rule does.
    """

    Settings: ClassVar[type[Settings]] = TabularSettings
    settings: TabularSettings
    name: ClassVar[str]  # for messages
    Arrays: ClassVar[type[Any]] = tuple  # a NamedTuple of arrays with layouts (see `agents.tabular.memory`)
    update_rule: ClassVar[Callable[..., float]]
    parts: ClassVar[dict[str, Function]] = {}
    whole_episode: ClassVar[Function | None] = None  # of the rule: what goes through a finished episode
    algorithm: ClassVar[Algorithm]
    values_states: ClassVar[bool] = False  # is `q` a table of state values?

    def __init_subclass__(cls, abstract: bool = False, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if abstract:
            return
        parts: dict[str, Function] = {}
        for base in reversed(cls.__mro__):
            parts |= vars(base).get("parts", {})
        rule = getattr(cls, "update_rule", None)
        if rule is None or "update" in parts:
            raise ValueError(f"{cls.__qualname__}: expected an update_rule, {RULE}, got none")
        try:
            inspect.signature(rule).bind(*range(4))
        except TypeError:
            raise ValueError(f"{cls.__qualname__}: update_rule: expected {RULE}, got {_said(rule)}") from None
        try:
            cls.algorithm = algorithm(tuple(sorted((parts | {"update": rule}).items())))
        except ValueError as error:
            raise ValueError(f"{cls.__qualname__}: parts: {error}") from None

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        self.num_actions = require_discrete_actions(self.name, self.action_space)
        parameters = self.settings.parameters(self.num_actions)._replace(values_states=self.values_states)
        self.parameters = parameters._replace(exploration=OTHERWISE) if self.values_states else parameters
        self._act, self._begin, self._learn = self.algorithm.in_python()
        self._step: Any = in_slots(Step)()  # filled in anew at every step
        self._parameters: Parameters = for_python(self.parameters)
        self._draws = UniformDraws(self.exploration_rng)
        self._runs_in_machine_code = False
        self.discretiser: Discretiser | None = None  # the bins of Box observations
        self.mirrored = self._mirrored_view()
        self.table: Table = cast(Any, _NotFitted(self.name))
        self._numbered = self._grows_history = False
        num_states = self._num_states()
        self._fits_bins = num_states is None
        if num_states is None:
            self.discretiser = cast(Any, self.table)
        else:
            self._make_table(num_states)

    def _mirrored_view(self) -> MirroredView | None:
        """How observations are seen, where a state and its mirror image are one."""
        space, mirror = self.observation_space, self.settings.mirror
        if mirror is None:
            return None
        if not isinstance(space, spaces.Box) or len(space.shape) != 1:
            raise ValueError(f"{self.name}: mirror: expected a Box of observed numbers in a row, got {space}")
        try:
            return MirroredView(mirror, space.shape[0], self.num_actions)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error

    def _make_table(self, num_states: int) -> None:
        columns = 1 if self.values_states else self.num_actions
        kind, initial = self._table_kind(), self.settings.initial_values
        self.table = Table(num_states, self.parameters, kind, self.Arrays, columns, initial, self.seed)
        numbered = self.discretiser is None and isinstance(self.observation_space, spaces.Discrete)
        self._numbered = numbered and self.table.dense  # an observation is its row
        self._grows_history = self.table.history is not None

    def _table_kind(self) -> str:
        return self.settings.table

    def _num_states(self) -> int | None:
        """The number of states, for which Box observations are put into bins; None where these are not known yet."""
        space, settings = self.observation_space, self.settings
        if isinstance(space, spaces.Discrete) and space.start == 0:
            return int(space.n)
        if not isinstance(space, OBSERVED):
            raise ValueError(f"{self.name} needs Discrete or Box observations, or such together, got {space}")
        try:
            if settings.bins == "quantile" and any(one.edges is None for one in dimensions(space)):
                Discretiser.for_space(space, None, 1)  # complains of a wrong shape
                return None
            self.discretiser = Discretiser.for_space(space, settings.edges, settings.num_edges)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error
        return self.discretiser.num_states

    def prepare(self, env: gym.Env[Any, Any]) -> None:
        """Fit the bins, where they are to be fitted.

        Raises:
            ValueError: a copy of the environment is needed for it, and cannot be made.
        """
        if self._fits_bins:
            try:
                self._take_edges(fitted_edges(self.settings, env, self.seed))
            except ValueError as error:
                raise ValueError(f"{self.name}: {error}") from error

    def _take_edges(self, edges: list[list[float]]) -> None:
        space = self.observation_space
        self.discretiser = Discretiser(edges) if isinstance(space, spaces.Box) else CompositeDiscretiser(space, edges)
        self._make_table(self.discretiser.num_states)

    def _edges(self) -> State:
        """The bin edges, as a part of the state, where they are fitted."""
        return {"edges": self.discretiser.edges} if self._fits_bins and self.discretiser is not None else {}

    def _set_edges(self, state: State) -> None:
        """Take over bin edges; 0.4.0 kept none, and those that `prepare` fits anew are the same."""
        if self._fits_bins and "edges" in state:
            edges = [[float(edge) for edge in dimension] for dimension in state["edges"]]
            if isinstance(self.observation_space, spaces.Box):
                Discretiser.for_space(self.observation_space, edges, 1)  # complains of what does not fit
            self._take_edges(edges)

    # -- the readable loop ------------------------------------------------------------------------------------

    def state(self, observation: Any) -> int:
        """The table's state of an observation."""
        if self.mirrored is not None:
            observation = self.mirrored.seen(observation)
        return int(observation) if self.discretiser is None else self.discretiser(observation)

    def row(self, observation: Any) -> int:
        """The row of an observation's state, made if this is its first visit."""
        return observation if self._numbered else self.table.row(self.state(observation))

    def begin_episode(self) -> None:
        """What belongs to the last episode alone is forgotten."""
        self._begin(self.table.view, self._parameters)

    def select_action(self, observation: Any, *, explore: bool, mask: NDArray[np.bool_] | None = None) -> int:
        """An action of the behaviour policy, ties drawn, when exploring; else the best, ties to the lowest index."""
        if self.mirrored is not None:
            mine = None if mask is None else self._seen(observation, mask)
            return self.mirrored.action(observation, self._select(observation, explore=explore, mask=mine))
        return self._select(observation, explore=explore, mask=mask)

    def _select(self, observation: Any, *, explore: bool, mask: NDArray[np.bool_] | None) -> int:
        """The action as the table has it: seen from the side that counts, where there is a mirror."""
        if explore:
            state = observation if self._numbered else self.row(observation)
            if mask is not None:
                return self._explore_legally(state, mask)
            return self._act(self.table.view, self._parameters, self._draws, state)
        return self._best(observation, mask)

    def _seen(self, observation: Any, of_actions: NDArray[Any]) -> NDArray[Any]:
        """Something [A] of the actions, from the side that counts; or from there to how they are."""
        if self.mirrored is not None and self.mirrored.turns(observation):
            return of_actions[self.mirrored.actions]
        return of_actions

    def _best(self, observation: Any, mask: NDArray[np.bool_] | None) -> int:
        return first_best(self.table[self.state(observation)], mask)

    def note_legal(self, observation: Any, mask: NDArray[np.bool_]) -> None:
        """An action that has never been legal in a state is worth -inf there, so that no target reckons with it."""
        if not self.values_states:
            self.table.note_legal(self.row(observation), self._seen(observation, mask))

    def _explore_legally(self, state: int, mask: NDArray[np.bool_]) -> int:
        """What the behaviour policy does where only the legal actions are there."""
        memory, legal = self.table.memory, np.flatnonzero(mask)
        chosen = int(memory.counters[NEXT_ACTION])  # by the last update, for this state?
        if memory.counters[NEXT_STATE] == state and mask[chosen]:
            return chosen
        counted = self.parameters.counts_visits
        visits = memory.visits[state : state + 1, legal] if counted else memory.visits
        of_legal = memory._replace(q=memory.q[state : state + 1, legal], visits=visits)
        parameters = self.parameters._replace(num_actions=len(legal))
        return int(legal[choose(of_legal, parameters, self._draws, 0)])

    def policy(self, seed: int) -> Policy:
        """The greedy policy of the table as it is now."""
        table = self.table.frozen()
        if self._numbered and table.met(0) is None:
            return TablePolicy(table.memory.q)
        return self._as_it_is(StatesPolicy(table, self.discretiser))

    def _as_it_is(self, policy: Policy) -> Policy:
        """A policy on what is seen from the side that counts, for what is observed."""
        return policy if self.mirrored is None else MirroredPolicy(policy, self.mirrored)

    def update(self, transition: Transition) -> float | None:
        """Learn from one transition; the error, if anything was learned yet."""
        step, table = self._step, self.table
        observation, action, step.reward, next_observation, step.terminated, step.truncated = transition
        if self._numbered:
            step.state, step.next_state = observation, next_observation
        else:
            step.state, step.next_state = self._rows(transition)
            if self.mirrored is not None:
                action = self.mirrored.action(observation, action)
        step.action = 0 if self.values_states else action
        if self._grows_history and table.memory.counters[TIME] == table.history:
            table.keep_more_steps()
        error = self._learn(table.view, self._parameters, self._draws, step)
        return None if error != error else error  # nan is no error

    def _rows(self, transition: Transition) -> tuple[int, int]:
        """The rows of S and S'."""
        return self.row(transition.observation), self.row(transition.next_observation)

    def explore_no_more(self) -> None:
        """Where exploration is epsilon-greedy, take the best action in training too from now on, ties drawn."""
        if self.parameters.exploration == EPSILON_GREEDY:
            self.parameters = self.parameters._replace(initial_rate=0.0, least_rate=0.0)
            self._parameters = for_python(self.parameters)
            self.table.memory.rates[NOW] = 0.0

    @property
    def last_epsilon(self) -> float | None:
        """Probability of a random action at the last step of the episode that has ended."""
        if self.parameters.exploration != EPSILON_GREEDY:
            return None
        return float(self.table.memory.rates[LAST])

    def action_values(self, observation: Any) -> NDArray[np.float64] | None:
        """Q(S, .) [A]."""
        return self._seen(observation, np.array(self.table[self.state(observation)]))

    def settle(self) -> None:
        """The exploration generator is put where its draws have come to: they are taken ahead, in blocks."""
        self._draws.settle()

    # -- the second speed -------------------------------------------------------------------------------------

    def choose_engine(self, engine: Engine, env: gym.Env[Any, Any], max_steps: int) -> str:
        """Whole episodes in machine code where that is exact ("auto": and worth its while), else the loop in Python."""
        reason = self._why_not(env)
        worth_it = engine == "compiled" or (engine == "auto" and max_steps >= WORTH_COMPILING)
        if worth_it and reason is None and not self.algorithm.is_the_labs():
            reason = self._try_to_compile(env)
            if reason is not None and engine == "auto":
                _log.warning("%s is trained in Python: %s", self.name, reason)
        if engine == "compiled" and reason is not None:
            raise ValueError(f"the compiled engine cannot train {self.name} here: {reason}")
        self._runs_in_machine_code = worth_it and reason is None
        if worth_it and reason is not None and self.algorithm.is_the_labs() and self._compile_parts():
            return "python, with compiled parts"
        return "compiled" if self._runs_in_machine_code else "python"

    def _compile_parts(self) -> bool:
        """Where the loop stays Python's: put what takes its time into machine code. Is there something?"""
        if self.whole_episode is None:
            return False
        quick = partial(self._in_machine_code, self.algorithm.compiled_part(self.whole_episode, self.name))
        self._learn = self.algorithm.in_python({self.whole_episode: quick}).learn
        return True

    def _in_machine_code(self, part: Function, view: Memory, parameters: Parameters, *others: Any) -> Any:
        """Call what was compiled, which takes arrays where Python's loop has views of them."""
        return part(self.table.memory, self.parameters, *others)

    def _why_not(self, env: gym.Env[Any, Any]) -> str | None:
        """Why machine code would not do what Python's loop does here; None where it would."""
        for name in LOOP:
            owner = next(base for base in type(self).__mro__ if name in vars(base))
            if not issubclass(TabularAgent, owner):
                return f"its {name} is Python of its own, in {owner.__module__}"
        spaces_now = (env.observation_space, env.action_space)
        if spaces_now != (self.observation_space, self.action_space):
            return "its spaces are not those that the agent was made for"
        if self.discretiser is not None:
            return "its observations are put into bins"
        if not self._numbered:
            return "its table is sparse"
        return why_not(env)

    def _try_to_compile(self, env: gym.Env[Any, Any]) -> str | None:
        """Why a rule of the user's own cannot be compiled; None where it can."""
        try:
            compiled_engine.Session(self, env).advance(0, 0)
        except Exception as error:  # whatever numba makes of it
            said = " ".join(str(error).split()) or type(error).__name__
            return f"numba cannot compile its update_rule: {said[:400]}"
        return None

    def train(self, env: gym.Env[Any, Any], monitor: Monitor) -> None:
        """Interact with `env` until the monitor's budget is spent; at either speed the result is the same."""
        if self.settings.decay_share is not None:
            self._fade_over(max(1, round(self.settings.decay_share * monitor.max_steps)))
        if self._runs_in_machine_code and self._why_not(env) is None:
            compiled_engine.train(self, env, monitor)
        else:
            super().train(env, monitor)

    def _fade_over(self, length: int) -> None:
        """Let what fades in a straight line do so over these env steps."""
        parameters = self.parameters._replace(learning_rate_decay_length=length)
        if self.settings.fades_linearly:
            parameters = parameters._replace(decay_length=length)
        self.parameters, self._parameters = parameters, for_python(parameters)

    def table_size(self) -> TableSize:
        """Dense or sparse, its states, and the bytes of all arrays."""
        kind = "dense" if self.table.dense else "sparse"
        possible = self.table.num_states if self.table.num_states < 1 << 63 else None
        return TableSize(kind, len(self.table), self.table.num_bytes, met=self.states_met(), possible=possible)

    def states_met(self) -> int | None:
        """How many states training has met; None where that is not known."""
        return self.table.num_met()

    # -- on disk ----------------------------------------------------------------------------------------------

    def get_state(self) -> State:
        """Counters, generator, the memory, and the bin edges where they are fitted."""
        self.settle()
        return super().get_state() | {"memory": self.table.get_state()} | self._edges()

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave."""
        self.settle()
        super().set_state(state)
        self._set_edges(state)
        self.table.set_state(state["memory"])

    def policy_state(self) -> State:
        """The values that are others than before a first visit, and the bin edges where they are fitted."""
        return {"table": self.table.policy_state()} | self._edges()

    def set_policy_state(self, state: State) -> None:
        """Take over a state that `policy_state` or `get_state` gave."""
        if "memory" in state:
            self.set_state(state)
            return
        self._set_edges(state)
        self.table.set_policy_state(state["table"])


def _said(rule: Any) -> str:
    return f"{getattr(rule, '__name__', 'one')}{inspect.signature(rule)}"


class _NotFitted:
    """Stands where bins and their table will be."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ValueError(f"{self._name} has no bins yet: expected prepare(env), or a state, before it acts")

    def __call__(self, observation: Any) -> Any:
        return self.num_states  # complains
