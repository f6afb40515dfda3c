"""SARSA (Rummery & Niranjan 1994; Sutton & Barto, 2nd ed., section 6.4)."""

from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import ILLEGAL, choose, other_legal
from agents.tabular.learning import move
from agents.tabular.memory import NEXT_ACTION, NEXT_STATE, Memory, Parameters, Step
from agents.td import td_target


def update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """Q(S, A) moves towards R + discount * Q(S', A'), for the very action A' that is taken next."""
    next_value = 0.0
    if not step.terminated:
        next_value = memory.q[step.next_state, choose_next(memory, parameters, rng, step.next_state)]
    target = td_target(step.reward, step.terminated, next_value, parameters.discount)
    return move(memory.q, memory, parameters, step.state, step.action, target)


def choose_next(memory: Memory, parameters: Parameters, rng: Rng, next_state: int) -> int:
    """A', which the next step will take."""
    next_action = choose(memory, parameters, rng, next_state)
    if memory.q[next_state, next_action] == ILLEGAL:
        next_action = other_legal(memory.q, rng, next_state, parameters.num_actions)
    memory.counters[NEXT_STATE] = next_state
    memory.counters[NEXT_ACTION] = next_action
    return next_action


def take_chosen(memory: Memory, parameters: Parameters, rng: Rng, state: int) -> int:
    """The action that the last update has chosen; the first of an episode is chosen now."""
    if memory.counters[NEXT_STATE] == state:
        return int(memory.counters[NEXT_ACTION])
    return choose(memory, parameters, rng, state)


class Sarsa(TabularAgent):
    """Learns what its own exploring policy is worth (on-policy), and so keeps away from where a random step is dear."""

    name = "sarsa"
    update_rule = staticmethod(update)
    parts = {"act": take_chosen}  # noqa: RUF012
