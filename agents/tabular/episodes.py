"""Whole episodes on arrays: the agent-environment loop of `agents.base`, for environments that are a finite model.

It draws as toy_text does: one `random()` a reset and a step, looked up in cumulative probabilities.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.seeding import Rng
from agents.tabular.learning import NOTHING, act, begin, learn
from agents.tabular.memory import LAST, FloatArray, IntArray, Memory, Parameters, Step

# What is in `position` (whole numbers) and `sums` (others): where the episode is, and what it has come to.
# STEPS and EPISODES are what a call of `run` has done.
STATE, START, LENGTH, UNDER_WAY, ACTION, NUM_ERRORS, STEPS, EPISODES = range(8)
REWARD, ERROR = range(2)
NO_LIMIT = 2**62


def held(rng: Rng) -> Rng:
    """A generator as a loop draws from it; in machine code, its words in registers (`machine_code.pcg64`)."""
    return rng


def let_go(rng: Rng, held_rng: Rng) -> None:
    """A generator goes on from where the held one has come to, which in Python is the same."""


class Sampler(NamedTuple):
    """A finite environment as arrays; N outcomes a pair at most. Outcome k of (s, a) is at (s * A + a) * N + k."""

    num_outcomes: int
    probabilities: FloatArray  # [S * A * N]
    cumulative: FloatArray  # [S * A * N] probability of an outcome or one before it
    next_states: IntArray  # [S * A * N]
    rewards: FloatArray  # [S * A * N]
    terminated: NDArray[np.bool_]  # [S * A * N]
    start_states: IntArray  # [B]
    start_thresholds: FloatArray  # [B] an episode begins in the first state whose threshold exceeds the draw
    own_limit: int  # steps of an episode: the environment's, which a termination precedes
    wrapped_limit: int  # and TimeLimit's, which truncates whether or not the episode terminates


class Episodes(NamedTuple):
    """The episodes that have ended in a call of `run`."""

    total_rewards: FloatArray  # [E]
    lengths: IntArray  # [E]
    rates: FloatArray  # [E] epsilon at the last step
    errors: FloatArray  # [E] mean absolute error; nan if there was none
    outcomes: IntArray  # [E] the last outcome, as an index of the sampler's arrays


def run(
    memory: Memory,
    parameters: Parameters,
    sampler: Sampler,
    exploration_rng: Rng,
    environment_rng: Rng,
    position: IntArray,
    sums: FloatArray,
    ended: Episodes,
    num_steps: int,
    num_episodes: int,
    history: int,
) -> None:
    """Go on until so many steps are made, or episodes have ended, or an episode fills its history."""
    rng, sampling_rng = held(exploration_rng), held(environment_rng)
    state, length, action, num_errors = position[STATE], position[LENGTH], position[ACTION], position[NUM_ERRORS]
    total_reward, error_sum = sums[REWARD], sums[ERROR]
    limit = min(sampler.own_limit, sampler.wrapped_limit)
    steps, episodes, under_way = 0, 0, position[UNDER_WAY] == 1
    while steps < num_steps and episodes < num_episodes and (length < history or not under_way):
        if not under_way:
            state = drawn_start(sampler, sampling_rng)
            position[START] = state
            begin(memory, parameters)
            length, num_errors, total_reward, error_sum = 0, 0, 0.0, 0.0
            under_way = True
        action = act(memory, parameters, rng, state)
        outcome = drawn_outcome(sampler, sampling_rng, state * parameters.num_actions + action)
        next_state, reward = sampler.next_states[outcome], sampler.rewards[outcome]
        terminated = sampler.terminated[outcome]
        length += 1
        truncated = length >= limit and (length >= sampler.wrapped_limit or not terminated)
        column = 0 if parameters.values_states else action  # a table of state values has one
        step = Step(state, column, reward, next_state, terminated, truncated)
        error = learn(memory, parameters, rng, step)
        state = next_state
        steps += 1
        total_reward += reward
        if error == error:  # not nan
            error_sum += abs(error)
            num_errors += 1
        if terminated or truncated:
            ended.total_rewards[episodes] = total_reward
            ended.lengths[episodes] = length
            ended.rates[episodes] = memory.rates[LAST]
            ended.errors[episodes] = error_sum / num_errors if num_errors > 0 else NOTHING
            ended.outcomes[episodes] = outcome
            episodes += 1
            under_way = False
    let_go(exploration_rng, rng)
    let_go(environment_rng, sampling_rng)
    position[STATE], position[LENGTH], position[ACTION] = state, length, action
    position[UNDER_WAY], position[NUM_ERRORS] = (1 if under_way else 0), num_errors
    position[STEPS], position[EPISODES] = steps, episodes
    sums[REWARD], sums[ERROR] = total_reward, error_sum


def drawn_start(sampler: Sampler, environment_rng: Rng) -> int:
    """The first state whose threshold exceeds the draw."""
    draw = environment_rng.random()
    low, high = 0, len(sampler.start_thresholds) - 1
    while low < high:
        middle = (low + high) // 2
        if sampler.start_thresholds[middle] > draw:
            high = middle
        else:
            low = middle + 1
    return sampler.start_states[low]


def drawn_outcome(sampler: Sampler, environment_rng: Rng, pair: int) -> int:
    """The first outcome whose cumulative probability exceeds the draw; where rounding leaves none, the first of all."""
    draw = environment_rng.random()
    first = pair * sampler.num_outcomes
    for outcome in range(first, first + sampler.num_outcomes):
        if sampler.cumulative[outcome] > draw:
            return outcome
    return first
