"""Runs trials: in this process, or several at once in processes of their own."""

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
from experiments.manifest import COMMAND_VARIABLE, THREAD_VARIABLES, command, now
from experiments.monitor import Progress
from experiments.run_folder import Manifest, RunFolder
from experiments.spec import Trial
from experiments.trial import run_trial

PATIENCE = 10.0  # seconds that a worker has to stop cleanly


class Listener(Protocol):
    """Hears how the trials go."""

    def started(self, trial: Trial) -> None:
        """A trial begins."""

    def progress(self, trial: Trial, progress: Progress) -> None:
        """A trial has come this far."""

    def ended(self, trial: Trial, manifest: Manifest) -> None:
        """A trial has ended; its manifest says how."""

    def retried(self, trial: Trial, manifest: Manifest) -> None:
        """A trial has failed, as its manifest says, and will be tried again."""


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_threads() -> None:
    """One thread a trial, so that trials never fight for cores and a result does not depend on how many there are."""
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")


def execute(trials: Sequence[Trial], out: Path, jobs: int, listener: Listener, retries: int = 0) -> list[Manifest]:
    """Run trials, `jobs` at once; the manifests, in the order in which the trials ended.

    A trial that fails, or whose process dies, is recorded, tried again up to `retries` times, and the others go on.

    Raises:
        KeyboardInterrupt: after the running trials were stopped and recorded as interrupted.
    """
    manifests: list[Manifest] = []
    in_processes = list(trials)
    if jobs == 1:
        in_processes = []
        for trial in trials:
            if find_agent(trial.agent.id).own_process:
                manifests += _execute_in_processes([trial], out, 1, listener, retries)
            else:
                manifests.append(_execute_here(trial, out, listener, retries))
    return manifests + _execute_in_processes(in_processes, out, jobs, listener, retries)


def _execute_here(trial: Trial, out: Path, listener: Listener, retries: int) -> Manifest:
    for left in range(retries, -1, -1):
        listener.started(trial)
        with contextlib.redirect_stdout(sys.stderr):  # standard output belongs to the command
            manifest = run_trial(trial, out, _reporter(listener, trial))
        if manifest["status"] != "failed" or left == 0:
            break
        listener.retried(trial, manifest)
    listener.ended(trial, manifest)
    return manifest


def _reporter(listener: Listener, trial: Trial) -> Any:
    return lambda progress: listener.progress(trial, progress)


class _Worker:
    """A process that runs trials, one at a time, and the thread that hears it."""

    def __init__(self, messages: "queue.Queue[tuple[_Worker, Any]]") -> None:
        self.trial: Trial | None = None
        self.takes_more = True
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed in `close`
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        environment |= dict.fromkeys(THREAD_VARIABLES, "1") | {COMMAND_VARIABLE: json.dumps(command())}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "experiments.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches this process only, which stops its workers once
        )
        threading.Thread(target=self._listen, args=(messages,), daemon=True).start()

    def begin(self, trial: Trial, out: Path, *, last: bool) -> None:
        """Start a trial; the process ends after the last."""
        assert self.process.stdin is not None
        self.trial, self.folder, self.takes_more = trial, RunFolder(out / trial.folder), not last
        request = {"trial": trial.model_dump(mode="json"), "out": str(out), "last": last}
        with contextlib.suppress(BrokenPipeError):  # it has died: the thread that hears it says so
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()

    def dismiss(self) -> None:
        """There are no more trials for it: it ends by itself."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def _listen(self, messages: "queue.Queue[tuple[_Worker, Any]]") -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            messages.put((self, json.loads(line)))
        messages.put((self, None))

    def interrupt(self) -> None:
        """Ask the trial to stop."""
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
        """The process ended without an answer: write down how, and that the trial failed."""
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
    trials: Sequence[Trial], out: Path, jobs: int, listener: Listener, retries: int
) -> list[Manifest]:
    messages: queue.Queue[tuple[_Worker, Any]] = queue.Queue()
    retries_left = {trial.folder: retries for trial in trials}
    waiting = list(reversed(trials))
    workers: list[_Worker] = []  # alive; one that is free has no trial
    manifests: list[Manifest] = []

    def ended(worker: _Worker, manifest: Manifest) -> None:
        trial, worker.trial = worker.trial, None
        assert trial is not None
        if manifest["status"] == "failed" and retries_left[trial.folder] > 0:
            retries_left[trial.folder] -= 1
            listener.retried(trial, manifest)
            waiting.append(trial)
            return
        listener.ended(trial, manifest)
        manifests.append(manifest)

    try:
        while waiting or any(worker.trial for worker in workers):
            while waiting and sum(worker.trial is not None for worker in workers) < jobs:
                trial = waiting.pop()
                alone = find_agent(trial.agent.id).own_process
                worker = next((one for one in workers if one.trial is None and one.takes_more), None)
                if worker is None or alone:
                    worker = _Worker(messages)
                    workers.append(worker)
                listener.started(trial)
                worker.begin(trial, out, last=alone)
            worker, message = messages.get()
            if message is None:  # the process has ended
                workers.remove(worker)
                if worker.trial is None:
                    worker.close()
                else:
                    ended(worker, worker.record_death())
            elif "progress" in message:
                assert worker.trial is not None
                listener.progress(worker.trial, Progress(*message["progress"]))
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
