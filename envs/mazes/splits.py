"""Which side of the train/test split a maze is on, by its walls alone.

Every passage has a 64-bit key, drawn by hashing its position; a maze's hash is the sum of the keys of its open
passages (Zobrist 1970), and its *canonical* hash the least of the eight that rotating and mirroring it give. The
canonical hash of a maze and of each of its eight images is the same number by construction, so that mazes with
different canonical hashes cannot be equal, however they are turned. Its last bit is the side: no maze of `train`,
nor any image of one, is in `test`. That holds for all mazes there are, without looking at any list of them.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from envs.mazes.grid import Passages

ANY, TRAIN, TEST = -1, 0, 1
SPLITS = {None: ANY, "train": TRAIN, "test": TEST}
MAX_DRAWS = 1000  # mazes drawn before we say that none is on the side that is asked for


def side(passages: Passages, wall_keys: NDArray[np.uint64]) -> int:
    """TRAIN or TEST."""
    return int(canonical_hash(passages, wall_keys) & np.uint64(1))


def canonical_hash(passages: Passages, wall_keys: NDArray[np.uint64]) -> np.uint64:
    """The hash of a maze's walls, the same for all of its eight images."""
    ways = passages[:, 1:3].copy().reshape(-1).astype(np.uint64)  # right, down: every passage once
    least = (wall_keys[0] * ways).sum()
    for image in range(1, 8):
        least = min(least, (wall_keys[image] * ways).sum())
    return np.uint64(least)


@lru_cache
def wall_keys(rows: int, cols: int) -> NDArray[np.uint64]:
    """The key [8, 2 C] of every passage to the right and down, in each of the eight images of the grid."""
    row, col, action = np.meshgrid(np.arange(rows), np.arange(cols), np.arange(2), indexing="ij")
    # Positions in a drawing of the maze, where every cell and every wall has a place of its own.
    line = (2 * row + 1 + action).ravel().astype(np.uint64)
    column = (2 * col + 2 - action).ravel().astype(np.uint64)
    height, width = np.uint64(2 * rows), np.uint64(2 * cols)
    keys = []
    for mirrored_line in (line, height - line):
        for mirrored_column in (column, width - column):
            keys.append(_hash(mirrored_line, mirrored_column, height, width))
            keys.append(_hash(mirrored_column, mirrored_line, width, height))
    result = np.stack(keys)
    result.flags.writeable = False
    return result


def _hash(
    line: NDArray[np.uint64], column: NDArray[np.uint64], height: np.uint64, width: np.uint64
) -> NDArray[np.uint64]:
    """A position in a drawing of a size as 64 random-looking bits (the finaliser of SplitMix64: Steele et al. 2014)."""
    shift = [np.uint64(bits) for bits in (16, 32, 48)]
    bits = line | (column << shift[0]) | (height << shift[1]) | (width << shift[2])
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
