"""Expected SARSA (van Seijen et al. 2009; Sutton & Barto, 2nd ed., section 6.6)."""

from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import expected_value
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
    """Q(S, A) moves towards R + discount * the mean of Q(S', .) under the policy that acts."""
    next_value = expected_value(memory, parameters, next_state)
    target = td_target(reward, terminated, next_value, parameters.discount)
    return move(memory.q, memory, parameters, state, action, target)


class ExpectedSarsa(TabularAgent):
    """SARSA without the noise of drawing A'; where the policy is greedy it is Q-learning."""

    name = "expected_sarsa"
    update_rule = staticmethod(update)
