"""One run seed, several named generators: drawing from one never moves another."""

from collections.abc import Iterator
from itertools import chain
from operator import length_hint
from typing import Protocol

import numpy as np

STREAMS = ("environment", "exploration", "replay", "network", "table")


def stream(seed: int, name: str, *numbers: int) -> np.random.SeedSequence:
    """The seed sequence of one named stream of a run; with numbers, of one of its branches."""
    return np.random.SeedSequence(seed, spawn_key=(STREAMS.index(name), *numbers))


def generator(seed: int, name: str) -> np.random.Generator:
    """The generator of one named stream of a run."""
    return np.random.default_rng(stream(seed, name))


def integer(seed: int, name: str, *numbers: int) -> int:
    """A 31-bit integer seed for libraries that want one."""
    return int(stream(seed, name, *numbers).generate_state(1)[0] >> 1)


class Rng(Protocol):
    """Where numbers in [0, 1) come from: a NumPy generator, or `UniformDraws`."""

    def random(self) -> float:
        """The next one."""


class UniformDraws:
    """`random()` of a generator (PCG64), drawn ahead in blocks: the same numbers, quicker from Python."""

    BLOCK = 512

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._block: Iterator[float] = iter(())
        self.random = chain.from_iterable(self._blocks()).__next__

    def _blocks(self) -> Iterator[Iterator[float]]:
        while True:
            self._block = iter(self._rng.random(self.BLOCK).tolist())
            yield self._block

    def settle(self) -> None:
        """The generator becomes what it would be if only what was taken had been drawn."""
        self._rng.bit_generator.advance(-length_hint(self._block))  # type: ignore[attr-defined]
        self._block = iter(())
        self.random = chain.from_iterable(self._blocks()).__next__
