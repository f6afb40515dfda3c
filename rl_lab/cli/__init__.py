"""The command line. Nothing heavy is imported before a command needs it."""

from rl_lab.cli import experiments, pictures, results
from rl_lab.cli.app import run_app as main

__all__ = ["experiments", "main", "pictures", "results"]
