"""Searching settings: candidates, going on after a kill, the winner's fresh score."""

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

from experiments.comparison.bootstrap import iqm
from experiments.errors import InputError
from experiments.evaluation.episode_seeds import episode_seeds
from experiments.results.stored_run import StoredRun, read_runs
from experiments.runs.run_folder import RunFolder
from experiments.specs.loading import load_spec
from experiments.specs.tuning import FIRST_SEED
from experiments.tuning.result import fresh_score
from experiments.tuning.searched import Searched
from rl_lab.text.tuning import result_lines
from tests.conftest import Command, StartProcess
from tests.searches import MAZE, RATES, searched, spec


def test_a_search_finds_settings_and_runs_the_winner_again_with_fresh_seeds(tmp_path: Path) -> None:
    tuned = searched(tmp_path)
    (result,) = tuned.results
    assert [one.state for one in result.candidates] == ["finished"] * 4
    assert result.env_steps == 4 * 2 * 300
    best = result.best
    assert best is not None
    for candidate in result.candidates:  # scores are the IQM of the runs on disk; of two runs, the mean
        folders = [tmp_path / f"s-tuning/m/q-c{candidate.number:03d}/seed-{FIRST_SEED + seed}" for seed in (0, 1)]
        runs = [StoredRun.load(RunFolder(folder)) for folder in folders]
        assert candidate.score == pytest.approx(np.mean([run.results().score for run in runs]))
        assert runs[0].run_spec.agent.settings == {"learning_rate": candidate.settings["learning_rate"]}
    again = load_spec(str(tmp_path / "s-tuning" / "tuned.toml"))
    assert again.agents[0].name == f"q-c{best.number:03d}"
    assert again.agents[0].settings == best.settings
    assert again == tuned.spec
    fresh = read_runs([tmp_path / "s-tuned"])
    assert sorted(run.run_spec.seed for run in fresh) == [0, 1, 2]
    assert result.fresh is not None
    assert best.score is not None
    assert result.fresh.score.value == pytest.approx(np.mean([run.results().score for run in fresh]))
    assert result.fresh.gap.value == pytest.approx(best.score - result.fresh.score.value)


def test_seeds_and_episodes_of_searches_and_comparisons_are_disjoint(tmp_path: Path) -> None:
    searched(tmp_path, spec(tuning={"candidates": 1}))
    (of_search, *_) = read_runs([tmp_path / "s-tuning"])
    (of_comparison, *_) = read_runs([tmp_path / "s-tuned"])
    searching, comparing = (
        {int(row["episode_seed"]) for row in run.folder.evaluations()} for run in (of_search, of_comparison)
    )
    assert searching == {*episode_seeds(0, "tuning", 2), *episode_seeds(0, "validation", 5)}
    assert comparing == {*episode_seeds(0, "curve", 2), *episode_seeds(0, "final", 5)}
    assert not searching & comparing
    with pytest.raises(InputError, match=r"expected seeds below 1,000,000,000 \(those above are a search's\)"):
        searched(tmp_path, spec(seeds=[FIRST_SEED]))


def test_runs_of_a_search_are_not_compared_with_others(rl_lab: Command, tmp_path: Path) -> None:
    searched(tmp_path, spec(tuning={"candidates": 1}))
    found = rl_lab("compare", "s-tuning/m", "s-tuned/m")
    assert found.returncode == 2
    assert "purpose" in found.stderr


