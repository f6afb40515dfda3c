"""The processes that play for the viewer: one for tables, one for networks; begun when first asked for."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from typing import Any

from experiments.errors import InputError

TIMEOUT = 60.0  # seconds for an answer, and to wait for one's turn
KINDS = ("tables", "networks")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Worker:
    """A process that answers one request after the other; one that does not answer is ended, and another begun."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._answers: queue.Queue[str] = queue.Queue()

    def ask(self, request: dict[str, Any], timeout: float = TIMEOUT) -> Any:
        """The answer to a request.

        Raises:
            InputError: the answer is an error, or there is none.
        """
        if not self._lock.acquire(timeout=timeout):
            raise InputError("what was asked for before has not been played yet: try again in a moment")
        try:
            line = self._answer_to(request, timeout)
        finally:
            self._lock.release()
        answer = json.loads(line)
        if "error" in answer:
            raise InputError(answer["error"])
        return answer["ok"]

    def _answer_to(self, request: dict[str, Any], timeout: float) -> str:
        process = self._running()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = self._answers.get(timeout=timeout)
        except (OSError, queue.Empty):
            self._end()
            raise InputError(f"nothing was played within {timeout:g} seconds") from None
        if not line:
            self._end()
            raise InputError("the process that plays has ended: it may have run out of memory")
        return line

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            answers: queue.Queue[str] = queue.Queue()
            self._answers = answers
            environment = os.environ | dict.fromkeys(THREADS, "1") | {"PYTHONDONTWRITEBYTECODE": "1"}
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", "rl_lab.viewer.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=environment,
            )
            threading.Thread(target=_listen, args=(process, answers), daemon=True).start()
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # what was to be written has no reader any more
                        pipe.close()
            self._process = None


def _listen(process: "subprocess.Popen[str]", answers: "queue.Queue[str]") -> None:
    """Hand on what a process answers; an empty text when it has ended."""
    assert process.stdout is not None
    try:
        for line in process.stdout:
            answers.put(line)
    except ValueError:  # closed
        pass
    answers.put("")


class Workers:
    """One worker of each kind."""

    def __init__(self) -> None:
        self._workers = {kind: Worker() for kind in KINDS}

    def ask(self, kind: str, request: dict[str, Any]) -> Any:
        """What the worker of a kind answers.

        Raises:
            InputError: see `Worker.ask`.
        """
        return self._workers[kind].ask(request)

    def close(self) -> None:
        """End them."""
        for worker in self._workers.values():
            worker.close()
