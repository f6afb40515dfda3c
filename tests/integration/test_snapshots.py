"""Snapshots: the same ones after any kill or extension, few enough, small enough, and they act as the agent did."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.registry import AGENTS, make_agent
from experiments.errors import InputError
from experiments.evaluation.rollout import evaluate_agent
from experiments.runs import snapshots
from experiments.runs.digests import result_digests
from experiments.runs.open_run import open_run
from experiments.runs.run_folder import RunFolder
from experiments.runs.snapshots import Snapshots, read_snapshot, snapshot_steps
from experiments.specs.spec import AgentEntry, Budget, EnvEntry, Evaluation, RunSpec
from experiments.training.train_run import train_run
from rl_lab import watch
from tests.conftest import Command
from tests.helpers import CONTINUOUS, FAST_SETTINGS, LINEAR, files


def run_spec(agent: str = "q_learning", env: str = "RLLab/Maze-v0", steps: int = 600) -> RunSpec:
    options = {"rows": 3, "cols": 3} if "Maze" in env else {}
    return RunSpec(
        experiment="x",
        env=EnvEntry(id=env, name="e", settings=options),
        agent=AgentEntry(id=agent, name="a", settings=FAST_SETTINGS.get(agent, {})),
        seed=1,
        budget=Budget(steps=steps),
        evaluation=Evaluation(every=200, episodes=1, final_episodes=2),
    )


def state(size: int) -> dict[str, Any]:
    return {"weights": np.zeros(size)}


def kept(run: Path) -> list[int]:
    return snapshot_steps(run)


def test_every_point_then_every_second_one_then_every_fourth(tmp_path: Path) -> None:
    folder = Snapshots(tmp_path)
    for point in range(64):
        folder.add(10 * point, state(3))
    assert kept(tmp_path) == list(range(0, 640, 10))
    folder.add(640, state(3))
    assert kept(tmp_path) == list(range(0, 641, 20))
    for point in range(65, 200):
        folder.add(10 * point, state(3))
    assert kept(tmp_path) == list(range(0, 2000, 40))


def test_the_bytes_of_a_run_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST_BYTES", 1_000)  # 8 bytes a number
    folder = Snapshots(tmp_path)
    for point in range(10):
        folder.add(point, state(40))  # 320 bytes: three fit
        assert sum(path.stat().st_size > 0 for path in tmp_path.rglob("*.npz")) <= 3
    assert kept(tmp_path) == [0, 4, 8]
    folder.add(12, state(200))  # one that is too large alone is done without
    assert 12 not in kept(tmp_path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=150), data=st.data())
def test_they_are_the_same_after_any_kill(
    sizes: list[int], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is killed goes on from its last checkpoint, which is some points back."""
    monkeypatch.setattr(snapshots, "MOST_BYTES", 8 * 1_000)
    monkeypatch.setattr(snapshots, "MOST", 16)
    whole, killed = (tmp_path_factory.mktemp("run") for _ in range(2))
    folder = Snapshots(whole)
    for point, size in enumerate(sizes):
        folder.add(point, state(size))
    checkpoint: tuple[int, Any] = (0, None)
    folder, point = Snapshots(killed), 0
    kills = data.draw(st.integers(0, 4))
    while point < len(sizes):
        folder.add(point, state(sizes[point]))
        point += 1
        if data.draw(st.booleans()):
            checkpoint = (point, json.loads(json.dumps(folder.to_state())))
        if kills and data.draw(st.integers(0, 9)) == 0:
            kills -= 1
            point, known = checkpoint
            folder = Snapshots(killed, known)
    assert files(whole) == files(killed)


def test_a_stopped_run_ends_with_the_same_snapshots(tmp_path: Path) -> None:
    whole, twice = tmp_path / "whole", tmp_path / "twice"
    train_run(run_spec(), whole)
    train_run(run_spec(), twice, until=500)
    (twice / run_spec().folder / "snapshots" / "550").mkdir()  # as if killed after its last checkpoint
    train_run(run_spec(), twice)
    one, other = (out / run_spec().folder / "snapshots" for out in (whole, twice))
    assert files(one) == files(other)
    assert sorted(path.name for path in one.iterdir()) == ["0", "200", "400", "600"]
    assert result_digests(one.parent) == result_digests(other.parent)
    assert not any("snapshots" in name for name in RunFolder(one.parent).read_manifest().digests)


