"""Which row of the memory a state has, and how the memory grows.

A dense table has a row for every state. A sparse one stores the states that it has met, so that a grid of 11^8 cells
costs what its visits cost.
"""

import copy
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from agents.seeding import stream
from agents.storage import State
from agents.tabular.memory import (
    ACTIONS,
    CONSTANT,
    EPISODE,
    EPISODE_TILES,
    LAST_N,
    LINEAR,
    NEXT_ACTION,
    NEXT_STATE,
    PAIR_LIST,
    PAIRS,
    STATE_LIST,
    THE_END,
    TILES,
    TIME,
    Layout,
    Memory,
    Parameters,
    for_python,
    layouts,
)
from agents.tabular.settings import InitialValues

DENSE_ENTRIES = 1_000_000  # S * A: up to here a table is dense (8 MB an array) where nothing else is asked for
FIRST_ROWS = 64
FIRST_STEPS = 1_024

CORE = {"q": Layout(as_q=True), "visits": Layout(np.int64), "updates": Layout(np.int64)}
ROWS = (PAIRS, ACTIONS)
LISTS = (STATE_LIST, PAIR_LIST)
HISTORIES = (EPISODE, EPISODE_TILES)


class Table:
    """The memory of a tabular agent.

    Args:
        num_states: S; a table of more than `DENSE_ENTRIES` values is sparse.
        parameters: the agent's numbers.
        kind: "auto", "dense" or "sparse".
        own: the class of the algorithm's own arrays, or `tuple` where there are none.
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
        own: type[Any],
        columns: int,
        initial_values: InitialValues,
        seed: int,
    ) -> None:
        self.num_states, self.columns, self.num_actions = num_states, columns, parameters.num_actions
        self.dense = kind == "dense" or (kind == "auto" and num_states * columns <= DENSE_ENTRIES)
        self._initial_values = initial_values
        self.rows: dict[int, int] = {}  # of a sparse table: state -> row, in the order of the first visits
        self._own, self._parameters = own, parameters
        own_layouts = layouts(own)
        self._like_q = [name for name, layout in own_layouts.items() if layout.as_q]  # q is their mean
        self._entropy = stream(seed, "table").generate_state(max(2, len(self._like_q)), np.uint64)
        counted = {
            "visits": parameters.counts_visits,
            "updates": parameters.learning_rate_schedule not in (CONSTANT, LINEAR),
        }
        self._layouts = {name: layout for name, layout in CORE.items() if counted.get(name, True)} | own_layouts
        num_rows = num_states if self.dense else FIRST_ROWS
        arrays = {name: self._new(name, 0, num_rows) for name in self._layouts}
        counters = np.array([0, -1, -1, 0, 0, 0, 0])
        rates, scratch = np.full(2, parameters.initial_rate), np.zeros(self.num_actions)
        self._hold(arrays | {"rates": rates, "counters": counters, "scratch": scratch})

    def _hold(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Hold these arrays, by name; the view of them gives plain numbers, for Python."""
        self.arrays = dict(arrays)
        kept = [len(self.arrays[name]) for name, layout in self._layouts.items() if layout.extent == EPISODE]
        self.history = kept[0] if kept else None  # the steps of an episode that there is room for, where they are kept
        self.memory = self._memory(self.arrays)
        view = self._memory({name: memoryview(cast(Any, array)) for name, array in self.arrays.items()})
        self.view: Memory = for_python(view if view.own == () else view._replace(own=for_python(view.own)))

    def _memory(self, arrays: Mapping[str, Any]) -> Memory:
        none = np.zeros((1, 1), dtype=np.int64)
        return Memory(
            q=arrays["q"],
            visits=arrays.get("visits", none),
            updates=arrays.get("updates", none),
            scratch=arrays["scratch"],
            rates=arrays["rates"],
            counters=arrays["counters"],
            own=() if self._own is tuple else self._own(*(arrays[name] for name in self._own._fields)),
        )

    def _new(self, name: str, first: int, num_rows: int) -> NDArray[Any]:
        """An array as before a first visit; of rows, those from `first` on."""
        layout, parameters = self._layouts[name], self._parameters
        if layout.as_q:
            if self.dense and self._initial_values == "random":
                return self._initial(np.arange(first, first + num_rows, dtype=np.uint64), name)
            return np.full((num_rows, self.columns), self._constant)
        shapes = {
            PAIRS: (num_rows, self.columns),
            ACTIONS: (num_rows, self.num_actions),
            STATE_LIST: (num_rows,),
            PAIR_LIST: (num_rows * self.num_actions,),
            LAST_N: (parameters.n,),
            EPISODE: (FIRST_STEPS,),
            EPISODE_TILES: (FIRST_STEPS * parameters.num_tilings,),
            TILES: (parameters.num_tilings,),
        }
        return np.full(shapes[layout.extent], layout.first, dtype=layout.number)

    def note_legal(self, row: int, mask: NDArray[np.bool_]) -> None:
        """Which [A] of a row's actions are legal: others that were never tried are worth -inf.

        Random initial values stay as they are: what was tried does not show in them.
        """
        if self._initial_values == "random":
            return
        for name, layout in self._layouts.items():
            if layout.as_q:
                values = self.arrays[name][row]
                values[~mask & (values == self._constant)] = -np.inf
                values[mask & np.isneginf(values)] = self._constant

    @property
    def _constant(self) -> float:
        return 0.0 if isinstance(self._initial_values, str) else float(self._initial_values)

    def _initial(self, states: NDArray[np.uint64], name: str) -> NDArray[np.float64]:
        """Random values [states, A] in [0, 1): a hash of state and action (splitmix64, Steele et al. 2014)."""
        if name == "q" and self._like_q:
            tables = [self._initial(states, one) for one in self._like_q]
            mean: NDArray[np.float64] = sum(tables[1:], tables[0]) / len(tables)
            return mean
        entropy = self._entropy[self._like_q.index(name) if name in self._like_q else 0]
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
        return sum(array.nbytes for array in self.arrays.values())

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
        return [self._constant] * self.columns

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
                for name in ("q", *self._like_q):
                    self.arrays[name][row] = self._first_values(state, name)
        return row

    def frozen(self) -> "Table":
        """A copy to look at, which what is learned later does not change."""
        frozen = copy.copy(self)
        frozen.rows = dict(self.rows)
        frozen.memory = self.memory._replace(q=self.memory.q.copy(), visits=self.memory.visits.copy())
        return frozen

    def _grow(self) -> None:
        """Twice as many rows."""
        num_rows = len(self.memory.q)
        longer = {
            name: np.concatenate([self.arrays[name], self._new(name, num_rows, num_rows)])
            for name, layout in self._layouts.items()
            if layout.extent in ROWS + LISTS
        }
        self._hold(self.arrays | longer)

    def keep_more_steps(self) -> None:
        """Room for an episode twice as long."""
        kept = [name for name, layout in self._layouts.items() if layout.extent in HISTORIES]
        self._hold(self.arrays | {name: np.concatenate([self.arrays[name]] * 2) for name in kept})

    def _numbers_a_step(self, layout: Layout) -> int:
        return self._parameters.num_tilings if layout.extent == EPISODE_TILES else 1

    def met(self, state: int) -> bool | None:
        """Has training met a state? None where that is not known: a dense table need not count."""
        if not self.dense:
            return state in self.rows
        return bool(self.memory.visits[state].any()) if "visits" in self._layouts else None

    def num_met(self) -> int | None:
        """How many states training has met; None where that is not known."""
        if not self.dense:
            return len(self.rows)
        return int(self.memory.visits.any(axis=1).sum()) if "visits" in self._layouts else None

    def known(self) -> list[int]:
        """The states of which something is known: those met, or whose values are others than before a first visit."""
        if not self.dense:
            return list(self.rows)
        known = (self.memory.q != self._new("q", 0, self.num_states)).any(axis=1)
        if "visits" in self._layouts:
            known |= self.memory.visits.any(axis=1)
        states: list[int] = np.flatnonzero(known).tolist()
        return states

    # -- what acting needs ------------------------------------------------------------------------------------

    def policy_state(self) -> State:
        """The values that are others than before a first visit, of which states, and which were visited."""
        state: State = {"entropy": self._entropy.copy()} if self._initial_values == "random" else {}
        if not self.dense:
            return state | {"states_met": [str(one) for one in self.rows], "q": self.memory.q[: len(self)].copy()}
        changed = np.flatnonzero((self.memory.q != self._new("q", 0, self.num_states)).any(axis=1))
        state |= {"changed": changed, "q": self.memory.q[changed]}
        if "visits" in self._layouts:
            state["visited"] = np.flatnonzero(self.memory.visits.any(axis=1))
        return state

    def set_policy_state(self, state: State) -> None:
        """Take over what `policy_state` gave; all else is as in a new table.

        Raises:
            ValueError: it is not this table's.
        """
        if self._initial_values == "random":
            _expect_shape("entropy", state["entropy"], self._entropy)
            self._entropy = state["entropy"].copy()
        rows = {} if self.dense else {int(known): row for row, known in enumerate(state["states_met"])}
        num_rows = self.num_states if self.dense else max(FIRST_ROWS, len(rows))
        arrays = {name: self._new(name, 0, num_rows) for name in self._layouts}
        changed = np.arange(len(rows))
        if self.dense:
            changed = check_row_numbers("changed", state["changed"], self.num_states)
        if state["q"].shape != (len(changed), self.columns) or state["q"].dtype != np.float64:
            expected = f"expected float64 {(len(changed), self.columns)}"
            raise ValueError(f"q: {expected}, got {state['q'].dtype} {state['q'].shape}")
        arrays["q"][changed] = state["q"]
        if self.dense and "visits" in self._layouts:
            arrays["visits"][check_row_numbers("visited", state["visited"], self.num_states)] = 1
        self.rows = rows
        self._hold(self.arrays | arrays)

    # -- on disk ----------------------------------------------------------------------------------------------

    def _used(self) -> dict[str, int]:
        """The arrays that are stored, and how much of each is in use."""
        counters, used = self.memory.counters, {"rates": 2, "counters": len(self.memory.counters)}
        for name, layout in self._layouts.items():
            if layout.extent in ROWS:
                used[name] = len(self)
            elif layout.extent in LISTS:
                used[name] = int(counters[layout.counter])
            elif layout.extent in HISTORIES:
                used[name] = int(counters[TIME]) * self._numbers_a_step(layout)
            elif layout.stored:
                used[name] = len(self.arrays[name])
        return used

    def get_state(self) -> State:
        """What is in use of the arrays."""
        state: State = {"entropy": self._entropy.copy(), "states_met": [str(state) for state in self.rows]}
        return state | {self._stored_as(name): self.arrays[name][:used].copy() for name, used in self._used().items()}

    def _stored_as(self, name: str) -> str:
        return (self._layouts[name].stored_as if name in self._layouts else None) or name

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave.

        Raises:
            ValueError: its arrays are not this table's.
        """
        counters = state["counters"]
        _expect_shape("entropy", state["entropy"], self._entropy)
        _expect_shape("rates", state["rates"], self.memory.rates)
        _expect_shape("counters", counters, self.memory.counters)
        rows = {int(known): row for row, known in enumerate(state["states_met"])}
        num_used = self.num_states if self.dense else len(rows)
        arrays = {name: np.zeros_like(self.arrays[name]) for name in ("rates", "counters")}
        num_rows = self.num_states if self.dense else max(FIRST_ROWS, len(rows))
        arrays |= {name: self._new(name, 0, num_rows) for name in self._layouts}
        for name in self._used():
            got, mine = state[self._stored_as(name)], arrays[name]
            if got.dtype != mine.dtype or got.shape[1:] != mine.shape[1:]:
                raise ValueError(f"{name}: expected {mine.dtype} {mine.shape}, got {got.dtype} {got.shape}")
            layout = self._layouts.get(name)
            if layout is not None:
                self._check_length(name, layout, len(got), counters, num_used)
                self._check_numbers(name, layout, got, num_used)
                if layout.extent in HISTORIES and len(got) > len(mine):
                    mine = arrays[name] = np.zeros(len(got), dtype=mine.dtype)
            mine[: len(got)] = got
        most = {NEXT_STATE: num_used - 1, NEXT_ACTION: self.num_actions - 1, TIME: self._steps_stored(state)}
        for index, limit in most.items():
            if not -1 <= counters[index] <= limit:
                raise ValueError(f"counters: number {index}: expected at most {limit}, got {counters[index]}")
        self.rows = rows
        self._entropy = state["entropy"].copy()
        self._hold(self.arrays | arrays)

    def _check_length(self, name: str, layout: Layout, got: int, counters: NDArray[Any], num_used: int) -> None:
        if layout.extent in ROWS and got != num_used:
            raise ValueError(f"{name}: expected {num_used} rows, got {got}")
        if layout.extent in LISTS and got != counters[layout.counter]:
            raise ValueError(f"{name}: expected {counters[layout.counter]} entries, got {got}")
        if layout.extent == LAST_N and got != len(self.arrays[name]):
            raise ValueError(f"{name}: expected {len(self.arrays[name])} steps, got {got}")

    def _check_numbers(self, name: str, layout: Layout, got: NDArray[Any], num_used: int) -> None:
        """Raise where a state or an action that is remembered is none: machine code would not notice."""
        limits = {
            "state": (0, num_used),
            "action": (0, self.num_actions),
            "pair": (0, num_used * self.num_actions),
            "next state": (THE_END, num_used),
        }
        if layout.means and got.size:
            least, limit = limits[layout.means]
            if not least <= got.min() <= got.max() < limit:
                raise ValueError(f"{name}: expected numbers from {least} to {limit - 1}")

    def _steps_stored(self, state: State) -> int:
        """How many steps of an episode a state has; no limit where none are kept."""
        kept = (name for name, layout in self._layouts.items() if layout.extent == EPISODE)
        return min((len(state[self._stored_as(name)]) for name in kept), default=2**62)


def _expect_shape(name: str, got: NDArray[Any], mine: NDArray[Any]) -> None:
    if got.shape != mine.shape or got.dtype != mine.dtype:
        raise ValueError(f"{name}: expected {len(mine)} numbers, got shape {got.shape}")


def check_row_numbers(name: str, rows: NDArray[Any], num_rows: int) -> NDArray[np.int64]:
    """The row numbers [K].

    Raises:
        ValueError: they are none of a table of so many rows.
    """
    if rows.ndim != 1 or rows.dtype != np.int64:
        raise ValueError(f"{name}: expected int64 [K], got {rows.dtype} {rows.shape}")
    if rows.size and not 0 <= rows.min() <= rows.max() < num_rows:
        raise ValueError(f"{name}: expected numbers from 0 to {num_rows - 1}, got others")
    return rows
