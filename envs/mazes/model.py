"""The exact model of a maze: what each move can lead to, how probable it is and what it earns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mazes.moves import GOES_ON, Tables

Outcome = tuple[float, int, float, bool]  # (probability, next_state, reward, terminated), as in toy_text
Model = dict[int, dict[int, list[Outcome]]]  # [state][action] -> outcomes
Turn = tuple[int, float]  # (what is added to the action, modulo 4; its probability)


def turns(slip: float) -> list[Turn]:
    """What a move becomes where the floor is slippery: straight on, or to one of the two sides."""
    ways = [(0, 1.0 - slip), (1, slip / 2), (3, slip / 2)]
    return [(turn, probability) for turn, probability in ways if probability > 0]


def listed(tables: Tables, ways: list[Turn]) -> Model:
    """The model as toy_text lists it."""
    states = range(len(tables.ends))
    return {state: {action: _outcomes(tables, ways, state, action) for action in range(4)} for state in states}


def _outcomes(tables: Tables, ways: list[Turn], state: int, action: int) -> list[Outcome]:
    if tables.ends[state] != GOES_ON:
        return [(1.0, state, 0.0, True)]
    outcomes = []
    for turn, probability in ways:
        move = (action + turn) % 4
        successor = int(tables.successors[state, move])
        reward = float(tables.rewards[state, move])
        outcomes.append((probability, successor, reward, bool(tables.ends[successor] != GOES_ON)))
    return outcomes


def as_arrays(tables: Tables, ways: list[Turn]) -> dict[str, NDArray[Any]]:
    """The model as arrays [S, 4, N] over the N outcomes: `probabilities`, `next_states`, `rewards`, `terminated`."""
    going_on = tables.ends == GOES_ON
    columns = [(np.arange(4) + turn) % 4 for turn, _ in ways]
    next_states = np.stack([tables.successors[:, column] for column in columns], axis=-1)
    rewards = np.stack([tables.rewards[:, column] for column in columns], axis=-1)
    probabilities = np.broadcast_to([probability for _, probability in ways], next_states.shape)
    return {
        "probabilities": probabilities,
        "next_states": next_states,
        "rewards": rewards,
        "terminated": ~going_on[next_states],
    }
