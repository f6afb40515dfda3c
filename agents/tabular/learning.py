"""What every step does around an algorithm's `update`: visits, the bonus for rare actions, step sizes, schedules.

Plain functions on arrays. `act`, `update` and `forget` are slots, which an algorithm fills: see `agents.tabular.agent`.
"""

import math

from agents.seeding import Rng
from agents.tabular.behaviour import epsilon_at
from agents.tabular.memory import (
    CLOCK,
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
    Step,
)
from agents.td import moved_towards
from machine_code.slots import slot

NOTHING = math.nan  # what an update returns that has learned nothing yet


@slot
def act(memory: Memory, parameters: Parameters, rng: Rng, state: int) -> int:
    """The action to take: `behaviour.choose`, where an algorithm says nothing else."""
    raise NotImplementedError


@slot
def update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """The algorithm: learn from a step; the error, or NOTHING."""
    raise NotImplementedError


@slot
def forget(memory: Memory, parameters: Parameters) -> None:
    """What an algorithm does when an episode begins: `keep_all`, where it says nothing else."""
    raise NotImplementedError


def keep_all(memory: Memory, parameters: Parameters) -> None:
    """Nothing belongs to one episode alone."""


def begin(memory: Memory, parameters: Parameters) -> None:
    """A new episode: what belongs to the last one alone is forgotten."""
    forget(memory, parameters)
    memory.counters[NEXT_STATE] = -1
    memory.counters[TIME] = 0


def learn(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """One step of learning; the (mean absolute) error of what was updated, nan if nothing was."""
    over = step.terminated or step.truncated
    if parameters.clocks:
        memory.counters[CLOCK] += 1
    if over:
        memory.rates[LAST] = exploration_rate(memory, parameters, step.state)
    if parameters.counts_visits:
        memory.visits[step.state, step.action] += 1
        if parameters.count_bonus > 0.0:
            bonus = parameters.count_bonus / math.sqrt(memory.visits[step.state, step.action])
            step = with_reward(step, step.reward + bonus)
    error = update(memory, parameters, rng, step)
    if parameters.every_step or over:
        tick(memory, parameters)
    return error


def with_reward(step: Step, reward: float) -> Step:
    """The same step with another reward."""
    return Step(step.state, step.action, reward, step.next_state, step.terminated, step.truncated)


def move(table: FloatArray, memory: Memory, parameters: Parameters, state: int, action: int, target: float) -> float:
    """Q(s, a) moves towards a target; the error."""
    value = table[state, action]
    learning_rate = parameters.learning_rate
    if parameters.learning_rate_schedule == LINEAR:
        learning_rate = faded_rate(memory, parameters)
    elif parameters.learning_rate_schedule != CONSTANT:
        memory.updates[state, action] += 1
        learning_rate = step_size(parameters, memory.updates[state, action])
    table[state, action] = moved_towards(value, target, learning_rate)
    return target - value


def faded_rate(memory: Memory, parameters: Parameters) -> float:
    """The learning rate on its straight way down, by the env steps that were made."""
    share = min(1.0, memory.counters[CLOCK] / parameters.learning_rate_decay_length)
    return parameters.learning_rate + (parameters.least_learning_rate - parameters.learning_rate) * share


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
    if parameters.learning_rate_schedule == LINEAR:
        return faded_rate(memory, parameters)
    return step_size(parameters, memory.visits[state, action])


def exploration_rate(memory: Memory, parameters: Parameters, state: int) -> float:
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
