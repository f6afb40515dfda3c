"""n-step SARSA and n-step tree backup (Sutton & Barto, 2nd ed., sections 7.2 and 7.5).

The last n steps are kept in a ring: step t of the episode is at t % n. When an episode ends, the pairs that still wait
for their return get it from the steps that there were.
"""

from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from agents.base import Settings
from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import best_value, greedy_share
from agents.tabular.learning import NOTHING, move
from agents.tabular.memory import LAST_N, TIME, FloatArray, IntArray, Layout, Memory, Parameters, Step
from agents.tabular.sarsa import choose_next, take_chosen
from agents.tabular.settings import NStepSettings
from machine_code.slots import slot

LastStates = Annotated[IntArray, Layout(np.int64, LAST_N, means="state")]
LastActions = Annotated[IntArray, Layout(np.int64, LAST_N, means="action")]
LastRewards = Annotated[FloatArray, Layout(np.float64, LAST_N)]


class LastSteps(NamedTuple):
    """The last n steps."""

    states: LastStates
    actions: LastActions
    rewards: LastRewards


def update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """The pair of n steps ago moves towards its n-step return; at the end, all that wait do."""
    now, own = memory.counters[TIME], memory.own
    place = now % parameters.n
    own.states[place] = step.state
    own.actions[place] = step.action
    own.rewards[place] = step.reward
    memory.counters[TIME] = now + 1
    following = 0.0
    if not step.terminated:
        following = value_of_rest(memory, parameters, rng, step.next_state)
    first = max(now - parameters.n + 1, 0)  # the oldest step that is still in the ring
    if not (step.terminated or step.truncated):
        if now - first + 1 < parameters.n:
            return NOTHING
        return move_waiting(memory, parameters, first, now, following)
    errors = 0.0
    for waiting in range(first, now + 1):
        errors += abs(move_waiting(memory, parameters, waiting, now, following))
    return errors / (now + 1 - first)


def move_waiting(memory: Memory, parameters: Parameters, waiting: int, now: int, following: float) -> float:
    """The pair of step `waiting` moves towards the return of the steps up to `now`, and what is said to follow."""
    ret, own = following, memory.own
    for time in range(now, waiting - 1, -1):
        place = time % parameters.n
        if time < now:
            ret = seen_from(memory, parameters, time + 1, ret)
        ret = own.rewards[place] + parameters.discount * ret
    place = waiting % parameters.n
    return move(memory.q, memory, parameters, own.states[place], own.actions[place], ret)


# -- SARSA: what follows is what is done ----------------------------------------------------------------------


def sampled_rest(memory: Memory, parameters: Parameters, rng: Rng, next_state: int) -> float:
    """Q(S', A'), for the action that is taken next."""
    return memory.q[next_state, choose_next(memory, parameters, rng, next_state)]


def sampled(memory: Memory, parameters: Parameters, time: int, ret: float) -> float:
    """The return from the state of step `time` on, as it was."""
    return ret


# -- tree backup: what was not done counts by its value -------------------------------------------------------


def greedy_rest(memory: Memory, parameters: Parameters, rng: Rng, next_state: int) -> float:
    """max_a Q(S', a)."""
    return best_value(memory.q, next_state, parameters.num_actions)


def backed_up(memory: Memory, parameters: Parameters, time: int, ret: float) -> float:
    """The sum over a of pi(a | S) Q(S, a) with the return in the place of Q(S, A) (equation 7.16); pi is greedy."""
    place = time % parameters.n
    state, action = memory.own.states[place], memory.own.actions[place]
    share = greedy_share(memory.q, state, action, parameters.num_actions)
    return (1.0 - share) * best_value(memory.q, state, parameters.num_actions) + share * ret


@slot
def value_of_rest(memory: Memory, parameters: Parameters, rng: Rng, next_state: int) -> float:
    """What follows the last step."""
    raise NotImplementedError


@slot
def seen_from(memory: Memory, parameters: Parameters, time: int, ret: float) -> float:
    """A return, as it counts in the state of step `time`."""
    raise NotImplementedError


class NStepSarsa(TabularAgent):
    """SARSA that looks n steps ahead, which carries news back n states at once."""

    Settings: ClassVar[type[Settings]] = NStepSettings
    name = "n_step_sarsa"
    Arrays = LastSteps
    update_rule = staticmethod(update)
    parts = {"act": take_chosen, "value_of_rest": sampled_rest, "seen_from": sampled}  # noqa: RUF012


class TreeBackup(TabularAgent):
    """n steps ahead and off-policy without importance sampling: where exploration went another way, values stand in."""

    Settings: ClassVar[type[Settings]] = NStepSettings
    name = "tree_backup"
    Arrays = LastSteps
    update_rule = staticmethod(update)
    parts = {"value_of_rest": greedy_rest, "seen_from": backed_up}  # noqa: RUF012
