"""What the functions of the tabular agents work on: arrays that are learned, and numbers that stay.

Every function of this package that takes a `Memory` and `Parameters` runs in two ways from one source: in Python, where
the arrays come as memoryviews (which give plain numbers, quickly), and in machine code, where they are NumPy's.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# How an action is chosen.
EPSILON_GREEDY, BOLTZMANN, UCB, GIVEN = range(4)
# How epsilon, the temperature or the learning rate changes.
CONSTANT, LINEAR, EXPONENTIAL, VISITS, POLYNOMIAL = range(5)
# What a visit does to a trace.
ACCUMULATING, REPLACING, DUTCH = range(3)

# What is in `Memory.rates`: the rate of exploration (epsilon or temperature) now, and that of the last finished step.
NOW, LAST = range(2)
# What is in `Memory.counters`: how often the schedule has moved, the action that is chosen already (for the state in
# NEXT_STATE; -1: none), steps of the episode, pairs with a trace, states met, real steps ever.
TICKS, NEXT_STATE, NEXT_ACTION, TIME, NUM_ACTIVE, NUM_MET, CLOCK = range(7)


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
    n: int = 1
    trace_decay: float = 0.0  # lambda
    trace_kind: int = ACCUMULATING
    first_visit: bool = True
    planning_steps: int = 0
    kappa: float = 0.0


class Memory(NamedTuple):
    """What is learned and remembered: R rows, one a state, A actions.

    An algorithm names those that it needs; the others have room for nothing.
    """

    q: FloatArray  # [R, A] action values; of predictors [R, 1], state values
    first_q: FloatArray  # [R, A] the two tables of Double Q-learning, of which q is the mean
    second_q: FloatArray  # [R, A]
    visits: IntArray  # [R, A] N(s, a)
    updates: IntArray  # [R, A] how often Q(s, a) has moved: for step sizes
    weights: FloatArray  # [R, A] of tiles, where a function of them stands in for the table
    policy: FloatArray  # [R, A] probabilities of a policy that is given
    traces: FloatArray  # [R, A] eligibility traces; Monte Carlo's time of the first visit
    model_rewards: FloatArray  # [R, A] the last reward seen
    model_states: IntArray  # [R, A] the last next state seen; UNTRIED or THE_END
    last_tried: IntArray  # [R, A] the step at which the action was last taken
    active: IntArray  # [R * A] the pairs (s * A + a) that have a trace
    met: IntArray  # [R] the states met, in order
    states: IntArray  # [H] of the episode's last H steps
    actions: IntArray  # [H]
    rewards: FloatArray  # [H]
    scratch: FloatArray  # [A]
    rates: FloatArray  # [2]
    counters: IntArray  # [7]


UNTRIED, THE_END = -1, -2
