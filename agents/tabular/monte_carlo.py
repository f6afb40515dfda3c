"""Monte Carlo control, on-policy (Sutton & Barto, 2nd ed., section 5.4; every-visit: 5.1).

Nothing is learned before an episode ends. Where a limit of steps cuts it off, its return is not known, and what is
missing is what the acting policy is said to be worth there.
"""

from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from agents.base import Settings
from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import expected_value
from agents.tabular.learning import NOTHING, move
from agents.tabular.memory import EPISODE, TIME, FloatArray, IntArray, Layout, Memory, Parameters, Step
from agents.tabular.settings import MonteCarloSettings
from machine_code.slots import slot

Times = Annotated[FloatArray, Layout(stored_as="traces")]
EpisodeStates = Annotated[IntArray, Layout(np.int64, EPISODE, means="state")]
EpisodeActions = Annotated[IntArray, Layout(np.int64, EPISODE, means="action")]
EpisodeRewards = Annotated[FloatArray, Layout(np.float64, EPISODE)]


class WholeEpisode(NamedTuple):
    """All steps of the episode."""

    first_times: Times  # [R, A] when a pair was met first: 1 at the first step, 0 where it was not yet
    states: EpisodeStates
    actions: EpisodeActions
    rewards: EpisodeRewards


def update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """At the end, every pair moves towards the return that followed it; with first visits, each pair once."""
    remember(memory, step)
    if not (step.terminated or step.truncated):
        return NOTHING
    ret = 0.0 if step.terminated else value_where_cut(memory, parameters, step.next_state)
    return move_towards_returns(memory, parameters, ret)


@slot
def value_where_cut(memory: Memory, parameters: Parameters, state: int) -> float:
    """What is expected from the state where a limit of steps cuts the episode off."""
    raise NotImplementedError


def remember(memory: Memory, step: Step) -> None:
    """One more step of the episode."""
    now, own = memory.counters[TIME], memory.own
    own.states[now] = step.state
    own.actions[now] = step.action
    own.rewards[now] = step.reward
    memory.counters[TIME] = now + 1
    if own.first_times[step.state, step.action] == 0.0:
        own.first_times[step.state, step.action] = now + 1.0


def move_towards_returns(memory: Memory, parameters: Parameters, ret: float) -> float:
    """From the last step to the first: G <- R + discount * G, and Q(S, A) moves towards G. The mean absolute error."""
    errors, num_errors, own = 0.0, 0, memory.own
    for time in range(memory.counters[TIME] - 1, -1, -1):
        state, action = own.states[time], own.actions[time]
        ret = own.rewards[time] + parameters.discount * ret
        if not parameters.first_visit or own.first_times[state, action] == time + 1:
            errors += abs(move(memory.q, memory, parameters, state, action, ret))
            num_errors += 1
    return errors / num_errors


def forget(memory: Memory, parameters: Parameters) -> None:
    """No pair has been met."""
    own = memory.own
    for time in range(memory.counters[TIME]):
        own.first_times[own.states[time], own.actions[time]] = 0.0


class MonteCarlo(TabularAgent):
    """Averages what really came, and bootstraps from nothing."""

    Settings: ClassVar[type[Settings]] = MonteCarloSettings
    name = "monte_carlo"
    Arrays = WholeEpisode
    update_rule = staticmethod(update)
    parts = {"forget": forget, "value_where_cut": expected_value}  # noqa: RUF012
