"""The mazes' functions as machine code, made by numba from the very lines that Python runs.

There `below` and `uniform` draw from the words of a generator (`machine_code.pcg64`).
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mazes import batch, chance, generators, grid, level
from envs.mazes.generators import GENERATORS
from envs.mazes.grid import Maze, Passages
from envs.mazes.level import Level, Recipe
from machine_code import pcg64
from machine_code.compiling import Function, compiled

RENEWALS = {"fixed": batch.keep_level, "pool": batch.pick_level, "new": batch.new_level}
# Machine code draws from the words of a generator.
DRAWS: dict[Function, Function] = {
    chance.below: pcg64.below,
    chance.uniform: pcg64.uniform,
    batch.uniform_at: pcg64.uniform_at,
}


@lru_cache
def begin_kernel(kind: str, generator: str) -> Callable[..., None]:
    """`batch.begin` for a kind of source ("fixed", "pool" or "new") and, where mazes are new, their generator."""
    renewal: dict[Function, Function] = {batch.renew_level: RENEWALS[kind]}
    if kind == "new":
        return _kernel(batch.begin, f"begin-{generator}", renewal | _carving_by(generator))
    return _kernel(batch.begin, f"begin-{kind}", renewal)


@lru_cache
def advance_kernel() -> Callable[..., int]:
    """`batch.advance`."""
    return _kernel(batch.advance, "advance")


@lru_cache
def compiled_draw(generator: str) -> Callable[[Recipe, np.random.Generator], Level]:
    """`level.draw_level` for one generator's mazes."""
    kernel = _kernel(level.draw_level, f"draw-{generator}", _carving_by(generator))

    def draw(recipe: Recipe, rng: np.random.Generator) -> Level:
        words = pcg64.pack(rng)
        drawn = Level(*kernel(recipe, words))
        rng.bit_generator.state = pcg64.unpack(words).bit_generator.state
        return drawn

    return draw


@lru_cache
def compiled_carver(generator: str) -> Callable[[NDArray[np.bool_], int, int, float, NDArray[np.uint64]], None]:
    """A generator's carver, which draws from a generator's words (`pcg64.pack`)."""
    return _kernel(GENERATORS[generator].carver, f"carve-{generator}")


def compiled_maze(generator: str, rows: int, cols: int, seed: int) -> Maze:
    """The maze that `GENERATORS[generator]` makes from `np.random.default_rng(seed)`, made in machine code."""
    maze = grid.closed(rows, cols)
    words = pcg64.pack(np.random.default_rng(seed))
    compiled_carver(generator)(maze.passages, rows, cols, GENERATORS[generator].default, words)
    return maze


def _kernel(function: Function, name: str, stand_ins: dict[Function, Function] | None = None) -> Function:
    said = f"compiling the mazes' machine code ({name}): once, up to a minute; it is kept on disk"
    return compiled(function, DRAWS | (stand_ins or {}), f"mazes/{name}", said)


# -- a generator in the place of the registry's number --------------------------------------------------------


def carve(passages: Passages, rows: int, cols: int, parameter: float, rng: Any) -> None:
    """A generator's carver stands here."""
    raise NotImplementedError


def carve_by_one(number: int, passages: Passages, rows: int, cols: int, parameter: float, rng: Any) -> None:
    """`generators.carve_maze`, where all mazes are one generator's."""
    carve(passages, rows, cols, parameter, rng)


def _carving_by(generator: str) -> dict[Function, Function]:
    return {generators.carve_maze: carve_by_one, carve: GENERATORS[generator].carver}
