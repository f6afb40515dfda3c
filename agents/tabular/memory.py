"""What the functions of the tabular agents work on: arrays that are learned, and numbers that stay.

Every function of this package that takes a `Memory` and `Parameters` runs in two ways from one source: in Python, where
the arrays come as memoryviews (which give plain numbers, quickly), and in machine code, where they are NumPy's.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# How an action is chosen. OTHERWISE: by a function of the algorithm's own, and not by the values.
EPSILON_GREEDY, BOLTZMANN, UCB, OTHERWISE = range(4)
# How epsilon, the temperature or the learning rate changes.
CONSTANT, LINEAR, EXPONENTIAL, VISITS, POLYNOMIAL = range(5)
# What a visit does to a trace.
ACCUMULATING, REPLACING, DUTCH = range(3)

# What is in `Memory.rates`: the rate of exploration (epsilon or temperature) now, and that of the last finished step.
NOW, LAST = range(2)
# What is in `Memory.counters`: how often the schedule has moved, the action that is chosen already (for the state in
# NEXT_STATE; -1: none), steps of the episode, pairs with a trace, states met, real steps ever.
TICKS, NEXT_STATE, NEXT_ACTION, TIME, NUM_ACTIVE, NUM_MET, CLOCK = range(7)

UNTRIED, THE_END = -1, -2  # in the place of a next state that is remembered


class Step(NamedTuple):
    """One step of the environment, as an update gets it; states are row numbers."""

    state: int
    action: int
    reward: float
    next_state: int
    terminated: bool  # cuts the bootstrap
    truncated: bool  # never does


class Parameters(NamedTuple):
    """The settings, as plain numbers."""

    num_actions: int
    discount: float
    learning_rate: float
    learning_rate_schedule: int
    learning_rate_power: float
    exploration: int
    schedule: int  # of the rate of exploration
    initial_rate: float
    least_rate: float
    decay: float
    decay_length: int
    every_step: bool  # does the schedule move at every step, or at the end of an episode?
    confidence: float  # c of UCB
    count_bonus: float
    counts_visits: bool
    values_states: bool = False  # is `q` a table of state values, with one column?
    n: int = 1  # steps of reward before a value stands in
    num_tilings: int = 1
    trace_decay: float = 0.0  # lambda
    trace_kind: int = ACCUMULATING
    first_visit: bool = True
    planning_steps: int = 0
    kappa: float = 0.0
    clocks: bool = False  # are real steps counted, in CLOCK?
    least_learning_rate: float = 0.0  # where a linear decay of the learning rate ends
    learning_rate_decay_length: int = 1  # of a linear one, in env steps


class Memory(NamedTuple):
    """What is learned and remembered: R rows, one a state, A actions."""

    q: FloatArray  # [R, A] action values; of predictors [R, 1], state values
    visits: IntArray  # [R, A] N(s, a); [1, 1] where nothing asks for them
    updates: IntArray  # [R, A] how often Q(s, a) has moved: for step sizes; [1, 1] where they are constant
    scratch: FloatArray  # [A]
    rates: FloatArray  # [2]
    counters: IntArray  # [7]
    own: Any  # the algorithm's own arrays: its `Arrays`, or ()


@lru_cache
def in_slots(record: Any) -> Any:
    """A class with a NamedTuple's fields in slots: Python reads and fills these in half the time."""
    return type(record.__name__, (), {"__slots__": record._fields, "__doc__": record.__doc__})


def for_python(record: Any) -> Any:
    """A NamedTuple as Python's loop takes it."""
    kind: Any = type(record)
    quick = in_slots(kind)()
    for name, value in zip(record._fields, record, strict=True):
        setattr(quick, name, value)
    return quick


# -- how the arrays of an algorithm's `Arrays` are laid out ---------------------------------------------------

PAIRS, ACTIONS, STATE_LIST, PAIR_LIST, LAST_N, EPISODE, TILES, EPISODE_TILES = range(8)


@dataclass(frozen=True)
class Layout:
    """How an array is laid out, as a table makes it, lets it grow, and keeps it on disk."""

    number: type = np.float64
    # [R, A] as q; [R, A] of actions, also where q has one column; a list of states [R] or pairs [R * A]; of the last n
    # steps [n], or of all steps of an episode [H]; of tiles [T], or of the tiles of all steps [H * T]
    extent: int = PAIRS
    as_q: bool = False  # does it begin as q does?
    first: float = 0.0  # what it begins with
    counter: int = -1  # of a list: the counter that says how much of it is in use
    # What its numbers stand for, if for something that is no number: "state", "action", "pair", or "next state", which
    # may be UNTRIED or THE_END.
    means: str = ""
    stored_as: str | None = None  # its name on disk, where that is another one
    stored: bool = True


Values = Annotated[FloatArray, Layout(as_q=True)]  # [R, A], another table like q
PairFloats = Annotated[FloatArray, Layout()]  # [R, A]
PairInts = Annotated[IntArray, Layout(np.int64)]  # [R, A]


def layouts(arrays: type[Any]) -> dict[str, Layout]:
    """How each array of an algorithm's `Arrays` is laid out: what the annotations say."""
    if arrays is tuple:
        return {}
    found = {}
    for name, annotation in get_type_hints(arrays, include_extras=True).items():
        said = [one for one in getattr(annotation, "__metadata__", ()) if isinstance(one, Layout)]
        if len(said) != 1:
            raise ValueError(f"{arrays.__qualname__}.{name}: expected a layout, such as PairFloats, got {annotation}")
        found[name] = said[0]
    return found
