"""Runs on a real Ray cluster of several nodes on this machine: the same bytes, also when nodes and drivers die."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from experiments.execution import mirror
from experiments.runs.digests import result_digests
from rl_lab.run import run_suite
from tests.conftest import ROOT, Command, StartProcess

pytest.importorskip("ray")

SPEC = """
name = "s"
seeds = 2
steps = {steps}
engine = "python"
evaluation = {{ every = {every}, episodes = 1, final_episodes = 2 }}
envs = [{{ id = "RLLab/Maze-v0", name = "m", rows = 4, cols = 4, slip = 0.1 }}]
agents = [{{ id = "q_learning", name = "q" }}]
"""
# A cluster of two nodes with a core each. Once both runs' checkpoints have come, the first node's worker is killed, and
# the second node as a whole; another one joins. What the test asserts is printed as JSON.
DRIVER = """
import json, os, signal, sys, threading, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from experiments.execution.ray_executor import RayExecutor
from rl_lab.run import run_suite

spec, out = sys.argv[1], Path(sys.argv[2])
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
second = cluster.add_node(num_cpus=1)
ray.init(address=cluster.address, log_to_driver=False)
assert ray.cluster_resources()["CPU"] == 2
killed = []

def kill() -> None:
    runs = [out / "s" / "m" / "q" / f"seed-{seed}" / "checkpoint" for seed in (0, 1)]
    while not all(run.exists() for run in runs):
        time.sleep(0.02)
    raylet = cluster.head_node.all_processes["raylet"][0].process.pid
    for worker in map(int, Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()):
        if b"train_remotely" in Path(f"/proc/{worker}/cmdline").read_bytes():
            os.kill(worker, signal.SIGKILL)
            killed.append("worker")
    cluster.remove_node(second, allow_graceful=False)
    killed.append("node")
    cluster.add_node(num_cpus=1)

