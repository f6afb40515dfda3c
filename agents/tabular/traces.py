"""SARSA(lambda) and Watkins's Q(lambda): eligibility traces (Sutton & Barto, 2nd ed., chapter 12; 1st ed., 7.6).

Only the pairs that have a trace are gone through; one whose trace has faded below FADED is let go.
"""

from typing import ClassVar

from agents.base import Settings
from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import best_value
from agents.tabular.learning import step_size_by_visits
from agents.tabular.memory import ACCUMULATING, NUM_ACTIVE, REPLACING, Memory, Parameters
from agents.tabular.sarsa import choose_next, take_chosen
from agents.tabular.settings import TraceSettings
from agents.td import td_target

FADED = 1e-12


def sarsa_lambda(
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
    """Every pair moves by the error R + discount * Q(S', A') - Q(S, A), in proportion to its trace."""
    next_value = 0.0
    if not terminated:
        next_value = memory.q[next_state, choose_next(memory, parameters, rng, next_state)]
    error = td_target(reward, terminated, next_value, parameters.discount) - memory.q[state, action]
    visit(memory, parameters, state, action)
    move_all(memory, parameters, error)
    return error


def watkins(
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
    """As SARSA(lambda) with the error of Q-learning; an action that is not greedy cuts the traces of all before it.

    What followed an exploratory action says nothing about how good the greedy policy is before it.
    """
    if memory.q[state, action] < best_value(memory.q, state, parameters.num_actions):
        cut(memory, parameters)
    next_value = best_value(memory.q, next_state, parameters.num_actions)
    error = td_target(reward, terminated, next_value, parameters.discount) - memory.q[state, action]
    visit(memory, parameters, state, action)
    move_all(memory, parameters, error)
    return error


def visit(memory: Memory, parameters: Parameters, state: int, action: int) -> None:
    """The trace of a pair that was met: one more, one again, or what a Dutch trace does (section 12.5)."""
    before = memory.traces[state, action]
    if before == 0.0:
        memory.active[memory.counters[NUM_ACTIVE]] = state * parameters.num_actions + action
        memory.counters[NUM_ACTIVE] += 1
    if parameters.trace_kind == ACCUMULATING:
        memory.traces[state, action] = before + 1.0
    elif parameters.trace_kind == REPLACING:
        memory.traces[state, action] = 1.0
    else:
        memory.traces[state, action] = before + 1.0 - step_size_by_visits(memory, parameters, state, action) * before


def move_all(memory: Memory, parameters: Parameters, error: float) -> None:
    """Q(s, a) += step size * error * trace, for all pairs that have one; then the traces fade."""
    for index in range(memory.counters[NUM_ACTIVE]):
        pair = memory.active[index]
        state, action = pair // parameters.num_actions, pair % parameters.num_actions
        step = step_size_by_visits(memory, parameters, state, action)
        memory.q[state, action] += step * error * memory.traces[state, action]
    fade(memory, parameters)


def fade(memory: Memory, parameters: Parameters) -> None:
    """e(s, a) <- discount * lambda * e(s, a), for all pairs that have a trace; the faintest are let go."""
    index, num_active = 0, memory.counters[NUM_ACTIVE]
    fading = parameters.discount * parameters.trace_decay
    while index < num_active:
        pair = memory.active[index]
        state, action = pair // parameters.num_actions, pair % parameters.num_actions
        trace = memory.traces[state, action] * fading
        if trace < FADED:
            memory.traces[state, action] = 0.0
            num_active -= 1
            memory.active[index] = memory.active[num_active]
        else:
            memory.traces[state, action] = trace
            index += 1
    memory.counters[NUM_ACTIVE] = num_active


def cut(memory: Memory, parameters: Parameters) -> None:
    """All traces end."""
    for index in range(memory.counters[NUM_ACTIVE]):
        pair = memory.active[index]
        memory.traces[pair // parameters.num_actions, pair % parameters.num_actions] = 0.0
    memory.counters[NUM_ACTIVE] = 0


class SarsaLambda(TabularAgent):
    """SARSA whose news reaches every state of the way at once, less the longer ago it was left."""

    Settings: ClassVar[type[Settings]] = TraceSettings
    name = "sarsa_lambda"
    long_updates = True
    needs = ("traces",)
    update_rule = staticmethod(sarsa_lambda)
    parts = {"act": take_chosen, "forget": cut}  # noqa: RUF012


class WatkinsQLambda(TabularAgent):
    """Q-learning with traces that are cut where exploration begins."""

    Settings: ClassVar[type[Settings]] = TraceSettings
    name = "watkins_q_lambda"
    long_updates = True
    needs = ("traces",)
    update_rule = staticmethod(watkins)
    parts = {"forget": cut}  # noqa: RUF012
