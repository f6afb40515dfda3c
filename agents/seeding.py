"""One run seed, several named generators: drawing from one never moves another."""

import numpy as np

STREAMS = ("environment", "exploration", "replay", "network", "table")


def stream(seed: int, name: str) -> np.random.SeedSequence:
    """The seed sequence of one named stream of a run."""
    return np.random.SeedSequence(seed, spawn_key=(STREAMS.index(name),))


def generator(seed: int, name: str) -> np.random.Generator:
    """The generator of one named stream of a run."""
    return np.random.default_rng(stream(seed, name))


def integer(seed: int, name: str) -> int:
    """A 31-bit integer seed for libraries that want one."""
    return int(stream(seed, name).generate_state(1)[0] >> 1)
