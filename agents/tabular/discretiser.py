"""Box observations as whole numbers: bins between edges, dimension by dimension."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.env_copy import maker_of
from agents.seeding import integer
from agents.tabular.settings import TabularSettings

UNBOUNDED = 1e6  # a bound beyond this is no bound
DEFAULT_LOW, DEFAULT_HIGH = -1.0, 1.0  # edges of an unbounded dimension: the book's linspace(-1, 1, 10)
MAX_DIMENSIONS = 32  # beyond it a table of bins cannot learn: images, for instance
RANDOM_STEPS = 2_000  # of random play, to which quantile bins are fitted


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

    def many(self, observations: NDArray[Any]) -> list[int]:
        """The cell numbers of N observations [N, D]."""
        exact = np.int64 if self.num_states < 2**63 else object  # Python's integers, where there are more
        states = np.zeros(len(observations), dtype=exact)
        for column, edges in zip(np.asarray(observations, dtype=np.float64).T, self.edges, strict=True):
            states = states * (len(edges) + 1) + np.searchsorted(edges, column, side="right").astype(exact)
        cells: list[int] = states.tolist()
        return cells

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
                f"a table needs at most {MAX_DIMENSIONS} observed numbers in a row, got shape {list(space.shape)}"
            )
        num_dimensions = space.shape[0]
        if edges is None:
            return cls([_even(low, high, num_edges) for low, high in zip(space.low, space.high, strict=True)])
        if not len(edges):
            raise ValueError("edges: expected at least one, got none")
        per_dimension = [list(one) for one in edges if not isinstance(one, int | float)]
        if not per_dimension:
            per_dimension = [[float(edge) for edge in edges if isinstance(edge, int | float)]] * num_dimensions
        if len(per_dimension) != num_dimensions:
            raise ValueError(f"edges: expected {num_dimensions} lists, one a dimension, got {len(per_dimension)}")
        for index, dimension in enumerate(per_dimension):
            if not all(low < high for low, high in pairwise(dimension)):
                raise ValueError(f"edges of dimension {index}: expected increasing numbers, got {dimension}")
        return cls(per_dimension)


def bounds(space: spaces.Box) -> tuple[list[float], list[float]]:
    """The lower and upper bounds [D] of a space; -1 and 1 where a dimension has none."""
    pairs = [_bounded(low, high) for low, high in zip(space.low.tolist(), space.high.tolist(), strict=True)]
    return [low for low, _ in pairs], [high for _, high in pairs]


def fitted_edges(settings: TabularSettings, env: gym.Env[Any, Any], seed: int) -> list[list[float]]:
    """For each dimension the edges of quantile bins, from random play in a copy of the environment.

    Raises:
        ValueError: the environment has no spec, so that there is no copy.
    """
    return quantile_edges(random_play(env, seed), settings.num_edges)


def random_play(env: gym.Env[Any, Any], seed: int) -> NDArray[np.float64]:
    """The observations [RANDOM_STEPS, D] of random actions in a copy of an environment."""
    copy = maker_of(env, "bins = 'quantile'")()
    try:
        copy.action_space.seed(integer(seed, "environment"))
        observation, _ = copy.reset(seed=integer(seed, "environment"))
        seen = []
        for _ in range(RANDOM_STEPS):
            seen.append(observation)
            observation, _, terminated, truncated, _ = copy.step(copy.action_space.sample())
            if terminated or truncated:
                observation, _ = copy.reset()
    finally:
        copy.close()
    return np.asarray(seen, dtype=np.float64)


def quantile_edges(observations: NDArray[np.float64], num_edges: int) -> list[list[float]]:
    """For each dimension the edges that part the observations [N, D] into equal shares; those that coincide once."""
    shares = np.arange(1, num_edges + 1) / (num_edges + 1)
    return [sorted(set(np.quantile(column, shares).tolist())) for column in observations.T]


def _even(low: float, high: float, num_edges: int) -> list[float]:
    return [float(edge) for edge in np.linspace(*_bounded(low, high), num_edges)]


def _bounded(low: float, high: float) -> tuple[float, float]:
    return (low, high) if abs(low) < UNBOUNDED and abs(high) < UNBOUNDED else (DEFAULT_LOW, DEFAULT_HIGH)
