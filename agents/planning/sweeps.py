"""Iterative planning: policy evaluation and value iteration, by sweeps over the states (Sutton & Barto, ch. 4).

`agents.planning.exact` solves the same exactly. A sweep updates all states from the values before it, or, after Gauss
and Seidel, one after the other in place, each from the newest values there are, which takes fewer sweeps.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from agents.planning.exact import FiniteModel, FloatArray
from machine_code.compiling import compiled

MAX_SWEEPS = 100_000
TOLERANCE = 1e-11  # of the largest change in a sweep, relative to the largest value
MANY_PAIRS = 5_000  # from here on, a sweep in place is compiled
Sweep = Callable[..., float]


def evaluate_policy(
    model: FiniteModel, policy: FloatArray, discount: float, *, gauss_seidel: bool = False
) -> tuple[FloatArray, int]:
    """The values [S] of a policy [S, A] and the number of sweeps, by iterative policy evaluation (section 4.1).

    Raises:
        ValueError: it does not converge, as where a policy goes on for ever without a discount.
    """
    rewards, transitions = model.under(policy)
    chain = FiniteModel(rewards[:, None], transitions)  # one action: what the policy does
    return _iterate(chain, discount, gauss_seidel)


def iterate_values(model: FiniteModel, discount: float, *, gauss_seidel: bool = False) -> tuple[FloatArray, int]:
    """V* [S] and the number of sweeps, by value iteration (section 4.4).

    Raises:
        ValueError: it does not converge, as where no policy ends an undiscounted episode.
    """
    return _iterate(model, discount, gauss_seidel)


def _iterate(model: FiniteModel, discount: float, gauss_seidel: bool) -> tuple[FloatArray, int]:
    values = np.zeros(model.num_states)
    transitions = model.transitions.tocsr()
    arrays = model.rewards, transitions.indptr, transitions.indices, transitions.data
    in_place = _compiled() if model.rewards.size >= MANY_PAIRS else sweep
    for count in range(1, MAX_SWEEPS + 1):
        if gauss_seidel:
            change = float(in_place(values, *arrays, discount))
        else:
            new_values = model.backup(values, discount).max(axis=1)
            change = float(np.abs(new_values - values).max())
            values = new_values
        if change <= TOLERANCE * max(1.0, float(np.abs(values).max())):
            return values, count
    raise ValueError(f"the values did not converge in {MAX_SWEEPS:,} sweeps with discount {discount}")


def sweep(values: Any, rewards: Any, indptr: Any, indices: Any, data: Any, discount: float) -> float:
    """One sweep in place; the largest change.

    Args:
        values: [S], updated.
        rewards: [S, A].
        indptr: with `indices` and `data` the transitions, sparse by rows [S * A, S].
        indices: see there.
        data: see there.
        discount: in [0, 1].
    """
    largest = 0.0
    num_states, num_actions = rewards.shape
    for state in range(num_states):
        best = -np.inf
        for action in range(num_actions):
            pair = state * num_actions + action
            following = 0.0
            for entry in range(indptr[pair], indptr[pair + 1]):
                following += data[entry] * values[indices[entry]]
            best = max(best, rewards[state, action] + discount * following)
        largest = max(largest, abs(best - values[state]))
        values[state] = best
    return largest


@lru_cache
def _compiled() -> Sweep:
    return compiled(sweep, {}, "planning/sweep")
