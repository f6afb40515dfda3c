"""`--engine` on the command line and in specs; figures and grids of specs."""

import json
from pathlib import Path

import pytest

from experiments.runs.digests import result_digests
from tests.conftest import Command

MAZE = ("RLLab/Maze-v0", "q_learning", "--env", "rows=4", "--env", "cols=4", "--env", "name=maze", "--env", "slip=0.1")


@pytest.mark.parametrize("budget", [("--steps", "1234"), ("--episodes", "57")])
def test_run_folders_of_both_engines_are_the_same_bytes(
    rl_lab: Command, tmp_path: Path, budget: tuple[str, str]
) -> None:
    folders = []
    for engine in ("python", "compiled"):
        done = rl_lab("train", *MAZE, *budget, "--engine", engine, "--set", "name=q", "--out", engine)
        assert done.returncode == 0, done.stderr
        folder = tmp_path / engine / "train" / "maze" / "q" / "seed-0"
        manifest = json.loads((folder / "run.json").read_text())
        assert manifest["engine"] == engine
        assert manifest["table"] == {
            **{"kind": "dense", "states": 16, "possible": 16, "bytes": manifest["table"]["bytes"]}
        }
        folders.append(result_digests(folder))
    states = {f"checkpoint/{part}/state.{kind}" for part in ("agent", "run") for kind in ("json", "npz")}
    assert set(folders[0]) == {"episodes.csv", "evaluations.csv", *states}
    assert folders[0] == folders[1]


def test_what_cannot_be_compiled_is_refused_before_anything_is_written(rl_lab: Command, tmp_path: Path) -> None:
    for arguments, message in (
        (("LunarLander-v3", "q_learning", "--engine", "compiled"), "its observations are put into bins"),
        (("RLLab/Maze-v0", "random", "--engine", "compiled"), "and RandomAgent is none of them"),
        (("RLLab/Maze-v0", "q_learning", "--engine", "c"), "engine: expected 'auto', 'python' or 'compiled', got 'c'"),
    ):
        done = rl_lab("train", *arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert rl_lab("run", "book-maze", "--engine", "fast").returncode == 2
    assert not (tmp_path / "runs").exists()


def test_a_rule_of_ones_own_is_compiled_or_says_why_not(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from agents.tabular.agent import TabularAgent\n"
        "from agents.tabular.learning import move\n"
        "def rule(memory, parameters, rng, step):\n"
        "    return move(memory.q, memory, parameters, step.state, step.action, helper(step.reward))\n"
        "def helper(reward):\n"
        "    return 2.0 * reward\n"
        "def strange(memory, parameters, rng, step):\n"
        "    return move(memory.q, memory, parameters, step.state, step.action, float(str(step.reward)))\n"
        "class Mine(TabularAgent):\n"
        "    name = 'mine'\n"
        "    update_rule = staticmethod(rule)\n"
        "class Strange(TabularAgent):\n"
        "    name = 'strange'\n"
        "    update_rule = staticmethod(strange)\n"
    )
    maze = ("--env", "rows=3", "--env", "cols=3", "--env", "name=m", "--steps", "60000")
    done = rl_lab("train", "RLLab/Maze-v0", "mine:Mine", *maze, "--engine", "compiled", "--set", "name=mine")
    assert done.returncode == 0, done.stderr
    done = rl_lab("train", "RLLab/Maze-v0", "mine:Strange", *maze, "--engine", "compiled", "--set", "name=strange")
    assert done.returncode == 2
    assert "the compiled engine cannot train strange here: numba cannot compile its update_rule" in done.stderr
    done = rl_lab("train", "RLLab/Maze-v0", "mine:Strange", *maze, "--set", "name=strange")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "train" / "m" / "strange" / "seed-0" / "run.json"
    assert json.loads(run.read_text())["engine"] == "python"


SPEC = """
name = "grid"
seeds = 2
episodes = 4
engine = "python"
[evaluation]
episodes = 1
final_episodes = 1
[figure]
title = "Errors"
x = "learning_rate"
y = "value_error"
lines = "n"
[[envs]]
id = "RLLab/RandomWalk-v0"
name = "walk"
[[agents]]
id = "n_step_td"
discount = 1.0
grid = { n = [1, 2], learning_rate = [0.1, 0.4] }
"""


def test_a_grid_is_every_combination_and_has_a_figure(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(SPEC)
    done = rl_lab("run", "grid.toml", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert "figure: runs/grid/figure.png" in done.stdout
    folder = tmp_path / "runs" / "grid"
    expected = {f"n_step_td-n={n}-learning_rate={rate}" for n in (1, 2) for rate in (0.1, 0.4)}
    assert {path.name for path in (folder / "walk").iterdir()} == expected
    rows = [row.split(",") for row in (folder / "figure.csv").read_text().splitlines()]
    assert rows[0] == ["line", "learning_rate", "mean", "low", "high", "runs"]
    assert [row[:2] for row in rows[1:]] == [[f"n = {n}", rate] for n in (1, 2) for rate in ("0.1", "0.4")]
    assert [row[5] for row in rows[1:]] == ["2"] * 4
    assert not list(folder.rglob("learning-curves.png"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('y = "value_error"', 'y = "value"', "unknown column 'value' (did you mean 'value_error'?)"),
        ('lines = "n"', 'lines = "m"', "figure: lines: unknown setting 'm'"),
        ('title = "Errors"', "", "figure.title: expected a value, got nothing"),
        ("x = ", "xx = ", "unknown key 'figure.xx' (did you mean 'x'?)"),
        ("[0.1, 0.4]", "0.1", "agents: grid: expected lists of values, one for each setting"),
        ('engine = "python"', 'engine = "fast"', "engine: "),
        (
            'x = "learning_rate"',
            'x = "exploration"',
            "figure: x: expected a setting that is a number",
        ),
        ("discount = 1.0", "n = 3", "agents: grid: expected n in the grid or beside it"),
        ('lines = "n"', "", "figure: lines: expected a setting that tells agents apart"),
        ('title = "Errors"', 'title = "Errors"\nylim = [0, nan]', "figure.ylim"),
    ],
)
def test_what_is_wrong_with_a_figure_or_a_grid_is_said(
    rl_lab: Command, tmp_path: Path, old: str, new: str, message: str
) -> None:
    (tmp_path / "grid.toml").write_text(SPEC.replace(old, new))
    done = rl_lab("run", "grid.toml", "--jobs", "1")
    assert done.returncode == 2
    assert message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
