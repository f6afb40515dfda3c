"""SARSA(lambda) and Watkins's Q(lambda): eligibility traces (Sutton & Barto, 2nd ed., chapter 12; 1st ed., 7.6).

Only the pairs that have a trace are gone through; one whose trace has faded below FADED is let go.
"""

from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from agents.base import Settings
from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import best_value
from agents.tabular.learning import step_size_by_visits
from agents.tabular.memory import (
    ACCUMULATING,
    CONSTANT,
    NUM_ACTIVE,
    PAIR_LIST,
    REPLACING,
    FloatArray,
    IntArray,
    Layout,
    Memory,
    PairFloats,
    Parameters,
    Step,
)
from agents.tabular.sarsa import choose_next, take_chosen
from agents.tabular.settings import TraceSettings
from agents.td import td_target

FADED = 1e-12
PairList = Annotated[IntArray, Layout(np.int64, PAIR_LIST, counter=NUM_ACTIVE, means="pair")]


class Traces(NamedTuple):
    """Eligibility traces."""

    traces: PairFloats
    active: PairList  # the pairs (s * A + a) that have one, `NUM_ACTIVE` of them


def sarsa_lambda(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """Every pair moves by the error R + discount * Q(S', A') - Q(S, A), in proportion to its trace."""
    state, action = step.state, step.action
    next_value = 0.0
    if not step.terminated:
        next_value = memory.q[step.next_state, choose_next(memory, parameters, rng, step.next_state)]
    error = td_target(step.reward, step.terminated, next_value, parameters.discount) - memory.q[state, action]
    visit(memory, parameters, state, action)
    move_all_values(memory, parameters, error)
    return error


def watkins(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """As SARSA(lambda) with the error of Q-learning; an action that is not greedy cuts the traces of all before it.

    What followed an exploratory action says nothing about how good the greedy policy is before it.
    """
    state, action = step.state, step.action
    if memory.q[state, action] < best_value(memory.q, state, parameters.num_actions):
        cut(memory, parameters)
    next_value = best_value(memory.q, step.next_state, parameters.num_actions)
    error = td_target(step.reward, step.terminated, next_value, parameters.discount) - memory.q[state, action]
    visit(memory, parameters, state, action)
    move_all_values(memory, parameters, error)
    return error


def visit(memory: Memory, parameters: Parameters, state: int, action: int) -> None:
    """The trace of a pair that was met: one more, one again, or what a Dutch trace does (section 12.5)."""
    traces = memory.own.traces
    before = traces[state, action]
    if before == 0.0:
        memory.own.active[memory.counters[NUM_ACTIVE]] = state * parameters.num_actions + action
        memory.counters[NUM_ACTIVE] += 1
    if parameters.trace_kind == ACCUMULATING:
        traces[state, action] = before + 1.0
    elif parameters.trace_kind == REPLACING:
        traces[state, action] = 1.0
    else:
        traces[state, action] = before + 1.0 - step_size_by_visits(memory, parameters, state, action) * before


def move_all(
    table: FloatArray, memory: Memory, parameters: Parameters, error: float, step: float, by_visits: bool
) -> None:
    """Q(s, a) += step * error * trace, for all pairs that have one; then the traces fade.

    e(s, a) <- discount * lambda * e(s, a), and the faintest are let go. The step is the same for all, or each pair's
    by its visits.
    """
    traces, active, num_actions = memory.own.traces, memory.own.active, parameters.num_actions
    index, num_active = 0, memory.counters[NUM_ACTIVE]
    fading = parameters.discount * parameters.trace_decay
    while index < num_active:
        pair = active[index]
        state, action = pair // num_actions, pair % num_actions
        trace = traces[state, action]
        if by_visits:
            step = step_size_by_visits(memory, parameters, state, action)
        table[state, action] += step * error * trace
        trace *= fading
        if trace < FADED:
            traces[state, action] = 0.0
            num_active -= 1
            active[index] = active[num_active]
        else:
            traces[state, action] = trace
            index += 1
    memory.counters[NUM_ACTIVE] = num_active


def move_all_values(memory: Memory, parameters: Parameters, error: float) -> None:
    """The same of the table, with the step sizes of the settings."""
    by_visits = parameters.learning_rate_schedule != CONSTANT
    move_all(memory.q, memory, parameters, error, parameters.learning_rate, by_visits)


def cut(memory: Memory, parameters: Parameters) -> None:
    """All traces end."""
    traces, active = memory.own.traces, memory.own.active
    for index in range(memory.counters[NUM_ACTIVE]):
        pair = active[index]
        traces[pair // parameters.num_actions, pair % parameters.num_actions] = 0.0
    memory.counters[NUM_ACTIVE] = 0


class SarsaLambda(TabularAgent):
    """SARSA whose news reaches every state of the way at once, less the longer ago it was left."""

    Settings: ClassVar[type[Settings]] = TraceSettings
    name = "sarsa_lambda"
    Arrays = Traces
    update_rule = staticmethod(sarsa_lambda)
    parts = {"act": take_chosen, "forget": cut}  # noqa: RUF012


class WatkinsQLambda(TabularAgent):
    """Q-learning with traces that are cut where exploration begins."""

    Settings: ClassVar[type[Settings]] = TraceSettings
    name = "watkins_q_lambda"
    Arrays = Traces
    update_rule = staticmethod(watkins)
    parts = {"forget": cut}  # noqa: RUF012
