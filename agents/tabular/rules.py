"""An algorithm put together: the functions that all share, with its own in their slots; at both speeds."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from agents.tabular import behaviour, episodes, learning
from machine_code.compiling import Function, StandIns, compiled, in_python
from machine_code.slots import filled

DEFAULTS: Mapping[str, Function] = {"act": behaviour.choose, "forget": learning.keep_all}
IN_PYTHON = (learning.act, learning.begin, learning.learn)  # what the readable loop calls


class Rules(NamedTuple):
    """The functions that the readable loop calls; all are on arrays."""

    act: Callable[..., int]
    begin: Callable[..., None]
    learn: Callable[..., float]


class Algorithm:
    """Functions in their slots.

    Args:
        fillings: of the slots, by name; `DEFAULTS` fill those that are not there.

    Raises:
        ValueError: a name is no slot of this algorithm, or a slot is empty.
    """

    def __init__(self, fillings: Mapping[str, Function]) -> None:
        self.stand_ins: StandIns = filled((*IN_PYTHON, episodes.run), {**DEFAULTS, **fillings})
        self._python: Rules | None = None
        self._run: Function | None = None
        self._parts: dict[Function, Function] = {}

    def in_python(self, quicker: StandIns | None = None) -> Rules:
        """The rules as Python runs them.

        Args:
            quicker: what is called in the place of functions that take their time.
        """
        if quicker:
            return Rules(*in_python(IN_PYTHON, {**self.stand_ins, **quicker}))
        if self._python is None:
            self._python = Rules(*in_python(IN_PYTHON, self.stand_ins))
        return self._python

    def compiled_part(self, part: Function, name: str) -> Function:
        """One function of the rules in machine code."""
        if part not in self._parts:
            said = f"compiling {name}: once, some seconds; the machine code is kept on disk"
            self._parts[part] = compiled(part, self.stand_ins, f"agents/{name}", said, inline=True)
        return self._parts[part]

    def compiled_run(self, name: str) -> Function:
        """`episodes.run` in machine code."""
        if self._run is None:
            from machine_code import pcg64  # loads numba

            said = f"compiling {name}: once, some seconds; the machine code is kept on disk"
            in_registers: StandIns = {episodes.held: pcg64.on_stack, episodes.let_go: pcg64.copy_into}
            self._run = compiled(episodes.run, {**self.stand_ins, **in_registers}, f"agents/{name}", said, inline=True)
        return self._run

    def is_the_labs(self) -> bool:
        """Is all of it known to compile?"""
        return all(_package(function) == _package(Algorithm) for function in self.stand_ins.values())


@lru_cache(4096)
def algorithm(fillings: tuple[tuple[str, Function], ...]) -> Algorithm:
    """The algorithm of these slots: one in a process, so that it is compiled once.

    Raises:
        ValueError: a name is no slot of this algorithm, or a slot is empty.
    """
    return Algorithm(dict(fillings))


def _package(there: Any) -> str:
    return str(there.__module__).partition(".")[0]
