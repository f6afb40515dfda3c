"""Observations that are put together of others, as numbers in a row: Tuple, Dict, MultiDiscrete, MultiBinary."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.env_snapshot import leaves

MOST_VALUES = 100_000  # of a whole number: each has an edge, and they are searched


class Dimension(NamedTuple):
    """One of the numbers in a row."""

    edges: list[float] | None  # between the whole numbers that it can be; None: it is a Box's, and is put into bins
    low: float
    high: float


def dimensions(space: spaces.Space[Any]) -> list[Dimension]:
    """What the numbers of an observation are.

    Raises:
        ValueError: the space is put together of others than numbers, or of whole numbers with too many values.
    """
    match space:
        case spaces.Box():
            bounds = zip(space.low.ravel().tolist(), space.high.ravel().tolist(), strict=True)
            return [Dimension(None, low, high) for low, high in bounds]
        case spaces.Discrete():
            return [_whole(int(space.start), int(space.n))]
        case spaces.MultiDiscrete():
            sizes = zip(space.start.ravel().tolist(), space.nvec.ravel().tolist(), strict=True)
            return [_whole(start, count) for start, count in sizes]
        case spaces.MultiBinary():
            return [_whole(0, 2)] * int(np.prod(space.shape or (1,)))
        case spaces.Dict() | spaces.Tuple():
            return [one for leaf in leaves(space) for one in dimensions(leaf)]
        case _:
            raise ValueError(f"a table needs observations of numbers, got {space}")


def _whole(start: int, count: int) -> Dimension:
    if count > MOST_VALUES:
        raise ValueError(f"a table tells at most {MOST_VALUES} values of a number apart, got {count}")
    return Dimension([float(number) for number in range(start + 1, start + count)], start, start + count - 1)


def rows_of_numbers(space: spaces.Space[Any], observations: Any) -> NDArray[np.float64]:
    """The numbers [N, D] of a batch of observations (see `agents.policy.batch_of`)."""
    columns = [np.asarray(leaf, dtype=np.float64) for leaf in _leaves(space, observations)]
    return np.concatenate([leaf.reshape(len(leaf), -1) for leaf in columns], axis=1)


def _leaves(space: spaces.Space[Any], observations: Any) -> Iterator[Any]:
    if isinstance(space, spaces.Dict):
        for key, part in space.spaces.items():
            yield from _leaves(part, observations[key])
    elif isinstance(space, spaces.Tuple):
        for part, of_part in zip(space.spaces, observations, strict=True):
            yield from _leaves(part, of_part)
    else:
        yield observations
