"""What tabular agents share: the memory, the bins of Box observations, and the two speeds.

An algorithm is its `update_rule`, and nothing else; see `agents.tabular.q_learning` for the shortest.
"""

import logging
from collections.abc import Callable
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.base import Engine, Monitor, OnlineAgent, Settings, Transition, require_discrete_actions
from agents.policy import Policy, Spaces, TablePolicy, ValuesPolicy, first_best, legal_actions
from agents.seeding import UniformDraws
from agents.storage import State
from agents.tabular import engine as compiled_engine
from agents.tabular.discretiser import Discretiser, first_discretiser, fitted_edges
from agents.tabular.legal import choose_legal
from agents.tabular.memory import EPSILON_GREEDY, GIVEN, LAST, TIME
from agents.tabular.rules import Rules, compiled_rules, python_rules
from agents.tabular.sampler import why_not
from agents.tabular.settings import TabularSettings
from agents.tabular.table import Table

_log = logging.getLogger(__name__)
WORTH_COMPILING = 50_000  # env steps: below, loading the machine code takes longer than Python's loop


class TabularAgent(OnlineAgent):
    """Learns numbers of states and actions by a rule on arrays.

    A subclass names its `update_rule`, a function on arrays (see `agents.tabular.learning.update`), the arrays that it
    `needs` besides `q`, and the `parts` that stand in for names in functions that it shares.
    """

    Settings: ClassVar[type[Settings]] = TabularSettings
    settings: TabularSettings
    name: ClassVar[str]  # for messages
    update_rule: ClassVar[Callable[..., float]]
    needs: ClassVar[tuple[str, ...]] = ()
    parts: ClassVar[dict[str, Callable[..., Any]]] = {}
    values_states: ClassVar[bool] = False  # is `q` a table of state values?
    long_updates: ClassVar[bool] = False  # does an update go through much memory? Then machine code pays in any loop

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        order = [base for base in cls.__mro__ if {"update", "observe"} & set(vars(base))]
        if "observe" not in vars(order[0]):  # the nearest of the two is an `update` of a subclass, or of a mixin
            cls.observe = OnlineAgent.observe  # type: ignore[method-assign]  # which calls the subclass's `update`

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        self.num_actions = require_discrete_actions(self.name, self.action_space)
        self.discretiser: Discretiser | None = self._first_bins()
        parameters = self.settings.parameters(self.num_actions)._replace(values_states=self.values_states)
        needs, columns = self.needs, self.num_actions
        if self.values_states:
            parameters = parameters._replace(exploration=GIVEN)
            needs, columns = (*needs, "policy"), 1
        self.parameters = parameters
        self._room = needs, columns
        self.table = self._new_table()
        numbered = isinstance(self.observation_space, spaces.Discrete)
        self._numbered = numbered and self.table.dense  # an observation is its row
        self._act = self._rules_in_python().act
        self._ahead = UniformDraws(self.exploration_rng)
        self._draws: UniformDraws | np.random.Generator = self._ahead
        self._grows_history = "history" in needs
        self._rules = self._rules_in_python()
        self._learn = self._rules.learn
        self._learns_in_machine_code = self._runs_in_machine_code = False

    def _table_kind(self) -> str:
        return self.settings.table

    def _new_table(self) -> Table:
        needs, columns = self._room
        initial = self.settings.initial_values
        return Table(self._num_states(), self.parameters, self._table_kind(), needs, columns, initial, self.seed)

    def _first_bins(self) -> Discretiser | None:
        """The bins of Box observations; those that are fitted to an environment wait for `prepare`."""
        space = self.observation_space
        if isinstance(space, spaces.Box):
            try:
                return first_discretiser(self.settings, space)
            except ValueError as error:
                raise ValueError(f"{self.name}: {error}") from error
        if isinstance(space, spaces.Discrete) and space.start == 0:
            return None
        raise ValueError(f"{self.name} needs Discrete or Box observations, got {space}")

    def _num_states(self) -> int:
        """The number of states: of numbered ones, or of the cells between the bins' edges."""
        if self.discretiser is not None:
            return self.discretiser.num_states
        assert isinstance(self.observation_space, spaces.Discrete)
        return int(self.observation_space.n)

    @property
    def _fits_bins(self) -> bool:
        """Are the bins fitted to what random play observes?"""
        return self.discretiser is not None and self.settings.bins == "quantile"

    def prepare(self, env: gym.Env[Any, Any]) -> None:
        """Fit the bins, where that is asked for.

        Raises:
            ValueError: random play needs a copy of the environment, and it has no spec.
        """
        if self._fits_bins:
            try:
                self._take_edges(fitted_edges(env, self.seed, self.settings.num_edges))
            except ValueError as error:
                raise ValueError(f"{self.name}: {error}") from error

    def _take_edges(self, edges: list[list[float]]) -> None:
        self.discretiser = Discretiser(edges)
        self.table = self._new_table()

    # -- the readable loop ------------------------------------------------------------------------------------

    def state(self, observation: Any) -> int:
        """The table's state of an observation."""
        return int(observation) if self.discretiser is None else self.discretiser(observation)

    def row(self, observation: Any) -> int:
        """The row of an observation's state, made if this is its first visit."""
        return observation if self._numbered else self.table.row(self.state(observation))

    def begin_episode(self) -> None:
        """What belongs to the last episode alone is forgotten."""
        self._rules.begin(self.table.view, self.parameters)

    def select_action(self, observation: Any, *, explore: bool, mask: NDArray[np.bool_] | None = None) -> int:
        """An action of the behaviour policy, ties drawn, when exploring; else the best, ties to the lowest index."""
        if explore:
            state = observation if self._numbered else self.row(observation)
            if mask is not None:
                return choose_legal(self.table.view, self.parameters, self._draws, state, legal_actions(mask))
            return self._act(self.table.view, self.parameters, self._draws, state)
        return first_best(self.table[self.state(observation)], mask)

    def policy(self, seed: int) -> Policy:
        """The greedy policy of the table as it is now."""
        table = self.table.frozen()
        if self._numbered:
            return TablePolicy(table.memory.q)
        return ValuesPolicy(
            lambda observation: table[self.state(observation)],
            None if table.dense else lambda observation: self.state(observation) in table.rows,
        )

    def update(self, transition: Transition) -> float | None:
        """Learn from one transition; the error, if anything was learned yet."""
        return TabularAgent.observe(self, *transition)

    def observe(
        self, observation: Any, action: Any, reward: float, next_observation: Any, terminated: bool, truncated: bool
    ) -> float | None:
        """`update`, without the cost of a `Transition`."""
        if self._numbered:
            state, next_state = observation, next_observation
        else:
            state, next_state = self.row(observation), self.row(next_observation)
        if self._grows_history and self.table.memory.counters[TIME] == len(self.table.memory.states):
            self.table.keep_more_steps()
        error = self._learn(
            self.table.memory if self._learns_in_machine_code else self.table.view,
            self.parameters, self._draws, state, action, reward, next_state, terminated, truncated,
        )  # fmt: skip
        return None if error != error else error  # nan is no error

    @property
    def last_epsilon(self) -> float | None:
        """Probability of a random action at the last step of the episode that has ended."""
        if self.parameters.exploration != EPSILON_GREEDY:
            return None
        return float(self.table.memory.rates[LAST])

    def action_values(self, observation: Any) -> NDArray[np.float64] | None:
        """Q(S, .) [A]."""
        return np.array(self.table[self.state(observation)])

    def settle(self) -> None:
        """The exploration generator is put where its draws have come to: they are taken ahead, in blocks."""
        self._ahead.settle()

    # -- the second speed -------------------------------------------------------------------------------------

    def choose_engine(self, engine: Engine, env: gym.Env[Any, Any], max_steps: int) -> str:
        """Whole episodes in machine code where that is exact ("auto": and worth its while), else the loop in Python.

        In Python's loop the updates that go through much memory are in machine code, unless "python" is asked for.
        """
        reason = self._why_not(env)
        worth_it = engine == "compiled" or (engine == "auto" and max_steps >= WORTH_COMPILING)
        if worth_it and reason is None and not type(self).update_rule.__module__.startswith("agents."):
            reason = self._try_to_compile(env)
            if reason is not None and engine == "auto":
                _log.warning("%s is trained in Python: %s", self.name, reason)
        if engine == "compiled" and reason is not None:
            raise ValueError(f"the compiled engine cannot train {self.name} here: {reason}")
        self._runs_in_machine_code = worth_it and reason is None
        of_ours = type(self).update_rule.__module__.startswith("agents.")
        self._learns_in_machine_code = worth_it and reason is not None and self.long_updates and of_ours
        self.settle()
        self._draws = self.exploration_rng if self._learns_in_machine_code else self._ahead  # machine code draws itself
        self._learn = (self.rules_in_machine_code() if self._learns_in_machine_code else self._rules).learn
        if self._runs_in_machine_code:
            return "compiled"
        return "python, updates compiled" if self._learns_in_machine_code else "python"

    def _why_not(self, env: gym.Env[Any, Any]) -> str | None:
        """Why machine code would not do what Python's loop does here; None where it would."""
        if type(self).observe is OnlineAgent.observe:  # a subclass has an `update`
            return f"its update is Python of its own, in {type(self).update.__module__}"
        for name in ("observe", "select_action", "begin_episode", "train", "last_epsilon"):
            method = getattr(type(self), name)
            home = (method.fget if isinstance(method, property) else method).__module__
            if not home.startswith("agents.tabular."):
                return f"its {name} is Python of its own, in {home}"
        spaces_now = (env.observation_space, env.action_space)
        if spaces_now != (self.observation_space, self.action_space):
            return "its spaces are not those that the agent was made for"
        if self.discretiser is not None:
            return "its observations are put into bins"
        if not self._numbered:
            return "its table is sparse" if not self.table.dense else "its observations are tiled"
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
        if self._runs_in_machine_code and self._why_not(env) is None:
            compiled_engine.train(self, env, monitor)
        else:
            super().train(env, monitor)

    def _rules_in_python(self) -> Rules:
        return python_rules(type(self).update_rule, tuple(sorted(self.parts.items())))

    def rules_in_machine_code(self) -> Rules:
        """The same rules, compiled."""
        return compiled_rules(self.name, type(self).update_rule, tuple(sorted(self.parts.items())))

    def table_size(self) -> dict[str, Any]:
        """Dense or sparse, its states, and the bytes of all arrays."""
        kind = "dense" if self.table.dense else "sparse"
        return {"kind": kind, "states": len(self.table), "bytes": self.table.num_bytes}

    # -- on disk ----------------------------------------------------------------------------------------------

    def get_state(self) -> State:
        """Counters, generator, and the memory; the bins' edges, where they were fitted."""
        self.settle()
        return super().get_state() | {"memory": self.table.get_state()} | self._edges()

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave."""
        self.settle()
        super().set_state(state)
        if self._fits_bins and "edges" in state:  # 0.4.0 kept none: those that were prepared are the same
            self._take_edges(state["edges"])
        self.table.set_state(state["memory"])

    def _edges(self) -> State:
        return {"edges": self.discretiser.edges} if self.discretiser is not None and self._fits_bins else {}

    def policy_state(self) -> State:
        """The values of the states that have others than at first, and the bins' edges, where they were fitted."""
        return {"table": self.table.policy_state()} | self._edges()

    def set_policy_state(self, state: State) -> None:
        """Take over a state that `policy_state` or `get_state` gave."""
        if "table" not in state:
            self.set_state(state)
            return
        if self._fits_bins:
            self._take_edges(state["edges"])
        self.table.set_policy_state(state["table"])
