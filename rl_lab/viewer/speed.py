"""What it costs a training to be watched: its steps a second with a page open on it, and without."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from experiments.errors import InputError
from experiments.specs.loading import parse_spec
from experiments.speed.measuring import Comparison, compare

STEPS = 1_000_000_000  # of the training, which is stopped long before
SECONDS = 6.0  # of each measurement
EVERY = 0.7  # seconds between two looks of the page, as its socket tells it
PLAYED_EVERY = 4  # looks between two newest snapshots that are played
SPEC: dict[str, Any] = {
    "name": "watched",
    "steps": STEPS,
    "engine": "python",
    "evaluation": {"every": 20_000, "episodes": 2, "final_episodes": 2},
    "envs": [{"id": "RLLab/Maze-v0", "name": "maze", "rows": 15, "cols": 15}],
    "agents": [{"id": "q_learning", "name": "q"}],
}


def viewer_speeds(rounds: int = 5, seconds: float = SECONDS) -> list[Comparison]:
    """A training's speed while a page looks at it as a browser does: its list, its curves, its newest snapshot.

    Raises:
        InputError: what the viewer is made of is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="rl-lab-speed-") as folder, contextlib.ExitStack() as stack:
        out = Path(folder) / "runs"
        out.mkdir()
        training = stack.enter_context(_trained(out))
        page = stack.enter_context(_served(out))
        training.speed(2.0)  # it has begun, and has a curve

        def watched(seconds: float) -> float:
            with page.looking():
                return training.speed(seconds)

        name = "readable Q-learning, 15 x 15 maze, watched in the viewer"
        return [compare(name, "steps/s", watched, "the same, not watched", training.speed, (rounds, seconds))]


class _Training:
    """A training in a process of its own, which tells how far it has come."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._points: list[tuple[float, int]] = []  # when, and at which env step
        self._listener = threading.Thread(target=self._listen, args=(process,), daemon=True)
        self._listener.start()

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line).get("progress")
            if told:
                self._points.append((time.perf_counter(), int(told[0])))

    def speed(self, seconds: float) -> float:
        """Steps a second over the next seconds."""
        time.sleep(0.3)  # what was under way is over
        first = len(self._points)
        deadline = time.perf_counter() + max(seconds, 0.5)
        while time.perf_counter() < deadline or len(self._points) < first + 2:
            if not self._listener.is_alive() or time.perf_counter() > deadline + 60:
                raise InputError("the training has ended: nothing was measured")
            time.sleep(0.05)
        (begin, before), (end, after) = self._points[first], self._points[-1]
        return (after - before) / (end - begin)


@contextlib.contextmanager
def _trained(out: Path) -> Iterator[_Training]:
    (run_spec,) = parse_spec(SPEC, "speed").run_specs()
    command = [sys.executable, "-m", "experiments.execution.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdin is not None
            request = {"run_spec": run_spec.model_dump(mode="json"), "out": str(out), "last": True}
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            yield _Training(process)
        finally:
            process.kill()


class _Page:
    """Asks the viewer what an open page asks it."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._port = parts.port or 0
        token = parse_qs(parts.query)["token"][0]
        self._headers = {"Cookie": f"rl_lab_{self._port}={token}"}

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """The page is open for as long as the block lasts."""
        over = threading.Event()
        looks = threading.Thread(target=self._look, args=(over,), daemon=True)
        looks.start()
        try:
            yield
        finally:
            over.set()
            looks.join()

    def _look(self, over: threading.Event) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        with contextlib.closing(connection):
            number = 0
            while not over.is_set():
                ids = re.findall(r'"id": "([0-9a-f]{16})"', self._get(connection, "/api/runs"))
                self._get(connection, f"/api/curves?ids={','.join(ids)}")
                if number % PLAYED_EVERY == 0:
                    self._get(connection, f"/api/recording?ids={','.join(ids)}")
                number += 1
                over.wait(EVERY)

    def _get(self, connection: http.client.HTTPConnection, path: str) -> str:
        connection.request("GET", path, headers=self._headers)
        return connection.getresponse().read().decode()


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[_Page]:
    command = [sys.executable, "-m", "rl_lab", "ui", str(folder), "--no-browser", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=dict(os.environ)
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                raise InputError("ui: expected an address, got none: is the extra `ui` installed?")
            yield _Page(address)
        finally:
            process.terminate()