def test_a_killed_search_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path, start_process: StartProcess) -> None:
    text = """
    name = "s"
    steps = 4_000
    seeds = 2
    engine = "python"
    evaluation = { episodes = 1, final_episodes = 2 }
    tuning = { candidates = 2, seeds = 2 }
    envs = [{ id = "RLLab/Maze-v0", name = "m", rows = 4, cols = 4 }]
    agents = [{ id = "q_learning", name = "q", learning_rate = { low = 0.05, high = 1.0 } }]
    """
    (tmp_path / "s.toml").write_text(text)
    command = [sys.executable, "-P", "-m", "rl_lab", "tune", "s.toml", "--jobs", "1", "--json"]
    whole = subprocess.run([*command, "--out", "whole"], cwd=tmp_path, capture_output=True, text=True, check=True)
    process = start_process([*command, "--out", "killed"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not [*tmp_path.glob("killed/s-tuning/m/q-c001/*/checkpoint")] and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    again = subprocess.run([*command, "--out", "killed"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(again.stdout) == json.loads(whole.stdout)
    for path in sorted((tmp_path / "whole").rglob("*.csv")):
        if path.name in ("episodes.csv", "evaluations.csv"):
            assert path.read_bytes() == (tmp_path / "killed" / path.relative_to(tmp_path / "whole")).read_bytes()


def test_a_candidate_that_lags_behind_is_pruned_and_says_so(rl_lab: Command, tmp_path: Path) -> None:
    tuning = {"pruner": "median", "candidates": 12, "seeds": 1, "sampler": "random"}
    choices = {"choices": [1.0, 0.0]}  # with a learning rate of 0 nothing is learned
    one = spec(agent={"learning_rate": choices}, tuning=tuning, steps=400)
    (result,) = searched(tmp_path, one, jobs=2).results
    pruned = [one for one in result.candidates if one.state == "pruned"]
    assert pruned
    assert {one.settings["learning_rate"] for one in pruned} == {0.0}
    assert result.env_steps < 12 * 400
    status = rl_lab("status", "s-tuning").stdout
    assert f"{len(pruned)} pruned" in status
    assert "time left" not in status
    folder = next(RunFolder(path.parent) for path in (tmp_path / "s-tuning").rglob("run.json"))
    folder.write_manifest(folder.read_manifest().with_(status="interrupted", pruned=None))
    status = rl_lab("status", "s-tuning").stdout  # in its middle: what is to come is not known
    assert "1 stopped" in status
    assert "time left" not in status


def test_a_candidate_whose_run_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    agent = {"num_edges": {"choices": [4, 10_000]}, "table": "dense"}  # a table of 10,000 ** 4 rows
    one = spec(
        envs=[{"id": "CartPole-v1", "name": "c"}],
        agent=agent,
        tuning={"candidates": 6, "seeds": 1, "sampler": "random"},
    )
    tuned = searched(tmp_path, one)
    (result,) = tuned.results
    assert {one.state for one in result.candidates} == {"finished", "failed"}
    assert result.best is not None
    assert result.best.settings["num_edges"] == 4
    assert len(tuned.errors) == result.count("failed")


def test_scores_in_several_environments_are_averaged_on_their_scales(tmp_path: Path) -> None:
    large = MAZE | {"name": "large", "rows": 4}
    (result,) = searched(tmp_path, spec(envs=[MAZE, large], tuning={"candidates": 2})).results
    candidate = result.candidates[0]
    runs = read_runs([tmp_path / "s-tuning" / env / "q-c000" for env in ("m", "large")])
    scores = []
    for run in runs:
        found = run.results()
        assert found.scale is not None
        scores.append((found.score - found.scale.floor) / (found.scale.ceiling - found.scale.floor))
    assert candidate.score == pytest.approx(np.mean(np.sort(scores)[1:-1]))  # the IQM of four
    with pytest.raises(InputError, match=r"envs: Acrobot.*: expected a scale .* its scores cannot be averaged"):
        searched(tmp_path / "x", spec(envs=[MAZE, {"id": "Acrobot-v1", "reset_seed": 1, "max_episode_steps": 3}]))


def test_the_optimism_gap_minds_that_episodes_are_harder(tmp_path: Path) -> None:
    """Of random starts a search's episodes have another optimum than a comparison's."""
    one = spec(
        envs=[MAZE | {"rows": 4, "start": "random"}], agent={"learning_rate": {"choices": [0.9, 1.0]}}, steps=3000
    )
    (result,) = searched(tmp_path, one).results
    assert result.best is not None
    assert result.best.score is not None
    assert result.fresh is not None
    of_search, of_comparison = (read_runs([tmp_path / name])[0].scale for name in ("s-tuning", "s-tuned"))
    assert of_search is not None
    assert of_comparison is not None
    assert of_search.ceiling != of_comparison.ceiling
    share = (result.best.score - of_search.floor) / (of_search.ceiling - of_search.floor)
    here = of_comparison.floor + share * (of_comparison.ceiling - of_comparison.floor)
    assert result.fresh.tuned == pytest.approx(here)
    assert result.fresh.gap.value == pytest.approx(here - result.fresh.score.value)
    ties = [one.number for one in result.finished if one.score == result.best.score][1:]
    assert ties
    assert f"as good in the search: candidate{'s' * (len(ties) > 1)} {', '.join(map(str, ties))}" in result_lines(
        result
    )


def test_the_optimism_gap_by_hand() -> None:
    found = fresh_score([np.array([10.0, 12.0])], [np.array([6.0, 8.0, 7.0])], "return")
    assert found.score.value == 7.0
    assert found.gap.value == 4.0
    assert found.gap.ends is not None  # the fresh mean is 8 or 6 in 1 of 27 draws, then 23/3 or 19/3
    low, high = found.gap.ends
    assert (low, high) == pytest.approx((2.0 + 1 / 3, 5.0 + 2 / 3))
    assert fresh_score([np.array([10.0])], [np.array([6.0, 8.0])], "return").gap.ends is None
    assert iqm([np.array([6.0, 8.0, 7.0])]) == 7.0


def test_agents_without_settings_are_left_out_and_one_name_may_stand_twice(tmp_path: Path) -> None:
    large = MAZE | {"name": "large", "rows": 4}
    twice: list[dict[str, Any]] = [
        {"id": "q_learning", "name": "q", "envs": [env], "learning_rate": RATES} for env in ("m", "large")
    ]
    one = spec(envs=[MAZE, large], agents=[{"id": "random"}, *twice], tuning={"candidates": 1, "seeds": 1}, steps=20)
    three = [MAZE, large, MAZE | {"name": "wide", "cols": 4}]
    mixed = spec(envs=three, agents=[twice[0], twice[1] | {"envs": ["large", "wide"]}])
    assert [Searched.of(mixed, agent).label for agent in mixed.agents] == ["q-m", "q-2"]
    tuned = searched(tmp_path, one)
    assert [(result.agent, result.envs) for result in tuned.results] == [("q-m", ["m"]), ("q-large", ["large"])]
    assert tuned.spec is not None
    assert [(agent.name, agent.envs) for agent in tuned.spec.agents] == [
        ("q-m-c000", ["m"]),
        ("q-large-c000", ["large"]),
    ]


def test_settings_that_do_not_go_together_are_a_failed_candidate(tmp_path: Path) -> None:
    agent = {"id": "dqn", "name": "d", "buffer_size": {"choices": [70, 1000]}, "batch_size": {"choices": [16, 100]}}
    one = spec(agents=[agent], tuning={"sampler": "grid", "candidates": 4, "seeds": 1}, steps=20)
    tuned = searched(tmp_path, one)
    assert sorted(c.state for c in tuned.results[0].candidates) == ["failed", "finished", "finished", "finished"]
    assert "batch_size: expected at most buffer_size (70), got 100" in tuned.errors[0]
    assert len(searched(tmp_path, one).results[0].candidates) == 4  # and again


def test_a_later_search_may_find_another_winner(tmp_path: Path) -> None:
    for candidates in (1, 6):
        one = spec(tuning={"candidates": candidates, "sampler": "random"}, steps=100)
        (result,) = searched(tmp_path, one).results
        assert result.fresh is not None
    assert result.best is not None
    assert (tmp_path / "s-tuned" / "m" / f"q-c{result.best.number:03d}").is_dir()
