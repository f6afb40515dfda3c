"""Drives runs from a source through an executor: the one loop for lists and searches, here and elsewhere."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Protocol

from experiments.execution.executor import Executor
from experiments.execution.forcing import Forcing
from experiments.execution.run_source import RunSource
from experiments.runs.manifest import Manifest
from experiments.specs.spec import RunSpec
from experiments.training.observers import Hearing, Progress


class Listener(Protocol):
    """Hears how the runs go."""

    def begin(self, num_runs: int) -> None:
        """So many runs are to be trained."""

    def started(self, run_spec: RunSpec) -> None:
        """A run begins."""

    def progress(self, run_spec: RunSpec, progress: Progress) -> None:
        """A run has come this far."""

    def ended(self, run_spec: RunSpec, manifest: Manifest) -> None:
        """A run has ended; its manifest says how."""

    def retried(self, run_spec: RunSpec, manifest: Manifest) -> None:
        """A run has failed, as its manifest says, and will be tried again."""


def drive(source: RunSource, executor: Executor, listener: Listener, retries: int = 0) -> list[Manifest]:
    """Train what a source gives; the manifests, in the order in which the runs ended.

    A run that fails, or whose process dies, is recorded, tried again up to `retries` times, and the others go on.

    Raises:
        KeyboardInterrupt: after the runs under way were stopped and recorded as interrupted.
    """
    manifests: list[Manifest] = []
    failures: Counter[Path] = Counter()  # by the run's folder
    forcing = Forcing()

    def begin(run_spec: RunSpec) -> None:
        listener.started(run_spec)
        on_point = partial(source.evaluated, run_spec) if source.prunes else None
        executor.submit(run_spec, Hearing(partial(listener.progress, run_spec), on_point))

    try:
        while True:
            while executor.has_room() and (run_spec := source.next()) is not None:
                begin(run_spec)
            if not executor.is_busy():
                return manifests
            run_spec, manifest = executor.wait()
            if manifest.status == "failed" and failures[run_spec.folder] < retries:
                failures[run_spec.folder] += 1
                listener.retried(run_spec, manifest)
                begin(run_spec)
                continue
            forcing.run_ended()
            listener.ended(run_spec, manifest)
            source.ended(run_spec, manifest)
            manifests.append(manifest)
    except KeyboardInterrupt:
        executor.interrupt()
        raise
    finally:
        executor.close()
        forcing.close()