thread = threading.Thread(target=kill)
thread.start()
_, outcome = run_suite(spec, out=out, jobs=2, progress=False, make_executor=lambda out, jobs: RayExecutor(out, None))
thread.join()
print(json.dumps({"status": [one.status for one in outcome.manifests], "killed": killed}), flush=True)
ray.shutdown()
cluster.shutdown()
"""
# A search that prunes, and an experiment until it is decided, each on a cluster that is started for it.
SEARCHED = """
name = "t"
steps = 2000
seeds = 1
evaluation = { every = 500, episodes = 2, final_episodes = 4 }
tuning = { candidates = 4, seeds = 1, sampler = "grid", pruner = "halving", seed = 0 }
envs = [{ id = "RLLab/Maze-v0", name = "m", rows = 3, cols = 3 }]
agents = [{ id = "q_learning", name = "q", learning_rate = { choices = [1.0, 0.9, 0.8, 0.0] } }]
"""
UNDECIDED = """
name = "u"
steps = 300
evaluation = { episodes = 1, final_episodes = 4 }
envs = [{ id = "RLLab/Maze-v0", name = "m", rows = 3, cols = 3 }]
agents = [{ id = "value_iteration", name = "plan" }, { id = "random" }]
"""


def digests(folder: Path) -> list[dict[str, str]]:
    """Of all results of the runs, their checkpoints included."""
    return [result_digests(path.parent, {}) for path in sorted(folder.rglob("run.json"))]


def attempts(folder: Path) -> list[list[dict[str, Any]]]:
    return [json.loads(path.read_text())["attempts"] for path in sorted(folder.rglob("run.json"))]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "s.toml"
    path.write_text(SPEC.format(steps=40_000, every=2_000))
    return path


def driver(start_process: StartProcess, spec: Path, out: Path, *more: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    return start_process(
        [sys.executable, *more, str(spec), str(out)],
        cwd=spec.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_worker_and_a_node_are_lost_another_joins_and_the_bytes_are_those_of_one_machine(
    spec: Path, tmp_path: Path, start_process: StartProcess
) -> None:
    run_suite(str(spec), out=tmp_path / "here", jobs=1, progress=False)
    process = driver(start_process, spec, tmp_path / "there", "-c", DRIVER)
    out, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors[-3000:]
    (said,) = [line for line in out.splitlines() if line.startswith("{")]
    assert json.loads(said) == {"status": ["finished", "finished"], "killed": ["worker", "node"]}
    for run in ("seed-0", "seed-1"):
        assert f"s/m/q/{run}: its worker was lost; it goes on from its last checkpoint" in errors
    assert digests(tmp_path / "there") == digests(tmp_path / "here")
    for _, *resumed in attempts(tmp_path / "there"):
        assert resumed
        assert all(one["from_step"] > 0 for one in resumed)  # from where it was, and not from its beginning


@pytest.mark.skipif(not os.environ.get("RL_LAB_SOAK"), reason="takes most of a minute: make soak")
def test_a_killed_driver_goes_on_with_the_same_command(
    spec: Path, tmp_path: Path, rl_lab: Command, start_process: StartProcess
) -> None:
    command = [sys.executable, "-P", "-m", "rl_lab", "run", "s.toml", "--executor", "ray", "--out", "there"]
    process = start_process(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while not [*tmp_path.glob("there/s/m/q/*/checkpoint")] and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert again.returncode == 0, again.stderr
    assert "2 trials finished, 0 failed" in again.stdout
    run_suite(str(spec), out=tmp_path / "here", jobs=1, progress=False)
    assert digests(tmp_path / "there") == digests(tmp_path / "here")


def test_a_search_is_that_of_one_machine(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(SEARCHED)
    found = []
    for out, where in (("here", ()), ("there", ("--executor", "ray"))):
        searched = rl_lab("tune", "t.toml", "--jobs", "1", "--json", "--out", out, *where)
        assert searched.returncode == 0, searched.stderr
        found.append(json.loads(searched.stdout))
    assert found[0] == found[1]
    assert "pruned" in {candidate["state"] for candidate in found[0]["agents"][0]["candidates"]}
    assert digests(tmp_path / "there") == digests(tmp_path / "here")


@pytest.mark.skipif(not os.environ.get("RL_LAB_SOAK"), reason="takes a quarter of a minute: make soak")
def test_what_is_decided_is_that_of_one_machine(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "u.toml").write_text(UNDECIDED)
    said = []
    for out, where in (("here", ()), ("there", ("--executor", "ray"))):
        decided = rl_lab("run", "u.toml", "--until-decided", "--batch", "5", "--jobs", "2", "--out", out, *where)
        assert decided.returncode == 0, decided.stderr
        said.append(decided.stdout.replace("there", "here"))
    assert said[0] == said[1]
    assert "0 pairs undecided" in said[0]
    assert digests(tmp_path / "there") == digests(tmp_path / "here")


def test_wrong_clusters_end_with_a_line(rl_lab: Command, spec: Path) -> None:
    for arguments, expected in (
        (("--executor", "cloud"), "--executor: expected local or ray, got 'cloud'"),
        (("--address", "auto"), "--address: expected --executor ray beside it"),
        (("--executor", "ray", "--tensorboard"), "--executor ray: expected no --tensorboard beside it"),
        (("--executor", "ray", "--address", "127.0.0.1:1"), "--address 127.0.0.1:1: expected a Ray cluster"),
    ):
        found = rl_lab("run", "s.toml", *arguments)
        assert found.returncode == 2, found
        assert expected in found.stderr
        assert "Traceback" not in found.stderr
    assert not (spec.parent / "runs").exists()  # nothing was written


def test_a_folder_is_mirrored_change_by_change(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    sender = mirror.Sender(here)
    (here / "checkpoint" / "agent").mkdir(parents=True)
    (here / "checkpoint" / "agent" / "a").write_text("1")
    (here / "checkpoint" / "agent" / "b").write_text("2")
    (here / "episodes.csv").write_text("x")
    (here / "run.json").write_text("{}")
    (here / "heartbeat.json").write_text("mine")
    mirror.apply(sender.change(), there)
    assert mirror.contents(there) == mirror.contents(here)
    assert not (there / "heartbeat.json").exists()
    (here / "checkpoint" / "agent" / "a").write_text("3")
    (here / "checkpoint" / "agent" / "b").unlink()
    (here / "episodes.csv").write_text("xy")
    change = sender.change()
    assert set(change.files) == {"checkpoint/agent/a", "episodes.csv"}
    assert change.gone == ["checkpoint/agent/b"]
    mirror.apply(change, there)
    assert mirror.contents(there) == mirror.contents(here)
    assert not [path for path in there.iterdir() if path.name.startswith("checkpoint.")]
    assert sender.change() == mirror.Change({}, [])
