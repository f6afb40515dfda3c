"""Which episodes an agent is judged on: the same for every agent, run and machine."""

import numpy as np

from experiments.specs.spec import Evaluation

# Sets of episodes that share none: an episode seed's remainder by 4 is the number of its set.
EPISODE_SETS = {"curve": 0, "final": 1, "tuning": 2, "validation": 3}


def episode_seeds(evaluation_seed: int, episode_set: str, count: int) -> list[int]:
    """The first `count` seeds of a set; they depend on the evaluation seed alone, and a longer list only goes on."""
    number = EPISODE_SETS[episode_set]
    sequence = np.random.SeedSequence(evaluation_seed, spawn_key=(number,))
    return [int(word >> 3) * 4 + number for word in sequence.generate_state(count, np.uint32)]


def seeds_of(evaluation: Evaluation, phase: str, count: int | None = None) -> list[int]:
    """The seeds of a phase's episodes, "curve" or "final"; the first `count`, all that it has if not given.

    Those of a search are of sets of their own: "tuning" for the curve, which prunes, and "validation" for the score.
    """
    if count is None:
        count = evaluation.episodes if phase == "curve" else evaluation.final_episodes
    of_tuning = {"curve": "tuning", "final": "validation"}
    return episode_seeds(evaluation.seed, of_tuning[phase] if evaluation.purpose == "tuning" else phase, count)
