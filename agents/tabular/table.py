"""Which row of the memory a state has, and how the memory grows.

A dense table has a row for every state. A sparse one stores the states that it has met, so that a grid of 11^8 cells
costs what its visits cost.
"""

import copy
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from agents.seeding import stream
from agents.storage import State
from agents.tabular.memory import (
    CONSTANT,
    NEXT_ACTION,
    NEXT_STATE,
    NUM_ACTIVE,
    NUM_MET,
    THE_END,
    TIME,
    UNTRIED,
    Memory,
    Parameters,
)
from agents.tabular.settings import InitialValues

DENSE_ENTRIES = 1_000_000  # S * A: up to here a table is dense (8 MB an array) where nothing else is asked for
FIRST_ROWS = 64
FIRST_STEPS = 1_024

PER_PAIR: dict[str, Any] = {  # what an algorithm may need: arrays [R, A] and their kind of number
    "q": np.float64, "first_q": np.float64, "second_q": np.float64, "visits": np.int64, "updates": np.int64,
    "policy": np.float64, "weights": np.float64, "traces": np.float64,
    "model_rewards": np.float64, "model_states": np.int64, "last_tried": np.int64,
}  # fmt: skip
PER_STEP: dict[str, Any] = {"states": np.int64, "actions": np.int64, "rewards": np.float64}  # [H]
LISTS = {"active": NUM_ACTIVE, "met": NUM_MET}  # and the counters that say how much of them is in use
NEEDS = {  # what the names in an agent's `needs` bring
    "traces": ("traces", "active"),
    "model": ("model_rewards", "model_states", "last_tried", "met"),
}


