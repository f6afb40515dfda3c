"""Monte Carlo control, on-policy (Sutton & Barto, 2nd ed., section 5.4; every-visit: 5.1).

Nothing is learned before an episode ends. Where a limit of steps cuts it off, its return is not known, and what is
missing is what the acting policy is said to be worth there.
"""

from typing import ClassVar

from agents.base import Settings
from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import expected_value
from agents.tabular.learning import NOTHING, move
from agents.tabular.memory import TIME, Memory, Parameters
from agents.tabular.settings import MonteCarloSettings


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
    """At the end, every pair moves towards the return that followed it; with first visits, each pair once."""
    remember(memory, state, action, reward)
    if not (terminated or truncated):
        return NOTHING
    ret = 0.0 if terminated else expected_value(memory, parameters, next_state)
    return move_towards_returns(memory, parameters, ret)


def remember(memory: Memory, state: int, action: int, reward: float) -> None:
    """One more step of the episode; `traces` holds when a pair was met first (1: at the first step)."""
    now = memory.counters[TIME]
    memory.states[now] = state
    memory.actions[now] = action
    memory.rewards[now] = reward
    memory.counters[TIME] = now + 1
    if memory.traces[state, action] == 0.0:
        memory.traces[state, action] = now + 1.0


def move_towards_returns(memory: Memory, parameters: Parameters, ret: float) -> float:
    """From the last step to the first: G <- R + discount * G, and Q(S, A) moves towards G. The mean absolute error."""
    errors, num_errors = 0.0, 0
    for time in range(memory.counters[TIME] - 1, -1, -1):
        state, action = memory.states[time], memory.actions[time]
        ret = memory.rewards[time] + parameters.discount * ret
        if not parameters.first_visit or memory.traces[state, action] == time + 1:
            errors += abs(move(memory.q, memory, parameters, state, action, ret))
            num_errors += 1
    return errors / num_errors


def forget(memory: Memory, parameters: Parameters) -> None:
    """No pair has been met."""
    for time in range(memory.counters[TIME]):
        memory.traces[memory.states[time], memory.actions[time]] = 0.0


class MonteCarlo(TabularAgent):
    """Averages what really came, and bootstraps from nothing."""

    Settings: ClassVar[type[Settings]] = MonteCarloSettings
    name = "monte_carlo"
    needs = ("traces", "history")
    update_rule = staticmethod(update)
    parts = {"forget": forget}  # noqa: RUF012
