"""Observers of one's own: they hear of a run in its process, change nothing in it, and cannot stop it."""

import json
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command

MEDDLER = '''
import json
import random

import numpy as np

from experiments.training.observers import Observer


class Meddler(Observer):
    """Draws from global generators, changes what it is told, and asks for the run to be pruned."""

    def __init__(self, run_spec, folder):
        np.random.seed(1)
        random.seed(1)
        self.file = open(f"heard-{run_spec.env.label}-{run_spec.seed}.jsonl", "a", encoding="utf-8")

    def progress(self, progress):
        np.random.random()

    def episode(self, env_step, episode, metrics):
        self.file.write(json.dumps(["episode", env_step, episode.total_reward]) + "\\n")
        episode.info.clear()

    def evaluated(self, evaluated):
        self.file.write(json.dumps(["evaluated", evaluated.env_step, evaluated.score]) + "\\n")
        for one in evaluated.episodes:
            one.info.clear()
            one.info["more"] = 3.0
        np.random.random(100)
        return True

    def close(self):
        self.file.close()


class Broken(Observer):
    def __init__(self, run_spec, folder):
        self.count = 0

    def evaluated(self, evaluated):
        raise SystemExit("enough")


class Unmade(Observer):
    def __init__(self):
        pass


class Exits(Observer):
    def __init__(self, run_spec, folder):
        raise SystemExit(3)


class NoNew(Observer):
    def __new__(cls, *arguments):
        return 5


class Rewrites(Observer):
    def __init__(self, run_spec, folder):
        run_spec.agent.settings["learning_rate"] = 0.9
        run_spec.evaluation.__dict__["seed"] = 7


class Leaves(Observer):
    """Changes what belongs to the whole process."""

    def __init__(self, run_spec, folder):
        import os, sys

        os.makedirs("elsewhere", exist_ok=True)
        os.chdir("elsewhere")
        sys.stdout.close()
        sys.stderr.close()


class Other:
    pass
'''
SPEC = """
name = "observed"
steps = 300
{observers}
[evaluation]
episodes = 1
final_episodes = 2
[[envs]]
id = "RLLab/Maze-v0"
name = "maze"
rows = 3
cols = 3
[[envs]]
id = "CartPole-v1"
name = "pole"
[[agents]]
id = "q_learning"
name = "q"
[[agents]]
id = "sb3_dqn"
name = "dqn"
learning_starts = 50
"""


def digests(folder: Path) -> dict[str, dict[str, str]]:
    return {str(path.parent.relative_to(folder)): json.loads(path.read_text())["digests"]
            for path in folder.rglob("run.json")}  # fmt: skip


def test_they_hear_everything_and_change_nothing(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "meddling.py").write_text(MEDDLER)
    (tmp_path / "plain.toml").write_text(SPEC.replace("{observers}", ""))
    kinds = ("Meddler", "Broken", "Unmade", "Exits", "NoNew", "Rewrites", "Leaves")
    names = json.dumps([f"meddling:{kind}" for kind in kinds])
    (tmp_path / "observed.toml").write_text(SPEC.replace("{observers}", f"observers = {names}"))
    assert rl_lab("run", "plain.toml", "--out", "plain").returncode == 0
    done = rl_lab("run", "observed.toml", "--out", "observed")
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "observed") == digests(tmp_path / "plain")
    assert "observer meddling:Broken: SystemExit: it called sys.exit('enough')" in done.stderr
    assert "observer meddling:Unmade: TypeError: Unmade.__init__() takes 1 positional argument" in done.stderr
    assert "observer meddling:Exits: SystemExit" in done.stderr
    assert "observer meddling:NoNew: TypeError: expected an Observer, got int" in done.stderr
    assert rl_lab("run", "observed.toml", "--out", "observed").returncode == 0  # the same runs: nothing to do
    heard = [json.loads(line) for line in (tmp_path / "heard-maze-0.jsonl").read_text().splitlines()]
    points = [step for kind, step, _ in heard if kind == "evaluated"]
    assert sorted(set(points)) == list(range(0, 301, 30))
    assert sum(kind == "episode" for kind, _, _ in heard) > 0
    verified = rl_lab("verify", "observed/observed/maze/q/seed-0")
    assert verified.returncode == 0, verified.stdout
    assert "heard" not in verified.stdout


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("meddling:Other", "observers: meddling:Other: expected a subclass of experiments.training.observers.Observer"),
        ("meddling:Nobody", "observers: meddling:Nobody: expected a subclass of"),
        ("meddling", "observers: expected module:Class, got 'meddling'"),
        ("no_such_module:X", "observers: cannot import module 'no_such_module'"),
        (":Meddler", "observers: expected module:Class, got ':Meddler'"),
        ("..meddling:Meddler", "observers: expected module:Class, got '..meddling:Meddler'"),
        ("dividing:X", "observers: cannot import module 'dividing': ZeroDivisionError"),
        ("leaving:X", "observers: cannot import module 'leaving': SystemExit"),
    ],
)
def test_what_is_no_observer_is_refused(name: str, expected: str, rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "meddling.py").write_text(MEDDLER)
    (tmp_path / "dividing.py").write_text("1 / 0")
    (tmp_path / "leaving.py").write_text("raise SystemExit(4)")
    (tmp_path / "x.toml").write_text(SPEC.replace("{observers}", f'observers = ["{name}"]'))
    done = rl_lab("run", "x.toml")
    assert done.returncode == 2
    assert expected in done.stderr
    assert not (tmp_path / "runs").exists()


def test_the_docs_example_tracks_a_curve(rl_lab: Command, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "experiments.md").read_text()
    (example,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.S) if "class Tracker" in block)
    assert len(example.splitlines()) < 20
    (tmp_path / "my_tracker.py").write_text(example)
    (tmp_path / "x.toml").write_text(SPEC.replace("{observers}", 'observers = ["my_tracker:Tracker"]'))
    assert rl_lab("run", "x.toml", "--only", "maze", "--agent", "random").returncode == 0
    points = [json.loads(line) for line in (tmp_path / "tracked.jsonl").read_text().splitlines()]
    assert {point["run"] for point in points} == {"maze / random / seed 0"}
    assert [point["phase"] for point in points] == ["curve"] * 11 + ["final"]
