"""Planning on a known finite model: exact values, by arrays.

A model comes as toy_text gives it, `P[state][action] -> [(probability, next_state, reward, terminated)]`.
Only the `terminated` flag ends an episode.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Model = Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]]
FloatArray = NDArray[np.float64]

TIE_TOLERANCE = 1e-9  # values closer than this are a tie
MAX_SWEEPS = 100_000


@dataclass(frozen=True)
class FiniteModel:
    """A model as arrays; S states, A actions."""

    rewards: FloatArray  # [S, A], expected
    transitions: Any  # sparse [S * A, S]: probability of going on (not terminated) in the next state

    @classmethod
    def from_dictionary(cls, model: Model) -> "FiniteModel":
        """The arrays of a toy_text model."""
        num_states, num_actions = len(model), len(model[0])
        rewards = np.zeros((num_states, num_actions))
        rows, columns, probabilities = [], [], []
        for state in range(num_states):
            for action in range(num_actions):
                for probability, next_state, reward, terminated in model[state][action]:
                    rewards[state, action] += probability * reward
                    if not terminated:
                        rows.append(state * num_actions + action)
                        columns.append(next_state)
                        probabilities.append(probability)
        shape = (num_states * num_actions, num_states)
        return cls(rewards, sparse.csr_array((probabilities, (rows, columns)), shape=shape))

    def backup(self, values: FloatArray, discount: float) -> FloatArray:
        """Q(s, a) = R(s, a) + discount * sum of P(s' | s, a) V(s') [S, A] (Sutton & Barto, equation 4.10)."""
        expected: FloatArray = self.transitions @ values
        return self.rewards + discount * expected.reshape(self.rewards.shape)


def value_iteration(model: FiniteModel, discount: float, tolerance: float = 1e-12) -> FloatArray:
    """Q* [S, A] without a limit of steps (Sutton & Barto, section 4.4).

    Undiscounted, a state from which no policy ever ends, such as a cell without a way out, has no value; it is left
    at 0.

    Args:
        model: the environment's.
        discount: in [0, 1].
        tolerance: of the change in a sweep, relative to the largest value.

    Raises:
        ValueError: it does not converge, as where an undiscounted return grows without bound.
    """
    counts = can_end(model) if discount == 1 else np.ones(len(model.rewards), dtype=bool)
    values = np.zeros(len(model.rewards))
    for _ in range(MAX_SWEEPS):
        new_values = np.where(counts, model.backup(values, discount).max(axis=1), 0.0)
        change = np.abs(new_values - values).max()
        values = new_values
        if change <= tolerance * max(1.0, np.abs(values).max()):
            return model.backup(values, discount)
    raise ValueError(f"value iteration did not converge in {MAX_SWEEPS} sweeps with discount {discount}")


def optimal_values(model: FiniteModel, horizon: int) -> FloatArray:
    """The best expected undiscounted return [S] of an episode of at most `horizon` steps, from every state."""
    values = np.zeros(len(model.rewards))
    for _ in range(horizon):
        new_values = model.backup(values, 1.0).max(axis=1)
        if np.array_equal(new_values, values):
            break  # a fixed point: more steps change nothing
        values = new_values
    return values


def policy_values(model: FiniteModel, policy: FloatArray, horizon: int) -> FloatArray:
    """The expected undiscounted return [S] of an episode of at most `horizon` steps under a policy [S, A]."""
    num_states, num_actions = policy.shape
    rewards = (policy * model.rewards).sum(axis=1)
    rows = np.repeat(np.arange(num_states), num_actions)
    weights = sparse.csr_array((policy.ravel(), (rows, np.arange(policy.size))), shape=(num_states, policy.size))
    transitions = weights @ model.transitions  # [S, S]
    values = np.zeros(num_states)
    for _ in range(horizon):
        values = rewards + transitions @ values
    return values


def greedy_policy(q_values: FloatArray) -> NDArray[np.int64]:
    """The best action [S] of every state; ties, within rounding, go to the lowest index."""
    best = q_values.max(axis=1, keepdims=True)
    tolerance = TIE_TOLERANCE * np.maximum(1.0, np.abs(best))
    first: NDArray[np.int64] = np.argmax(q_values >= best - tolerance, axis=1)
    return first


def reachable_states(model: FiniteModel, initial: FloatArray) -> NDArray[np.bool_]:
    """The states [S] that some policy can come to from a distribution of the start [S]."""
    return _closure(_any_action(model).T, initial > 0)


def can_end(model: FiniteModel) -> NDArray[np.bool_]:
    """The states [S] from which some policy can end the episode."""
    going_on = np.asarray(model.transitions.sum(axis=1)).reshape(model.rewards.shape)  # [S, A]
    return _closure(_any_action(model), going_on.min(axis=1) < 1 - TIE_TOLERANCE)


def _any_action(model: FiniteModel) -> Any:
    """Sparse [S, S], positive where some action leads from the one state to the other."""
    num_states, num_actions = model.rewards.shape
    rows = np.repeat(np.arange(num_states), num_actions)
    pairs = sparse.csr_array((np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=(num_states, len(rows)))
    return pairs @ model.transitions


def surely_ends(model: FiniteModel, policy: NDArray[np.int64], initial: FloatArray) -> bool:
    """Does every episode under a deterministic policy [S] terminate with probability 1?"""
    num_states, num_actions = model.rewards.shape
    chosen = model.transitions[np.arange(num_states) * num_actions + policy]
    reachable = _closure(chosen.T, initial > 0)
    ending = np.asarray(chosen.sum(axis=1)).ravel() < 1 - TIE_TOLERANCE
    can_end = _closure(chosen, ending)
    return bool(can_end[reachable].all())


def _closure(edges: Any, members: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The states that a set grows to along `edges` [S, S]: s joins when edges[s, t] > 0 for a member t."""
    while True:
        grown = members | (edges @ members.astype(float) > 0)
        if np.array_equal(grown, members):
            return members
        members = grown
