"""Where machine code is kept on disk, and what it depends on."""

import hashlib
import importlib.metadata
import inspect
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np


def kept_in(name: str) -> Path:
    """A folder of this name that can be written: in RL_LAB_CACHE, or the user's cache folder.

    Where neither can be written, it is in a new folder of this process, which nobody else can have put anything into.
    """
    own = os.environ.get("RL_LAB_CACHE")
    return _writable((Path(own) if own else _user_cache() / "rl-lab") / "machine-code", name)


def _user_cache() -> Path:
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # there is no home, as in a container whose user has a number and no name
        return _private_folder()


@lru_cache
def _writable(base: Path, name: str) -> Path:
    folder = base / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # it may have been there, and be another's
            return folder
    except OSError:
        folder = _private_folder() / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


@lru_cache
def _private_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="rl-lab-"))


@contextmanager
def keeping_in(folder: Path) -> Iterator[None]:
    """numba keeps in this folder what is declared in the block; nobody else's setting changes."""
    import numba

    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = before


def digest(functions: Iterable[FunctionType]) -> str:
    """16 characters that change with everything that the functions' machine code depends on.

    That is the source of their modules, the numbers that are frozen into the code wherever they come from, the
    versions of what compiles it, and where the sources lie, which numba keeps with it.
    """
    functions = sorted(functions, key=_full_name)
    versions = f"{sys.version} {np.__version__} {importlib.metadata.version('numba')}"
    result = hashlib.sha256(f"{versions} {Path(__file__).resolve()}".encode())
    for module in sorted({function.__module__ for function in functions} | {__name__, "machine_code.compiling"}):
        result.update(_source(module))
    for function in functions:
        result.update(_full_name(function).encode())
        for record in function.__annotations__.values():
            if isinstance(record, type) and issubclass(record, tuple):  # its fields are places in machine code
                result.update(_source(record.__module__))
        for name in names_in(function.__code__):
            value = function.__globals__.get(name)
            if isinstance(value, int | float | str | tuple):
                result.update(f"{name}={value!r}".encode())
    return result.hexdigest()[:16]


def names_in(code: CodeType) -> list[str]:
    """The names that code looks up, those of the comprehensions and functions in it too."""
    inner = [name for constant in code.co_consts if isinstance(constant, CodeType) for name in names_in(constant)]
    return list(dict.fromkeys([*code.co_names, *inner]))


def _full_name(function: FunctionType) -> str:
    return f"{function.__module__}.{function.__qualname__}"


@lru_cache
def _source(module: str) -> bytes:
    return inspect.getsource(sys.modules[module]).encode()
