"""The greedy policies of tables and of tiles, frozen, on batches of observations."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.policy import Array, Policy, first_best
from agents.tabular.discretiser import Discretiser
from agents.tabular.mirror import MirroredView
from agents.tabular.table import Table
from agents.tabular.tile_coding import TileCoder


class StatesPolicy(Policy):
    """The greedy policy of a table whose states are numbers or bins; ties go to the lowest index.

    Args:
        table: nobody else's.
        discretiser: of Box observations; None where an observation is its state.
    """

    def __init__(self, table: Table, discretiser: Discretiser | None) -> None:
        self._table, self._discretiser = table, discretiser

    def _states(self, observations: Array) -> list[int]:
        if self._discretiser is not None:
            return self._discretiser.many(observations)
        states: list[int] = np.asarray(observations).tolist()
        return states

    def act(self, observations: Array, masks: NDArray[np.bool_] | None = None) -> Array:
        """The best legal action for each observation."""
        return _best(self.action_values(observations), masks)

    def action(self, observation: Any, mask: NDArray[np.bool_] | None = None) -> int:
        """The best legal action."""
        state = int(observation) if self._discretiser is None else self._discretiser(observation)
        return first_best(self._table[state], mask)

    def action_values(self, observations: Array) -> NDArray[np.float64]:
        """Q(S, .) [N, A]."""
        states = self._states(observations)
        if self._table.dense:
            return self._table.memory.q[states]
        return np.array([self._table[state] for state in states]).reshape(len(states), self._table.columns)

    def met(self, observations: Array) -> NDArray[np.bool_] | None:
        """Whether training has met the states; None where that is not known."""
        met = [self._table.met(state) for state in self._states(observations)]
        return None if self._table.num_met() is None else np.array(met, dtype=np.bool_)


class MirroredPolicy(Policy):
    """A policy that sees what it observes from the side that counts (see `agents.tabular.mirror`).

    Ties go to the lowest index as it is seen from there.

    Args:
        policy: on what is seen.
        mirrored: how.
    """

    def __init__(self, policy: Policy, mirrored: MirroredView) -> None:
        self._policy, self._mirrored = policy, mirrored
        self._images = np.array(mirrored.actions)

    def act(self, observations: Array, masks: NDArray[np.bool_] | None = None) -> Array:
        """The best legal action for each observation."""
        seen, turned = self._mirrored.many(observations)
        mine = None if masks is None else np.where(turned[:, None], masks[:, self._images], masks)
        actions = self._policy.act(seen, mine)
        return np.where(turned, self._images[actions], actions)

    def action(self, observation: Any, mask: NDArray[np.bool_] | None = None) -> int:
        """The best legal action."""
        if not self._mirrored.turns(observation):
            return int(self._policy.action(observation, mask))
        mine = None if mask is None else mask[self._images]
        return self._mirrored.actions[int(self._policy.action(self._mirrored.image(observation), mine))]

    def action_values(self, observations: Array) -> NDArray[np.float64] | None:
        """Q(S, .) [N, A]."""
        seen, turned = self._mirrored.many(observations)
        values = self._policy.action_values(seen)
        return None if values is None else np.where(turned[:, None], values[:, self._images], values)

    def met(self, observations: Array) -> NDArray[np.bool_] | None:
        """Whether training has met the states; None where that is not known."""
        return self._policy.met(self._mirrored.many(observations)[0])


class TilesPolicy(Policy):
    """The greedy policy of a sum of tiles; ties go to the lowest index.

    Args:
        coder: of the observations.
        weights: [R, A]; nobody else's.
    """

    def __init__(self, coder: TileCoder, weights: NDArray[np.float64]) -> None:
        self._coder, self._weights = coder, weights

    def act(self, observations: Array, masks: NDArray[np.bool_] | None = None) -> Array:
        """The best legal action for each observation."""
        return _best(self.action_values(observations), masks)

    def action(self, observation: Any, mask: NDArray[np.bool_] | None = None) -> int:
        """The best legal action."""
        return first_best(sum_of_tiles(self._weights, self._coder.places(observation)).tolist(), mask)

    def action_values(self, observations: Array) -> NDArray[np.float64]:
        """Q(S, .) [N, A]."""
        values = np.zeros((len(observations), self._weights.shape[1]))
        for places in self._coder.many(observations).T:
            values += self._weights[places]
        return values


def sum_of_tiles(weights: NDArray[np.float64], places: list[int]) -> NDArray[np.float64]:
    """The values [A] of a state in these places [T]."""
    values = np.zeros(weights.shape[1])
    for place in places:
        values += weights[place]
    return values


def _best(values: NDArray[np.float64], masks: NDArray[np.bool_] | None) -> Array:
    """The index [N] of the highest of the values [N, A] of legal actions; ties go to the lowest."""
    return (values if masks is None else np.where(masks, values, -np.inf)).argmax(axis=1)
