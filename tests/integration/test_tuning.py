"""Searching settings: candidates, pruning, going on after a kill, the winner's fresh score."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from experiments.comparison.bootstrap import iqm
from experiments.errors import InputError
from experiments.evaluation.episode_seeds import episode_seeds
from experiments.results.stored_run import StoredRun, read_runs
from experiments.runs.run_folder import RunFolder
from experiments.specs.loading import load_spec, parse_spec
from experiments.specs.spec import Spec
from experiments.specs.tuning import FIRST_SEED
from experiments.tuning.result import TuningResult, fresh_score
from experiments.tuning.searched import Searched
from experiments.tuning.study import TuningStudy, open_storage
from experiments.tuning.tune import Tuned, tune
from rl_lab.text.progress import Silence
from tests.conftest import Command

MAZE = {"id": "RLLab/Maze-v0", "name": "m", "rows": 3, "cols": 3}
RATES = {"low": 0.05, "high": 1.0, "log": True}


def spec(**changes: Any) -> Spec:
    agent = {"id": "q_learning", "name": "q", "learning_rate": RATES} | changes.pop("agent", {})
    values = {
        "name": "s",
        "steps": 300,
        "seeds": 3,
        "evaluation": {"episodes": 2, "final_episodes": 5},
        "envs": changes.pop("envs", [MAZE]),
        "agents": changes.pop("agents", [agent]),
        "tuning": {"candidates": 4, "seeds": 2, "pruner": "none"} | changes.pop("tuning", {}),
    }
    return parse_spec(values | changes, "here", searched=True)


def searched(out: Path, one: Spec | None = None, jobs: int = 1, storage: str | None = None) -> Tuned:
    return tune(one or spec(), out, jobs, lambda num_runs: Silence(), storage)


def values(result: TuningResult) -> list[dict[str, Any]]:
    return [candidate.to_json() for candidate in result.candidates]


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


@pytest.mark.parametrize("sampler", ["tpe", "random", "cma", "grid"])
def test_every_sampler_draws_from_the_space_alike_after_a_kill(tmp_path: Path, sampler: str) -> None:
    space = {"learning_rate": RATES, "initial_values": {"choices": ["zero", "random", 1.5]}, "discount": 0.9}
    one = spec(agent=space, tuning={"sampler": sampler, "candidates": 6, "seeds": 1, "grid_points": 3}, steps=20)
    (whole,) = searched(tmp_path / "whole", one).results
    for candidate in whole.candidates:
        assert 0.05 <= float(str(candidate.settings["learning_rate"])) <= 1.0
        assert candidate.settings["initial_values"] in ("zero", "random", 1.5)
        assert candidate.settings["discount"] == 0.9
    fewer = one.model_copy(update={"tuning": one.tuning.model_copy(update={"candidates": 3})})
    searched(tmp_path / "twice", fewer)
    (twice,) = searched(tmp_path / "twice", one).results
    assert values(twice) == values(whole)


def test_a_grid_has_every_combination_once(tmp_path: Path) -> None:
    space = {"learning_rate": {"low": 0.1, "high": 0.5, "step": 0.2}, "epsilon_min": {"choices": [0.0, 0.1]}}
    one = spec(agent=space, tuning={"sampler": "grid", "candidates": 50, "seeds": 1}, steps=20)
    (result,) = searched(tmp_path, one).results
    found = sorted(
        (round(float(str(c.settings["learning_rate"])), 9), c.settings["epsilon_min"]) for c in result.candidates
    )
    assert found == [(rate, least) for rate in (0.1, 0.3, 0.5) for least in (0.0, 0.1)]


def test_a_killed_search_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
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
    process = subprocess.Popen(
        [*command, "--out", "killed"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
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


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


class _Reporting:
    """A study whose candidates report what a test says."""

    def __init__(self, stack: ExitStack, folder: Path, pruner: str) -> None:
        one = spec(tuning={"pruner": pruner, "candidates": 100, "seeds": 1})
        storage = stack.enter_context(open_storage(f"sqlite:///{folder}/study.db"))
        self.study = TuningStudy(storage, Searched.of(one, one.agents[0]), "here", shared=False)

    def pruned_at(self, reports: list[float]) -> int | None:
        """The evaluation, from 1, at which a candidate with these reports is pruned."""
        asked = self.study.ask()
        assert asked is not None
        for number, report in enumerate(reports, start=1):
            if self.study.report(asked[0], str(number), report):
                self.study.pruned(asked[0], 0)
                return number
        self.study.scored(asked[0], 0, reports[-1], [[reports[-1]]])
        return None


def test_the_median_rule_by_hand(tmp_path: Path, stack: ExitStack) -> None:
    study = _Reporting(stack, tmp_path, "median")
    for level in (1.0, 2.0, 3.0, 4.0, 5.0):  # the median of these is 3
        assert study.pruned_at([level] * 4) is None  # too few have finished to say anything
    assert study.pruned_at([0.0, 0.0, 3.5, 3.5]) is None  # not before its third evaluation
    assert study.pruned_at([9.0, 0.0, 0.0, 0.0]) is None  # its best so far counts
    assert study.pruned_at([0.0, 0.0, 2.9, 9.0]) == 3


def test_an_evaluation_that_is_told_again_is_the_same_one(tmp_path: Path, stack: ExitStack) -> None:
    study = _Reporting(stack, tmp_path, "median").study
    asked = study.ask()
    assert asked is not None
    for point, value in (("a", 1.0), ("b", 2.0), ("b", 2.0), ("c", 3.0)):  # killed after b, and before its checkpoint
        study.report(asked[0], point, value)
    (trial,) = study.trials()
    assert trial.intermediate_values == {1: 1.0, 2: 2.0, 3: 3.0}


def test_successive_halving_by_hand(tmp_path: Path, stack: ExitStack) -> None:
    study = _Reporting(stack, tmp_path, "halving")
    assert study.pruned_at([1.0] * 6) is None  # the first at its rung is the best there
    assert study.pruned_at([2.0] * 6) is None
    assert study.pruned_at([0.0] * 6) == 2  # the rung at evaluation 2: one in three of 3 goes on
    assert study.pruned_at([3.0] * 6) is None


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


def test_the_optimism_gap_by_hand() -> None:
    found = fresh_score([np.array([10.0, 12.0])], [np.array([6.0, 8.0, 7.0])], "return")
    assert found.score.value == 7.0
    assert found.gap.value == 4.0
    assert found.gap.ends is not None  # the fresh mean is 8 or 6 in 1 of 27 draws, then 23/3 or 19/3
    low, high = found.gap.ends
    assert (low, high) == pytest.approx((2.0 + 1 / 3, 5.0 + 2 / 3))
    assert fresh_score([np.array([10.0])], [np.array([6.0, 8.0])], "return").gap.ends is None
    assert iqm([np.array([6.0, 8.0, 7.0])]) == 7.0


def test_the_study_is_of_one_thing_and_opens_in_optuna(tmp_path: Path) -> None:
    searched(tmp_path)
    with pytest.raises(InputError, match=r"the study 's/q' searched something else \(space: .*0.05.*0.1"):
        searched(tmp_path, spec(agent={"learning_rate": {"low": 0.1, "high": 1.0, "log": True}}))
    with pytest.raises(InputError, match="its environments, budget, evaluation or number of seeds"):
        searched(tmp_path, spec(steps=301))
    with open_storage(f"sqlite:///{tmp_path}/s-tuning/study.db") as storage:
        study = optuna.load_study(study_name="s/q", storage=storage)
        trials, best = study.trials, study.best_trial
    assert len(trials) == 4
    assert best.distributions["learning_rate"] == optuna.distributions.FloatDistribution(0.05, 1.0, log=True)


def test_an_agents_own_space_is_searched_where_the_spec_has_none() -> None:
    one = spec(agents=[{"id": "q_learning", "exploration": "boltzmann"}])
    assert set(Searched.of(one, one.agents[0]).space) == {"learning_rate", "initial_values"}  # not epsilon's
    deep = spec(agents=[{"id": "dqn"}])
    found = Searched.of(deep, deep.agents[0])
    chosen = found.settings({name: values[0] for name, values in found.grid().items()})
    assert chosen["hidden_sizes"] == [64, 64]
    assert chosen["learning_rate"] == 1e-4
    with pytest.raises(InputError, match="agents: random: expected something to search, such as learning_rate"):
        Searched.of(one, spec(agents=[{"id": "random", "name": "random"}]).agents[0])


def test_agents_without_settings_are_left_out_and_one_name_may_stand_twice(tmp_path: Path) -> None:
    large = MAZE | {"name": "large", "rows": 4}
    twice = [{"id": "q_learning", "name": "q", "envs": [env], "learning_rate": RATES} for env in ("m", "large")]
    one = spec(envs=[MAZE, large], agents=[{"id": "random"}, *twice], tuning={"candidates": 1, "seeds": 1}, steps=20)
    tuned = searched(tmp_path, one)
    assert [(result.agent, result.envs) for result in tuned.results] == [("q-m", ["m"]), ("q-large", ["large"])]
    assert tuned.spec is not None
    assert [(agent.name, agent.envs) for agent in tuned.spec.agents] == [
        ("q-m-c000", ["m"]),
        ("q-large-c000", ["large"]),
    ]


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ({"learning_rate": {"low": 1.0, "high": 0.5}}, "low below high, got 1.0 and 0.5"),
        ({"learning_rate": {"low": 0.0, "high": 0.5, "log": True}}, "low above 0 where log = true, got 0.0"),
        ({"learning_rate": {"low": 0.1, "high": 2.0}}, "learning_rate: expected less than or equal to 1"),
        ({"learning_rate": {"low": 0.1}}, "learning_rate"),
        ({"learning_rate": {"choices": [0.1]}}, "at least 2 items"),
        ({"learning_rate": {"choices": [0.5, 0.1, 0.5]}}, "different values, got 0.5 twice"),
        ({"id": "dyna_q", "planning_steps": {"low": 1, "high": 9, "step": 0.5}}, "expected a whole step, got 0.5"),
        ({"learning_rate": {"choices": [0.1, "fast"]}}, "learning_rate: expected a valid number"),
        (
            {"learning_rats": {"low": 0.1, "high": 0.2}},
            "unknown setting 'learning_rats'",
        ),
        ({"space": {"discount": RATES}, "discount": 0.5}, "discount: expected a value or a range, got both"),
    ],
)
def test_wrong_spaces_are_told_in_a_line(agent: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        spec(agent=agent)
    assert expected in str(caught.value)


SEARCHED = """
name = "s"
steps = 100
envs = [{ id = "RLLab/Maze-v0" }]
agents = [{ id = "q_learning", learning_rate = { low = 0.1, high = 0.5 } }]
"""
SAMPLERS = "tuning.sampler: expected 'tpe', 'random', 'grid' or 'cma', got 'best'"
NO_SERVER = "postgresql+psycopg://u:secret@127.0.0.1:1/x"


def test_a_study_holds_no_code_that_is_executed(tmp_path: Path) -> None:
    import pickle
    import sqlite3

    one = spec(tuning={"sampler": "cma", "candidates": 3, "seeds": 1}, steps=20)
    searched(tmp_path, one)

    class Hostile:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "executed"),)

    with sqlite3.connect(tmp_path / "s-tuning" / "study.db") as database:
        for trial in (1, 2, 3):  # where Optuna's own sampler would look for its optimiser
            for key in ("cma:optimizer", "cma:optimizer:0"):
                database.execute(
                    "insert into trial_system_attributes (trial_id, key, value_json) values (?, ?, ?)",
                    (trial, key, json.dumps(pickle.dumps(Hostile()).hex())),
                )
    database.close()
    more = one.model_copy(update={"tuning": one.tuning.model_copy(update={"candidates": 6})})
    (result,) = searched(tmp_path, more).results
    assert len(result.candidates) == 6
    assert not (tmp_path / "executed").exists()


def test_cma_goes_where_candidates_are_good() -> None:
    from optuna.distributions import FloatDistribution
    from optuna.trial import TrialState, create_trial

    from experiments.tuning.cma import cma_sampler

    space: Any = {name: FloatDistribution(0.0, 1.0) for name in ("x", "y")}
    trials: list[Any] = []
    for number in range(120):
        sampler = cma_sampler(space, trials, number)
        params = {name: sampler.sample_independent(None, None, name, one) for name, one in space.items()}  # type: ignore[arg-type]
        value = -((params["x"] - 0.9) ** 2) - (params["y"] - 0.2) ** 2
        trials.append(create_trial(state=TrialState.COMPLETE, params=params, distributions=space, value=value))
    last = trials[-1].params
    assert (last["x"], last["y"]) == pytest.approx((0.9, 0.2), abs=0.05)


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


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "s-tuning").mkdir()
    (tmp_path / "elsewhere").touch()
    (tmp_path / "s-tuning" / "study.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"study.db: expected a file, got a link"):
        searched(tmp_path)
    assert not (tmp_path / "elsewhere").read_bytes()


def test_wrong_searches_end_with_a_line(rl_lab: Command, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(SEARCHED)
    for arguments, expected in (
        (("run", "s.toml"), "agents: q_learning: learning_rate: expected a value, got a range (for rl-lab tune)"),
        (
            ("tune", "s.toml", "--sampler", "best"),
            "tuning.sampler: expected 'tpe', 'random', 'grid' or 'cma', got 'best'",
        ),
        (("tune", "s.toml", "--storage", "nonsense"), "--storage nonsense: "),
        (("tune", "s.toml", "--storage", "postgresql://h:abc/x"), "cannot be opened"),
        (("tune", "s.toml", "--storage", "sqlite:///"), "expected a file, got a database in memory"),
        (
            ("tune", "s.toml", "--storage", "postgresql+psycopg://u:secret@127.0.0.1:1/x"),
            "--storage postgresql+psycopg://u@127.0.0.1:1/x",
        ),
        (("tune", "s.toml", "--agent", "nobody"), "unknown agent 'nobody'"),
        (("tune", "s.toml", "--only", "moon"), "--only: unknown environment 'moon'"),
    ):
        found = rl_lab(*arguments)
        assert found.returncode == 2, found
        assert expected in found.stderr
        assert "secret" not in found.stderr
        assert len(found.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "a" * 196}, "name: expected a plain name"),
        ({"agent": {"name": "a" * 198}}, "name: expected a plain name"),
        (
            {"tuning": {"sampler": "grid", "grid_points": 1000}, "agent": {"discount": RATES, "epsilon": RATES}},
            "a grid of",
        ),
    ],
)
def test_searches_that_are_too_large_are_told_in_a_line(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        searched(tmp_path, spec(**changes))


def test_two_commands_do_not_search_in_one_folder(tmp_path: Path) -> None:
    from filelock import FileLock

    (tmp_path / "s-tuning").mkdir()
    with FileLock(tmp_path / "s-tuning" / ".lock"), pytest.raises(InputError, match="another process is searching"):
        searched(tmp_path)
