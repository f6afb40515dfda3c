"""Comparisons of many runs and many agents: what stands in for counting, and which pairs are tested."""

import math
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from experiments.comparison import permutation
from experiments.comparison.bootstrap import FloatArray
from experiments.comparison.comparison import compare_runs
from experiments.comparison.evidence import gather
from experiments.comparison.pair_choice import MOST_PAIRS
from experiments.comparison.permutation import doubled_ranks, holm, permutation_test
from experiments.errors import InputError
from experiments.results.foreign import read_file, read_folder
from experiments.runs.csv_log import read_columns


def test_ranks_by_hand() -> None:
    assert doubled_ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [7, 2, 7, 4]  # 3.5, 1, 3.5, 2
    assert doubled_ranks(np.array([5.0, 5.0, 5.0])).tolist() == [4, 4, 4]


def test_the_normal_variance_is_that_of_all_arrangements() -> None:
    """Of a sample with ties, counted by hand: every arrangement of the ranks, and the spread of what x wins."""
    x, y = np.array([1.0, 2.0, 2.0]), np.array([2.0, 3.0, 3.0, 4.0])
    both = np.concatenate([x, y])
    shares = []
    for order in set(permutations(both.tolist())):
        left, right = np.array(order[:3]), np.array(order[3:])
        shares.append(float(((left[:, None] > right) + 0.5 * (left[:, None] == right)).mean()))
    # Arrangements that look alike stand for as many each: ties 2 2 2 and 3 3 are the same in all of them.
    variance = float(np.var(shares))
    ranks = doubled_ranks(both) / 2
    formula = 3 * 4 / (7 * 6) * float(((ranks - ranks.mean()) ** 2).sum()) / (3 * 4) ** 2
    assert formula == pytest.approx(variance)
    beyond = (abs(shares_of(x, y) - 0.5) - 0.5 / 12) / math.sqrt(variance)
    p = permutation._normal_p([doubled_ranks(both)], [(3, 4)])
    assert p == pytest.approx(math.erfc(beyond / math.sqrt(2)))


def shares_of(x: FloatArray, y: FloatArray) -> float:
    return float(((x[:, None] > y) + 0.5 * (x[:, None] == y)).mean())


@pytest.mark.parametrize("shift", [0.0, 0.3, 0.5])
def test_normal_and_counted_agree_where_one_takes_over(shift: float) -> None:
    rng = np.random.default_rng(int(shift * 10))
    x, y = rng.normal(shift, 1, 66).round(1), rng.normal(0, 1, 66).round(1)  # with ties
    counted = permutation_test([x], [y])
    assert counted.method == "exact"
    normal = permutation._normal_p([doubled_ranks(np.concatenate([x, y]))], [(66, 66)])
    assert normal == pytest.approx(counted.p, abs=2e-3)


def test_the_same_scores_everywhere_are_no_difference() -> None:
    test = permutation_test([np.ones(200)], [np.ones(200)])
    assert (test.p, test.method) == (1.0, "normal")


def test_large_samples_hold_their_level() -> None:
    """Of 400 experiments without a difference, 5% are below 0.05: between 3% and 7.5% by chance."""
    rng = np.random.default_rng(5)
    below = sum(permutation_test([rng.normal(size=90)], [rng.normal(size=90)]).p < 0.05 for _ in range(400))
    assert 12 <= below <= 30


def test_more_tests_than_are_made_count() -> None:
    assert holm([0.01, 0.04]) == [0.02, 0.04]
    assert holm([0.01, 0.04], more=8) == pytest.approx([0.1, 0.36])


def write(path: Path, agents: int, seeds: int) -> Path:
    rng = np.random.default_rng(0)
    rows = [f"a{agent},e,{seed},10,{rng.normal(3 * agent)}" for agent in range(agents) for seed in range(seeds)]
    path.write_text("\n".join(["agent,env,seed,step,return", *rows]) + "\n")
    return path


def test_which_pairs_are_tested(tmp_path: Path) -> None:
    few = write(tmp_path / "few.csv", 5, 5)
    comparison = compare_runs([few])
    assert (len(comparison.pairs), comparison.method.pairs) == (10, "all")
    everything = {frozenset((pair.x, pair.y)): pair for pair in comparison.pairs}
    best = compare_runs([few], pairs="best")
    assert {frozenset((pair.x, pair.y)) for pair in best.pairs} == {frozenset(("a4", f"a{one}")) for one in range(4)}
    for pair in best.pairs:  # as strict as if all had been tested
        assert pair.verdict.tests == 10
        assert pair.evidence.p == everything[frozenset((pair.x, pair.y))].evidence.p
        assert pair.verdict.p_holm >= everything[frozenset((pair.x, pair.y))].verdict.p_holm
    mine = compare_runs([few], pairs="a2")
    assert all("a2" in (pair.x, pair.y) and pair.verdict.tests == 4 for pair in mine.pairs)
    with pytest.raises(InputError, match="--pairs: expected auto, all, best or an agent, got 'a7'"):
        compare_runs([few], pairs="a7")


