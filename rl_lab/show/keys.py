"""Keys as they are typed: from a terminal without waiting for Enter, or from a pipe."""

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

UP, RIGHT, DOWN, LEFT = "\x1b[A", "\x1b[C", "\x1b[B", "\x1b[D"  # the arrow keys, as terminals send them
WINDOWS_ARROWS = {"H": UP, "M": RIGHT, "P": DOWN, "K": LEFT}  # after a prefix, as msvcrt tells of them
HIDE_CURSOR, CLEAR, SHOW_CURSOR = "\x1b[?25l", "\x1b[2J", "\x1b[?25h"


@contextmanager
def raw_keys() -> Iterator[Callable[[], str]]:
    """A function that reads one key; from a terminal without waiting for Enter."""
    if not sys.stdin.isatty():
        yield _next_typed
        return
    with _unbuffered() as number:
        if number is None:
            yield _windows_key
            return
        try:
            if sys.stdout.isatty():
                sys.stdout.write(HIDE_CURSOR + CLEAR)
            yield lambda: _read_key(number)
        finally:
            if sys.stdout.isatty():
                sys.stdout.write(SHOW_CURSOR + "\n")
                sys.stdout.flush()


@contextmanager
def _unbuffered() -> Iterator[int | None]:
    """The terminal's file number, while it hands out keys one by one and shows none; None on Windows."""
    try:
        import termios
        import tty
    except ImportError:
        yield None
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number)
        yield number
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _next_typed() -> str:
    """The next key from a pipe; an arrow comes as Esc, [ and a letter."""
    key = sys.stdin.read(1)
    return key + sys.stdin.read(2) if key == "\x1b" else key


def _read_key(number: int) -> str:
    key = os.read(number, 1).decode(errors="replace")
    while key.startswith("\x1b") and len(key) < 3 and select.select([number], [], [], 0.05)[0]:
        key += os.read(number, 1).decode(errors="replace")
    return key


def _windows_key() -> str:
    """The next key in a Windows terminal; an arrow as other terminals send it."""
    import msvcrt

    read: Any = vars(msvcrt)["getwch"]
    key: str = read()
    return WINDOWS_ARROWS.get(read(), "?") if key in ("\x00", "\xe0") else key


@contextmanager
def polled_keys() -> Iterator[Callable[[float], str | None]]:
    """A function that waits for a key for some seconds at most; without a terminal none is ever typed."""
    if not sys.stdin.isatty():
        yield _nothing_typed
        return
    with _unbuffered() as number:
        yield _windows_key_within if number is None else lambda seconds: _key_within(number, seconds)


def _nothing_typed(seconds: float) -> None:
    time.sleep(seconds)


def _key_within(number: int, seconds: float) -> str | None:
    if not select.select([number], [], [], max(0.0, seconds))[0]:
        return None
    return _read_key(number)


def _windows_key_within(seconds: float) -> str | None:
    import msvcrt

    pressed: Any = vars(msvcrt)["kbhit"]
    deadline = time.monotonic() + seconds
    while not pressed():
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.01)
    return _windows_key()
