"""Seeds that are added until pairs are decided: who gets more, what stands on disk, what compare makes of it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from experiments.comparison.comparison import compare_runs
from experiments.errors import InputError
from experiments.execution.until_decided import Look, check_rule, run_until_decided
from experiments.results.groups import group_runs
from experiments.results.run_result import StoppingRule
from experiments.results.score_file import write_scores
from experiments.results.stored_run import read_runs
from experiments.specs.loading import parse_spec
from experiments.specs.spec import Spec
from rl_lab.text.progress import Silence
from tests.conftest import Command

RULE = StoppingRule(batch=4, looks=3)
TEXT = """
name = "s"
steps = 300
evaluation = { episodes = 1, final_episodes = 4 }
envs = [{ id = "RLLab/Maze-v0", name = "m", rows = 3, cols = 3, slip = 0.2 }]
agents = [
    { id = "value_iteration", name = "plan" },
    { id = "random", name = "random" },
    { id = "q_learning", name = "one", learning_rate = 0.5 },
    { id = "q_learning", name = "two", learning_rate = 0.4 },
]
"""


def spec(**changes: Any) -> Spec:
    import tomllib

    return parse_spec(tomllib.loads(TEXT) | changes, "here")


def looks(out: Path, rule: StoppingRule = RULE, one: Spec | None = None) -> list[Look]:
    return [*run_until_decided(one or spec(), out, 1, lambda num_runs: Silence(), rule)]


def seeds(out: Path, agent: str) -> list[int]:
    return sorted(int(path.name.removeprefix("seed-")) for path in (out / "s" / "m" / agent).iterdir())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Look]]:
    """An experiment that was never stopped; and its looks."""
    out = tmp_path_factory.mktemp("whole")
    return out, looks(out)


def test_only_those_that_are_undecided_get_more_seeds(whole: tuple[Path, list[Look]]) -> None:
    tmp_path, found = whole
    assert [look.number for look in found] == [1, 2, 3]
    assert (
        len(found[0].comparison.undecided) == 6
    )  # 2 of 70 arrangements, a third of the level, six pairs: four seeds cannot decide
    assert ("one", "two") in found[-1].comparison.undecided  # which differ by little
    decided = {(pair.x, pair.y): pair.verdict.word for pair in found[-1].comparison.pairs}
    assert decided["plan", "random"] == "better"
    assert seeds(tmp_path, "one") == seeds(tmp_path, "two") == [*range(12)]
    with_plan = [look.number for look in found[:-1] if any("plan" in pair for pair in look.comparison.undecided)]
    assert len(seeds(tmp_path, "plan")) == 4 * (max(with_plan) + 1)
    manifest = json.loads((tmp_path / "s/m/one/seed-5/run.json").read_text())
    assert manifest["stopping_rule"] == {"batch": 4, "looks": 3, "look": 2}


def test_comparing_uses_the_sequential_test(whole: tuple[Path, list[Look]], tmp_path: Path) -> None:
    out, (*_, last) = whole
    comparison = compare_runs([out / "s"], pairs="all")
    assert {pair.evidence.method for pair in comparison.pairs} == {"sequential"}
    found, expected = (
        {frozenset((pair.x, pair.y)): (pair.evidence.p, pair.verdict.p_holm) for pair in of.pairs}
        for of in (comparison, last.comparison)
    )
    assert found == expected
    assert "the repeated p of a group-sequential test" in comparison.method.test
    saved = tmp_path / "saved.json"
    write_scores(group_runs([run.results() for run in read_runs([out / "s"])]), saved, "s", "")
    again = compare_runs([saved], pairs="all")  # saved scores know by which rule they came
    assert {frozenset((pair.x, pair.y)): (pair.evidence.p, pair.verdict.p_holm) for pair in again.pairs} == expected
    shutil.copytree(out / "s", tmp_path / "s")
    for path in (tmp_path / "s").rglob("run.json"):
        path.write_text(path.read_text().replace('"look": ', '"stopped_look": '))
    with pytest.raises(InputError, match="stopping_rule: expected batch, looks and look"):
        compare_runs([tmp_path / "s"])


def test_runs_of_no_batch_do_not_count_in_the_test(whole: tuple[Path, list[Look]], tmp_path: Path) -> None:
    out, (*_, last) = whole
    shutil.copytree(out / "s", tmp_path / "s")
    further = tmp_path / "s" / "m" / "one" / "seed-77"  # as if it had been run beside, without the rule
    shutil.copytree(tmp_path / "s" / "m" / "one" / "seed-0", further)
    manifest = json.loads((further / "run.json").read_text())
    manifest["stopping_rule"], manifest["trial"]["seed"] = None, 77
    (further / "run.json").write_text(json.dumps(manifest))
    comparison = compare_runs([tmp_path / "s"], pairs="all")
    found, expected = (
        {frozenset((pair.x, pair.y)): pair.evidence.p for pair in of.pairs} for of in (comparison, last.comparison)
    )
    assert found == expected
    notes = [note for one in comparison.summaries for note in one.notes]
    assert notes == ["1 of its runs came with no batch of the sequential test, and do not count in it"]


def test_it_goes_on_where_it_was_and_keeps_its_rule(tmp_path: Path, whole: tuple[Path, list[Look]]) -> None:
    first = next(iter(run_until_decided(spec(), tmp_path, 1, lambda num_runs: Silence(), RULE)))  # stopped after a look
    assert first.number == 1
    again = looks(tmp_path)
    assert [look.comparison.undecided for look in again] == [look.comparison.undecided for look in whole[1]]
    assert not again[0].outcome.manifests  # nothing was trained twice
    with pytest.raises(InputError, match=r"was run with --batch 4 --max-seeds 12: .* go on with these"):
        looks(tmp_path, StoppingRule(batch=4, looks=5))


def test_runs_that_are_there_are_the_first_look(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(TEXT)
    assert rl_lab("run", "s.toml", "--seeds", "4").returncode == 0
    found = rl_lab("run", "s.toml", "--until-decided", "--batch", "4", "--max-seeds", "8")
    assert found.returncode == 0, found.stderr
    assert "look 1 of 2, 4 seeds: " in found.stdout
    assert "look 2 of 2, 8 seeds: " in found.stdout
    assert "of 32 that all agents with all seeds would have taken" in found.stdout
    assert "plan is better than random" in found.stdout
    manifest = json.loads((tmp_path / "runs/s/m/one/seed-0/run.json").read_text())
    assert manifest["stopping_rule"] == {"batch": 4, "looks": 2, "look": 1}


def test_what_is_wrong_is_told_in_a_line(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(TEXT)
    for arguments, expected in (
        (
            ("--until-decided", "--batch", "4", "--max-seeds", "10"),
            "--max-seeds: expected a multiple of the batch (4), got 10",
        ),
        (("--until-decided", "--seeds", "4"), "--until-decided: expected --max-seeds beside it, not --seeds"),
        (("--batch", "4"), "--batch and --max-seeds: expected --until-decided beside them"),
        (("--until-decided", "--agent", "sarsa"), "--until-decided: expected two agents or more, got one"),
    ):
        found = rl_lab("run", "s.toml", *arguments)
        assert found.returncode == 2, found
        assert expected in found.stderr
    assert check_rule(5, 30) == StoppingRule(5, 6)
