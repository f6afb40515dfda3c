"""Random draws, in the two ways that the mazes need them.

Everything random about a maze goes through these three functions. Compiled code replaces the first two by versions
that draw the same numbers from the same generator's state (`machine_code.pcg64`).
"""

import numpy as np
from numpy.typing import NDArray


def below(rng: np.random.Generator, count: int) -> int:
    """An integer from 0 to `count` - 1, all equally likely; draws nothing where `count` is 1."""
    return int(rng.integers(count))


def uniform(rng: np.random.Generator) -> float:
    """A number in [0, 1)."""
    return rng.random()


def shuffle(rng: np.random.Generator, items: NDArray[np.int64]) -> None:
    """Put the items in random order, in place (Fisher & Yates 1938, from the last to the first)."""
    for last in range(len(items) - 1, 0, -1):
        other = below(rng, last + 1)
        moved = items[last]
        items[last] = items[other]
        items[other] = moved
