"""Processes that train runs, one after the other, for `experiments.execution.executor`."""

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

from experiments.runs.manifest import Manifest, parse_manifest
from experiments.runs.provenance import COMMAND_VARIABLE, THREAD_VARIABLES, command, now
from experiments.runs.run_folder import RunFolder
from experiments.specs.spec import RunSpec
from experiments.training.observers import Hearing, Point, Progress

_log = logging.getLogger(__name__)

PATIENCE = 10.0  # seconds that a worker has to stop cleanly


class Workers:
    """Worker processes; one is kept from run to run, unless a run's agent needs a process to itself."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._messages: queue.Queue[tuple[_Worker, Any]] = queue.Queue()
        self._alive: list[_Worker] = []  # one that is free has no run

    @property
    def num_busy(self) -> int:
        """Runs under way."""
        return sum(worker.run_spec is not None for worker in self._alive)

    def begin(self, run_spec: RunSpec, hearing: Hearing, *, alone: bool) -> None:
        """Begin a run, in a free process or in a new one."""
        worker = next((one for one in self._alive if one.run_spec is None and one.takes_more), None)
        if worker is None or alone:
            worker = _Worker(self._messages)
            self._alive.append(worker)
        worker.begin(run_spec, self._out, hearing, last=alone)

    def wait(self) -> tuple[RunSpec, Manifest]:
        """Wait until a run has ended; meanwhile the others' progress is told."""
        while True:
            worker, message = self._messages.get()
            if message is None:  # the process has ended
                self._alive.remove(worker)
                if worker.run_spec is not None:
                    return worker.run_spec, worker.record_death()
                worker.close()
            elif "warning" in message:
                _log.warning("%s", message["warning"])
            elif "stale" in message:
                run_spec, worker.run_spec, worker.takes_more = worker.run_spec, None, False
                assert run_spec is not None
                self.begin(run_spec, worker.hearing, alone=worker.alone)
            elif "progress" in message:
                worker.hearing.progress(Progress(*message["progress"]))
            elif "point" in message:
                worker.answer(Point(*message["point"]))
            else:
                run_spec, worker.run_spec = worker.run_spec, None
                assert run_spec is not None
                return run_spec, parse_manifest(message["manifest"].encode(), Path("the worker's answer"))

    def interrupt(self) -> None:
        """Ask every run to stop."""
        for worker in self._alive:
            worker.interrupt()

    def close(self) -> None:
        """Dismiss the processes, and wait for them."""
        for worker in self._alive:
            worker.dismiss()
        for worker in self._alive:
            worker.close()


class _Worker:
    """A process that trains runs, one at a time, and the thread that hears it."""

    def __init__(self, messages: "queue.Queue[tuple[_Worker, Any]]") -> None:
        self.run_spec: RunSpec | None = None
        self.hearing = Hearing(lambda progress: None)
        self.takes_more, self.alone = True, False
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

    def begin(self, run_spec: RunSpec, out: Path, hearing: Hearing, *, last: bool) -> None:
        """Start a run; the process ends after the last."""
        assert self.process.stdin is not None
        self.run_spec, self.hearing, self.takes_more, self.alone = run_spec, hearing, not last, last
        self.folder = RunFolder(out / run_spec.folder)
        asks = hearing.on_point is not None
        self._say({"run_spec": run_spec.model_dump(mode="json"), "out": str(out), "last": last, "asks": asks})

    def answer(self, point: Point) -> None:
        """The run, which waits for it, is told whether it is pruned."""
        self._say({"pruned": self.hearing.on_point is not None and self.hearing.on_point(point)})

    def _say(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died: the thread that hears it says so
            self.process.stdin.write(json.dumps(message) + "\n")
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
        manifest = self.folder.read_manifest()
        attempts = [*manifest.attempts]
        if attempts:
            attempts[-1] = attempts[-1].model_copy(update={"error": message, "ended": now()})
        manifest = manifest.with_(status="failed", error=message, attempts=attempts)
        with contextlib.suppress(OSError):
            self.folder.write_error(f"{message}\n\n{written}")
            self.folder.write_manifest(manifest)
        return manifest
