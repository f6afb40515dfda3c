"""The mazes' functions as machine code, made by numba from the very lines that Python runs.

A function is compiled in a namespace where the functions that it calls are compiled too, and where `below` and
`uniform` draw from the words of a generator (`machine_code.pcg64`). What is compiled is kept on disk, in a folder that
is named after the sources, so that a change in any of them compiles anew; the first time says so.
"""

import hashlib
import importlib.metadata
import inspect
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, cast

import numba
import numpy as np
from numpy.typing import NDArray

from envs.mazes import batch, carving, chance, generators, grid, level, moves, splits
from envs.mazes.generators import GENERATORS
from envs.mazes.grid import Maze
from envs.mazes.level import Level, Recipe
from machine_code import pcg64

SOURCES: tuple[ModuleType, ...] = (chance, grid, splits, carving, generators, level, moves, batch)
RENEWALS = {"fixed": batch.keep_level, "pool": batch.pick_level, "new": batch.new_level}
# These call what differs between entry points; all others are compiled once for all of them.
DEPEND_ON_THE_ENTRY_POINT = {"carve_maze", "draw_level", "new_level", "renew_level", "begin"}
_config: Any = numba.config
_log = logging.getLogger(__name__)


@lru_cache
def begin_kernel(kind: str, generator: str) -> Callable[..., None]:
    """`batch.begin` for a kind of source ("fixed", "pool" or "new") and, where mazes are new, their generator."""
    space = _namespace(generator if kind == "new" else None)
    space["renew_level"] = space[RENEWALS[kind].__name__]
    return _entry_point(batch.begin, space, f"begin-{generator}" if kind == "new" else f"begin-{kind}")


@lru_cache
def advance_kernel() -> Callable[..., bool]:
    """`batch.advance`."""
    return _entry_point(batch.advance, _namespace(), "advance")


@lru_cache
def compiled_draw(generator: str) -> Callable[[Recipe, np.random.Generator], Level]:
    """`level.draw_level` for one generator's mazes."""
    kernel = _entry_point(level.draw_level, _namespace(generator), f"draw-{generator}")

    def draw(recipe: Recipe, rng: np.random.Generator) -> Level:
        words = pcg64.pack(rng)
        drawn = Level(*kernel(recipe, words))
        rng.bit_generator.state = pcg64.unpack(words).bit_generator.state
        return drawn

    return draw


@lru_cache
def compiled_carver(generator: str) -> Callable[[NDArray[np.bool_], int, int, float, NDArray[np.uint64]], None]:
    """A generator's carver, which draws from a generator's words (`pcg64.pack`)."""
    return _entry_point(GENERATORS[generator].carver, _namespace(), f"carve-{generator}")


def compiled_maze(generator: str, rows: int, cols: int, seed: int) -> Maze:
    """The maze that `GENERATORS[generator]` makes from `np.random.default_rng(seed)`, made in machine code."""
    maze = grid.closed(rows, cols)
    words = pcg64.pack(np.random.default_rng(seed))
    compiled_carver(generator)(maze.passages, rows, cols, GENERATORS[generator].default, words)
    return maze


# -- how functions are compiled -----------------------------------------------------------------------------


def _namespace(generator: str | None = None) -> dict[str, Any]:
    """The sources' functions, compiled when they are called, and what they need; `carve_maze` is the generator."""
    space: dict[str, Any] = {"__name__": __name__}
    for module in SOURCES:
        space |= {name: value for name, value in vars(module).items() if not name.startswith("__")}
    functions = [
        value
        for module in SOURCES
        for value in vars(module).values()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    ]
    with _cache_folder("shared"):
        for function in functions:
            keep = function.__name__ not in DEPEND_ON_THE_ENTRY_POINT
            space[function.__name__] = numba.njit(cache=keep, error_model="numpy")(_in_namespace(function, space))
    space |= {"below": pcg64.below, "uniform": pcg64.uniform, "uniform_at": pcg64.uniform_at}
    if generator is not None:
        chosen = space[GENERATORS[generator].carver.__name__]

        def carve_maze(number: Any, passages: Any, rows: Any, cols: Any, parameter: Any, rng: Any) -> None:
            chosen(passages, rows, cols, parameter, rng)

        space["carve_maze"] = numba.njit(carve_maze)
    return space


def _in_namespace(function: Callable[..., Any], space: dict[str, Any]) -> FunctionType:
    """The function with other globals; the dictionary may still grow."""
    assert isinstance(function, FunctionType)
    return FunctionType(function.__code__, space, function.__name__, function.__defaults__)


def _entry_point(function: Callable[..., Any], space: dict[str, Any], folder: str) -> Callable[..., Any]:
    """A function that Python calls: compiled at its first call, or taken from the disk."""
    with _cache_folder(folder):
        compiled = numba.njit(cache=True, error_model="numpy")(_in_namespace(function, space))

    if not any((cache_folder() / folder).rglob("*.nbi")):
        _log.warning("compiling the mazes' machine code (%s): once, up to a minute; it is kept on disk", folder)
    return cast(Callable[..., Any], compiled)


@lru_cache
def cache_folder() -> Path:
    """Where machine code is kept: in RL_LAB_CACHE, or the user's cache folder, by the sources' digest.

    Where neither can be written, it is a new folder that nobody else can have put anything into.
    """
    base = os.environ.get("RL_LAB_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rl-lab"
    folder = Path(base) / "numba" / _digest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="rl-lab-"))


@lru_cache
def _digest() -> str:
    """Changes with everything that the machine code depends on."""
    versions = f"{sys.version} {np.__version__} {importlib.metadata.version('numba')}"
    digest = hashlib.sha256(f"{versions} {Path(__file__).resolve()}".encode())  # numba keeps the sources' path, too
    for module in (*SOURCES, pcg64, sys.modules[__name__]):
        digest.update(inspect.getsource(module).encode())
    return digest.hexdigest()[:16]


@contextmanager
def _cache_folder(folder: str) -> Iterator[None]:
    """numba keeps what is defined in here in this folder; nobody else's setting changes."""
    path = cache_folder() / folder
    before = _config.CACHE_DIR
    try:
        path.mkdir(parents=True, exist_ok=True)
        _config.CACHE_DIR = str(path)
        yield
    finally:
        _config.CACHE_DIR = before
