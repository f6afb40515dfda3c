"""Slots: the places in shared functions that an algorithm fills with functions of its own.

A slot is a function of a module that others call, and that only raises. Its name is one of a kind.
"""

import difflib
from collections.abc import Mapping
from typing import TypeVar

from machine_code.compiling import Function, Reach, StandIns

_F = TypeVar("_F", bound=Function)
_slots: dict[str, Function] = {}  # by name


def slot(function: _F) -> _F:
    """Declare that an algorithm's own function stands in the place of this one."""
    name = function.__name__
    if name in _slots and _slots[name].__module__ != function.__module__:
        raise ValueError(f"slot {name!r}: expected a name of its own, got one that {_slots[name].__module__} has")
    _slots[name] = function
    return function


def filled(entries: tuple[Function, ...], fillings: Mapping[str, Function]) -> StandIns:
    """What stands in the place of what, by the slots' names.

    Args:
        entries: where all starts; what is reached from them, the fillings included, says which slots there are.
        fillings: of the slots, by name.

    Raises:
        ValueError: a name is no slot here, or a slot is empty.
    """
    stand_ins = {_slots[name]: filling for name, filling in fillings.items() if name in _slots}
    reach = Reach(entries, stand_ins)
    slots = {name for name, one in _slots.items() if one in reach.called or one in reach.replaced}
    for name in fillings:
        if name not in slots:
            near = difflib.get_close_matches(name, slots, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"expected {', '.join(sorted(slots))}"
            raise ValueError(f"no slot is called {name!r} here ({known})")
    for name in sorted(slots - set(fillings)):
        raise ValueError(f"the slot {name!r} is empty: expected a function, got none")
    return stand_ins
