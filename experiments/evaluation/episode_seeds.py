"""Which episodes an agent is judged on: the same for every agent, run and machine."""

import numpy as np

# Sets of episodes that share none: an episode seed's remainder by 4 is the number of its set.
EPISODE_SETS = {"curve": 0, "final": 1, "tuning": 2, "validation": 3}


def episode_seeds(evaluation_seed: int, episode_set: str, count: int) -> list[int]:
    """The first `count` seeds of a set; they depend on the evaluation seed alone, and a longer list only goes on."""
    number = EPISODE_SETS[episode_set]
    sequence = np.random.SeedSequence(evaluation_seed, spawn_key=(number,))
    return [int(word >> 3) * 4 + number for word in sequence.generate_state(count, np.uint32)]
