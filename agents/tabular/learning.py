"""What every step does around an algorithm's `update`: visits, the bonus for rare actions, step sizes, schedules.

Plain functions on arrays. `update` and `forget` stand for the algorithm's own: see `agents.tabular.rules`.
"""

import math

from agents.seeding import Rng
from agents.tabular.behaviour import choose, epsilon_at
from agents.tabular.memory import (
    CONSTANT,
    EPSILON_GREEDY,
    EXPONENTIAL,
    LAST,
    LINEAR,
    NEXT_STATE,
    NOW,
    TICKS,
    TIME,
    VISITS,
    FloatArray,
    Memory,
    Parameters,
)
from agents.td import moved_towards

NOTHING = math.nan  # what an update returns that has learned nothing yet


def act(memory: Memory, parameters: Parameters, rng: Rng, state: int) -> int:
    """The action to take. An agent that chooses ahead puts its own here."""
    return choose(memory, parameters, rng, state)


def begin(memory: Memory, parameters: Parameters) -> None:
    """A new episode: what belongs to the last one alone is forgotten."""
    forget(memory, parameters)
    memory.counters[NEXT_STATE] = -1
    memory.counters[TIME] = 0


def learn(
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
    """One step of learning; the (mean absolute) error of what was updated, nan if nothing was."""
    over = terminated or truncated
    if over:
        memory.rates[LAST] = rate_at(memory, parameters, state)
    if parameters.values_states:
        action = 0  # the only column of a table of state values
    if parameters.counts_visits:
        memory.visits[state, action] += 1
        reward += parameters.count_bonus / math.sqrt(memory.visits[state, action])
    error = update(memory, parameters, rng, state, action, reward, next_state, terminated, truncated)
    if parameters.every_step or over:
        tick(memory, parameters)
    return error


def move(table: FloatArray, memory: Memory, parameters: Parameters, state: int, action: int, target: float) -> float:
    """Q(s, a) moves towards a target; the error."""
    value = table[state, action]
    rate = parameters.learning_rate
    if parameters.learning_rate_schedule != CONSTANT:
        memory.updates[state, action] += 1
        rate = step_size(parameters, memory.updates[state, action])
    table[state, action] = moved_towards(value, target, rate)
    return target - value


def step_size(parameters: Parameters, count: int) -> float:
    """The share of the error that the update number `count` of a pair takes: constant, 1 / N, or 1 / N ** power."""
    if parameters.learning_rate_schedule == CONSTANT:
        return parameters.learning_rate
    if parameters.learning_rate_schedule == VISITS:
        return 1.0 / max(count, 1)
    return 1.0 / math.pow(max(count, 1), parameters.learning_rate_power)


def step_size_by_visits(memory: Memory, parameters: Parameters, state: int, action: int) -> float:
    """The same where many pairs move at once: what counts is how often each was visited."""
    if parameters.learning_rate_schedule == CONSTANT:
        return parameters.learning_rate  # visits are not counted then
    return step_size(parameters, memory.visits[state, action])


def rate_at(memory: Memory, parameters: Parameters, state: int) -> float:
    """Epsilon in a state, or the temperature."""
    if parameters.exploration == EPSILON_GREEDY:
        return epsilon_at(memory, parameters, state)
    return memory.rates[NOW]


def tick(memory: Memory, parameters: Parameters) -> None:
    """The schedule of exploration moves, at every step or at the end of an episode."""
    if parameters.schedule == EXPONENTIAL:
        memory.rates[NOW] = max(parameters.least_rate, memory.rates[NOW] * parameters.decay)
    elif parameters.schedule == LINEAR:
        memory.counters[TICKS] += 1
        share = memory.counters[TICKS] / parameters.decay_length
        if share >= 1.0:
            memory.rates[NOW] = parameters.least_rate
        else:
            memory.rates[NOW] = parameters.initial_rate + (parameters.least_rate - parameters.initial_rate) * share


def update(
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
    """The algorithm. An agent puts its own here."""
    raise NotImplementedError


def forget(memory: Memory, parameters: Parameters) -> None:
    """What an algorithm does when an episode begins: nothing, as a rule."""
