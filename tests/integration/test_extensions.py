"""A run with a larger budget than it had goes on; what was stopped on the way is not thrown away."""

from pathlib import Path

import pytest

from experiments.runs.digests import result_digests
from experiments.specs.spec import Budget, Evaluation
from experiments.training.train_run import train_run
from experiments.training.verification import verify_run
from tests.exact import run, run_spec
from tests.helpers import files


@pytest.mark.parametrize("agent", ["q_learning", "n_step_sarsa", "random"])
def test_extended_by_episodes_is_trained_at_once(agent: str, tmp_path: Path) -> None:
    """Where the points of the curve do not depend on the budget, and no episode is cut off."""
    evaluation = Evaluation(every=200, episodes=1, final_episodes=2)
    short, long = (run_spec(agent=agent, budget=Budget(episodes=n), evaluation=evaluation) for n in (20, 45))
    run(short, tmp_path / "twice")
    extended, whole = run(long, tmp_path / "twice"), run(long, tmp_path / "once")
    assert result_digests(extended.path) == result_digests(whole.path)
    assert extended.read_manifest().budgets == [Budget(episodes=20), Budget(episodes=45)]


@pytest.mark.parametrize("agent", ["q_learning", "sb3_dqn", "sb3_ppo"])
def test_an_extended_run_keeps_what_it_had_and_is_reproduced(agent: str, tmp_path: Path) -> None:
    more = {"sb3_dqn": {"learning_starts": 20, "buffer_size": 300}, "sb3_ppo": {"n_steps": 64, "num_envs": 2}}
    short, long = (run_spec(steps, agent, settings=more.get(agent, {})) for steps in (500, 1_100))
    before = run(short, tmp_path)
    episodes, curve = before.episodes(), [row for row in before.evaluations() if row["phase"] == "curve"]
    after = run(long, tmp_path)
    assert after.episodes()[: len(episodes)] == episodes
    assert len(after.episodes()) > len(episodes)
    rows = after.evaluations()
    assert rows[: len(curve)] == curve
    assert {row["env_step"] for row in rows if row["phase"] == "final"} == {rows[-1]["env_step"]}
    verification = verify_run(after.path, full=True, on_progress=lambda progress: None)
    assert verification.reproduced, verification


def test_a_stopped_extension_is_neither_thrown_away_nor_mixed(tmp_path: Path) -> None:
    run(run_spec(1_000), tmp_path)
    folder = run(run_spec(3_000), tmp_path, until=2_500)
    before = files(folder.path)
    for steps in (1_000, 5_000):
        manifest = train_run(run_spec(steps), tmp_path)
        assert manifest.status == "failed"
        assert "an extension to 3,000 env steps was stopped at" in str(manifest.error)
        assert files(folder.path) == before
    done = run(run_spec(3_000), tmp_path)
    done.write_manifest(done.read_manifest().with_(status="running"))  # as if killed in its final evaluation
    refused = train_run(run_spec(1_000), tmp_path)
    assert "an extension to 3,000 env steps was stopped at" in str(refused.error)
    done = run(run_spec(3_000), tmp_path)
    run(run_spec(1_000), tmp_path / "other")
    assert result_digests(done.path) == result_digests(run(run_spec(3_000), tmp_path / "other").path)
    assert done.read_manifest().budgets == [Budget(steps=1_000), Budget(steps=3_000)]


def test_another_budget_of_an_unfinished_run_begins_anew(tmp_path: Path) -> None:
    evaluation = Evaluation(episodes=1, final_episodes=2)  # the points of the curve depend on the budget
    short, long = (run_spec(steps, evaluation=evaluation) for steps in (2_000, 4_000))
    run(short, tmp_path / "twice", until=1_500)
    run(long, tmp_path / "twice", until=1)  # stopped at once: nothing of the first budget may be left
    twice, once = run(long, tmp_path / "twice"), run(long, tmp_path / "once")
    assert result_digests(twice.path) == result_digests(once.path)
    assert twice.read_manifest().budgets == [Budget(steps=4_000)]
