"""Silence that would mislead: runs that train nothing, and long ones whose output goes into a file."""

import json
import re
from pathlib import Path

import pytest

from experiments.specs.loading import parse_spec
from experiments.training.observers import Progress
from rl_lab import train
from rl_lab.text import progress
from tests.conftest import Command


def test_a_run_that_has_its_budget_says_that_nothing_was_trained(rl_lab: Command, tmp_path: Path) -> None:
    first = rl_lab("train", "CartPole-v1", "random", "--steps", "2000", "--final-episodes", "2")
    assert "nothing trained" not in first.stdout
    again = rl_lab("train", "CartPole-v1", "random", "--steps", "100", "--final-episodes", "2")
    assert again.returncode == 0
    assert re.match(r"already has 2,000 env steps \([\d,]+ episodes\); nothing trained now\n", again.stdout)
    longer = rl_lab("train", "CartPole-v1", "random", "--steps", "2100", "--final-episodes", "2", "--json")
    assert json.loads(longer.stdout)["trained"] is True
    assert json.loads(longer.stdout)["env_steps"] == 2100
    result = train("CartPole-v1", "random", steps=50, out=tmp_path / "runs", evaluation={"final_episodes": 2})
    assert (result["trained"], result["env_steps"]) == (False, 2100)


def test_a_line_now_and_then_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"name": "x", "seeds": 5, "steps": 1000, "envs": [{"id": "CartPole-v1"}], "agents": [{"id": "random"}]}
    run_specs = parse_spec(values, "test").run_specs()
    clock = [0.0]
    monkeypatch.setattr("rl_lab.text.progress.time.monotonic", lambda: clock[0])
    display = progress.ProgressDisplay(len(run_specs))
    for run_spec in run_specs:
        display.started(run_spec)
    for clock[0] in (1.0, 29.0, 31.0, 45.0, 62.0):
        for share, run_spec in enumerate(run_specs):
            display.progress(run_spec, Progress(100 * share, 3, 1.0, None))
    lines = capsys.readouterr().err.splitlines()
    shown = ", ".join(f"CartPole-v1 / random / seed {seed} {10 * seed}%" for seed in range(3))
    assert lines == [f"0 of 5 runs have ended; running: {shown}, and 2 more"] * 2
