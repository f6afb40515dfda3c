"""Observations as whole numbers: bins between edges, dimension by dimension."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.env_copy import maker_of
from agents.masks import binds, legal_actions
from agents.policy import batch_of
from agents.seeding import integer
from agents.tabular.composite import Dimension, dimensions, rows_of_numbers
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

    def indices(self, state: int) -> list[int]:
        """The number of a cell's bin in each dimension [D]."""
        found: list[int] = []
        for edges in reversed(self.edges):
            state, index = divmod(state, len(edges) + 1)
            found.append(index)
        return found[::-1]

    def indices_text(self, state: int) -> str:
        """The same as text, such as "5.5.0.10"."""
        return ".".join(map(str, self.indices(state)))

    def bins(self, state: int) -> list[tuple[float, float]]:
        """For each dimension [D] the bin of a cell: its lower edge, which belongs to it, and its upper one."""
        pairs = zip(self.edges, self.indices(state), strict=True)
        return [((-math.inf, *edges)[index], (*edges, math.inf)[index]) for edges, index in pairs]

    @classmethod
    def for_space(
        cls, space: spaces.Space[Any], edges: Sequence[float] | Sequence[Sequence[float]] | None, num_edges: int
    ) -> "Discretiser":
        """The discretiser of a space.

        Args:
            space: of observations: a Box [D], or put together of whole numbers and Boxes.
            edges: of the Boxes' dimensions: one list for all, a list for each, or None: `num_edges` evenly spaced
                between the bounds, or between -1 and 1 where there is none.
            num_edges: used where `edges` is None.

        Raises:
            ValueError: the space has another shape than [D], too many dimensions, or the edges do not fit it.
        """
        if isinstance(space, spaces.Box) and (len(space.shape) != 1 or space.shape[0] > MAX_DIMENSIONS):
            raise ValueError(
                f"a table needs at most {MAX_DIMENSIONS} observed numbers in a row, got shape {list(space.shape)}"
            )
        found = dimensions(space)
        if not found:
            raise ValueError(f"a table needs at least one observed number, got {space}")
        if len(found) > MAX_DIMENSIONS:
            raise ValueError(f"a table needs at most {MAX_DIMENSIONS} observed numbers, got {len(found)} of {space}")
        binned = [one for one in found if one.edges is None]
        of_boxes = iter(_edges(binned, edges, num_edges))
        all_edges = [next(of_boxes) if one.edges is None else one.edges for one in found]
        return cls(all_edges) if isinstance(space, spaces.Box) else CompositeDiscretiser(space, all_edges)


class CompositeDiscretiser(Discretiser):
    """Numbers observations that are put together of others.

    Args:
        space: of the observations.
        edges: for each of their numbers.
    """

    def __init__(self, space: spaces.Space[Any], edges: Sequence[Sequence[float]]) -> None:
        super().__init__(edges)
        self._space = space

    def __call__(self, observation: Any) -> int:
        """The cell number of an observation."""
        return super().__call__(rows_of_numbers(self._space, batch_of([observation]))[0])

    def many(self, observations: Any) -> list[int]:
        """The cell numbers of a batch of N observations."""
        return super().many(rows_of_numbers(self._space, observations))


def _edges(
    binned: Sequence[Dimension], edges: Sequence[float] | Sequence[Sequence[float]] | None, num_edges: int
) -> list[list[float]]:
    """The edges of the dimensions that are put into bins."""
    if edges is None:
        return [_even(one.low, one.high, num_edges) for one in binned]
    if not len(edges):
        raise ValueError("edges: expected at least one, got none")
    per_dimension = [list(one) for one in edges if not isinstance(one, int | float)]
    if not per_dimension:
        per_dimension = [[float(edge) for edge in edges if isinstance(edge, int | float)]] * len(binned)
    if len(per_dimension) != len(binned):
        raise ValueError(f"edges: expected {len(binned)} lists, one a dimension, got {len(per_dimension)}")
    for index, dimension in enumerate(per_dimension):
        if not all(low < high for low, high in pairwise(dimension)):
            raise ValueError(f"edges of dimension {index}: expected increasing numbers, got {dimension}")
    return per_dimension


def bounds(space: spaces.Box) -> tuple[list[float], list[float]]:
    """The lower and upper bounds [D] of a space; -1 and 1 where a dimension has none."""
    pairs = [_bounded(low, high) for low, high in zip(space.low.tolist(), space.high.tolist(), strict=True)]
    return [low for low, _ in pairs], [high for _, high in pairs]


def fitted_edges(settings: TabularSettings, env: gym.Env[Any, Any], seed: int) -> list[list[float]]:
    """For each dimension the edges of quantile bins, from random play in a copy of the environment.

    Raises:
        ValueError: the environment has no spec, so that there is no copy.
    """
    seen = rows_of_numbers(env.observation_space, batch_of(random_play(env, seed)))
    return [
        one.edges if one.edges is not None else quantile_edges(seen[:, index : index + 1], settings.num_edges)[0]
        for index, one in enumerate(dimensions(env.observation_space))
    ]


def random_play(env: gym.Env[Any, Any], seed: int) -> list[Any]:
    """The observations [RANDOM_STEPS] of random actions, legal ones where it tells, in a copy of an environment."""
    copy = maker_of(env, "bins = 'quantile'")()
    try:
        copy.action_space.seed(integer(seed, "environment"))
        observation, info = copy.reset(seed=integer(seed, "environment"))
        seen = []
        for _ in range(RANDOM_STEPS):
            seen.append(observation)
            mask = legal_actions(copy, info).astype(np.int8) if binds(copy, info) else None
            action = copy.action_space.sample(mask)
            observation, _, terminated, truncated, info = copy.step(action)
            if terminated or truncated:
                observation, info = copy.reset()
    finally:
        copy.close()
    return seen


def quantile_edges(observations: NDArray[np.float64], num_edges: int) -> list[list[float]]:
    """For each dimension the edges that part the observations [N, D] into equal shares; those that coincide once."""
    shares = np.arange(1, num_edges + 1) / (num_edges + 1)
    return [sorted(set(np.quantile(column, shares).tolist())) for column in observations.T]


def _even(low: float, high: float, num_edges: int) -> list[float]:
    return [float(edge) for edge in np.linspace(*_bounded(low, high), num_edges)]


def _bounded(low: float, high: float) -> tuple[float, float]:
    return (low, high) if abs(low) < UNBOUNDED and abs(high) < UNBOUNDED else (DEFAULT_LOW, DEFAULT_HIGH)