def test_of_many_agents_the_best_is_compared(tmp_path: Path) -> None:
    many = write(tmp_path / "many.csv", 26, 2)
    comparison = compare_runs([many])
    assert MOST_PAIRS < 26 * 25 // 2
    assert len(comparison.pairs) == 25
    assert comparison.method.pairs == "the best (a25) against each, corrected for all 325 pairs"
    assert len(compare_runs([many], pairs="all").pairs) == 325


def test_pairs_of_equal_sizes_share_their_draws(tmp_path: Path) -> None:
    """What is measured of a pair does not depend on which pairs were measured before."""
    summaries = compare_runs([write(tmp_path / "a.csv", 4, 6)]).summaries
    alone = [gather([summaries[0]], [summaries[one]]) for one in (3, 2, 1)]
    again = [gather([summaries[0]], [summaries[one]]) for one in (1, 2, 3)]
    assert alone == again[::-1]


def test_a_million_rows_are_a_few_bytes_a_cell(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "log.csv"
    with path.open("w") as file:
        file.write("episode,return,phase,won\n")
        file.writelines(f"{row},{row / 7},final,{'true' if row % 2 else ''}\n" for row in range(200_000))
    tracemalloc.start()
    numbers, texts = read_columns(path, ("episode", "return"), ("return", "won"), ("phase",))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 200_000 * 50
    assert numbers["return"][:3].tolist() == [0.0, 1 / 7, 2 / 7]
    assert np.isnan(numbers["won"][0])
    assert numbers["won"][1] == 1.0
    assert set(texts["phase"]) == {"final"}


# -- others' logs, by what their writers do ------------------------------------------------------------------------

HEAD = '#{"t_start": 100.0, "env_id": "Lane-v0"}\nr,l,t\n'


def test_a_resumed_monitor_is_read_in_the_order_of_its_rows(tmp_path: Path) -> None:
    rows = [f"{session},10,{10 * row + session}" for session in (0, 1) for row in range(1, 151)]
    (tmp_path / "monitor.csv").write_text(HEAD + "\n".join(rows) + "\n")
    (run,) = read_file(tmp_path / "monitor.csv")
    assert run.score == 1.0  # the last hundred are the second session's
    assert run.training[0][-1] == 3000


def test_copies_that_were_resumed_are_put_in_order_session_by_session(tmp_path: Path) -> None:
    for copy, times in ((0, (1.0, 3.0, 1.5)), (1, (2.0, 4.0, 0.5))):  # the third rows are of a second session
        rows = [f"{copy}{index},1,{time}" for index, time in enumerate(times)]
        (tmp_path / f"{copy}.monitor.csv").write_text(HEAD + "\n".join(rows) + "\n")
    (run,) = read_folder(tmp_path)
    assert run.training[1].tolist() == [0.0, 10.0, 1.0, 11.0, 12.0, 2.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "1.0,5,1.0\n2.0,5,2.2548,41,9.8\n", "line 4: expected 3 fields, got 5: two processes wrote it?"),
        (HEAD + "1.0,5\n", "line 3: expected 3 fields, got 2"),
        (HEAD + "much,5,1.0\n", "line 3: could not convert string to float: 'much'"),
        (HEAD.replace("r,l,t", "r,l"), "line 2: expected columns r, l, t, got none called t"),
        ("r,l,t\n1,2,3\n", "expected a first line that begins with '#'"),
    ],
)
def test_what_no_monitor_writes_is_named_by_its_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "monitor.csv").write_text(text)
    with pytest.raises(InputError, match=message.replace("(", r"\(").replace("?", r"\?")):
        read_file(tmp_path / "monitor.csv")


def test_seeds_and_separators_of_spreadsheets(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfagent;env;seed;step;return\r\na;e;0.0;10;1.5\r\na;e;1;10;2.5\r\n")
    runs = read_file(tmp_path / "a.csv")
    assert [(run.seed, run.score) for run in runs] == [(0, 1.5), (1, 2.5)]
    (tmp_path / "b.csv").write_text("agent,env,seed,step,return\na,e,0.5,10,1\n")
    with pytest.raises(InputError, match=r"line 2: expected a whole number as seed, got '0\.5'"):
        read_file(tmp_path / "b.csv")


def test_zoo_runs_without_a_version(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / "sac" / f"MyGrid_{number}"
        folder.mkdir(parents=True)
        np.savez(folder / "evaluations.npz", timesteps=np.array([10]), results=np.array([[float(number)]]))
    runs = sorted((run.env, run.agent, run.seed) for run in read_folder(tmp_path))
    assert runs == [("MyGrid", "sac", 1), ("MyGrid", "sac", 2)]