class Table:
    """The memory of a tabular agent.

    Args:
        num_states: S; a table of more than `DENSE_ENTRIES` values is sparse.
        parameters: the agent's numbers.
        kind: "auto", "dense" or "sparse".
        needs: what there is room for besides `q`: names of `Memory`, "model", "ring" (the last n steps) or "history"
            (all steps of an episode).
        columns: of `q`: A, or 1 of a table of state values.
        initial_values: of a state not met yet: zero, a number (optimistic when high), or "random": uniform in
            [0, 1), a function of seed, state and action alone, whichever order the states come in.
        seed: seed of the run.
    """

    def __init__(
        self,
        num_states: int,
        parameters: Parameters,
        kind: str,
        needs: Sequence[str],
        columns: int,
        initial_values: InitialValues,
        seed: int,
    ) -> None:
        self.num_states, self.columns, self.num_actions = num_states, columns, parameters.num_actions
        self.dense = kind == "dense" or (kind == "auto" and num_states * columns <= DENSE_ENTRIES)
        self._initial_values = initial_values
        self._entropy = stream(seed, "table").generate_state(2, np.uint64)
        self.rows: dict[int, int] = {}  # of a sparse table: state -> row, in the order of the first visits
        wanted = {name for need in needs for name in NEEDS.get(need, (need,))} | {"q"}
        wanted |= {"visits"} if parameters.counts_visits else set()
        self._wanted = wanted | ({"updates"} if parameters.learning_rate_schedule != CONSTANT else set())
        num_rows = num_states if self.dense else FIRST_ROWS
        num_steps = parameters.n if "ring" in needs else FIRST_STEPS if "history" in needs else 1
        self._keeps_steps = next((need for need in ("ring", "history") if need in needs), None)
        arrays = {name: self._new_rows(name, 0, num_rows) for name in PER_PAIR}
        arrays |= {name: np.zeros(num_steps, dtype=number) for name, number in PER_STEP.items()}
        arrays["active"] = np.zeros(num_rows * self.num_actions if "active" in wanted else 1, dtype=np.int64)
        arrays["met"] = np.zeros(num_rows if "met" in wanted else 1, dtype=np.int64)
        arrays |= {"scratch": np.zeros(self.num_actions), "rates": np.full(2, parameters.initial_rate)}
        arrays["counters"] = np.array([0, -1, -1, 0, 0, 0, 0])
        self._hold(Memory(**arrays))

    def _hold(self, memory: Memory) -> None:
        self.memory = memory
        self.view = Memory(*(cast(Any, memoryview(cast(Any, array))) for array in memory))  # plain numbers, for Python

    def _new_rows(self, name: str, first: int, num_rows: int) -> NDArray[Any]:
        """Rows `first` ... of an array of pairs, as before a first visit; a single one where none is needed."""
        if name not in self._wanted:
            return np.zeros((1, 1), dtype=PER_PAIR[name])
        shape = (num_rows, self.columns if name in ("q", "visits", "updates", "traces") else self.num_actions)
        if name in ("q", "first_q", "second_q"):
            if self.dense and self._initial_values == "random":
                return self._initial(np.arange(first, first + num_rows, dtype=np.uint64), name)
            constant = 0.0 if isinstance(self._initial_values, str) else float(self._initial_values)
            return np.full(shape, constant)
        return np.full(shape, UNTRIED if name == "model_states" else 0, dtype=PER_PAIR[name])

    def _initial(self, states: NDArray[np.uint64], name: str) -> NDArray[np.float64]:
        """Random values [states, A] in [0, 1): a hash of state and action (splitmix64, Steele et al. 2014)."""
        if name == "q" and "first_q" in self._wanted:  # the mean of both tables
            mean: NDArray[np.float64] = (self._initial(states, "first_q") + self._initial(states, "second_q")) / 2
            return mean
        entropy = self._entropy[1 if name == "second_q" else 0]
        with np.errstate(over="ignore"):
            pairs = states[:, None] * np.uint64(self.columns) + np.arange(self.columns, dtype=np.uint64)
            word = entropy + (pairs + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
            word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            word ^= word >> np.uint64(31)
        values: NDArray[np.float64] = (word >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return values

    def __len__(self) -> int:
        """How many states have a row."""
        return self.num_states if self.dense else len(self.rows)

    @property
    def num_bytes(self) -> int:
        """The memory that the arrays take."""
        return sum(array.nbytes for array in self.memory)

    def __getitem__(self, state: int) -> list[float]:
        """The values of a state; looking stores nothing."""
        row = state if self.dense else self.rows.get(state)
        if row is None:
            return self._first_values(state, "q")
        values: list[float] = self.memory.q[row].tolist()
        return values

    def _first_values(self, state: int, name: str) -> list[float]:
        if self._initial_values == "random":
            drawn: list[float] = self._initial(np.array([state % 2**64], dtype=np.uint64), name)[0].tolist()
            return drawn
        return [0.0 if self._initial_values == "zero" else float(self._initial_values)] * self.columns

    def row(self, state: int) -> int:
        """The row of a state, made if this is its first visit."""
        if self.dense:
            return state
        row = self.rows.get(state)
        if row is None:
            row = self.rows[state] = len(self.rows)
            if row == len(self.memory.q):
                self._grow()
            if self._initial_values == "random":
                for name in self._wanted & {"q", "first_q", "second_q"}:
                    getattr(self.memory, name)[row] = self._first_values(state, name)
        return row

    def frozen(self) -> "Table":
        """A copy to look at, which what is learned later does not change."""
        frozen = copy.copy(self)
        frozen.rows = dict(self.rows)
        frozen.memory = self.memory._replace(q=self.memory.q.copy(), weights=self.memory.weights.copy())
        return frozen

    def _grow(self) -> None:
        """Twice as many rows."""
        num_rows = len(self.memory.q)
        longer: dict[str, NDArray[Any]] = {}
        for name in self._wanted & set(PER_PAIR):
            longer[name] = np.concatenate([getattr(self.memory, name), self._new_rows(name, num_rows, num_rows)])
        for name in self._wanted & {"active", "met"}:
            longer[name] = np.concatenate([getattr(self.memory, name), np.zeros_like(getattr(self.memory, name))])
        self._hold(self.memory._replace(**longer))

    def keep_more_steps(self) -> None:
        """Room for an episode twice as long."""
        longer = {name: np.concatenate([getattr(self.memory, name)] * 2) for name in PER_STEP}
        self._hold(self.memory._replace(**longer))

    # -- on disk ----------------------------------------------------------------------------------------------

    def _used(self) -> dict[str, int]:
        """The arrays that an algorithm needs, and how much of each is in use."""
        counters = self.memory.counters
        used = dict.fromkeys(sorted(self._wanted & set(PER_PAIR)), len(self))
        used |= {name: int(counters[count]) for name, count in LISTS.items() if name in self._wanted}
        if self._keeps_steps:
            steps = len(self.memory.states) if self._keeps_steps == "ring" else int(counters[TIME])
            used |= dict.fromkeys(PER_STEP, steps)
        return used | {"rates": 2, "counters": len(counters)}

    def get_state(self) -> State:
        """What is in use of the arrays."""
        state: State = {"entropy": self._entropy.copy(), "states_met": [str(state) for state in self.rows]}
        return state | {name: getattr(self.memory, name)[:used].copy() for name, used in self._used().items()}

    def policy_state(self) -> State:
        """The values of the states that have a row, or, of a dense table, of those that have others than at first."""
        values = self.memory.q[: len(self)]
        state: State = {"entropy": self._entropy.copy()}
        if not self.dense:
            return state | {"states_met": [str(known) for known in self.rows], "q": values.copy()}
        changed = np.flatnonzero((values != self._new_rows("q", 0, self.num_states)).any(axis=1))
        return state | {"rows": changed, "q": values[changed]}

    def set_policy_state(self, state: State) -> None:
        """Take over a state that `policy_state` gave: the table is to be looked at then.

        Raises:
            ValueError: its arrays are not this table's.
        """
        q, entropy = state["q"], state["entropy"]
        if q.dtype != np.float64 or q.shape[1:] != (self.columns,) or entropy.shape != (2,):
            raise ValueError(f"q: expected float64 [rows, {self.columns}], got {q.dtype} {q.shape}")
        self._entropy = entropy.copy()
        if self.dense:
            rows = state["rows"]
            if rows.shape != q.shape[:1] or (len(rows) and not 0 <= rows.min() <= rows.max() < self.num_states):
                raise ValueError(f"rows: expected {len(q)} numbers from 0 to {self.num_states - 1}")
            values = self._new_rows("q", 0, self.num_states)
            values[rows] = q
        else:
            self.rows = {int(known): row for row, known in enumerate(state["states_met"])}
            if len(self.rows) != len(q):
                raise ValueError(f"q: expected {len(self.rows)} rows, got {len(q)}")
            values = self._new_rows("q", 0, max(FIRST_ROWS, len(q)))
            values[: len(q)] = q
        self._hold(self.memory._replace(q=values))

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave.

        Raises:
            ValueError: its arrays are not this table's.
        """
        arrays: dict[str, NDArray[Any]] = {}
        counters = state["counters"]
        for name, length in (("counters", len(self.memory.counters)), ("rates", 2), ("entropy", 2)):
            if state[name].shape != (length,):
                raise ValueError(f"{name}: expected {length} numbers, got shape {state[name].shape}")
        rows = {int(known): row for row, known in enumerate(state["states_met"])}
        num_rows = self.num_states if self.dense else max(FIRST_ROWS, len(rows))
        for name in self._used():
            mine, got = getattr(self.memory, name), state[name]
            if got.dtype != mine.dtype or got.shape[1:] != mine.shape[1:]:
                raise ValueError(f"{name}: expected {mine.dtype} {mine.shape}, got {got.dtype} {got.shape}")
            if name in PER_PAIR:
                expected = self.num_states if self.dense else len(rows)
                if len(got) != expected:
                    raise ValueError(f"{name}: expected {expected} rows, got {len(got)}")
                arrays[name] = self._new_rows(name, 0, num_rows)
            elif name in LISTS:
                arrays[name] = np.zeros(num_rows * (self.num_actions if name == "active" else 1), dtype=mine.dtype)
            else:
                arrays[name] = np.zeros(max(len(mine), len(got)), dtype=mine.dtype)
            arrays[name][: len(got)] = got
            if name in LISTS and len(got) != counters[LISTS[name]]:
                raise ValueError(f"{name}: expected {counters[LISTS[name]]} entries, got {len(got)}")
        self._check_references(arrays, counters, self.num_states if self.dense else len(rows))
        self.rows = rows
        self._entropy = state["entropy"].copy()
        self._hold(self.memory._replace(**arrays))

    def _check_references(self, arrays: dict[str, NDArray[Any]], counters: NDArray[Any], num_rows: int) -> None:
        """Raise where a state, an action or a time that is remembered is none: machine code would not notice."""
        limits = {
            "met": (0, num_rows),
            "active": (0, num_rows * self.num_actions),
            "states": (0, max(len(self.memory.weights), num_rows)),
            "actions": (0, max(len(self.memory.weights), self.num_actions)),
            "model_states": (THE_END, num_rows),
        }
        for name, (least, limit) in limits.items():
            if name in arrays and arrays[name].size and not (least <= arrays[name].min() <= arrays[name].max() < limit):
                raise ValueError(f"{name}: expected numbers from {least} to {limit - 1}")
        remembered = len(arrays["states"]) if self._keeps_steps == "history" else 2**62
        most = {NEXT_STATE: num_rows - 1, NEXT_ACTION: self.num_actions - 1, TIME: remembered}
        for index, limit in most.items():
            if not -1 <= counters[index] <= limit:
                raise ValueError(f"counters: number {index}: expected at most {limit}, got {counters[index]}")
