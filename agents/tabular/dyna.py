"""Dyna-Q and Dyna-Q+ (Sutton 1990; Sutton & Barto, 2nd ed., sections 8.2 and 8.3).

The model remembers of every pair what followed last: right where the environment is deterministic.
"""

import math
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from agents.base import Settings
from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import best_value, drawn_legal
from agents.tabular.learning import move
from agents.tabular.memory import (
    CLOCK,
    NUM_MET,
    STATE_LIST,
    THE_END,
    UNTRIED,
    IntArray,
    Layout,
    Memory,
    PairFloats,
    PairInts,
    Parameters,
    Step,
)
from agents.tabular.settings import DynaPlusSettings, DynaSettings
from agents.td import td_target
from machine_code.slots import slot


class Model(NamedTuple):
    """What followed each pair last."""

    model_rewards: PairFloats
    model_states: Annotated[IntArray, Layout(np.int64, first=UNTRIED, means="next state")]  # [R, A]
    last_tried: PairInts  # the real step at which the action was last taken
    met: Annotated[IntArray, Layout(np.int64, STATE_LIST, counter=NUM_MET, means="state")]  # in order


def update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """Q-learning's update on what happened, then on `planning_steps` pairs of which the model knows what happens."""
    next_value = best_value(memory.q, step.next_state, parameters.num_actions)
    target = td_target(step.reward, step.terminated, next_value, parameters.discount)
    error = move(memory.q, memory, parameters, step.state, step.action, target)
    remember(memory, parameters, step)
    for _ in range(parameters.planning_steps):
        imagine(memory, parameters, rng)
    return error


def remember(memory: Memory, parameters: Parameters, step: Step) -> None:
    """The model learns what followed a pair."""
    state, action = step.state, step.action
    if num_tried(memory, parameters, state) == 0:
        memory.own.met[memory.counters[NUM_MET]] = state
        memory.counters[NUM_MET] += 1
    memory.own.model_rewards[state, action] = step.reward
    memory.own.model_states[state, action] = THE_END if step.terminated else step.next_state
    memory.own.last_tried[state, action] = memory.counters[CLOCK]


def num_tried(memory: Memory, parameters: Parameters, state: int) -> int:
    """How many actions of a state have been tried."""
    count = 0
    for action in range(parameters.num_actions):
        if memory.own.model_states[state, action] != UNTRIED:
            count += 1
    return count


def imagine(memory: Memory, parameters: Parameters, rng: Rng) -> None:
    """One step of planning: a state that was met, an action in it, and what the model says of them."""
    state = memory.own.met[int(rng.random() * memory.counters[NUM_MET])]
    action = imagined_action(memory, parameters, rng, state)
    reward = imagined_reward(memory, parameters, state, action)
    next_state = memory.own.model_states[state, action]
    if next_state == UNTRIED:
        next_state = state  # an untried action is thought to lead nowhere, for nothing (the book's footnote in 8.3)
    terminated = next_state == THE_END
    next_value = 0.0 if terminated else best_value(memory.q, next_state, parameters.num_actions)
    target = td_target(reward, terminated, next_value, parameters.discount)
    move(memory.q, memory, parameters, state, action, target)


# -- Dyna-Q: what was seen is what is so ----------------------------------------------------------------------


def tried_action(memory: Memory, parameters: Parameters, rng: Rng, state: int) -> int:
    """An action that was taken in the state before."""
    skipped = int(rng.random() * num_tried(memory, parameters, state))
    for action in range(parameters.num_actions):
        if memory.own.model_states[state, action] != UNTRIED:
            if skipped == 0:
                return action
            skipped -= 1
    return 0


def seen_reward(memory: Memory, parameters: Parameters, state: int, action: int) -> float:
    """The last reward."""
    return memory.own.model_rewards[state, action]


# -- Dyna-Q+: what was not tried for long may have changed ----------------------------------------------------


def any_action(memory: Memory, parameters: Parameters, rng: Rng, state: int) -> int:
    """Any action, tried or not."""
    return drawn_legal(memory.q, rng, state, parameters.num_actions)


def reward_of_curiosity(memory: Memory, parameters: Parameters, state: int, action: int) -> float:
    """The last reward, and kappa * sqrt(steps since the action was last tried)."""
    waited = memory.counters[CLOCK] - memory.own.last_tried[state, action]
    return memory.own.model_rewards[state, action] + parameters.kappa * math.sqrt(waited)


@slot
def imagined_action(memory: Memory, parameters: Parameters, rng: Rng, state: int) -> int:
    """Of a state that is planned for."""
    raise NotImplementedError


@slot
def imagined_reward(memory: Memory, parameters: Parameters, state: int, action: int) -> float:
    """What a planned step earns."""
    raise NotImplementedError


class DynaQ(TabularAgent):
    """Q-learning that goes over what it remembers between its steps."""

    Settings: ClassVar[type[Settings]] = DynaSettings
    name = "dyna_q"
    Arrays = Model
    update_rule = staticmethod(update)
    parts = {"imagined_action": tried_action, "imagined_reward": seen_reward}  # noqa: RUF012


class DynaQPlus(TabularAgent):
    """Dyna-Q that is curious about what it has not tried for long, and so notices when the world changes."""

    Settings: ClassVar[type[Settings]] = DynaPlusSettings
    name = "dyna_q_plus"
    Arrays = Model
    update_rule = staticmethod(update)
    parts = {"imagined_action": any_action, "imagined_reward": reward_of_curiosity}  # noqa: RUF012
