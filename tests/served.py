"""Small trained policies, and a server of them in a process of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rl_lab.run import train_entries

MAZE = {"id": "RLLab/Maze-v0", "name": "m", "rows": 3, "cols": 3}
CART = {"id": "CartPole-v1", "name": "c"}
SMALL = {"learning_starts": 50, "batch_size": 16, "hidden_sizes": [8]}
TOKEN = "a-token-of-some-length"


class Reply(NamedTuple):
    status: int
    body: Any


class Running(NamedTuple):
    """A server in a process of its own."""

    process: "subprocess.Popen[str]"
    address: str
    token: str | None = None

    def ask(self, path: str = "/v1/act", body: Any = None, **headers: str) -> Reply:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"content-type": "application/json"} if data is not None else {}
        given |= {} if self.token is None else {"authorization": f"Bearer {self.token}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{self.address}{path}", data, given)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read()
        return Reply(status, json.loads(text) if path != "/metrics" else text.decode())


@contextlib.contextmanager
def serving(*arguments: str, cwd: Path, token: str | None = None) -> Iterator[Running]:
    command = [sys.executable, "-P", "-m", "rl_lab", "serve", *arguments, "--port", "0"]
    environment = os.environ | ({} if token is None else {"RL_LAB_TOKEN": token})
    with subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        running = Running(process, process.stdout.readline().strip(), token)
        try:
            for _ in range(200):
                with contextlib.suppress(urllib.error.URLError):
                    running.ask("/health")
                    break
                time.sleep(0.05)
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=30)
            assert "Traceback" not in errors, errors


def run_of(policies: Path, name: str) -> Path:
    return next((policies / name).rglob("run.json")).parent


def trained(out: Path, env: dict[str, Any], agent: dict[str, Any], steps: int = 120) -> Path:
    """A small run's folder."""
    result = train_entries(
        env,
        agent | {"name": "a"},
        steps=steps,
        episodes=None,
        seed=0,
        out=out,
        evaluation={"episodes": 1, "final_episodes": 3},
        progress=False,
    )
    assert result["status"] == "finished", result
    return Path(result["run"])
