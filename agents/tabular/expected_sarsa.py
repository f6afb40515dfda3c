"""Expected SARSA (van Seijen et al. 2009; Sutton & Barto, 2nd ed., section 6.6)."""

from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import expected_value
from agents.tabular.learning import move
from agents.tabular.memory import Memory, Parameters, Step
from agents.td import td_target


def update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """Q(S, A) moves towards R + discount * the mean of Q(S', .) under the policy that acts."""
    next_value = expected_value(memory, parameters, step.next_state)
    target = td_target(step.reward, step.terminated, next_value, parameters.discount)
    return move(memory.q, memory, parameters, step.state, step.action, target)


class ExpectedSarsa(TabularAgent):
    """SARSA without the noise of drawing A'; where the policy is greedy it is Q-learning."""

    name = "expected_sarsa"
    update_rule = staticmethod(update)
