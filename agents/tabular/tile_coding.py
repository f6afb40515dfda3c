"""Tile coding (Sutton & Barto, 2nd ed., section 9.5.4): several grids over the observations, each displaced."""

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.tabular.discretiser import Discretiser, bounds
from agents.tabular.settings import TileSettings

WORD = (1 << 64) - 1
RECENT = 16  # observations whose tiles are remembered


class TileCoder(ABC):
    """The tiles of an observation, one in each tiling.

    Where there are more tiles than room, their numbers are hashed, and those that meet in a place are counted.

    Args:
        num_tilings: T.
        tiles_a_tiling: how many each has.
        size: W, the most places there are.
    """

    def __init__(self, num_tilings: int, tiles_a_tiling: int, size: int) -> None:
        self.num_tilings, self.tiles_a_tiling = num_tilings, tiles_a_tiling
        self.is_hashed = tiles_a_tiling * num_tilings > size
        self.size = size if self.is_hashed else tiles_a_tiling * num_tilings
        self.met: set[int] = set()  # tiles
        self.taken: set[int] = set()  # their places
        self._recent: dict[tuple[str, bytes], tuple[list[int], list[int]]] = {}  # observation -> its tiles and places

    @abstractmethod
    def tiles(self, observation: NDArray[Any]) -> list[int]:
        """The numbers [T] of an observation's tiles."""

    @abstractmethod
    def _tiles_of_many(self, observations: NDArray[np.float64]) -> NDArray[np.int64]:
        """The same [N, T] of N observations [N, D], where the numbers fit into a word."""

    def __call__(self, observation: NDArray[Any]) -> list[int]:
        """The places [T] of an observation [D]."""
        tiles, places = self._tiles_and_places(observation)
        if self.is_hashed:
            self.meet(tiles)
        return places

    def places(self, observation: NDArray[Any]) -> list[int]:
        """The same, when only looking: nothing is counted."""
        return self._tiles_and_places(observation)[1]

    def _tiles_and_places(self, observation: NDArray[Any]) -> tuple[list[int], list[int]]:
        """Both [T]: an agent asks several times in a step, and the next state of one is the state of another."""
        seen = observation.dtype.char, observation.tobytes()
        if seen not in self._recent:
            if len(self._recent) == RECENT:
                self._recent.clear()
            tiles = self.tiles(observation)
            self._recent[seen] = tiles, [self._place(tile) for tile in tiles]
        return self._recent[seen]

    def many(self, observations: NDArray[Any]) -> NDArray[np.int64]:
        """The places [N, T] of N observations [N, D], when only looking."""
        if self.tiles_a_tiling * self.num_tilings >= 2**63:
            rows = [self.places(observation) for observation in observations]
            return np.array(rows, dtype=np.int64).reshape(len(observations), self.num_tilings)
        tiles = self._tiles_of_many(np.asarray(observations, np.float64))
        return _hashed_words(tiles, self.size) if self.is_hashed else tiles

    def _place(self, tile: int) -> int:
        return _hashed(tile) % self.size if self.is_hashed else tile

    def forget(self) -> None:
        """No tile has been met."""
        self.met.clear()
        self.taken.clear()

    def meet(self, tiles: Iterable[int]) -> None:
        """Count tiles that are met."""
        for tile in tiles:
            if tile not in self.met:
                self.met.add(tile)
                self.taken.add(self._place(tile))

    @property
    def num_collisions(self) -> int:
        """How many of the tiles that were met share the place of one that was met before."""
        return len(self.met) - len(self.taken)


class EvenTiles(TileCoder):
    """Tiles of the same width along a dimension.

    Tiling k is displaced by k / num_tilings of a tile times (1, 3, 5, ...) (the book's asymmetric displacement).

    Args:
        space: observations [D]; an unbounded dimension is tiled between -1 and 1.
        num_tilings: T.
        num_tiles: along each dimension of a tiling.
        size: W, the most places there are.
    """

    def __init__(self, space: spaces.Box, num_tilings: int, num_tiles: int, size: int) -> None:
        self.num_tiles = num_tiles
        self.low, self.high = bounds(space)
        self.widths = [(high - low) / num_tiles or 1.0 for low, high in zip(self.low, self.high, strict=True)]
        super().__init__(num_tilings, (num_tiles + 1) ** len(self.low), size)  # one more, for the displacement

    def tiles(self, observation: NDArray[Any]) -> list[int]:
        """The numbers [T] of an observation's tiles."""
        tiles = []
        scaled = [
            (min(max(value, low), high) - low) / width
            for value, low, high, width in zip(observation.tolist(), self.low, self.high, self.widths, strict=True)
        ]
        for tiling in range(self.num_tilings):
            tile = 0
            for dimension, value in enumerate(scaled):
                displacement = tiling * (2 * dimension + 1) / self.num_tilings % 1.0
                tile = tile * (self.num_tiles + 1) + math.floor(value + displacement)
            tiles.append(tile + tiling * self.tiles_a_tiling)
        return tiles

    def _tiles_of_many(self, observations: NDArray[np.float64]) -> NDArray[np.int64]:
        low, high, widths = (np.array(numbers) for numbers in (self.low, self.high, self.widths))
        scaled = (np.minimum(np.maximum(observations, low), high) - low) / widths  # [N, D]
        odd = 2 * np.arange(len(self.low)) + 1
        tiles = np.zeros((len(observations), self.num_tilings), dtype=np.int64)
        for tiling in range(self.num_tilings):
            displaced = np.floor(scaled + tiling * odd / self.num_tilings % 1.0).astype(np.int64)
            for column in displaced.T:
                tiles[:, tiling] = tiles[:, tiling] * (self.num_tiles + 1) + column
            tiles[:, tiling] += tiling * self.tiles_a_tiling
        return tiles


