"""The terminal that is written to."""

import shutil
import sys

from rich.console import Console

PIPE_WIDTH = 140  # columns


def console() -> Console:
    """Standard output: colours on a terminal only; never narrower than a table in a pipe."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
    return Console(width=width, highlight=False, no_color=True, color_system=None)
