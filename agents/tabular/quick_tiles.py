"""An observation's tiles and the values of its actions in one call of machine code: what `EdgeTiles` does in Python.

The result is the same bit for bit: the same comparisons, and the same sums in the same order.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.tabular.memory import FloatArray, IntArray
from agents.tabular.mirror import MirroredView
from agents.tabular.tile_coding import EdgeTiles
from machine_code.compiling import Function, compiled


class QuickTiles:
    """Looks at observations.

    Args:
        coder: whose tiles are their own places.
        mirrored: how observations are seen, where a state and its mirror image are one.
        name: the agent's, for the machine code's folder.
    """

    def __init__(self, coder: EdgeTiles, mirrored: MirroredView | None, name: str) -> None:
        num_dimensions, most = len(coder.num_bins), max(coder.num_bins) - 1
        self._edges = np.zeros((coder.num_tilings, num_dimensions, most))  # [T, D, E], the rest without meaning
        for tiling, edges in enumerate(coder.edges):
            for dimension, of_one in enumerate(edges):
                self._edges[tiling, dimension, : len(of_one)] = of_one
        self._num_bins = np.array(coder.num_bins)  # [D]
        self._deciding = np.array([] if mirrored is None else mirrored.deciding, dtype=np.int64)
        self._places = np.arange(num_dimensions) if mirrored is None else mirrored.places
        self._signs = np.ones(num_dimensions) if mirrored is None else mirrored.signs
        self._seen = np.zeros(num_dimensions)
        self._look: Function = compiled(look, {}, f"agents/{name}", inline=True)

    def __call__(self, observation: NDArray[Any], weights: FloatArray, q: FloatArray, tiles: IntArray) -> int:
        """Put the places [T] of an observation [D] into `tiles`, and the values [A] into the row of the first: it."""
        first: int = self._look(
            observation, self._deciding, self._places, self._signs, self._seen, self._edges, self._num_bins,
            weights, q, tiles,
        )  # fmt: skip
        return first


def look(
    observation: NDArray[Any],
    deciding: IntArray,
    places: IntArray,
    signs: FloatArray,
    seen: FloatArray,
    edges: FloatArray,
    num_bins: IntArray,
    weights: FloatArray,
    q: FloatArray,
    tiles: IntArray,
) -> int:
    """See `QuickTiles`."""
    turns = False
    for number in deciding:
        if observation[number] != 0:
            turns = observation[number] < 0
            break
    for dimension in range(len(seen)):
        seen[dimension] = observation[places[dimension]] * signs[dimension] if turns else observation[dimension]
    tiles_a_tiling = 1
    for dimension in range(len(seen)):
        tiles_a_tiling *= num_bins[dimension]
    for tiling in range(len(tiles)):
        tile = 0
        for dimension in range(len(seen)):
            chosen = 0
            for edge in range(num_bins[dimension] - 1):
                if not seen[dimension] < edges[tiling, dimension, edge]:
                    chosen += 1
            tile = tile * num_bins[dimension] + chosen
        tiles[tiling] = tile + tiling * tiles_a_tiling
    for action in range(weights.shape[1]):
        value = 0.0
        for tiling in range(len(tiles)):
            value += weights[tiles[tiling], action]
        q[tiles[0], action] = value
    return tiles[0]