class EdgeTiles(TileCoder):
    """Tiles between edges that are given, narrow where it matters.

    An edge moves, from tiling to tiling, between half the way to the edge before it and half the way to the next one:
    in tiling k, along dimension d, by ((k (2d + 1) / T) mod 1) - 1/2 + 1/(2T) of the gap that it moves into. The edges
    as they are given are the middle of all. Beside the first and the last one the gap is that on their other side; the
    edge of a dimension that has one alone stays where it is.

    Args:
        edges: for each dimension [D] its edges, increasing.
        num_tilings: T.
        size: W, the most places there are.
    """

    def __init__(self, edges: Sequence[Sequence[float]], num_tilings: int, size: int) -> None:
        self.edges = [
            [_displaced(list(of_one), (tiling * (2 * dimension + 1)) / num_tilings % 1.0 - 0.5 + 0.5 / num_tilings)
             for dimension, of_one in enumerate(edges)]
            for tiling in range(num_tilings)
        ]  # [T][D][E]  # fmt: skip
        self.num_bins = [len(of_one) + 1 for of_one in edges]
        super().__init__(num_tilings, math.prod(self.num_bins), size)

    def tiles(self, observation: NDArray[Any]) -> list[int]:
        """The numbers [T] of an observation's tiles."""
        tiles, values = [], observation.tolist()
        for tiling, edges in enumerate(self.edges):
            tile = 0
            for num_bins, of_one, value in zip(self.num_bins, edges, values, strict=True):
                tile = tile * num_bins + bisect_right(of_one, value)
            tiles.append(tile + tiling * self.tiles_a_tiling)
        return tiles

    def _tiles_of_many(self, observations: NDArray[np.float64]) -> NDArray[np.int64]:
        tiles = np.zeros((len(observations), self.num_tilings), dtype=np.int64)
        for tiling, edges in enumerate(self.edges):
            for num_bins, of_one, column in zip(self.num_bins, edges, observations.T, strict=True):
                tiles[:, tiling] = tiles[:, tiling] * num_bins + np.searchsorted(of_one, column, side="right")
            tiles[:, tiling] += tiling * self.tiles_a_tiling
        return tiles


def _displaced(edges: list[float], share: float) -> list[float]:
    """Edges, each moved by a share of the gap on the side that it moves to."""
    if len(edges) < 2:
        return edges
    gaps = [high - low for low, high in pairwise(edges)]
    after = [*gaps, gaps[-1]] if share >= 0 else [gaps[0], *gaps]
    return [edge + share * gap for edge, gap in zip(edges, after, strict=True)]


def _hashed(number: int) -> int:
    """A whole number of any size, mixed to 64 bits (splitmix64, Steele et al. 2014)."""
    word = 0
    while True:
        word = (word ^ number) + 0x9E3779B97F4A7C15 & WORD
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & WORD
        word = (word ^ word >> 27) * 0x94D049BB133111EB & WORD
        word ^= word >> 31
        number >>= 64
        if number == 0:
            return word


def _hashed_words(tiles: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """`_hashed(tile) % size` of numbers that fit into a word."""
    with np.errstate(over="ignore"):
        word = tiles.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        word = (word ^ word >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ word >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        word ^= word >> np.uint64(31)
    return (word % np.uint64(size)).astype(np.int64)


def tile_coder(space: spaces.Box, settings: TileSettings, name: str) -> TileCoder:
    """The tiles that an agent of this name asks for.

    Raises:
        ValueError: the edges do not fit the space.
    """
    if settings.edges is None:
        return EvenTiles(space, settings.num_tilings, settings.num_tiles, settings.num_weights)
    try:
        edges = Discretiser.for_space(space, settings.edges, settings.num_edges).edges
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return EdgeTiles(edges, settings.num_tilings, settings.num_weights)


def check_tiles(space: spaces.Space[Any], name: str) -> spaces.Box:
    """The space, where it can be tiled.

    Raises:
        ValueError: it is no Box of one dimension with at most as many numbers as bins can take.
    """
    if not isinstance(space, spaces.Box) or len(space.shape) != 1 or not np.issubdtype(space.dtype, np.number):
        raise ValueError(f"{name} needs observed numbers in a row (a Box of shape [D]), got {space}")
    return space
