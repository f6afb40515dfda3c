"""Exploring where some actions are illegal: the behaviour policy, on the legal ones only. In Python's loop alone."""

import math
from collections.abc import Sequence

from agents.seeding import Rng
from agents.tabular.behaviour import epsilon_at, score_by_confidence
from agents.tabular.memory import (
    BOLTZMANN,
    EPSILON_GREEDY,
    NEXT_ACTION,
    NEXT_STATE,
    NOW,
    UCB,
    Memory,
    Parameters,
)


def choose_legal(memory: Memory, parameters: Parameters, rng: Rng, state: int, legal: Sequence[int]) -> int:
    """An action of the behaviour policy as if there were no others than the legal ones; ties are drawn.

    An action that an update has chosen already (as SARSA's does) is taken, if it is legal.
    """
    if memory.counters[NEXT_STATE] == state and memory.counters[NEXT_ACTION] in legal:
        return int(memory.counters[NEXT_ACTION])
    values = [float(memory.q[state, action]) for action in legal] if memory.q.shape[1] > 1 else []
    if parameters.exploration == EPSILON_GREEDY:
        if rng.random() < epsilon_at(memory, parameters, state):
            return legal[int(rng.random() * len(legal))]
        return _drawn_best(legal, values, rng)
    if parameters.exploration == UCB:
        score_by_confidence(memory, parameters, state)
        return _drawn_best(legal, [float(memory.scratch[action]) for action in legal], rng)
    if parameters.exploration == BOLTZMANN:
        weights = [math.exp((value - max(values)) / memory.rates[NOW]) for value in values]
    else:
        weights = [float(memory.policy[state, action]) for action in legal]
    left = rng.random() * sum(weights)
    for action, weight in zip(legal, weights, strict=True):
        left -= weight
        if left < 0.0:
            return action
    return legal[-1]


def _drawn_best(legal: Sequence[int], values: Sequence[float], rng: Rng) -> int:
    best = [action for action, value in zip(legal, values, strict=True) if value == max(values)]
    return best[int(rng.random() * len(best))] if len(best) > 1 else best[0]
