"""A process that trains runs, one after the other: `python -m experiments.execution.worker`, for the executor.

It reads lines of JSON (a run and the output folder each) from standard input and writes lines of JSON to standard
output: `{"progress": [...]}` and `{"warning": "..."}` now and then, `{"point": [...]}` of the learning curve where that
is asked for, which is answered by a line (`{"pruned": false}`); `{"manifest": "..."}` (the text of run.json) at the end
of a run; `{"stale": true}` if the user's code has changed since it was loaded, and another process must train it.
When standard input closes it ends; if that is in the middle of a run, its parent is gone, and it stops as if
interrupted.
"""

import _thread
import contextlib
import json
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> int:
    """Train runs until there are no more, or one is said to be the last; 0, or 130 when interrupted."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the run's own code prints is not part of the answers

    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    def report(progress: tuple[Any, ...]) -> None:
        try:
            answer({"progress": list(progress)})
        except BrokenPipeError:  # the parent is gone
            raise KeyboardInterrupt from None

    def ask(point: tuple[Any, ...]) -> bool:
        try:
            answer({"point": list(point)})
        except BrokenPipeError:
            raise KeyboardInterrupt from None
        return bool((requests.next() or {}).get("pruned"))

    logging.getLogger().addHandler(_Relay(answer))
    signal.signal(signal.SIGINT, _interrupt_once)
    requests = _Requests()
    try:
        while (request := requests.next()) is not None:
            from experiments.runs.own_code import stale_modules
            from experiments.specs.spec import RunSpec
            from experiments.training.observers import Hearing
            from experiments.training.train_run import train_run

            if stale_modules():  # the user's code has changed since: a new process loads it
                requests.busy = False
                answer({"stale": True})
                break
            run_spec = RunSpec.model_validate(request["run_spec"])
            hearing = Hearing(report, ask if request["asks"] else None)
            manifest = train_run(run_spec, Path(request["out"]), [hearing])
            requests.busy = False
            answer({"manifest": manifest.to_json()})
            if request["last"]:
                break
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    return 0


class _Relay(logging.Handler):
    """Hands warnings on to the parent, whose terminal they are for."""

    def __init__(self, answer: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(logging.WARNING)
        self._answer = answer

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one on."""
        with contextlib.suppress(BrokenPipeError):  # the parent is gone
            self._answer({"warning": record.getMessage()})


class _Requests:
    """The lines of standard input, read by a thread that notices when it closes."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.busy = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.put(line)
        self._lines.put(None)
        if self.busy:
            _thread.interrupt_main()

    def next(self) -> dict[str, Any] | None:
        """The next run, or None when there are no more."""
        line = self._lines.get()
        self.busy = line is not None
        return None if line is None else json.loads(line)


def _interrupt_once(signal_number: int, frame: Any) -> None:
    """Ctrl-C comes twice, from the terminal and from the parent; the second must not cut off what the first writes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # the thread that waits on standard input would hold up an ordinary exit
