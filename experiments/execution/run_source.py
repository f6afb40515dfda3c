"""Where the runs to train come from: a list; or whoever decides while others run, such as a search."""

from collections.abc import Sequence
from typing import Protocol

from experiments.runs.manifest import Manifest
from experiments.specs.spec import RunSpec
from experiments.training.observers import Point


class RunSource(Protocol):
    """Says what is to be trained next."""

    prunes: bool  # does it want to hear of points of learning curves?

    def next(self) -> RunSpec | None:
        """The next run; None where there is none, or none before another has ended."""

    def evaluated(self, run_spec: RunSpec, point: Point) -> bool:
        """A run, which waits, has come to a point of its learning curve. True: prune it."""

    def ended(self, run_spec: RunSpec, manifest: Manifest) -> None:
        """A run has ended for good, as its manifest says."""


class RunList:
    """Runs that are known beforehand, in their order."""

    prunes = False

    def __init__(self, run_specs: Sequence[RunSpec]) -> None:
        self._waiting = list(reversed(run_specs))

    def next(self) -> RunSpec | None:
        """The next of the list."""
        return self._waiting.pop() if self._waiting else None

    def evaluated(self, run_spec: RunSpec, point: Point) -> bool:
        """It goes on."""
        return False

    def ended(self, run_spec: RunSpec, manifest: Manifest) -> None:
        """Nothing follows from it."""
