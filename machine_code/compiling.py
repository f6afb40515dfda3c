"""Plain functions on arrays, with others in the place of those that they call: for Python, or as machine code.

A function that calls another one by a module's name is copied with globals in which that name is a stand-in, and so
is all that it calls. numba then compiles the copies, or Python runs them as they are; nothing is written twice.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import FunctionType
from typing import Any

from machine_code import cache

Function = Callable[..., Any]
StandIns = Mapping[Function, Function]  # function -> what is called in its place
_log = logging.getLogger(__name__)


class Reach:
    """What some functions call, one through another, when stand-ins are in place.

    Only functions of the packages that the first ones are of are followed, and those of the stand-ins' modules.
    Everything else that is called, such as numpy's functions or what is compiled already, stays as it is.
    """

    def __init__(self, functions: Sequence[Function], stand_ins: StandIns) -> None:
        self.stand_ins = stand_ins
        self._packages = {function.__module__.partition(".")[0] for function in functions}
        self._modules = {stand_in.__module__ for stand_in in stand_ins.values()}
        self.called: dict[FunctionType, dict[str, Any]] = {}  # function -> the names in it that are followed
        self.replaced: set[Function] = set()  # those that were called and have a stand-in
        for function in functions:
            self._follow(self.stand_in(function))

    def stand_in(self, function: Any) -> Any:
        """What is called in the place of a function: itself, as a rule."""
        if isinstance(function, FunctionType) and function in self.stand_ins:
            self.replaced.add(function)
            return self.stand_ins[function]
        return function

    def _follow(self, function: Any) -> None:
        if not isinstance(function, FunctionType) or function in self.called:
            return
        names = self.called[function] = {}
        for name in cache.names_in(function.__code__):
            there = function.__globals__.get(name)
            called = self.stand_in(there)
            if called is not there or (isinstance(called, FunctionType) and self._is_ours(called)):
                names[name] = called
                self._follow(called)

    def _is_ours(self, function: FunctionType) -> bool:
        return function.__module__.partition(".")[0] in self._packages or function.__module__ in self._modules

    def below(self, function: FunctionType) -> set[Any]:
        """The function, and all that is reached from it, stand-ins included."""
        found: set[Any] = set()
        waiting: list[Any] = [function]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += self.called.get(one, {}).values()
        return found


def in_python(functions: Sequence[Function], stand_ins: StandIns) -> list[Function]:
    """The functions as Python runs them, with stand-ins in place."""
    reach = Reach(functions, stand_ins)
    copies = _Copies(reach, lambda function, copy: copy)
    return [copies.of(reach.stand_in(function)) for function in functions]


def compiled(
    function: Function, stand_ins: StandIns, name: str, announcement: str | None = None, *, inline: bool = False
) -> Function:
    """The function in machine code, with stand-ins in place: compiled at its first call, or taken from the disk.

    Args:
        function: of a module, as all that it calls must be.
        stand_ins: what is called in the place of what.
        name: of the folder that it is kept in.
        announcement: said (as a warning of `logging`) where it is not on the disk yet.
        inline: everything that it calls becomes a part of it, and nothing may allocate memory, so that numba passes
            arrays at no cost. Else all are compiled by themselves, once for all that call them, and kept.
    """
    import numba  # takes half a second

    njit: Any = numba.njit
    reach = Reach([function], stand_ins)
    entry: FunctionType = reach.stand_in(function)

    def compiled_part(original: FunctionType, copy: FunctionType) -> Any:
        if inline:
            return njit(nogil=True, error_model="numpy", _nrt=False, forceinline=True)(copy)
        return _shared(original, copy, _digest(reach, original))

    folder = cache.kept_in(f"{name}-{_digest(reach, entry)}")
    options: dict[str, Any] = {"nogil": True, "_nrt": False} if inline else {}

    def compiled_entry(original: FunctionType, copy: FunctionType) -> Any:
        with cache.keeping_in(folder):
            return njit(error_model="numpy", cache=True, **options)(copy)

    result: Function = _Copies(reach, compiled_part).copy(entry, compiled_entry)
    if announcement and not any(folder.rglob("*.nbi")):
        _log.warning(announcement)
    return result


_shared_parts: dict[tuple[FunctionType, str], Any] = {}


def _shared(original: FunctionType, copy: FunctionType, digest: str) -> Any:
    """A function that others call, compiled by itself; once in a process for all that call it with equal stand-ins."""
    import numba

    if (original, digest) not in _shared_parts:
        with cache.keeping_in(cache.kept_in(f"shared/{digest}")):
            njit: Any = numba.njit
            _shared_parts[original, digest] = njit(error_model="numpy", cache=True)(copy)
    return _shared_parts[original, digest]


class _Copies:
    """Copies of functions whose globals are their own, with stand-ins in place."""

    def __init__(self, reach: Reach, make: Callable[[FunctionType, FunctionType], Any]) -> None:
        self._reach, self._make = reach, make
        self._made: dict[FunctionType, Any] = {}

    def of(self, function: Any) -> Any:
        """What stands for a function: a copy that was made into something; what is no plain function stays."""
        if not isinstance(function, FunctionType):
            return function
        if function not in self._made:
            self.copy(function, self._make)
        return self._made[function]

    def copy(self, function: FunctionType, make: Callable[[FunctionType, FunctionType], Any]) -> Any:
        """The copy, made into something; what it calls is `of`."""
        if function.__closure__:
            raise ValueError(f"{function.__qualname__}: expected a function of a module, got one inside another")
        names = dict(function.__globals__)
        copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
        made = self._made[function] = make(function, copy)  # first: it may call itself
        for name, called in self._reach.called[function].items():
            names[name] = self.of(called)
        return made


def _digest(reach: Reach, function: FunctionType) -> str:
    return _digest_of(frozenset(map(_written, reach.below(function))))


def _written(function: Any) -> FunctionType:
    """What was written in Python: of what is compiled already, and of numba's intrinsics, their source."""
    written: FunctionType = getattr(function, "py_func", getattr(function, "_defn", function))
    return written


@lru_cache(4096)
def _digest_of(functions: frozenset[FunctionType]) -> str:
    return cache.digest(functions)
