"""Q(lambda), backwards through every finished episode: the lambda-returns of Peng & Williams (1996), computed off-line.

One good landing teaches every state that led to it at once, where one-step updates carry a reward back by one state an
episode.
"""

from typing import ClassVar, NamedTuple

from agents.base import Settings
from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import best_value
from agents.tabular.learning import NOTHING, move
from agents.tabular.memory import TIME, Memory, Parameters, Step
from agents.tabular.monte_carlo import EpisodeActions, EpisodeRewards, EpisodeStates
from agents.tabular.settings import BackwardSettings


class Episode(NamedTuple):
    """All steps of the episode."""

    states: EpisodeStates
    actions: EpisodeActions
    rewards: EpisodeRewards


def update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """At the end, from the last step to the first: G <- R + discount * ((1 - lambda) max_a Q(S', a) + lambda G).

    Q(S, A) moves towards G. Where a limit of steps cuts the episode off, G begins with what S' is worth; where it
    terminates, with 0.
    """
    own, now = memory.own, memory.counters[TIME]
    own.states[now], own.actions[now], own.rewards[now] = step.state, step.action, step.reward
    memory.counters[TIME] = now + 1
    if not (step.terminated or step.truncated):
        return NOTHING
    next_value = 0.0 if step.terminated else best_value(memory.q, step.next_state, parameters.num_actions)
    return learn_backwards(memory, parameters, now + 1, next_value)


def learn_backwards(memory: Memory, parameters: Parameters, num_steps: int, next_value: float) -> float:
    """Go through the steps of the episode, the last one first; the mean absolute error.

    Args:
        memory: with the episode.
        parameters: the agent's numbers.
        num_steps: of the episode.
        next_value: what follows the last step is worth.
    """
    own, ret, errors = memory.own, next_value, 0.0
    for time in range(num_steps - 1, -1, -1):
        state = own.states[time]
        ret = lambda_return(parameters, own.rewards[time], next_value, ret)
        errors += abs(move(memory.q, memory, parameters, state, own.actions[time], ret))
        next_value = best_value(memory.q, state, parameters.num_actions)
    return errors / num_steps


def lambda_return(parameters: Parameters, reward: float, next_value: float, ret: float) -> float:
    """R + discount * ((1 - lambda) max_a Q(S', a) + lambda G)."""
    return reward + parameters.discount * ((1.0 - parameters.trace_decay) * next_value + parameters.trace_decay * ret)


class BackwardQLambda(TabularAgent):
    """Learns from whole episodes, the end first."""

    Settings: ClassVar[type[Settings]] = BackwardSettings
    name = "backward_q_lambda"
    Arrays = Episode
    update_rule = staticmethod(update)
    whole_episode = staticmethod(learn_backwards)
