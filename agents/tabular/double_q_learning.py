"""Double Q-learning (van Hasselt 2010; Sutton & Barto, 2nd ed., section 6.7).

A single table's maximum over noisy values is too high on average; here who chooses does not judge. `memory.q`, by which
actions are chosen, is the mean of both tables.
"""

from typing import NamedTuple

from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import first_best
from agents.tabular.learning import move
from agents.tabular.memory import Memory, Parameters, Step, Values
from agents.td import td_target


class TwoTables(NamedTuple):
    """The tables, of which q is the mean."""

    first_q: Values
    second_q: Values


def update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """By a coin, one table moves towards R + discount * (what the other thinks of its best action in S')."""
    state, action = step.state, step.action
    first_q, second_q = memory.own.first_q, memory.own.second_q
    learning, judging = first_q, second_q
    if rng.random() < 0.5:
        learning, judging = second_q, first_q
    next_action = first_best(learning, step.next_state, parameters.num_actions)
    target = td_target(step.reward, step.terminated, judging[step.next_state, next_action], parameters.discount)
    error = move(learning, memory, parameters, state, action, target)
    memory.q[state, action] = (first_q[state, action] + second_q[state, action]) / 2
    return error


class DoubleQLearning(TabularAgent):
    """Two tables against the bias of a maximum over noise."""

    name = "double_q_learning"
    Arrays = TwoTables
    update_rule = staticmethod(update)
