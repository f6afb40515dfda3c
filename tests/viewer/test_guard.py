"""Attacks: what is not the viewer's own page on this machine, with the token, gets nothing."""

import contextlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from rl_lab import train
from tests.conftest import Command
from tests.viewer.conftest import Served, viewer_of

Headers = dict[str, Any]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),  # DNS rebinding names a host of its own; the port is ours alone
        ({"Cookie": None}, 403),
        ({"Cookie": "rl_lab_1=x"}, 403),
        ({"Cookie": "PORT=wrong"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/runs", "/static/viewer.js", "/api/compare?ids=x", "/nothing"])
def test_strangers_are_refused(served: Served, headers: Headers, status: int, path: str) -> None:
    if headers.get("Cookie") == "PORT=wrong":
        headers = {"Cookie": f"rl_lab_{served.port}=wrong"}
    got, answered, content = served.ask(path, headers=headers)
    assert got == status
    assert content.startswith(b"refused: ")
    assert "default-src 'none'" in answered["content-security-policy"]


def test_the_token_opens_once_and_is_kept_in_a_cookie(served: Served) -> None:
    status, headers, _ = served.ask(f"/?token={served.token}", headers={"Cookie": None})
    assert (status, headers["location"]) == (303, "/")
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=strict" in headers["set-cookie"]
    assert served.ask("/?token=wrong", headers={"Cookie": None})[0] == 403
    assert served.ask(f"/api/runs?token={served.token}", headers={"Cookie": None})[0] == 403  # at the door only
    assert len(served.token) >= 32


def test_every_answer_is_hardened(served: Served) -> None:
    for path in ("/", "/static/style.css", "/api/runs", "/nothing"):
        _, headers, _ = served.ask(path)
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "script-src 'self'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "headers",
    [{"X-RL-Lab": None}, {"Origin": "http://evil.example"}, {"Cookie": None}, {"Host": "evil.example"}],
)
@pytest.mark.parametrize("path", ["/api/start", "/api/stop", "/api/trash"])
def test_other_sites_cannot_post(served: Served, headers: Headers, path: str) -> None:
    assert served.ask(path, "POST", {"source": "book-maze", "ids": ["x"], "yes": True}, headers)[0] in (403, 421)
    assert served.get("/api/start")["started"] == []


def test_bodies_are_bounded_and_checked(served: Served) -> None:
    assert served.ask("/api/start", "POST", b"x", {"Content-Length": "999999999"})[0] == 413
    for body in (b"", b"[]", b"{", b'{"source": 1}', b"[" * 50_000):
        status, _, content = served.ask("/api/start", "POST", body)
        assert (status, set(json.loads(content))) == (400, {"error"})
    for path in ("/api/start", "/api/trash"):
        assert served.ask(path, "PUT", {})[0] == 405


@pytest.mark.parametrize(
    "origin", [None, "http://evil.example", "null", "https://127.0.0.1:PORT", "http://127.0.0.1:1"]
)
def test_sockets_of_other_sites_are_refused(served: Served, origin: str | None) -> None:
    given = origin.replace("PORT", str(served.port)) if origin else None
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            f"ws://127.0.0.1:{served.port}/live",
            origin=given,  # type: ignore[arg-type]
            additional_headers={"Cookie": served.cookie},
            proxy=None,
        ),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_a_socket_needs_the_cookie_and_the_host(served: Served) -> None:
    origin: Any = f"http://127.0.0.1:{served.port}"
    address = f"ws://127.0.0.1:{served.port}/live"
    with pytest.raises(InvalidStatus), connect(address, origin=origin, proxy=None):
        pass
    with connect(address, origin=origin, additional_headers={"Cookie": served.cookie}, proxy=None):
        pass


