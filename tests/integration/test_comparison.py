"""Comparisons of run folders made by hand, whose every number is known; and what the runner hands them."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.base import Episode
from agents.registry import make_agent
from envs.registry import make_env
from experiments.comparison.comparison import compare_runs
from experiments.comparison.learning_curve import align, area, iqm_curve, steps_to, steps_to_threshold
from experiments.errors import InputError
from experiments.evaluation.environments import make_training_env
from experiments.evaluation.episode_seeds import episode_seeds
from experiments.evaluation.score_scale import ScoreScale
from experiments.results.stored_run import read_runs
from experiments.runs.manifest import parse_manifest
from experiments.runs.run_folder import EVALUATIONS, RunFolder
from experiments.specs.spec import AgentEntry, Budget, EnvEntry, Evaluation, RunSpec
from experiments.training.train_run import train_run
from rl_lab.run import run_suite
from tests.conftest import StartProcess
from tests.helpers import found

REFERENCE = {"random": -10.0, "random_error": 0.0, "reference": 30.0, "kind": "exact optimum", "measure": "return"}


def make_run(
    out: Path, agent: str, seed: int, returns: list[float], env: str = "task", status: str = "finished"
) -> Path:
    run_spec = RunSpec(
        experiment="by-hand",
        env=EnvEntry(id="RLLab/Maze-v0", name=env),
        agent=AgentEntry(id="random", name=agent),
        seed=seed,
        budget=Budget(steps=100),
        evaluation=Evaluation(final_episodes=len(returns), episodes=1),
    )
    folder = RunFolder(out / run_spec.folder)
    manifest: dict[str, Any] = {"format": 3, "trial": run_spec.model_dump(mode="json"), "status": status}
    manifest |= {"reference": REFERENCE, "measure": "return", "env_steps": 100, "episodes": 1}
    folder.write_manifest(parse_manifest(json.dumps(manifest).encode(), folder.path))
    rows = [[0, "curve", "fresh", 1, 5.0, 1, "true", "false"]]
    rows += [[100, "final", "fresh", 10 + number, value, 1, "true", "false"] for number, value in enumerate(returns)]
    lines = [",".join(EVALUATIONS), *(",".join(map(str, row)) for row in rows)]
    (folder.path / "evaluations.csv").write_text("\n".join(lines) + "\n")
    (folder.path / "episodes.csv").write_text("episode,env_step,return,length,epsilon,td_error\n")
    return folder.path


def make_agent_runs(out: Path, agent: str, scores: list[float], env: str = "task") -> None:
    for seed, score in enumerate(scores):
        make_run(out, agent, seed, [score - 1, score + 1], env)


def test_every_number_of_a_record(tmp_path: Path) -> None:
    make_agent_runs(tmp_path, "a", [10.0, 12.0, 14.0, 30.0])
    make_run(tmp_path, "a", 4, [0.0, 0.0], status="failed")
    make_run(tmp_path, "a", 5, [0.0, 0.0], status="interrupted")
    (summary,) = compare_runs([tmp_path]).summaries
    assert (summary.runs_planned, summary.runs_finished, summary.runs_failed) == (6, 4, 1)
    assert summary.scores == [10, 12, 14, 30]
    assert summary.iqm is not None
    assert summary.normalised is not None
    assert (summary.mean, summary.iqm.value, summary.lowest, summary.highest) == (16.5, 13.0, 10.0, 30.0)
    assert summary.normalised.scores == [0.5, 0.55, 0.6, 1.0]  # (x + 10) / 40
    assert summary.normalised.iqm.value == pytest.approx(0.575)
    assert summary.iqm.ends is not None
    low, high = summary.iqm.ends
    assert 10 <= low < 13 < high <= 30


RECORD = [
    "env", "agent", "runs_planned", "runs_finished", "runs_failed", "attempts_retried", "seeds", "measure", "scores",
    "mean", "iqm", "interval", "min", "max", "normalised", "reference", "curve", "area", "simulated_coverage",
    "evaluation", "budget", "env_steps", "seconds", "steps_per_second", "notes", "endings",
]  # fmt: skip
PAIR = [
    "x", "y", "envs", "runs_x", "runs_y", "runs_each", "probability_of_improvement", "interval", "p", "smallest_p",
    "cliffs_delta", "cliffs_delta_interval", "cohens_d", "cohens_d_interval", "paired_difference", "budgets_differ",
    "runs", "multiplier", "p_holm", "tests",
]  # fmt: skip


def test_the_keys_of_results_json(tmp_path: Path) -> None:
    """Every key, in its order: what others read."""
    make_agent_runs(tmp_path, "a", [10.0, 12.0])
    make_agent_runs(tmp_path, "b", [1.0, 2.0], env="zoo")
    make_agent_runs(tmp_path, "b", [1.0, 3.0])
    make_run(tmp_path, "c", 0, [0.0, 0.0], status="failed")
    values = json.loads(json.dumps(compare_runs([tmp_path]).to_json(), allow_nan=False))
    assert list(values) == ["records", "aggregates", "pairs", "learning", "method", "made_with"]
    records = {(record["env"], record["agent"]): record for record in values["records"]}
    finished, failed = records["task", "a"], records["task", "c"]
    assert list(finished) == list(failed) == RECORD
    empty = ("measure", "mean", "iqm", "interval", "min", "max", "normalised", "reference", "curve", "area")
    assert all(failed[key] is None for key in empty)
    assert finished["reference"] == REFERENCE
    assert list(finished["normalised"]) == ["scores", "iqm", "interval"]
    assert finished["normalised"]["scores"] == [0.5, 0.55]
    assert finished["curve"] == {"env_steps": [0.0], "iqm": [5.0], "low": [5.0], "high": [5.0], "runs": [2]}
    height = {"mean_height": 5.0, "interval": [5.0, 5.0], "heights": [5.0, 5.0]}
    assert finished["area"] == {"from": 0.0, "until": 0.0, **height}
    assert finished["evaluation"] == {"episodes": 2, "seed": 0, "episode_seeds": episode_seeds(0, "final", 2)}
    estimates = ("iqm", "mean", "median", "optimality_gap")
    keys = [key for name in estimates for key in (name, f"{name}_interval")]
    assert list(values["aggregates"][0]) == ["agent", "envs", "runs", *keys, "profile"]
    assert list(values["aggregates"][0]["profile"]) == ["tau", "share", "low", "high"]
    (pair,) = values["pairs"]
    assert list(pair) == [*PAIR, "seeds_needed", "verdict", "reason"]  # there is no environment to tell apart
    assert (pair["x"], pair["y"], pair["envs"], pair["runs"]) == ("a", "b", ["task"], [[2, 2]])
    assert list(pair["paired_difference"]) == ["mean", "interval", "unit", "seeds"]
    assert values["method"]["threshold"] == 0.9

    make_agent_runs(tmp_path, "a", [5.0, 6.0], env="zoo")
    (pair,) = compare_runs([tmp_path]).to_json()["pairs"]
    assert list(pair)[-1] == "by_env"
    assert [single["envs"] for single in pair["by_env"]] == [["task"], ["zoo"]]


def test_steps_to_the_threshold_as_json() -> None:
    scale = ScoreScale.from_json(REFERENCE)
    steps = np.array([0.0, 10.0, 20.0])
    curves = [(steps, np.array(values)) for values in ([0.0, 26.0, 30.0], [0.0, 25.0, 26.0], [0.0, 1.0, 2.0])]
    expected = {"score": 26.0, "share": 0.9, "env_steps": [10.0, 20.0, None], "stayed": [True, True, None]}
    expected |= {"reached": 2, "runs": 3, "median": 20.0}
    falling = [(steps, np.array([0.0, 26.0, 25.9]))]
    assert steps_to_threshold(falling, scale).stayed == [False]
    assert list(steps_to_threshold(curves, scale).to_json().items()) == list(expected.items())
    assert steps_to_threshold(curves[2:], scale).median is None  # never reached


def test_a_single_run_has_no_interval(tmp_path: Path) -> None:
    make_agent_runs(tmp_path, "a", [10.0])
    (record,) = compare_runs([tmp_path]).to_json()["records"]
    assert (record["iqm"], record["interval"]) == (10.0, None)
    assert (record["normalised"]["interval"], record["area"]["interval"]) == (None, None)


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ({"a": [20.0, 21, 22, 23, 24], "b": [1.0, 2, 3, 4, 5]}, "better"),
        ({"a": [1.0, 2, 3, 4, 5], "b": [20.0, 21, 22, 23, 24]}, "worse"),
        ({"a": [1.0, 3, 5, 7, 9], "b": [2.0, 4, 6, 8, 10]}, "undecided"),
        ({"a": [20.0, 21, 22], "b": [1.0, 2, 3]}, "too few seeds"),
    ],
)
def test_the_four_verdicts(scores: dict[str, list[float]], verdict: str, tmp_path: Path) -> None:
    for agent, values in scores.items():
        make_agent_runs(tmp_path, agent, values)
    comparison = compare_runs([tmp_path])
    (pair,) = comparison.pairs
    assert pair.verdict.word == verdict
    (sentence,) = comparison.sentences
    words = {"better": "a is better than b on task", "worse": "b is better than a on task"}
    assert sentence.startswith(words.get(verdict, f"a against b on task: {verdict}"))
    if verdict == "too few seeds":
        assert "the smallest p that they can give is 0.1, times 1 pair; 4 seeds on each side could decide" in sentence


def test_holms_correction_counts_in_the_verdicts(tmp_path: Path) -> None:
    """Four runs a side, separated: p = 0.029 alone decides; as one of three pairs it cannot, nor could any."""
    make_agent_runs(tmp_path / "two", "a", [20.0, 21, 22, 23])
    make_agent_runs(tmp_path / "two", "b", [1.0, 2, 3, 4])
    assert compare_runs([tmp_path / "two"]).pairs[0].verdict.word == "better"
    for agent, base in (("a", 20.0), ("b", 1.0), ("c", 10.0)):
        make_agent_runs(tmp_path / "three", agent, [base, base + 1, base + 2, base + 3])
    pairs = compare_runs([tmp_path / "three"]).pairs
    assert {pair.verdict.word for pair in pairs} == {"too few seeds"}
    assert all(pair.verdict.p_holm == pytest.approx(3 * 2 / 70) for pair in pairs)


@pytest.mark.parametrize(("varying", "expected"), [("a", 2 / 6), ("b", 4 / 6)])
def test_the_improvements_interval_resamples_both_sides(varying: str, expected: float, tmp_path: Path) -> None:
    for agent in ("a", "b"):  # the other one does not vary: all the spread is this one's
        make_agent_runs(tmp_path, agent, [1.0, 2, 3, 4, 9, 9] if agent == varying else [5.0] * 6)
    (pair,) = compare_runs([tmp_path]).pairs
    low, high = pair.evidence.improvement.ends
    assert pair.evidence.improvement.value == pytest.approx(expected)
    assert low < expected < high


def test_a_run_that_failed_before_its_agent_was_there_is_counted(tmp_path: Path) -> None:
    make_agent_runs(tmp_path, "a", [1.0, 2.0])
    path = make_run(tmp_path, "a", 2, [0.0, 0.0], status="failed")
    manifest = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(manifest | {"agent_settings": {"never": "resolved"}}))
    (summary,) = compare_runs([tmp_path]).summaries
    assert (summary.runs_finished, summary.runs_failed) == (2, 1)


def test_what_is_not_one_agent_is_not_pooled(tmp_path: Path) -> None:
    make_agent_runs(tmp_path / "one", "a", [1.0, 2.0])
    make_agent_runs(tmp_path / "copy", "a", [1.0])
    with pytest.raises(InputError, match="seed 0 is there twice, and a copy is no further run"):
        compare_runs([tmp_path])
    path = make_run(tmp_path / "one", "a", 7, [1.0, 2.0])
    text = (path / "run.json").read_text()
    manifest = json.loads(text)
    manifest["trial"]["agent"]["settings"] = {"x": 1}
    changed = json.dumps(manifest)
    (path / "run.json").write_text(changed)
    with pytest.raises(InputError, match="another agent, or other settings, under the label 'a'"):
        compare_runs([tmp_path / "one"])
    (path / "run.json").write_text(text.replace('"steps": 100', '"steps": 50'))
    with pytest.raises(InputError, match="it trained for 50 env steps, not for 100 env steps"):
        compare_runs([tmp_path / "one"])


def test_curves_on_one_grid_and_their_bands() -> None:
    first = (np.array([0.0, 10.0]), np.array([1.0, 3.0]))
    grid, values = align([first, (np.array([0.0, 10.0]), np.array([5.0, 5.0]))])
    assert grid.tolist() == [0, 10]
    assert values.tolist() == [[1, 3], [5, 5]]
    grid, values = align([first, (np.array([0.0, 20.0]), np.array([0.0, 20.0]))])
    assert np.isnan(values[0, -1])
    assert values[1] == pytest.approx(grid)
    middle, low, high, runs = iqm_curve(np.array([[0.0, 7.0, 1.0], [10.0, 7.0, np.nan]]))
    assert middle.tolist() == [5.0, 7.0, 1.0]
    assert (low.tolist(), high.tolist()) == ([0.0, 7.0, 1.0], [10.0, 7.0, 1.0])
    assert runs.tolist() == [2, 2, 1]
    outlier = np.array([[1.0], [2.0], [3.0], [100.0]])
    assert iqm_curve(outlier)[0].tolist() == [2.5]  # the IQM, not the mean


def test_the_area_under_a_curve_and_the_steps_to_a_threshold() -> None:
    curve = (np.array([0.0, 10.0, 30.0]), np.array([0.0, 4.0, 8.0]))
    assert area(curve, 0.0, 30.0) == pytest.approx((10 * 2 + 20 * 6) / 30)
    assert area(curve, 0.0, 20.0) == pytest.approx((10 * 2 + 10 * 5) / 20)  # at 20 it is 6
    assert area(curve, 5.0, 20.0) == pytest.approx((5 * 3 + 10 * 5) / 15)  # at 5 it is 2
    assert steps_to(curve, 4.0) == 10
    assert steps_to(curve, 4.1) == 30
    assert steps_to(curve, 9.0) is None


SPEC = """
name = "grid"
steps = 1000
[evaluation]
episodes = 1
final_episodes = 4
[[envs]]
id = "RLLab/Maze-v0"
name = "maze"
start = "random"
[[envs]]
id = "RLLab/Maze-v0"
name = "short"
steps = 190
[[agents]]
id = "random"
"""


def points(run: Path) -> list[int]:
    rows = list(csv.DictReader((run / "evaluations.csv").read_text().splitlines()))
    return list(dict.fromkeys(int(row["env_step"]) for row in rows if row["phase"] == "curve"))


def test_the_curves_points_and_the_environments_own_budgets(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(SPEC)
    run_suite(str(tmp_path / "grid.toml"), out=tmp_path, jobs=1, progress=False)
    folder = tmp_path / "grid"
    assert points(folder / "maze" / "random" / "seed-0") == list(range(0, 1001, 100))
    assert points(folder / "short" / "random" / "seed-0") == list(range(0, 191, 19))

    (tmp_path / "every.toml").write_text(
        SPEC.replace("[evaluation]", "[evaluation]\nevery = 300").replace("grid", "every")
    )
    run_suite(str(tmp_path / "every.toml"), out=tmp_path, jobs=1, steps=700, progress=False)
    for env in ("maze", "short"):  # --steps replaces the environments' own budgets too
        assert points(tmp_path / "every" / env / "random" / "seed-0") == [0, 300, 600]


def test_references_are_of_the_final_episodes(tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(SPEC)
    run_suite(str(tmp_path / "grid.toml"), out=tmp_path, jobs=1, progress=False)
    (run,) = read_runs([tmp_path / "grid" / "maze"])
    env = make_env("RLLab/Maze-v0", start="random")
    base: Any = env.unwrapped
    for episode_set, count, scale in (("final", 4, run.scale), ("curve", 1, run.curve_scale)):
        distances = []
        for seed in episode_seeds(0, episode_set, count):
            env.reset(seed=seed)
            distances.append(base.exit_distances[base.s])
        assert scale is not None
        assert scale.ceiling == -np.mean(distances)


def test_the_books_seed_begins_every_training_episode() -> None:
    run_spec = RunSpec(
        experiment="x",
        env=EnvEntry(id="LunarLander-v3", name="lander", reset_seed=42),
        agent=AgentEntry(id="random", name="random"),
        seed=0,
        budget=Budget(episodes=1),
        evaluation=Evaluation(),
    )
    env = make_training_env(run_spec.env)
    expected, _ = make_env("LunarLander-v3").reset(seed=42)
    for _ in range(2):
        np.testing.assert_array_equal(env.reset()[0], expected)


@pytest.mark.parametrize("name", ["sb3_dqn", "sb3_ppo"])
def test_baselines_meet_the_environments_own_stream(name: str, tmp_path: Path) -> None:
    """Another run seed, other mazes; the same one, the same."""
    from agents.seeding import integer

    seen = []

    class Watched:
        running, max_steps, env_snapshot = True, 64, None

        def allowance(self) -> tuple[int, int]:
            return 1, 1

        def step(self, count: int = 1) -> None:
            self.max_steps = 0
            self.running = False

        def episode(self, episode: Episode) -> None: ...

        def learning(self, values: Any) -> None: ...

        def safe_point(self, snapshot: Any = None) -> None: ...

    for seed in (1, 1, 2):
        env = make_env("RLLab/Maze-v0", rows=4, cols=4, maze_seed="new")
        agent = make_agent(name, env, seed=seed)
        agent.train(env, Watched())
        base: Any = env.unwrapped
        seen.append(base.maze.passages.tobytes())
        twin: Any = make_env("RLLab/Maze-v0", rows=4, cols=4, maze_seed="new")
        twin.reset(seed=integer(seed, "environment"))
        assert twin.unwrapped.maze.passages.tobytes() == seen[-1]
    assert seen[0] == seen[1] != seen[2]


def test_numpys_own_numbers_are_written_as_numbers(tmp_path: Path) -> None:
    from agents.random_agent import RandomAgent

    run_spec = RunSpec(
        experiment="x",
        env=EnvEntry(id="RLLab/Maze-v0", name="maze"),
        agent=AgentEntry(id="random", name="random"),
        seed=0,
        budget=Budget(episodes=2),
        evaluation=Evaluation(episodes=1, final_episodes=1),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RandomAgent, "update", lambda self, transition: np.float64(0.5))
        assert train_run(run_spec, tmp_path).status == "finished"
    rows = list(csv.DictReader((tmp_path / run_spec.folder / "episodes.csv").read_text().splitlines()))
    assert [row["td_error"] for row in rows] == ["0.5", "0.5"]


def test_workers_have_one_thread_each_and_end_with_their_parent(tmp_path: Path, start_process: StartProcess) -> None:
    spec = SPEC.replace("steps = 1000", "steps = 50_000_000").replace("steps = 190", "")
    (tmp_path / "long.toml").write_text(spec)
    clean = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    command = [sys.executable, "-P", "-m", "rl_lab", "run", "long.toml", "--jobs", "2"]
    parent = start_process(command, cwd=tmp_path, env=clean, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(found(tmp_path, "checkpoint")) < 2 and len(statuses(tmp_path, "running")) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    threads = [manifest["threads"] for manifest in statuses(tmp_path, "running")]
    assert [set(of_one.values()) for of_one in threads] == [{"1"}, {"1"}]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while len(statuses(tmp_path, "interrupted")) < 2:
        assert time.monotonic() < deadline, "the workers outlived their parent"
        time.sleep(0.1)


def statuses(out: Path, status: str) -> list[dict[str, Any]]:
    manifests = [json.loads(path.read_text()) for path in found(out, "run.json")]
    return [manifest for manifest in manifests if manifest["status"] == status]
