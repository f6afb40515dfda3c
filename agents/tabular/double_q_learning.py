"""Double Q-learning (van Hasselt 2010; Sutton & Barto, 2nd ed., section 6.7).

A single table's maximum over noisy values is too high on average; here who chooses does not judge. `memory.q`, by which
actions are chosen, is the mean of both tables.
"""

from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import first_best
from agents.tabular.learning import move
from agents.tabular.memory import Memory, Parameters
from agents.td import td_target


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
    """By a coin, one table moves towards R + discount * (what the other thinks of its best action in S')."""
    learning, judging = memory.first_q, memory.second_q
    if rng.random() < 0.5:
        learning, judging = memory.second_q, memory.first_q
    next_action = first_best(learning, next_state, parameters.num_actions)
    target = td_target(reward, terminated, judging[next_state, next_action], parameters.discount)
    error = move(learning, memory, parameters, state, action, target)
    memory.q[state, action] = (memory.first_q[state, action] + memory.second_q[state, action]) / 2
    return error


class DoubleQLearning(TabularAgent):
    """Two tables against the bias of a maximum over noise."""

    name = "double_q_learning"
    needs = ("first_q", "second_q")
    update_rule = staticmethod(update)