OTHERS = ("random", "heuristic_lander", *LINEAR, *CONTINUOUS)
LEARNERS = [name for name in AGENTS if name not in OTHERS]


@pytest.mark.parametrize(
    ("name", "env_id"),
    [
        *((name, "RLLab/Maze-v0") for name in LEARNERS),
        ("linear_q", "CartPole-v1"),
        ("sarsa", "CartPole-v1"),
        *((name, "Pendulum-v1") for name in CONTINUOUS),
    ],
)
def test_a_snapshot_acts_as_the_agent_did(name: str, env_id: str, tmp_path: Path) -> None:
    """Its episodes are those that were logged at its step; the last one is the trained agent's policy."""
    one = run_spec(name, env_id, steps=400)
    manifest = train_run(one, tmp_path)
    assert manifest.error is None
    opened = open_run(tmp_path / one.folder)
    env = opened.make_env()
    for step in (0, 200, 400):
        rows = [row for row in opened.folder.evaluations() if row["env_step"] == str(step) and row["phase"] == "curve"]
        for row in rows:
            (episode,) = evaluate_agent(opened.agent(step), env, [int(row["episode_seed"])])
            assert (str(episode.total_reward), str(episode.length)) == (row["return"], row["length"])
    observation, _ = env.reset(seed=0)
    if not name.startswith("sb3"):  # which learn once more after their last step
        last, trained = opened.agent(400), opened.agent()
        np.testing.assert_array_equal(last.action_values(observation), trained.action_values(observation))
    env.close()


def test_acting_needs_no_environment_and_little_of_the_state() -> None:
    from agents.policy import Spaces
    from envs.registry import make_env

    env = make_env("RLLab/Maze-v0", rows=3, cols=3)
    agent = make_agent("value_iteration", env)
    other = make_agent("value_iteration", Spaces.of(env))
    with pytest.raises(ValueError, match=r"has no plan yet: expected prepare\(env\)"):
        other.select_action(0, explore=False)
    other.set_policy_state(agent.policy_state())
    np.testing.assert_array_equal(other.policy(0).act(np.arange(8)), agent.policy(0).act(np.arange(8)))


def test_what_is_no_snapshot_is_said(tmp_path: Path) -> None:
    train_run(run_spec(), tmp_path)
    run = tmp_path / run_spec().folder
    with pytest.raises(InputError, match=r"expected the env step of a snapshot \(0, 200, 400, 600\), got 7"):
        read_snapshot(run, 7)
    (run / "snapshots" / "200" / "state.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match="missing or damaged"):
        read_snapshot(run, 200)
    (run / "snapshots" / "900").symlink_to(tmp_path)
    assert 900 not in snapshot_steps(run)
    with pytest.raises(InputError, match="got both"):
        watch(run, terminal=True, at=3, through_training=True)


def test_the_command(rl_lab: Command, tmp_path: Path) -> None:
    train = ("train", "RLLab/Maze-v0", "q_learning", "--steps", "2000", "--env", "rows=3", "--env", "name=m")
    assert rl_lab(*train, "--set", "name=q").returncode == 0
    run = "runs/train/m/q/seed-0"
    done = rl_lab("watch", run, "--terminal", "--at", "700")
    assert "after 600 env steps   episode 1 of 1   step 0" in done.stdout
    grown = rl_lab("watch", run, "--terminal", "--through-training")
    assert [f"after {step:,} env steps" in grown.stdout for step in range(0, 2001, 200)] == [True] * 11
    assert "step 47   return -47   (and so on)" in grown.stdout  # six seconds of one that wanders, at 8 frames a second
    assert "step 48 " not in grown.stdout
    assert rl_lab("train", "RLLab/Maze-v0", "random", "--steps", "50", "--env", "name=r").returncode == 0
    none = rl_lab("watch", "runs/train/r/random/seed-0", "--terminal", "--through-training")
    assert none.returncode == 2
    assert "there are no snapshots" in none.stderr
