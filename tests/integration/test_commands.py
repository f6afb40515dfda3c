"""The commands, each a process of its own; where it says `rl_lab_process`, one that has imported nothing before."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Command, StartProcess
from tests.helpers import files, found

SMALL = """
name = "small"
seeds = 2
steps = 400
[evaluation]
episodes = 2
final_episodes = 3
[[envs]]
id = "RLLab/Maze-v0"
name = "maze"
rows = 4
cols = 4
[[agents]]
id = "random"
[[agents]]
id = "q_learning"
learning_rate = 0.5
[[agents]]
id = "value_iteration"
"""


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_train_evaluate_watch_compare(rl_lab_process: Command, tmp_path: Path) -> None:
    trained = rl_lab_process(
        "train", "RLLab/Maze-v0", "q_learning", "--steps", "3000", "--env", "rows=4", "--env", "cols=4", "--json"
    )
    assert trained.returncode == 0, trained.stderr
    result = json.loads(trained.stdout)
    assert set(result) == {"run", "status", "trained", "env_steps", "episodes", "seconds"}
    assert (result["status"], result["env_steps"]) == ("finished", 3000)
    run = tmp_path / result["run"]
    rows = rows_of(run / "episodes.csv")
    assert list(rows[0]) == ["episode", "env_step", "return", "length", "epsilon", "td_error", "success", "steps"]
    assert result["episodes"] == len(rows)
    assert [int(row["episode"]) for row in rows] == list(range(len(rows)))
    assert sum(int(row["length"]) for row in rows) == int(rows[-1]["env_step"])
    evaluations = rows_of(run / "evaluations.csv")
    assert (
        ",".join(evaluations[0])
        == "env_step,phase,set,episode_seed,return,length,terminated,truncated,success,unmet_share"
    )
    assert [int(row["env_step"]) for row in evaluations[:110:10]] == list(range(0, 3001, 300))
    assert sum(row["phase"] == "final" for row in evaluations) == 100
    assert not {row["episode_seed"] for row in evaluations if row["phase"] == "final"} & {
        row["episode_seed"] for row in evaluations if row["phase"] == "curve"
    }
    figure = run.parent.parent / "learning-curves.png"
    assert figure.read_bytes()[:4] == b"\x89PNG"
    assert figure.with_suffix(".svg").exists()

    evaluated = rl_lab_process("evaluate", result["run"], "--episodes", "4", "--json")
    scores = json.loads(evaluated.stdout)
    assert set(scores) == {"run", "env", "agent", "mean_return", "endings", "episodes"}
    assert len(scores["episodes"]) == 4
    ends = {"terminated", "truncated", "success", "unmet_share"}
    assert set(scores["episodes"][0]) == {"seed", "return", "length", *ends}
    finals = [row for row in evaluations if row["phase"] == "final"][:4]
    assert [str(episode["return"]) for episode in scores["episodes"]] == [row["return"] for row in finals]
    assert [str(episode["seed"]) for episode in scores["episodes"]] == [row["episode_seed"] for row in finals]

    watched = rl_lab_process("watch", result["run"], "--terminal")
    assert watched.returncode == 0
    assert watched.stdout.count("┌") >= 2
    assert "truncated" in watched.stdout or "terminated" in watched.stdout

    compared = rl_lab_process("compare", "runs/train", "--json", "--out", "report")
    records = json.loads(compared.stdout)
    assert [(record["agent"], record["runs_finished"]) for record in records] == [("q_learning", 1)]
    assert (tmp_path / "report" / "results.json").exists()
    assert "\x1b" not in rl_lab_process("compare", "runs/train").stdout


def test_a_suite_runs_is_skipped_and_is_compared(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    first = rl_lab("run", "small.toml", "--jobs", "2")
    assert first.returncode == 0, first.stderr
    assert "6 trials finished, 0 failed, 0 were finished before" in first.stdout
    before = files(tmp_path / "runs")
    second = rl_lab("run", "small.toml", "--jobs", "1")
    assert "0 trials finished, 0 failed, 6 were finished before" in second.stdout
    after = files(tmp_path / "runs")
    assert {name: data for name, data in before.items() if ".svg" not in name and ".png" not in name} == {
        name: data for name, data in after.items() if ".svg" not in name and ".png" not in name
    }
    listed = rl_lab("list", "runs")
    assert listed.stdout.count("finished") == 6

    table = rl_lab("compare", "runs/small", environment={"COLUMNS": "70"})
    assert table.returncode == 0, table.stderr
    assert "value_iteration" in table.stdout
    assert max(map(len, table.stdout.splitlines()[:6])) <= 70
    records = json.loads(rl_lab("compare", "runs/small", "--json", "--no-videos").stdout)
    exact = next(record for record in records if record["agent"] == "value_iteration")
    assert exact["normalised"]["iqm"] == 1.0
    assert exact["reference"]["kind"] == "exact optimum"
    assert all(record["runs_planned"] == record["runs_finished"] == 2 for record in records)


def test_jobs_do_not_change_results(rl_lab_process: Command, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    for jobs in ("1", "2"):
        assert rl_lab_process("run", "small.toml", "--jobs", jobs, "--out", f"jobs-{jobs}").returncode == 0
    logs = [
        {
            name: data
            for name, data in files(tmp_path / f"jobs-{jobs}").items()
            if name.endswith(("episodes.csv", "evaluations.csv", ".npz", "state.json"))
        }
        for jobs in (1, 2)
    ]
    assert logs[0] == logs[1]
    assert sum("snapshots" not in name for name in logs[0]) == 6 * 6


def test_seeds_and_steps_override_the_spec(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    assert rl_lab("run", "small.toml", "--seeds", "1", "--steps", "100").returncode == 0
    manifests = [json.loads(path.read_text()) for path in (tmp_path / "runs").rglob("run.json")]
    assert len(manifests) == 3
    assert {manifest["env_steps"] for manifest in manifests} == {100}


def test_a_longer_budget_goes_further_and_a_shorter_one_is_there_already(rl_lab: Command, tmp_path: Path) -> None:
    command = ("train", "RLLab/Maze-v0", "random", "--json", "--steps")
    rows = []
    for steps, expected in (("200", 200), ("1000", 1000), ("100", 1000)):
        result = json.loads(rl_lab(*command, steps).stdout)
        assert result["env_steps"] == expected
        rows.append((tmp_path / result["run"] / "episodes.csv").read_text())
    assert rows[1].startswith(rows[0])
    assert rows[1] == rows[2]


def test_the_books_lander_is_judged_on_its_seed_and_on_fresh_ones(rl_lab: Command, tmp_path: Path) -> None:
    done = rl_lab(
        "train", "LunarLander-v3", "q_learning", "--episodes", "5", "--env", "reset_seed=42", "--env", "name=seed-42",
        "--set", "edges=[-0.5, 0.0, 0.5]", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["episodes"] == 5
    rows = rows_of(tmp_path / result["run"] / "evaluations.csv")
    book = [row for row in rows if row["set"] == "book"]
    assert {row["episode_seed"] for row in book} == {"42"}
    assert [row["phase"] for row in book].count("final") == 1
    assert [row["phase"] for row in rows if row["set"] == "fresh"].count("final") == 100
    assert "on the seed it trained on" in rl_lab("compare", "runs/train", "--full").stdout


def test_agents_and_environments_of_ones_own(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import gymnasium as gym\n"
        "from agents.base import OnlineAgent\n"
        "class MyAgent(OnlineAgent):\n"
        "    def select_action(self, observation, *, explore):\n"
        "        return 1\n"
        "class MyEnv(gym.Env):\n"
        "    def __init__(self, length=3):\n"
        "        self.length = length\n"
        "        self.observation_space = gym.spaces.Discrete(length + 1)\n"
        "        self.action_space = gym.spaces.Discrete(2)\n"
        "    def reset(self, *, seed=None, options=None):\n"
        "        super().reset(seed=seed)\n"
        "        self.place = 0\n"
        "        return 0, {}\n"
        "    def step(self, action):\n"
        "        self.place += action\n"
        "        return self.place, 1.0, self.place == self.length, False, {}\n"
    )
    done = rl_lab("train", "mine:MyEnv", "mine:MyAgent", "--episodes", "4", "--env", "length=5", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["episodes"], result["env_steps"]) == (4, 20)
    assert json.loads(rl_lab("evaluate", result["run"], "--json").stdout)["mean_return"] == 5.0


def test_an_environment_without_a_limit_is_cut_in_evaluation(rl_lab: Command, tmp_path: Path) -> None:
    result = json.loads(rl_lab("train", "CliffWalking-v1", "q_learning", "--steps", "50", "--json").stdout)
    rows = rows_of(tmp_path / result["run"] / "evaluations.csv")
    first = rows[0]  # an untrained table goes up for ever
    assert (first["length"], first["terminated"], first["truncated"]) == ("1000", "false", "true")


def test_a_trial_that_fails_is_recorded_and_the_others_go_on(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "from agents.random_agent import RandomAgent\n"
        "class Broken(RandomAgent):\n"
        "    def update(self, transition):\n"
        "        if self.num_steps == 50:\n"
        "            raise RuntimeError('out of luck')\n"
        "class Killed(RandomAgent):\n"
        "    def update(self, transition):\n"
        "        import os, signal\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    spec = SMALL + '[[agents]]\nid = "broken:Broken"\n[[agents]]\nid = "broken:Killed"\n'
    (tmp_path / "small.toml").write_text(spec.replace("seeds = 2", "seeds = 1"))
    done = rl_lab("run", "small.toml", "--jobs", "2")
    assert done.returncode == 1
    assert "3 trials finished, 2 failed" in done.stdout
    folder = tmp_path / "runs" / "small" / "maze"
    broken = folder / "broken-Broken" / "seed-0"
    assert json.loads((broken / "run.json").read_text())["error"] == "RuntimeError: out of luck"
    assert "Traceback" in (broken / "error.txt").read_text()
    killed = json.loads((folder / "broken-Killed" / "seed-0" / "run.json").read_text())
    assert killed["status"] == "failed"
    assert "killed by SIGKILL (out of memory?)" in killed["error"]
    table = rl_lab("compare", "runs/small")
    assert table.stdout.count("0/1 (1 failed)") == 2


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_control_c_stops_cleanly_and_the_same_command_finishes(
    jobs: str, rl_lab: Command, tmp_path: Path, start_process: StartProcess
) -> None:
    spec = SMALL.replace("steps = 400", "steps = 3_000_000").split("[[agents]]")[0] + '[[agents]]\nid = "random"\n'
    (tmp_path / "long.toml").write_text(spec)
    process = start_process(
        [sys.executable, "-P", "-m", "rl_lab", "run", "long.toml", "--jobs", jobs],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    deadline = time.monotonic() + 60
    while not found(tmp_path, "checkpoint") and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.strip().splitlines()[-1] == "interrupted"
    assert "Traceback" not in errors
    statuses = [json.loads(path.read_text())["status"] for path in found(tmp_path, "run.json")]
    assert "interrupted" in statuses
    assert "running" not in statuses
    again = rl_lab("run", "long.toml", "--steps", "500")
    assert again.returncode == 0, again.stderr
    assert "2 trials finished" in again.stdout


def test_lists(rl_lab: Command) -> None:
    everything = rl_lab("list").stdout
    for name in (
        "RLLab/Maze-v0",
        "LunarLander-v3",
        "q_learning",
        "sb3_ppo",
        "book-maze",
        "first-benchmark",
        "no runs in runs",
    ):
        assert name in everything
    suites = [line.split()[0] for line in rl_lab("list", "suites").stdout.splitlines()]
    assert suites == sorted(suites)
    assert {"all-small", "book-lander", "classic", "lander", "mazes"} <= set(suites)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("rl-lab run book-maze", ["book-maze", "book-maze-distance"]),
        ("rl-lab train RLLab/Maze-v0 sb3_d", ["sb3_dqn"]),
        ("rl-lab list su", ["suites"]),
    ],
)
def test_the_shell_completes_names(typed: str, expected: list[str], tmp_path: Path) -> None:
    command = Path(sys.executable).parent / "rl-lab"
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1), "_RL_LAB_COMPLETE": "complete_bash"}
    done = subprocess.run([command], env=os.environ | words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == expected
