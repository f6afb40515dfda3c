"""The first screen of `compare`: what most readers came for, and no more."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from experiments.comparison.comparison import compare_groups
from experiments.evaluation.score_scale import ScoreScale
from experiments.results.groups import group_runs
from experiments.results.run_result import RunResult
from rl_lab.text.first_screen import print_first_screen, verdict_lines
from tests.conftest import Command

SPEC = """
name = "four"
seeds = 4
steps = 1500
[evaluation]
episodes = 1
final_episodes = 4
[[envs]]
id = "RLLab/Maze-v0"
name = "maze"
rows = 3
cols = 3
[[envs]]
id = "RLLab/Maze-Slippery-v0"
name = "slippery"
rows = 3
cols = 3
[[agents]]
id = "random"
[[agents]]
id = "q_learning"
[[agents]]
id = "value_iteration"
[[agents]]
id = "policy_iteration"
"""


def test_the_first_screen_fits_on_a_screen(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "four.toml").write_text(SPEC)
    assert rl_lab("run", "four.toml").returncode == 0
    done = rl_lab("compare", "runs/four", "--no-videos", environment={"COLUMNS": "100"})
    lines = done.stdout.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 110
    for agent in ("random", "q_learning", "value_iteration", "policy_iteration"):
        assert sum(line.startswith(f"{agent} ") for line in lines) == 2
    assert "1.00, optimal in 4/4" in done.stdout
    assert "  scale: 0 = the random policy, " in done.stdout
    assert lines[-1].startswith("report: runs/four/comparison/report.html ")
    full = rl_lab("compare", "runs/four", "--no-report", "--full", environment={"COLUMNS": "140"})
    assert "Performance profile" in full.stdout
    assert "Cohen's d" in full.stdout


def test_two_agents_at_the_optimum_are_equal(rl_lab: Command, tmp_path: Path) -> None:
    """Which no number of seeds would decide otherwise."""
    (tmp_path / "two.toml").write_text(SPEC.partition("[[agents]]")[0] + '[[agents]]\nid = "value_iteration"\n')
    text = (tmp_path / "two.toml").read_text() + '[[agents]]\nid = "policy_iteration"\n'
    (tmp_path / "two.toml").write_text(text)
    assert rl_lab("run", "two.toml", "--only", "maze").returncode == 0
    done = rl_lab("compare", "runs/four", "--no-videos")
    assert "policy_iteration and value_iteration are equal on maze: both are optimal" in done.stdout
    assert "undecided" not in done.stdout
    assert "are equal: both are optimal in every run" in (tmp_path / "runs/four/comparison/report.html").read_text()


def test_many_agents_are_told_of_in_short(rl_lab: Command, tmp_path: Path) -> None:
    rows = [f"a{agent},e,{seed},10,{agent + seed / 10}" for agent in range(40) for seed in range(3)]
    (tmp_path / "many.csv").write_text("\n".join(["agent,env,seed,step,return", *rows]) + "\n")
    done = rl_lab("compare", "many.csv", "--no-report")
    assert len(done.stdout.splitlines()) <= 40
    assert "  and 28 agents below these" in done.stdout
    assert "  all: its evaluation episodes are its own" in done.stdout
    assert "tested: the best (a39) against each, corrected for all 780 pairs" in done.stdout


def test_who_learns_faster_gets_a_verdict_of_its_own(tmp_path: Path) -> None:
    """Two agents end alike, and one of them was there sooner; a planner does not learn, and is left out."""
    curves = {"quick": [0.0, 1.0, 1.0], "slow": [0.0, 0.0, 1.0], "planner": [1.0, 1.0, 1.0]}
    results = [
        RunResult(
            env="maze",
            agent=agent,
            seed=seed,
            place=f"{agent}-{seed}",
            scores=np.array([1.0]),
            curve=(np.array([0.0, 50.0, 100.0]), np.array(values) + 0.001 * seed * np.array([1.0, 1.0, 0.0])),
            scale=ScoreScale(0.0, 0.0, 1.0, "exact optimum", "return"),
        )
        for agent, values in curves.items()
        for seed in range(6)
    ]
    for result in results:
        if result.agent == "planner":
            result.curve[1][:] = 1.0
    comparison = compare_groups(group_runs(results))
    (pair,) = comparison.learning
    assert (pair.x, pair.y, pair.verdict.word) == ("quick", "slow", "better")
    assert pair.evidence.improvement.value == 1.0
    assert comparison.summaries[0].area is not None
    # By hand: the mean height of (0, 1, 1) is (50 * 0.5 + 50 * 1) / 100; of seed 1 a little more.
    assert comparison.summaries[0].area.heights[:2] == pytest.approx([0.75, 0.75 + 0.00075])
    lines = list(verdict_lines(comparison))
    assert "quick and slow are equal on maze: both are optimal" in lines
    assert "learns faster (area under the curve): quick than slow on maze (p = 0.0022)" in lines


@pytest.mark.parametrize(("agent", "width", "is_told"), [("q", 80, True), ("q" * 24, 80, False), ("q" * 24, 100, True)])
def test_what_was_lost_again_is_told_where_it_fits_and_no_name_is_folded(agent: str, width: int, is_told: bool) -> None:
    steps = np.array([0.0, 50.0, 100.0, 150.0])
    results = [
        RunResult(
            env="maze",
            agent=agent,
            seed=seed,
            place=f"{seed}",
            scores=np.array([1.0]),
            curve=(steps, np.array([0.0, 1.0, 0.0, 1.0])),  # there, and lost again
            scale=ScoreScale(0.0, 0.0, 1.0, "exact optimum", "return"),
            curve_scale=ScoreScale(0.0, 0.0, 1.0, "exact optimum", "return"),
        )
        for seed in range(3)
    ]
    shown = io.StringIO()
    print_first_screen(Console(file=shown, width=width), compare_groups(group_runs(results)))
    assert agent in shown.getvalue()
    assert ("lost again in 3/3" in shown.getvalue()) == is_told
    assert max(map(len, shown.getvalue().splitlines())) <= width
