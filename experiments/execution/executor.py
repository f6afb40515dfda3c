"""Trains runs: in this process, or several at once in processes of their own."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Protocol

from agents.registry import find_agent
from experiments.execution.processes import Workers
from experiments.runs.manifest import Manifest
from experiments.runs.provenance import THREAD_VARIABLES
from experiments.specs.spec import RunSpec
from experiments.training.observers import Hearing
from experiments.training.train_run import train_run

Ended = tuple[RunSpec, Manifest]


class Executor(Protocol):
    """A place where runs are trained."""

    def has_room(self) -> bool:
        """Can another run begin?"""

    def is_busy(self) -> bool:
        """Is any run under way?"""

    def submit(self, run_spec: RunSpec, hearing: Hearing) -> None:
        """Begin a run; what is heard of it is told while `wait` waits."""

    def wait(self) -> Ended:
        """Wait until a run has ended: which, and its manifest. One whose process died has failed."""

    def interrupt(self) -> None:
        """Stop what is under way, so that it can go on later."""

    def close(self) -> None:
        """Wait until everything has stopped, and let go of it."""


class LocalExecutor:
    """This machine.

    One run at a time is trained in this process, unless its agent needs a process to itself; several are trained in
    processes of their own.

    Args:
        out: the output folder.
        jobs: runs at once.
    """

    def __init__(self, out: Path, jobs: int) -> None:
        self._out, self._jobs = out, jobs
        self._here: tuple[RunSpec, Hearing] | None = None
        self._workers = Workers(out)

    def has_room(self) -> bool:
        """Are fewer than `jobs` under way?"""
        return self._workers.num_busy + (self._here is not None) < self._jobs

    def is_busy(self) -> bool:
        """Is any run under way?"""
        return self._here is not None or self._workers.num_busy > 0

    def submit(self, run_spec: RunSpec, hearing: Hearing) -> None:
        """Begin a run."""
        alone = find_agent(run_spec.agent.id).own_process
        if self._jobs == 1 and not alone:
            self._here = run_spec, hearing
        else:
            self._workers.begin(run_spec, hearing, alone=alone)

    def wait(self) -> Ended:
        """Wait until a run has ended."""
        if self._here is None:
            return self._workers.wait()
        (run_spec, hearing), self._here = self._here, None
        with contextlib.redirect_stdout(sys.stderr):  # standard output belongs to the command
            return run_spec, train_run(run_spec, self._out, [hearing])

    def interrupt(self) -> None:
        """Stop the processes' runs."""
        self._workers.interrupt()

    def close(self) -> None:
        """Wait for the processes to end."""
        self._workers.close()


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_threads() -> None:
    """One thread a run, so that runs never fight for cores and a result does not depend on how many there are."""
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")
