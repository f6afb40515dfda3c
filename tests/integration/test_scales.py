"""A scale for every environment: given with the spec or the comparison, or measured where nobody gives one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.errors import InputError
from experiments.evaluation.environments import make_evaluation_env
from experiments.evaluation.episode_seeds import episode_seeds
from experiments.evaluation.rollout import evaluate_agent
from experiments.evaluation.score_scale import score_scale_for
from experiments.specs.loading import parse_spec
from experiments.specs.spec import EnvEntry, GivenScale
from experiments.training.train_run import train_run
from rl_lab import compare, make_agent
from tests.conftest import Command
from tests.helpers import files
from tests.lane import LANE, run_spec

MINE = '''
"""An environment of one's own: one step, worth what is chosen."""

import gymnasium as gym
from gymnasium import spaces


class Choice(gym.Env):
    observation_space, action_space = spaces.Discrete(1), spaces.Discrete(4)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        return 0, float(action) * 10, True, False, {}
'''
SPEC = """
name = "mine"
seeds = 2
steps = 60
[evaluation]
episodes = 1
final_episodes = 50
[[envs]]
id = "my_choice:Choice"
name = "choice"
{scale}
[[agents]]
id = "random"
[[agents]]
id = "q_learning"
learning_rate = 1.0
"""
SEEDS = episode_seeds(0, "final", 50)


def run_it(rl_lab: Command, tmp_path: Path, scale: str = "") -> None:
    (tmp_path / "my_choice.py").write_text(MINE)
    (tmp_path / "mine.toml").write_text(SPEC.replace("{scale}", scale))
    done = rl_lab("run", "mine.toml")
    assert done.returncode == 0, done.stderr


def records(rl_lab: Command, *options: str) -> dict[str, Any]:
    done = rl_lab("compare", "runs/mine", "--json", "--no-report", *options)
    assert done.returncode == 0, done.stderr
    return {record["agent"].partition("-")[0]: record for record in json.loads(done.stdout)}


def test_a_scale_in_the_spec_gives_aggregates_and_may_come_later(rl_lab: Command, tmp_path: Path) -> None:
    run_it(rl_lab, tmp_path)
    assert all(record["normalised"] is None for record in records(rl_lab).values())
    first = rl_lab("compare", "runs/mine", "--no-report").stdout
    assert "no scale: nobody knows a ceiling; compare --scale FILE.toml gives one" in first
    before = files(tmp_path / "runs")
    run_it(rl_lab, tmp_path, "scale = { floor = 0.0, ceiling = 40.0 }")
    for record in records(rl_lab).values():
        assert record["normalised"]["scores"] == [score / 40 for score in record["scores"]]
        assert record["reference"]["kind"] == "given ceiling"
    changed = {name for name, data in files(tmp_path / "runs").items() if before.get(name) != data}
    logs = {name for name in changed if Path(name).name.endswith((".csv", ".npz")) and "comparison" not in str(name)}
    assert not logs
    full = json.loads(rl_lab("compare", "runs/mine", "--json-full", "--no-report").stdout)
    assert list(full) == ["records", "aggregates", "pairs", "learning", "method", "made_with"]
    assert len(full["aggregates"]) == 2
    verified = rl_lab("verify", "runs/mine/choice/random/seed-0")
    assert verified.returncode == 0, verified.stdout


def test_a_scale_beside_the_comparison(rl_lab: Command, tmp_path: Path) -> None:
    run_it(rl_lab, tmp_path)
    (tmp_path / "scales.toml").write_text("[choice]\nfloor = -30\nceiling = 90.0\n[other]\nfloor = 0\nceiling = 1\n")
    before = files(tmp_path / "runs" / "mine" / "choice")
    record = records(rl_lab, "--scale", "scales.toml")["q_learning"]
    assert record["normalised"]["scores"] == [(score + 30) / 120 for score in record["scores"]]
    assert files(tmp_path / "runs" / "mine" / "choice") == before
    values = compare(tmp_path / "runs", scale={"choice": {"floor": -30, "ceiling": 90}})
    assert {one["agent"].partition("-")[0]: one for one in values["records"]}["q_learning"]["normalised"] == (
        record["normalised"]
    )
    assert records(rl_lab, "--normalised")["random"]["normalised"]["scores"] == records(rl_lab)["random"]["scores"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[elsewhere]\nfloor = 0\nceiling = 1\n",
            "unknown environment in the scales 'elsewhere'; expected one of: c",
        ),
        ("[choice]\nfloor = 1\nceiling = 1\n", "scales.toml: choice: value: expected two different ends"),
        ("[choice]\nflor = 1\n", "scales.toml: choice: unknown key 'flor' (did you mean 'floor'?)"),
        ('[choice]\nfloor = "low"\n', "scales.toml: choice: floor: expected a valid number, got 'low'"),
        (
            "[choice]\nfloor = -1e308\nceiling = 1e308\n",
            "choice: value: expected ends between -1e100 and 1e100",
        ),
        ("[choice]\nfloor = nan\nceiling = 1\n", "scales.toml: choice: floor: expected a finite number"),
        (
            "choice = 3\n",
            "choice: expected a table for each environment, such as [choice] with floor",
        ),
        ("[choice]\nceiling = 1\n", "the scale of choice: floor: expected a number, got nothing, and no run knows one"),
        ("[choice\n", "scales.toml: broken TOML"),
        ("[choice]\n", "scales.toml: choice: value: expected a floor, a ceiling or both"),
    ],
)
def test_a_wrong_scale_is_one_line(text: str, expected: str, rl_lab: Command, tmp_path: Path) -> None:
    run_it(rl_lab, tmp_path)
    (tmp_path / "scales.toml").write_text(text)
    done = rl_lab("compare", "runs/mine", "--scale", "scales.toml")
    assert done.returncode == 2
    assert expected in done.stderr
    assert done.stderr.count("\n") == 1


# -- what is measured -----------------------------------------------------------------------------------------


def test_the_random_policy_is_measured_where_only_a_ceiling_is_given() -> None:
    entry = EnvEntry(id="Pendulum-v1", scale=GivenScale(ceiling=-150.0))
    scale = score_scale_for(entry, SEEDS[:6])
    env = make_evaluation_env(EnvEntry(id="Pendulum-v1"))
    returns = [one.total_reward for one in evaluate_agent(make_agent("random", env), env, SEEDS[:6])]
    assert scale is not None
    assert scale.floor == np.mean(returns)
    assert scale.floor_error == pytest.approx(np.std(returns, ddof=1) / np.sqrt(6))
    assert (scale.ceiling, scale.kind) == (-150.0, "given ceiling")


def test_gymnasiums_threshold_is_a_ceiling() -> None:
    scale = score_scale_for(EnvEntry(id="CartPole-v0"), SEEDS[:20])
    assert scale is not None
    assert (scale.ceiling, scale.kind) == (195.0, "solved")
    assert 15 < scale.floor < 30
    assert 0 < scale.floor_error < 5
    shorter = EnvEntry(id="CartPole-v0", max_episode_steps=50)  # another task, which the threshold is not of
    assert score_scale_for(shorter, SEEDS) is None
    assert score_scale_for(EnvEntry(id="Pendulum-v1"), SEEDS) is None


def test_a_given_end_takes_the_place_of_a_known_one() -> None:
    walk = score_scale_for(EnvEntry(id="RLLab/RandomWalk-v0"), SEEDS)
    lander = score_scale_for(EnvEntry(id="LunarLander-v3", scale=GivenScale(ceiling=260.0)), SEEDS)
    maze = EnvEntry(id="RLLab/Maze-v0", settings={"rows": 3, "cols": 3})
    exact = score_scale_for(maze, SEEDS)
    floored = score_scale_for(maze.model_copy(update={"scale": GivenScale(floor=-50.0)}), SEEDS)
    assert walk is not None
    assert lander is not None
    assert exact is not None
    assert floored is not None
    assert (lander.floor, lander.floor_error, lander.ceiling, lander.kind) == (-182.7, 1.1, 260.0, "given ceiling")
    assert (floored.floor, floored.ceiling, floored.kind) == (-50.0, exact.ceiling, "exact optimum")


def test_a_policy_that_cannot_be_measured_costs_no_run(caplog: pytest.LogCaptureFixture) -> None:
    import sys

    module = type(sys)("broken_choice")
    source = MINE.replace("return 0, float(action) * 10", "raise RuntimeError('no')\n        return 0, 0.0")
    exec(compile(source, "broken_choice.py", "exec"), module.__dict__)
    sys.modules["broken_choice"] = module
    try:
        entry = EnvEntry(id="broken_choice:Choice", scale=GivenScale(ceiling=1.0))
        assert score_scale_for(entry, SEEDS) is None
    finally:
        del sys.modules["broken_choice"]
    assert "the random policy could not be measured" in caplog.text


def test_a_scale_is_no_part_of_what_a_run_is() -> None:
    values = {"name": "x", "envs": [{"id": "CartPole-v1"}], "agents": [{"id": "random"}]}
    scaled = {**values, "envs": [{"id": "CartPole-v1", "scale": {"floor": 1.0, "ceiling": 2.0}}]}
    (one,), (other,) = (parse_spec(each, "x").run_specs() for each in (values, scaled))
    assert one.folder == other.folder
    assert one.env.task() == other.env.task()
    with pytest.raises(InputError, match="scale"):
        parse_spec({**values, "envs": [{"id": "CartPole-v1", "scale": {}}]}, "x")


def test_a_spec_gives_a_scale(tmp_path: Path) -> None:
    entry = EnvEntry(id=LANE, name="lane", scale=GivenScale(floor=-3.0, ceiling=1.0))
    spec = run_spec().model_copy(update={"env": entry})
    manifest = train_run(spec, tmp_path)
    assert manifest.reference is not None
    assert (manifest.reference.random, manifest.reference.reference, manifest.reference.kind) == (
        -3.0,
        1.0,
        "given ceiling",
    )
    (record,) = compare(tmp_path)["records"]
    assert record["normalised"]["scores"] == pytest.approx([(record["mean"] + 3.0) / 4.0])
    assert entry.task() == EnvEntry(id=LANE).task()  # it is no part of what the run is


def test_known_environments_have_their_scale_in_others_results(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("agent,env,seed,step,return\na,CartPole-v1,0,10,475.0\na,CartPole-v1,1,10,22.2\n")
    (record,) = compare(tmp_path / "a.csv")["records"]
    assert record["normalised"]["scores"] == pytest.approx([1.0, 0.0])
