"""Box observations as whole numbers: bins between edges, dimension by dimension."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

UNBOUNDED = 1e6  # a bound beyond this is no bound
DEFAULT_LOW, DEFAULT_HIGH = -1.0, 1.0  # edges of an unbounded dimension: the book's linspace(-1, 1, 10)
MAX_DIMENSIONS = 32  # beyond it a table of bins cannot learn: images, for instance


class Discretiser:
    """Numbers the cells of a grid of bins.

    E edges make E + 1 bins, numbered as `np.digitize` does: bin i holds edges[i - 1] <= x < edges[i].

    Args:
        edges: for each dimension its edges, increasing.
    """

    def __init__(self, edges: Sequence[Sequence[float]]) -> None:
        self.edges = [[float(edge) for edge in dimension] for dimension in edges]
        self.num_states = 1  # a Python integer: the book's 11^8 and far more
        for dimension in self.edges:
            self.num_states *= len(dimension) + 1

    def __call__(self, observation: NDArray[Any]) -> int:
        """The cell number of an observation [D]."""
        state = 0
        for edges, value in zip(self.edges, observation.tolist(), strict=True):
            state = state * (len(edges) + 1) + bisect_right(edges, value)
        return state

    @classmethod
    def for_space(
        cls, space: spaces.Box, edges: Sequence[float] | Sequence[Sequence[float]] | None, num_edges: int
    ) -> "Discretiser":
        """The discretiser of a Box.

        Args:
            space: observations [D].
            edges: one list for all dimensions, a list for each, or None: `num_edges` evenly spaced between the
                bounds, or between -1 and 1 where there is none.
            num_edges: used where `edges` is None.

        Raises:
            ValueError: the space has another shape than [D], or the edges do not fit it.
        """
        if len(space.shape) != 1 or space.shape[0] > MAX_DIMENSIONS:
            raise ValueError(
                f"a table needs at most {MAX_DIMENSIONS} observed numbers in a row, came shape {list(space.shape)}"
            )
        num_dimensions = space.shape[0]
        if edges is None:
            return cls([_even(low, high, num_edges) for low, high in zip(space.low, space.high, strict=True)])
        if not len(edges):
            raise ValueError("edges: expected at least one, came none")
        per_dimension = [list(one) for one in edges if not isinstance(one, int | float)]
        if not per_dimension:
            per_dimension = [[float(edge) for edge in edges if isinstance(edge, int | float)]] * num_dimensions
        if len(per_dimension) != num_dimensions:
            raise ValueError(f"edges: expected {num_dimensions} lists, one a dimension, came {len(per_dimension)}")
        for index, dimension in enumerate(per_dimension):
            if not all(low < high for low, high in pairwise(dimension)):
                raise ValueError(f"edges of dimension {index}: expected increasing numbers, came {dimension}")
        return cls(per_dimension)


def _even(low: float, high: float, num_edges: int) -> list[float]:
    if not (abs(low) < UNBOUNDED and abs(high) < UNBOUNDED):
        low, high = DEFAULT_LOW, DEFAULT_HIGH
    return [float(edge) for edge in np.linspace(low, high, num_edges)]
