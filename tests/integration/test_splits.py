"""Trained on one side of a split, judged on the other: `evaluation` of an environment's entry."""

import json
from pathlib import Path

import gymnasium as gym
import pytest

from experiments.evaluation.environments import make_evaluation_env, make_own_side_env, make_training_env
from experiments.evaluation.episode_seeds import episode_seeds
from experiments.evaluation.score_scale import score_scale_for
from experiments.specs.spec import EnvEntry
from tests.conftest import Command

SPEC = """
name = "sides"
seeds = 2
steps = 600
[evaluation]
episodes = 2
final_episodes = 20
[[envs]]
id = "RLLab/Maze-v0"
name = "levels"
rows = 3
cols = 3
levels = 20
split = "train"
max_steps = 12
evaluation = { split = "test" }
[[agents]]
id = "q_learning"
name = "q"
"""
SETTINGS = {"levels": 20, "rows": 3, "cols": 3}
ENTRY = EnvEntry(id="RLLab/Maze-v0", settings={**SETTINGS, "split": "train"}, evaluation={"split": "test"})
TRAIN = EnvEntry(id="RLLab/Maze-v0", settings={**SETTINGS, "split": "train"})
TEST = EnvEntry(id="RLLab/Maze-v0", settings={**SETTINGS, "split": "test"})


def side(env: "gym.Env[object, object] | None") -> object:
    return None if env is None or env.spec is None else env.spec.kwargs["split"]


def test_where_a_run_trains_and_where_it_is_judged() -> None:
    makers = (make_training_env, make_evaluation_env, make_own_side_env)
    assert [side(make(ENTRY)) for make in makers] == ["train", "test", "train"]
    assert [side(make(TRAIN)) for make in makers] == ["train", "train", None]
    assert len({ENTRY.label, TRAIN.label, TEST.label}) == 3


def test_the_scale_is_of_the_mazes_that_are_judged() -> None:
    judged, on_test, on_train = (
        score_scale_for(entry, episode_seeds(0, "final", 20)) for entry in (ENTRY, TEST, TRAIN)
    )
    assert judged == on_test
    assert judged != on_train


def test_a_run_is_judged_on_both_sides(rl_lab: Command, tmp_path: Path) -> None:
    """The score is the other side's; what it came to where it trained stands beside it, in every form of results."""
    (tmp_path / "sides.toml").write_text(SPEC)
    done = rl_lab("run", "sides.toml")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs/sides/levels/q/seed-0"
    rows = [line.split(",") for line in (run / "evaluations.csv").read_text().splitlines()[1:]]
    final = [row[1:3] for row in rows if row[1] == "final"]
    assert final == [["final", "fresh"]] * 20 + [["final", "train"]] * 20
    on_test = [float(row[4]) for row in rows if row[1:3] == ["final", "fresh"]]
    on_train = [float(row[4]) for row in rows if row[1:3] == ["final", "train"]]
    for options, returns in (((), on_test), (("--env", "split=train"), on_train)):
        again = rl_lab("evaluate", str(run), "--episodes", "20", *options, "--json")
        assert again.returncode == 0, again.stderr
        assert json.loads(again.stdout)["mean_return"] == pytest.approx(sum(returns) / 20)
    record = json.loads(rl_lab("compare", "runs/sides", "--json", "--no-report").stdout)[0]
    assert record["scores"][0] == pytest.approx(sum(on_test) / 20)
    assert record["own_side"]["scores"][0] == pytest.approx(sum(on_train) / 20)
    assert sum(record["own_side"]["endings"]["counts"].values()) == 40
    shown = rl_lab("compare", "runs/sides", "--no-report", "--save-scores", "kept.json")
    assert "q where it trained: " in shown.stdout
    assert rl_lab("compare", "runs/sides", "--no-videos").returncode == 0
    page = (tmp_path / "runs/sides/comparison/report.html").read_text()
    assert "Where they trained: <strong>q</strong> " in page
    kept = json.loads(rl_lab("compare", "kept.json", "--json", "--no-report").stdout)[0]
    assert kept["own_side"] == record["own_side"]
    verified = rl_lab("verify", str(run))
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ('{ splitt = "test" }', "unknown option 'splitt' (did you mean 'split'?)"),
        ('{ split = "both" }', "split: expected "),
        ('"test"', "envs.0.evaluation: expected a valid dictionary"),
        ("{ rows = 4 }", "the agent does not fit: expected the observation space Discrete(9), got Discrete(12)"),
    ],
)
def test_wrong_options_of_the_evaluation(rl_lab: Command, tmp_path: Path, wrong: str, expected: str) -> None:
    (tmp_path / "sides.toml").write_text(SPEC.replace('{ split = "test" }', wrong))
    done = rl_lab("run", "sides.toml")
    assert done.returncode == 2, done.stdout
    assert expected in done.stderr
    assert not (tmp_path / "runs").exists()


def test_other_sides_are_not_compared(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "sides.toml").write_text(SPEC)
    assert rl_lab("run", "sides.toml", "--seeds", "1").returncode == 0
    (tmp_path / "other.toml").write_text(SPEC.replace('evaluation = { split = "test" }', ""))
    refused = rl_lab("run", "other.toml", "--seeds", "1")
    assert refused.returncode == 2
    assert "evaluation" in refused.stderr
