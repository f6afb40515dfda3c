"""An algorithm put together: the shared functions with its own `update` in its place, in Python or in machine code.

What is shared calls `update` (and a few other names) without knowing the algorithm. Here every function is copied with
globals in which these names are the algorithm's own; numba then compiles the copies, or Python runs them as they are.
Nothing is written twice.
"""

import hashlib
import importlib.metadata
import inspect
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from agents.tabular import behaviour, episodes, learning

Parts = Mapping[str, Callable[..., Any]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rules:
    """The functions that an agent calls; all are on arrays."""

    act: Callable[..., int]
    begin: Callable[..., None]
    learn: Callable[..., float]
    run: Callable[..., None]


@lru_cache
def python_rules(update: Callable[..., float], parts: tuple[tuple[str, Callable[..., Any]], ...]) -> Rules:
    """The rules as Python runs them."""
    copied: dict[Any, Any] = {}
    own = dict(parts) | {"update": update}
    return Rules(*(_with_parts(function, own, lambda copy: copy, copied) for function in _entry_points(own)))


@lru_cache
def compiled_rules(name: str, update: Callable[..., float], parts: tuple[tuple[str, Callable[..., Any]], ...]) -> Rules:
    """The same in machine code: compiled at the first call, or taken from the disk."""
    import numba  # takes half a second

    njit: Any = numba.njit

    # Without numba's own memory management no function can allocate, and arrays are passed at no cost.
    def compiled(copy: FunctionType) -> Any:
        return njit(nogil=True, error_model="numpy", _nrt=False, forceinline=True)(copy)

    copied: dict[Any, Any] = {}
    own = dict(parts) | {"update": update}
    for function in _entry_points(own):
        _with_parts(function, own, compiled, copied)
    folder = cache_folder() / f"{name}-{_digest(copied)}"
    config: Any = numba.config
    before = config.CACHE_DIR
    try:
        folder.mkdir(parents=True, exist_ok=True)
        config.CACHE_DIR = str(folder)
        entries = [
            njit(nogil=True, error_model="numpy", _nrt=False, cache=True)(copied[function].py_func)
            for function in _entry_points(own)
        ]
    finally:
        config.CACHE_DIR = before
    if not any(folder.rglob("*.nbi")):
        _log.warning("compiling %s: once, some seconds; the machine code is kept on disk", name)
    return Rules(*entries)


def _entry_points(parts: Parts) -> tuple[Callable[..., Any], ...]:
    return parts.get("act", behaviour.choose), learning.begin, learning.learn, episodes.run


def _with_parts(
    function: Callable[..., Any], parts: Parts, make: Callable[[FunctionType], Any], copied: dict[Any, Any]
) -> Any:
    """A function, and all that it calls, copied with an algorithm's parts under their names."""
    if function not in copied:
        assert isinstance(function, FunctionType)
        if function.__closure__:
            raise ValueError(f"{function.__qualname__}: expected a function of a module, got one inside another")
        # Only the shared functions have names that stand for an algorithm's own; a user's module means what it says.
        is_shared = function.__module__.startswith("agents.")
        names = dict(function.__globals__)
        copied[function] = make(FunctionType(function.__code__, names, function.__name__, function.__defaults__))
        for name in function.__code__.co_names:
            called = names.get(name)
            if is_shared and name in names:
                called = parts.get(name, called)
            if isinstance(called, FunctionType) and _is_ours(called, parts):
                names[name] = _with_parts(called, parts, make, copied)
    return copied[function]


def _is_ours(function: FunctionType, parts: Parts) -> bool:
    homes = {part.__module__ for part in parts.values()}
    return function.__module__.startswith("agents.") or function.__module__ in homes


def _digest(functions: Mapping[Any, Any]) -> str:
    """Changes with everything that the machine code depends on."""
    modules = sorted({function.__module__ for function in functions} | {__name__, "agents.tabular.memory"})
    versions = f"{sys.version} {np.__version__} {importlib.metadata.version('numba')}"
    digest = hashlib.sha256(f"{versions} {Path(__file__).resolve()}".encode())  # numba keeps the sources' path, too
    for module in modules:
        digest.update(inspect.getsource(sys.modules[module]).encode())
    for function in sorted(functions, key=lambda function: f"{function.__module__}.{function.__qualname__}"):
        for name in function.__code__.co_names:  # constants are frozen into machine code, wherever they come from
            value = function.__globals__.get(name)
            if isinstance(value, int | float | str | tuple):
                digest.update(f"{name}={value!r}".encode())
    digest.update(repr(sorted(f"{function.__module__}.{function.__name__}" for function in functions)).encode())
    return digest.hexdigest()[:16]


@lru_cache
def cache_folder() -> Path:
    """Where machine code is kept: in RL_LAB_CACHE, or the user's cache folder; else in a new folder of this process."""
    base = os.environ.get("RL_LAB_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rl-lab"
    folder = Path(base) / "agents"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="rl-lab-"))
