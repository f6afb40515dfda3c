"""Experiments that the viewer starts, stops and announces; runs that it puts away; folders that it cannot show."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from rl_lab import train
from tests.conftest import Command
from tests.viewer.conftest import Served, live_spec, viewer_of


def test_the_first_run_of_a_folder_is_announced(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with viewer_of(tmp_path / "runs") as viewer:
        origin: Any = f"http://127.0.0.1:{viewer.port}"
        headers = {"Cookie": viewer.cookie}
        address = f"ws://127.0.0.1:{viewer.port}/live"
        with connect(address, origin=origin, additional_headers=headers, proxy=None) as told:
            time.sleep(1.0)
            shutil.copytree(runs / "train/maze/sarsa/seed-0", tmp_path / "runs/x/maze/sarsa/seed-0")
            assert [run["agent"] for run in json.loads(told.recv(timeout=10))["changed"]] == ["sarsa"]


def test_experiments_start_stop_and_go_on_exactly(tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text(live_spec("long", 1_000_000))
    (tmp_path / "broken.toml").write_text("name = ")
    folder = tmp_path / "runs"
    run = folder / "long" / "maze" / "q" / "seed-0"
    with viewer_of(folder) as viewer:
        offered = viewer.get("/api/start")
        assert [(spec["name"], spec["envs"], spec["agents"]) for spec in offered["specs"]] == [
            ("long.toml", ["maze"], ["q"])
        ]
        assert "book-maze" in [suite["name"] for suite in offered["suites"]]
        for source in ("../long.toml", "/etc/passwd", "--help", "broken.toml"):
            assert viewer.ask("/api/start", "POST", {"source": source})[0] == 400
        made = viewer.post("/api/start", {"source": "long.toml"})
        assert made["state"] == "running"
        _wait(lambda: (run / "snapshots" / "100000").exists() and (run / "checkpoint").exists())
        (listed,) = viewer.get("/api/runs")["runs"]
        assert listed["state"] == "running"
        assert viewer.get(f"/api/recording?ids={listed['id']}")["tracks"][0]["moments"][0]["env_step"] >= 100_000
        viewer.post("/api/stop", {"id": made["id"]})
        _wait(lambda: viewer.get("/api/start")["started"][0]["state"] != "running")
        assert viewer.get("/api/start")["started"][0]["state"] == "stopped"
        assert viewer.get("/api/runs")["runs"][0]["state"] == "stopped"
        viewer.post("/api/start", {"source": "long.toml"})
        looks = 0
        while viewer.get("/api/runs")["runs"][0]["state"] != "finished":  # and is looked at all the time
            (ident,) = viewer.ids().values()
            assert viewer.get(f"/api/curves?kind=training&ids={ident}")["groups"]
            assert viewer.get(f"/api/recording?ids={ident}")["tracks"]
            looks += 1
        assert looks
    whole = train("RLLab/Maze-v0", "q_learning", steps=1_000_000, out=tmp_path / "whole", name="long")
    assert (run / "episodes.csv").read_bytes() == (Path(whole["run"]) / "episodes.csv").read_bytes()


def _wait(until: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_runs_is_stopped_with_the_viewer(tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text(live_spec("long", 100_000_000))
    run = tmp_path / "runs" / "long" / "maze" / "q" / "seed-0"
    with viewer_of(tmp_path / "runs") as viewer:
        viewer.post("/api/start", {"source": "long.toml"})
        _wait(lambda: (run / "episodes.csv").exists())
    assert '"status": "interrupted"' in (run / "run.json").read_text()


def test_runs_go_to_the_trash_after_a_yes(own_runs: Path) -> None:
    with viewer_of(own_runs) as viewer:
        ids = viewer.ids()
        run = ids["train/maze/sarsa/seed-1"]
        assert viewer.ask("/api/trash", "POST", {"ids": [run]})[0] == 400
        assert viewer.ask("/api/trash", "POST", {"ids": ["../.."], "yes": True})[0] == 400
        (moved,) = viewer.post("/api/trash", {"ids": [run, run], "yes": True})["moved"]
        assert (own_runs / moved / "run.json").is_file()
        assert moved.startswith(".rl-lab-trash/")
        assert set(viewer.ids()) == set(ids) - {"train/maze/sarsa/seed-1"}


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
