"""Runs to be looked at, a viewer that serves them, and a browser that looks: all real."""

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rl_lab.run import train_entries

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# What a browser without a screen, a sandbox and a network is told.
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# A spec of Q-learning in the book's maze, which trains for as long as a test looks at it.
LIVE = """
name = "{name}"
steps = {steps}
seeds = {seeds}
engine = "python"
[evaluation]
every = 10_000
episodes = 2
[[envs]]
id = "RLLab/Maze-v0"
name = "maze"
[[agents]]
id = "q_learning"
name = "q"
"""
MAZE = {"id": "RLLab/Maze-v0", "name": "maze", "rows": 6, "cols": 6}


def live_spec(name: str, steps: int, seeds: int = 1) -> str:
    """A spec, as TOML."""
    return LIVE.format(name=name, steps=steps, seeds=seeds)


@dataclass
class Served:
    """A viewer that runs."""

    folder: Path
    process: "subprocess.Popen[str]"
    address: str  # with the token

    @property
    def port(self) -> int:
        return int(urllib.parse.urlsplit(self.address).port or 0)

    @property
    def token(self) -> str:
        return urllib.parse.parse_qs(urllib.parse.urlsplit(self.address).query)["token"][0]

    @property
    def cookie(self) -> str:
        return f"rl_lab_{self.port}={self.token}"

    def ask(
        self, path: str, method: str = "GET", body: Any = None, headers: Mapping[str, str | None] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """A request as the viewer's own page makes it, but for the headers that are given (None: left out)."""
        own: dict[str, str | None] = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie}
        if method == "POST":
            own |= {"X-RL-Lab": "1", "Content-Type": "application/json", "Origin": f"http://127.0.0.1:{self.port}"}
        own |= dict(headers or {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in own.items():
                if value is not None:
                    connection.putheader(name, value)
            if data is not None and "Content-Length" not in own:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            answer = connection.getresponse()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()

    def get(self, path: str) -> Any:
        """What a request is answered, as JSON."""
        status, _, content = self.ask(path)
        assert status == 200, content
        return json.loads(content)

    def post(self, path: str, body: Any) -> Any:
        status, _, content = self.ask(path, "POST", body)
        assert status == 200, content
        return json.loads(content)

    def ids(self) -> dict[str, str]:
        """The ids of the runs, by their paths."""
        return {run["path"]: run["id"] for run in self.get("/api/runs")["runs"]}


@contextlib.contextmanager
def viewer_of(folder: Path, *options: str) -> Iterator[Served]:
    """A viewer of a folder, in a process of its own."""
    command = [sys.executable, "-P", "-m", "rl_lab", "ui", str(folder), "--no-browser", "--port", "0", *options]
    environment = {key: value for key, value in os.environ.items() if key != "SDL_VIDEODRIVER"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder.parent, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            yield Served(folder, process, process.stdout.readline().strip())
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of finished runs: two agents in a maze, two seeds each."""
    folder = tmp_path_factory.mktemp("viewed") / "runs"
    for agent in ("q_learning", "sarsa"):
        for seed in (0, 1):
            train_entries(
                MAZE,
                {"id": agent, "name": agent, "learning_rate": 0.5, "epsilon": 0.2, "discount": 1.0},
                steps=4000,
                episodes=None,
                seed=seed,
                out=folder,
                evaluation={"every": 500, "episodes": 2, "final_episodes": 4},
                progress=False,
            )
    return folder


@pytest.fixture
def own_runs(runs: Path, tmp_path: Path) -> Path:
    """A copy of them, which a test may change."""
    return Path(shutil.copytree(runs, tmp_path / "runs"))


@pytest.fixture(scope="session")
def served(runs: Path) -> Iterator[Served]:
    """A viewer of the runs that no test changes."""
    with viewer_of(runs) as viewer:
        yield viewer


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A browser of the system's."""
    from playwright.sync_api import sync_playwright

    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        assert "RL_LAB_NEEDS_BROWSER" not in os.environ, "expected Chromium, got none"
        pytest.skip("no Chromium here: apt install chromium, and the pages are tested too")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: "Browser") -> Iterator[Callable[..., "Page"]]:
    """Opens a page; no complaint of it, and no request that leaves this machine, is let pass."""
    complaints: list[str] = []
    contexts = []

    def open_it(address: str, forgiven: str = "", **options: Any) -> "Page":
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, "locale": "en-GB", **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda told: complaints.append(told.text) if _complains(told, forgiven) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if _leaves(asked.url) else None)
        page.goto(address)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


def _complains(told: Any, forgiven: str) -> bool:
    return told.type in ("error", "warning") and not (forgiven and forgiven in told.text)


def _leaves(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme not in ("file", "data", "blob") and parts.hostname not in ("127.0.0.1", "localhost")
