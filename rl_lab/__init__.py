"""RL Lab: run, watch and compare reinforcement-learning agents.

    from rl_lab import train, train_seeds, evaluate, export, compare, watch
    from rl_lab import draw, plot, make_env, make_agent, load_agent

Importing it registers the lab's environments with Gymnasium.
"""

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_lab import on_interrupt

if TYPE_CHECKING:
    from rl_lab.api import (
        compare,
        draw,
        evaluate,
        export,
        load_agent,
        make_agent,
        make_env,
        plot,
        train,
        train_seeds,
        watch,
    )

__version__ = "0.9.0"
__all__ = [
    "compare",
    "draw",
    "evaluate",
    "export",
    "load_agent",
    "make_agent",
    "make_env",
    "plot",
    "train",
    "train_seeds",
    "watch",
]


def _is_the_command_line() -> bool:
    """Is it `rl-lab`, or `python -m rl_lab`?"""
    called = sys.argv[0] if sys.argv else ""
    if called == "-m":  # of which module it is
        return sys.orig_argv[sys.orig_argv.index("-m") + 1] == "rl_lab"
    return Path(called).stem == "rl-lab"


if _is_the_command_line():
    # The command line registers when a command needs environments, so that `rl-lab --help` need not load Gymnasium.
    on_interrupt.prepare()
else:
    importlib.import_module("envs")


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("rl_lab.api"), name)
    raise AttributeError(f"module 'rl_lab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
