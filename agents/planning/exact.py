"""Planning on a known finite model: exact values, by sparse arrays.

A model comes as toy_text gives it, `P[state][action] -> [(probability, next_state, reward, terminated)]`.
Only the `terminated` flag ends an episode.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

Model = Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

TIE_TOLERANCE = 1e-9  # values closer than this are a tie
MAX_SWEEPS = 100_000
MAX_IMPROVEMENTS = 1_000


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

    @classmethod
    def from_arrays(
        cls, probabilities: FloatArray, next_states: NDArray[Any], rewards: FloatArray, terminated: BoolArray
    ) -> "FiniteModel":
        """The arrays of a model whose outcomes are numbered: all arguments are [S, A, N]."""
        num_states, num_actions, num_outcomes = next_states.shape
        rows = np.repeat(np.arange(num_states * num_actions), num_outcomes)
        going_on = ~terminated.ravel()
        entries = (rows[going_on], next_states.ravel()[going_on])
        shape = (num_states * num_actions, num_states)
        transitions = sparse.csr_array((probabilities.ravel()[going_on], entries), shape=shape)
        return cls((probabilities * rewards).sum(axis=2), transitions)

    @property
    def num_states(self) -> int:
        """S."""
        return len(self.rewards)

    @property
    def num_actions(self) -> int:
        """A."""
        return int(self.rewards.shape[1])

    def backup(self, values: FloatArray, discount: float) -> FloatArray:
        """Q(s, a) = R(s, a) + discount * sum of P(s' | s, a) V(s') [S, A] (Sutton & Barto, equation 4.10)."""
        expected: FloatArray = self.transitions @ values
        return self.rewards + discount * expected.reshape(self.rewards.shape)

    def under(self, policy: FloatArray) -> tuple[FloatArray, Any]:
        """Expected rewards [S] and transitions, sparse [S, S], under a policy [S, A]."""
        rows = np.repeat(np.arange(self.num_states), self.num_actions)
        shape = (self.num_states, policy.size)
        weights = sparse.csr_array((policy.ravel(), (rows, np.arange(policy.size))), shape=shape)
        return (policy * self.rewards).sum(axis=1), weights @ self.transitions

    def chosen(self, actions: NDArray[np.int64]) -> tuple[FloatArray, Any]:
        """Expected rewards [S] and transitions, sparse [S, S], under a deterministic policy [S]."""
        states = np.arange(self.num_states)
        return self.rewards[states, actions], self.transitions[states * self.num_actions + actions]


# -- the best there is ----------------------------------------------------------------------------------------


def solve(model: FiniteModel, discount: float) -> FloatArray:
    """Q* [S, A] without a limit of steps, by the quicker method that is sure to be right here.

    That is policy iteration (Sutton & Barto, section 4.3) with sparse linear solves below discount 1, and undiscounted
    where rewards are all negative or none is: then every improvement of a policy that surely ends surely ends too.
    Elsewhere it is value iteration, which says what a state is worth from which no policy ever ends.

    Raises:
        ValueError: there is no optimum, as where an undiscounted return grows without bound.
    """
    continuing = np.asarray(model.transitions.sum(axis=1)) > 0  # [S * A]: these make up every cycle
    rewards = model.rewards.ravel()[continuing]
    of_one_sign = bool((rewards < 0).all() or (rewards >= 0).all())
    sure = discount < 1 or (of_one_sign and bool(can_end(model).all()))
    return policy_iteration(model, discount) if sure else value_iteration(model, discount)


def policy_iteration(model: FiniteModel, discount: float) -> FloatArray:
    """Q* [S, A] by policy iteration (Sutton & Barto, section 4.3), from a policy that surely ends.

    Args:
        model: the environment's; undiscounted, from every state some policy must end.
        discount: in [0, 1].

    Raises:
        ValueError: an undiscounted return grows without bound.
    """
    actions = _towards_the_end(model)
    for _ in range(MAX_IMPROVEMENTS):
        rewards, transitions = model.chosen(actions)
        try:
            values = _solve_linear(transitions, rewards, discount)
        except ArithmeticError as error:
            raise ValueError(f"there is no optimum: with discount {discount} a return grows without bound") from error
        q_values = model.backup(values, discount)
        current = q_values[np.arange(model.num_states), actions]
        better = q_values.max(axis=1) > current + TIE_TOLERANCE * np.maximum(1.0, np.abs(current))
        if not better.any():
            return model.backup(q_values.max(axis=1), discount)
        actions = np.where(better, q_values.argmax(axis=1), actions)
    raise ValueError(f"policy iteration did not end after {MAX_IMPROVEMENTS} improvements with discount {discount}")


def value_iteration(model: FiniteModel, discount: float, tolerance: float = 1e-12) -> FloatArray:
    """Q* [S, A] without a limit of steps (Sutton & Barto, section 4.4).

    Undiscounted, a state from which no policy ever ends, such as a cell without a way out, is worth -inf where every
    step there costs something, so that no plan leads into it, and 0 where none earns or costs anything.

    Args:
        model: the environment's.
        discount: in [0, 1].
        tolerance: of the change in a sweep, relative to the largest value.

    Raises:
        ValueError: it does not converge, as where an undiscounted return grows without bound.
    """
    lost = ~can_end(model) if discount == 1 else np.zeros(model.num_states, dtype=np.bool_)
    costly = bool(lost.any() and (model.rewards[lost] < 0).all())
    values = np.where(lost & costly, -np.inf, 0.0)
    for _ in range(MAX_SWEEPS):
        new_values = model.backup(values, discount).max(axis=1)
        finite = np.isfinite(new_values)
        change = np.abs(new_values[finite] - values[finite]).max(initial=0.0)
        values = new_values
        if change <= tolerance * np.abs(values[finite]).max(initial=1.0):
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


# -- what a policy is worth -----------------------------------------------------------------------------------


def policy_values(model: FiniteModel, policy: FloatArray, horizon: int, discount: float = 1.0) -> FloatArray:
    """The expected return [S] of an episode of at most `horizon` steps under a policy [S, A]: always finite."""
    rewards, transitions = model.under(policy)
    values = np.zeros(model.num_states)
    for _ in range(horizon):
        new_values = rewards + discount * (transitions @ values)
        if np.array_equal(new_values, values):
            break
        values = new_values
    return values


def unlimited_policy_values(model: FiniteModel, policy: FloatArray, discount: float) -> FloatArray:
    """The expected return [S] of an episode without a limit of steps under a policy [S, A]: a sparse linear solve.

    Undiscounted, it is nan in the states from which the policy may go on for ever.
    """
    rewards, transitions = model.under(policy)
    values = np.full(model.num_states, np.nan)
    ends = np.ones(model.num_states, dtype=np.bool_)
    if discount == 1:
        ends = ~_closure(transitions, ~_may_end(transitions))
    values[ends] = _solve_linear(transitions[ends][:, ends], rewards[ends], discount)
    return values


def _solve_linear(transitions: Any, rewards: FloatArray, discount: float) -> FloatArray:
    """V = R + discount * P V."""
    system = sparse.csc_array(sparse.eye_array(len(rewards)) - discount * transitions)
    try:
        values: FloatArray = np.atleast_1d(linalg.splu(system).solve(rewards))
    except RuntimeError as error:  # SuperLU: the matrix is singular
        raise ArithmeticError(str(error)) from error
    if not np.isfinite(values).all():
        raise ArithmeticError("the values are not finite")
    return values


# -- policies and graphs --------------------------------------------------------------------------------------


def greedy_policy(q_values: FloatArray) -> NDArray[np.int64]:
    """The best action [S] of every state; ties, within rounding, go to the lowest index."""
    first: NDArray[np.int64] = np.argmax(best_actions(q_values), axis=1)
    return first


def best_actions(q_values: FloatArray) -> BoolArray:
    """Which actions [S, A] are best: all that are within rounding of the best."""
    best = q_values.max(axis=1, keepdims=True)
    tied: BoolArray = q_values >= best - TIE_TOLERANCE * np.maximum(1.0, np.abs(best))
    return tied


def reachable_states(model: FiniteModel, initial: FloatArray) -> BoolArray:
    """The states [S] that some policy can come to from a distribution of the start [S]."""
    return _closure(_any_action(model).T, initial > 0)


def reached_states(model: FiniteModel, policy: FloatArray, initial: FloatArray) -> BoolArray:
    """The states [S] that a policy [S, A] can come to from a distribution of the start [S]."""
    return _closure(model.under(policy)[1].T, initial > 0)


def can_end(model: FiniteModel) -> BoolArray:
    """The states [S] from which some policy can end the episode."""
    return _steps_to_end(model) >= 0


def fewest_steps(model: FiniteModel, allowed: BoolArray) -> NDArray[np.int64]:
    """The fewest steps [S] in which an episode can end by allowed actions [S, A]; -1 where it cannot."""
    return _steps_to_end(model, allowed)


def surely_ends(model: FiniteModel, policy: NDArray[np.int64], initial: FloatArray) -> bool:
    """Does every episode under a deterministic policy [S] terminate with probability 1?"""
    chosen = model.chosen(policy)[1]
    reachable = _closure(chosen.T, initial > 0)
    return bool(_may_end(chosen)[reachable].all())


def _may_end(transitions: Any) -> BoolArray:
    """The states [S] from which a chain with these transitions [S, S] ends with some probability."""
    ending = np.asarray(transitions.sum(axis=1)).ravel() < 1 - TIE_TOLERANCE
    return _closure(transitions, ending)


def _any_action(model: FiniteModel, allowed: BoolArray | None = None) -> Any:
    """Sparse [S, S], positive where some (allowed) action leads from the one state to the other."""
    weights = np.ones(model.rewards.shape) if allowed is None else allowed.astype(float)
    return model.under(weights)[1]


def _steps_to_end(model: FiniteModel, allowed: BoolArray | None = None) -> NDArray[np.int64]:
    """The fewest steps [S] in which an episode can end; -1 where it cannot."""
    going_on = np.asarray(model.transitions.sum(axis=1)).reshape(model.rewards.shape)  # [S, A]
    ends = going_on < 1 - TIE_TOLERANCE
    front = (ends if allowed is None else ends & allowed).any(axis=1)
    edges = sparse.csc_array(_any_action(model, allowed) > 0)  # by columns: what leads into a state
    steps = np.full(model.num_states, -1, dtype=np.int64)
    steps[front] = 1
    states = np.flatnonzero(front)
    while len(states):
        entering = np.concatenate([edges.indices[edges.indptr[state] : edges.indptr[state + 1]] for state in states])
        entering = np.unique(entering[steps[entering] < 0])
        steps[entering] = steps[states[0]] + 1
        states = entering
    return steps


def _towards_the_end(model: FiniteModel) -> NDArray[np.int64]:
    """A policy [S] under which every state that can end does so sooner or later: always one step nearer the end."""
    steps = _steps_to_end(model)
    going_on = np.asarray(model.transitions.sum(axis=1)).reshape(model.rewards.shape)
    ends = going_on < 1 - TIE_TOLERANCE
    far = np.where(steps < 0, np.iinfo(np.int64).max, steps)
    entries = sparse.coo_array(model.transitions)
    nearest = np.full(model.rewards.size, np.iinfo(np.int64).max)
    positive = entries.data > 0
    np.minimum.at(nearest, entries.row[positive], far[entries.col[positive]])
    nearest[ends.ravel()] = 0
    actions: NDArray[np.int64] = nearest.reshape(model.rewards.shape).argmin(axis=1)
    return actions


def _closure(edges: Any, members: BoolArray) -> BoolArray:
    """The states that a set grows to along `edges` [S, S]: s joins when edges[s, t] > 0 for a member t."""
    while True:
        grown = members | (edges @ members.astype(float) > 0)
        if np.array_equal(grown, members):
            return members
        members = grown