@pytest.mark.parametrize(
    "path",
    [
        "/static/../words.py",
        "/static/..%2fwords.py",
        "/static/%2e%2e/words.py",
        "/static//etc/passwd",
        "/static/en.json",  # not one of the kinds that are handed out
        "/static/..%5cwords.py",
        "/api/raw/../../run.json/episodes.csv",
        "/api/raw/%2e%2e%2f/episodes.csv",
        "/api/raw/ID/run.csv",
        "/api/raw/ID/..%2frun.csv",
        "/api/moments?ids=../../etc",
        "/api/moments?ids=/etc/passwd",
        "/api/moments?ids=",
        "/api/recording?ids=ID&seed=-1",
        "/api/recording?ids=ID&seed=9999999999",
        "/api/recording?ids=ID&number=99999999",
        "/api/recording?ids=ID&at=1e5",
        "/api/recording?ids=ID&episode=99999999",
        "/api/curves?ids=ID&width=999999999",
        "/api/curves?ids=ID&smoothing=0",
        "/api/curves?ids=ID&low=nan",
        "/api/curves?ids=ID&kind=__class__",
        "/api/figure?ids=ID&env=maze&format=pdf",
        "/api/figure?ids=ID&env=nowhere&format=png",
    ],
)
def test_paths_and_nonsense_get_a_line(served: Served, path: str) -> None:
    run = next(iter(served.ids().values()))
    status, _, content = served.ask(path.replace("ID", run))
    assert status in (400, 404)
    assert len(content) < 500
    assert b"root:" not in content
    assert b"Traceback" not in content


def test_links_are_not_followed(own_runs: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(own_runs / "train" / "maze" / "sarsa", outside / "sarsa")
    (own_runs / "linked").symlink_to(outside)
    secret = tmp_path / "secret.csv"
    secret.write_text("secret\n")
    log = own_runs / "train" / "maze" / "sarsa" / "seed-0" / "episodes.csv"
    log.unlink()
    log.symlink_to(secret)
    with viewer_of(own_runs) as viewer:
        listed = viewer.get("/api/runs")
        assert listed["links"] == ["linked"]
        assert not any("linked" in run["path"] for run in listed["runs"])
        run = viewer.ids()["train/maze/sarsa/seed-0"]
        status, _, content = viewer.ask(f"/api/raw/{run}/episodes.csv")
        assert (status, b"secret" in content) == (400, False)
        curves = viewer.get(f"/api/curves?kind=training&ids={run}")
        assert curves["groups"][0]["runs"][0]["x"] == []


@pytest.fixture
def own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of an environment of one's own, whose code leaves a mark wherever it is imported."""
    (tmp_path / "marked.py").write_text(
        f"import os, gymnasium as gym\nopen({str(tmp_path)!r} + f'/mark-{{os.getpid()}}', 'w').close()\n"
        "from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv\nclass Mine(FrozenLakeEnv): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    train("marked:Mine", "q_learning", steps=200, out=tmp_path / "runs", evaluation={"final_episodes": 1})
    for mark in tmp_path.glob("mark-*"):
        mark.unlink()
    return tmp_path


def test_code_of_ones_own_plays_after_a_yes_alone(own_code: Path) -> None:
    with viewer_of(own_code / "runs") as viewer:
        ((_, run),) = viewer.ids().items()
        assert viewer.get(f"/api/curves?ids={run}")["groups"]
        assert viewer.get(f"/api/compare?ids={run}")["envs"]
        for path in ("moments", "recording"):
            status, _, content = viewer.ask(f"/api/{path}?ids={run}")
            assert status == 400
            assert b"after rl-lab ui --trust-code" in content
        assert not list(own_code.glob("mark-*"))
    with viewer_of(own_code / "runs", "--trust-code") as viewer:
        assert viewer.get(f"/api/recording?ids={run}")["tracks"]
        (mark,) = own_code.glob("mark-*")
        assert mark.name != f"mark-{viewer.process.pid}"  # imported in the process that plays, not in the server


def test_playing_writes_nothing(own_runs: Path) -> None:
    def everything() -> dict[str, tuple[int, int]]:
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in own_runs.rglob("*")}

    before = everything()
    with viewer_of(own_runs) as viewer:
        ids = ",".join(viewer.ids().values())
        first = ids.split(",")[0]
        viewer.get(f"/api/recording?ids={ids}")
        viewer.get(f"/api/recording?ids={first}&episode=20")
        viewer.get(f"/api/compare?ids={ids}")
        viewer.get(f"/api/curves?ids={ids}")
        viewer.get(f"/api/figure?ids={ids}&env=maze&format=svg")
    assert everything() == before


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="the system tells no limits")
def test_the_process_that_plays_gives_way_and_cannot_write(served: Served) -> None:
    served.get(f"/api/moments?ids={next(iter(served.ids().values()))}")
    workers = []
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"rl_lab.viewer.worker" in status.read_bytes():
                workers.append(status.parent)
    assert workers
    for worker in workers:
        with contextlib.suppress(OSError):
            assert "Max file size             0" in (worker / "limits").read_text()
            assert os.getpriority(os.PRIO_PROCESS, int(worker.name)) == 19


