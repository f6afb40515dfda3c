"""Proportional priorities in a sum tree (Schaul et al. 2016, "Prioritized experience replay", appendix B.2.1)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.storage import State

LEAST = 1e-6  # added to every error, so that each may be drawn again


class Priorities:
    """Draws places in proportion to their priorities, which are errors to the power of alpha.

    Args:
        capacity: places.
        exponent: alpha.
    """

    def __init__(self, capacity: int, exponent: float) -> None:
        self.exponent = exponent
        self._num_leaves = 1 << max(0, (capacity - 1).bit_length())
        self._depth = self._num_leaves.bit_length() - 1
        self._tree = np.zeros(2 * self._num_leaves)  # node k is the sum of nodes 2k and 2k + 1; leaves come last
        self._highest = 1.0  # what is new is drawn as soon as what surprised most

    def add(self, place: int) -> None:
        """A place was written to."""
        tree, node = self._tree, place + self._num_leaves
        tree[node] = self._highest
        while node > 1:
            node >>= 1
            tree[node] = tree[2 * node] + tree[2 * node + 1]

    def update(self, places: NDArray[np.int64], errors: NDArray[Any]) -> None:
        """What was drawn [B] had these errors [B]."""
        priorities = (np.abs(errors).astype(np.float64) + LEAST) ** self.exponent
        self._highest = max(self._highest, float(priorities.max()))
        self._put(places, priorities)

    def _put(self, places: NDArray[np.int64], priorities: NDArray[np.float64]) -> None:
        """Of a place that comes twice, the last counts; the sums above are made anew."""
        nodes = places + self._num_leaves
        self._tree[nodes] = priorities
        for _ in range(self._depth):
            nodes = nodes >> 1
            self._tree[nodes] = self._tree[2 * nodes] + self._tree[2 * nodes + 1]

    def draw(
        self, rng: np.random.Generator, count: int, size: int, correction: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Places [B], one of each B-th part of all mass, and weights [B] of their errors, the largest 1.

        Args:
            rng: where the draws come from.
            count: B.
            size: places that are in use, the first ones.
            correction: beta: 1 undoes the bias of the priorities.
        """
        masses = (np.arange(count) + rng.random(count)) / count * self._tree[1]
        nodes = np.ones(count, dtype=np.int64)
        for _ in range(self._depth):
            left = 2 * nodes
            goes_right = masses >= self._tree[left]
            masses = np.where(goes_right, masses - self._tree[left], masses)
            nodes = left + goes_right
        places = np.minimum(nodes - self._num_leaves, size - 1)  # rounding may lead beyond the last
        shares = self._tree[places + self._num_leaves] / self._tree[1]
        weights = (size * shares) ** -correction
        return places, (weights / weights.max()).astype(np.float32)

    def get_state(self, size: int) -> State:
        """The priorities of the places in use."""
        leaves = self._tree[self._num_leaves : self._num_leaves + size].copy()
        return {"priorities": leaves, "highest": float(self._highest)}

    def set_state(self, state: State, size: int) -> None:
        """Take over what `get_state` gave.

        Raises:
            ValueError: it is of another number of places.
        """
        priorities = state["priorities"]
        if (
            priorities.shape != (size,)
            or priorities.dtype != np.float64
            or not (np.isfinite(priorities) & (priorities > 0)).all()
        ):
            raise ValueError(f"priorities: expected {size} numbers above 0, got shape {priorities.shape}")
        self._tree[:] = 0.0
        self._tree[self._num_leaves : self._num_leaves + size] = priorities
        for node in range(self._num_leaves - 1, 0, -1):
            self._tree[node] = self._tree[2 * node] + self._tree[2 * node + 1]
        self._highest = float(state["highest"])
        if not 0.0 < self._highest < np.inf:
            raise ValueError(f"highest: expected a number above 0, got {self._highest}")
