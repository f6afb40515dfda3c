"""Q-learning (Watkins 1989; Sutton & Barto, 2nd ed., section 6.5), as the book has it."""

from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import best_value
from agents.tabular.learning import move
from agents.tabular.memory import Memory, Parameters, Step
from agents.td import td_target


def update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """Q(S, A) moves towards R + discount * max_a Q(S', a), whatever is done in S'."""
    next_value = best_value(memory.q, step.next_state, parameters.num_actions)
    target = td_target(step.reward, step.terminated, next_value, parameters.discount)
    return move(memory.q, memory, parameters, step.state, step.action, target)


class QLearning(TabularAgent):
    """Learns the best policy while another one, which explores, acts (off-policy)."""

    name = "q_learning"
    update_rule = staticmethod(update)
