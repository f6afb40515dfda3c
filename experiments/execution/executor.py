"""Trains runs: in this process, or several at once in processes of their own."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from agents.registry import find_agent
from experiments.runs.provenance import COMMAND_VARIABLE, THREAD_VARIABLES, command, now
from experiments.runs.run_folder import Manifest, RunFolder
from experiments.specs.spec import RunSpec
from experiments.training.monitor import Progress
from experiments.training.train_run import train_run

PATIENCE = 10.0  # seconds that a worker has to stop cleanly


class Listener(Protocol):
    """Hears how the runs go."""

    def started(self, run_spec: RunSpec) -> None:
        """A run begins."""

    def progress(self, run_spec: RunSpec, progress: Progress) -> None:
        """A run has come this far."""

    def ended(self, run_spec: RunSpec, manifest: Manifest) -> None:
        """A run has ended; its manifest says how."""

    def retried(self, run_spec: RunSpec, manifest: Manifest) -> None:
        """A run has failed, as its manifest says, and will be tried again."""


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_threads() -> None:
    """One thread a run, so that runs never fight for cores and a result does not depend on how many there are."""
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")


def execute(run_specs: Sequence[RunSpec], out: Path, jobs: int, listener: Listener, retries: int = 0) -> list[Manifest]:
    """Train runs, `jobs` at once; the manifests, in the order in which the runs ended.

    A run that fails, or whose process dies, is recorded, tried again up to `retries` times, and the others go on.

    Raises:
        KeyboardInterrupt: after the running runs were stopped and recorded as interrupted.
    """
    manifests: list[Manifest] = []
    in_processes = list(run_specs)
    if jobs == 1:
        in_processes = []
        for run_spec in run_specs:
            if find_agent(run_spec.agent.id).own_process:
                manifests += _execute_in_processes([run_spec], out, 1, listener, retries)
            else:
                manifests.append(_execute_here(run_spec, out, listener, retries))
    return manifests + _execute_in_processes(in_processes, out, jobs, listener, retries)


def _execute_here(run_spec: RunSpec, out: Path, listener: Listener, retries: int) -> Manifest:
    for left in range(retries, -1, -1):
        listener.started(run_spec)
        with contextlib.redirect_stdout(sys.stderr):  # standard output belongs to the command
            manifest = train_run(run_spec, out, _reporter(listener, run_spec))
        if manifest["status"] != "failed" or left == 0:
            break
        listener.retried(run_spec, manifest)
    listener.ended(run_spec, manifest)
    return manifest


def _reporter(listener: Listener, run_spec: RunSpec) -> Any:
    return lambda progress: listener.progress(run_spec, progress)


class _Worker:
    """A process that trains runs, one at a time, and the thread that hears it."""

    def __init__(self, messages: "queue.Queue[tuple[_Worker, Any]]") -> None:
        self.run_spec: RunSpec | None = None
        self.takes_more = True
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed in `close`
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        environment |= dict.fromkeys(THREAD_VARIABLES, "1") | {COMMAND_VARIABLE: json.dumps(command())}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "experiments.execution.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches this process only, which stops its workers once
        )
        threading.Thread(target=self._listen, args=(messages,), daemon=True).start()

    def begin(self, run_spec: RunSpec, out: Path, *, last: bool) -> None:
        """Start a run; the process ends after the last."""
        assert self.process.stdin is not None
        self.run_spec, self.folder, self.takes_more = run_spec, RunFolder(out / run_spec.folder), not last
        request = {"trial": run_spec.model_dump(mode="json"), "out": str(out), "last": last}
        with contextlib.suppress(BrokenPipeError):  # it has died: the thread that hears it says so
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()

    def dismiss(self) -> None:
        """There are no more runs for it: it ends by itself."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def _listen(self, messages: "queue.Queue[tuple[_Worker, Any]]") -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            messages.put((self, json.loads(line)))
        messages.put((self, None))

    def interrupt(self) -> None:
        """Ask the run to stop."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def close(self) -> str:
        """Wait for the end; what the process wrote to standard error."""
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self._errors.seek(0)
        written = self._errors.read().decode(errors="replace")
        self._errors.close()
        return written

    def record_death(self) -> Manifest:
        """The process ended without an answer: write down how, and that the run failed."""
        written = self.close()
        code = self.process.returncode
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        hint = " (out of memory?)" if code == -signal.SIGKILL else ""
        message = f"the trial's process was {how}{hint}" if code < 0 else f"the trial's process {how}"
        manifest = self.folder.read_manifest() | {"status": "failed", "error": message}
        if manifest.get("attempts"):
            manifest["attempts"][-1] |= {"error": message, "ended": now()}
        with contextlib.suppress(OSError):
            self.folder.write_error(f"{message}\n\n{written}")
            self.folder.write_manifest(manifest)
        return manifest


def _execute_in_processes(
    run_specs: Sequence[RunSpec], out: Path, jobs: int, listener: Listener, retries: int
) -> list[Manifest]:
    messages: queue.Queue[tuple[_Worker, Any]] = queue.Queue()
    retries_left = {run_spec.folder: retries for run_spec in run_specs}
    waiting = list(reversed(run_specs))
    workers: list[_Worker] = []  # alive; one that is free has no run
    manifests: list[Manifest] = []

    def ended(worker: _Worker, manifest: Manifest) -> None:
        run_spec, worker.run_spec = worker.run_spec, None
        assert run_spec is not None
        if manifest["status"] == "failed" and retries_left[run_spec.folder] > 0:
            retries_left[run_spec.folder] -= 1
            listener.retried(run_spec, manifest)
            waiting.append(run_spec)
            return
        listener.ended(run_spec, manifest)
        manifests.append(manifest)

    try:
        while waiting or any(worker.run_spec for worker in workers):
            while waiting and sum(worker.run_spec is not None for worker in workers) < jobs:
                run_spec = waiting.pop()
                alone = find_agent(run_spec.agent.id).own_process
                worker = next((one for one in workers if one.run_spec is None and one.takes_more), None)
                if worker is None or alone:
                    worker = _Worker(messages)
                    workers.append(worker)
                listener.started(run_spec)
                worker.begin(run_spec, out, last=alone)
            worker, message = messages.get()
            if message is None:  # the process has ended
                workers.remove(worker)
                if worker.run_spec is None:
                    worker.close()
                else:
                    ended(worker, worker.record_death())
            elif "progress" in message:
                assert worker.run_spec is not None
                listener.progress(worker.run_spec, Progress(*message["progress"]))
            else:
                ended(worker, message["manifest"])
    except KeyboardInterrupt:
        for worker in workers:
            worker.interrupt()
        raise
    finally:
        for worker in workers:
            worker.dismiss()
        for worker in workers:
            worker.close()
    return manifests