def test_runs_go_to_the_trash_after_a_yes(own_runs: Path) -> None:
    with viewer_of(own_runs) as viewer:
        ids = viewer.ids()
        run = ids["train/maze/sarsa/seed-1"]
        assert viewer.ask("/api/trash", "POST", {"ids": [run]})[0] == 400
        assert viewer.ask("/api/trash", "POST", {"ids": ["../.."], "yes": True})[0] == 400
        (moved,) = viewer.post("/api/trash", {"ids": [run], "yes": True})["moved"]
        assert (own_runs / moved / "run.json").is_file()
        assert moved.startswith(".rl-lab-trash/")
        assert set(viewer.ids()) == set(ids) - {"train/maze/sarsa/seed-1"}


def test_experiments_start_stop_and_go_on_exactly(tmp_path: Path) -> None:
    spec = 'name = "long"\nsteps = 400_000\nengine = "python"\n[[envs]]\nid = "RLLab/Maze-v0"\nname = "maze"\n'
    (tmp_path / "long.toml").write_text(spec + '[[agents]]\nid = "q_learning"\nname = "q"\n')
    (tmp_path / "broken.toml").write_text("name = ")
    folder = tmp_path / "runs"
    run = folder / "long" / "maze" / "q" / "seed-0"
    with viewer_of(folder) as viewer:
        offered = viewer.get("/api/start")
        assert [spec["name"] for spec in offered["specs"]] == ["long.toml"]
        assert "book-maze" in [suite["name"] for suite in offered["suites"]]
        for source in ("../long.toml", "/etc/passwd", "--help", "broken.toml"):
            assert viewer.ask("/api/start", "POST", {"source": source})[0] == 400
        made = viewer.post("/api/start", {"source": "long.toml"})
        assert made["state"] == "running"
        _wait(lambda: (run / "snapshots" / "40000").exists() and (run / "checkpoint").exists())
        assert viewer.get("/api/runs")["runs"][0]["state"] == "running"
        viewer.post("/api/stop", {"id": made["id"]})
        _wait(lambda: viewer.get("/api/start")["started"][0]["state"] != "running")
        assert viewer.get("/api/start")["started"][0]["state"] == "stopped"
        assert viewer.get("/api/runs")["runs"][0]["state"] == "stopped"
        viewer.post("/api/start", {"source": "long.toml"})
        _wait(lambda: viewer.get("/api/runs")["runs"][0]["state"] == "finished")
    whole = train("RLLab/Maze-v0", "q_learning", steps=400_000, out=tmp_path / "whole", name="long")
    assert (run / "episodes.csv").read_bytes() == (Path(whole["run"]) / "episodes.csv").read_bytes()


def _wait(until: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_runs_is_stopped_with_the_viewer(tmp_path: Path) -> None:
    spec = 'name = "long"\nsteps = 100_000_000\nengine = "python"\n[[envs]]\nid = "RLLab/Maze-v0"\nname = "maze"\n'
    (tmp_path / "long.toml").write_text(spec + '[[agents]]\nid = "q_learning"\nname = "q"\n')
    run = tmp_path / "runs" / "long" / "maze" / "q" / "seed-0"
    with viewer_of(tmp_path / "runs") as viewer:
        viewer.post("/api/start", {"source": "long.toml"})
        _wait(lambda: (run / "episodes.csv").exists())
    assert '"status": "interrupted"' in (run / "run.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ui", "file.txt"], "file.txt: expected a folder with runs, got a file"),
        (["ui", "--port", "70000"], "--port: expected at most 65535, got 70000"),
        (["ui", "--port", "TAKEN"], "--port: expected a free port, got"),
        (["ui", "--port", "x"], "expected a whole number of at least 0, got 'x'"),
    ],
)
def test_what_cannot_be_served(
    rl_lab: Command, tmp_path: Path, served: Served, arguments: list[str], message: str
) -> None:
    (tmp_path / "file.txt").write_text("")
    done = rl_lab(*[argument.replace("TAKEN", str(served.port)) for argument in arguments], "--no-browser")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
