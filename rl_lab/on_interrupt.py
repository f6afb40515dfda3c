"""Ctrl-C before the command line is there: a word and exit code 130, as later, instead of a traceback."""

import os
import signal
import sys
from typing import Any

INTERRUPTED = 130


def prepare() -> None:
    """Leave at once on Ctrl-C, until `restore`: nothing has been begun."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def restore() -> None:
    """From now on Ctrl-C is an exception."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def leave() -> int:
    """Say so; the exit code."""
    print("interrupted", file=sys.stderr)
    return INTERRUPTED


def _leave(signal_number: int, frame: Any) -> None:
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)
