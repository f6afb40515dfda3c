"""Aggregates, intervals and tests against values worked by hand and against scipy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.comparison import bootstrap, permutation
from experiments.evaluation.episode_seeds import EPISODE_SETS, episode_seeds


def test_iqm_by_hand() -> None:
    assert bootstrap.trimmed_mean(np.array([1.0, 2, 3, 100])) == 2.5
    assert bootstrap.trimmed_mean(np.array([1.0, 2, 9])) == 4.0  # fewer than 4: the mean
    assert bootstrap.trimmed_mean(np.array([0.0, 1, 2, 3, 4, 5, 6, 70])) == 3.5
    assert bootstrap.iqm([np.array([1.0, 100]), np.array([2.0, 3])]) == 2.5


@given(st.lists(st.floats(-100, 100), min_size=4, max_size=30))
def test_iqm_is_scipys(scores: list[float]) -> None:
    assert bootstrap.trimmed_mean(np.array(scores)) == pytest.approx(stats.trim_mean(scores, 0.25), abs=1e-9)


def test_aggregates_by_hand() -> None:
    tasks = [np.array([0.5, 1.5]), np.array([0.0, 0.2]), np.array([2.0, 4.0])]
    assert bootstrap.mean(tasks) == pytest.approx((1.0 + 0.1 + 3.0) / 3)
    assert bootstrap.median(tasks) == 1.0
    assert bootstrap.optimality_gap(tasks) == pytest.approx(1 - (0.75 + 0.1 + 1.0) / 3)


def test_the_bootstrap_is_seeded_and_keeps_tasks_apart() -> None:
    tasks = [np.array([0.0, 0.0]), np.array([1.0, 1.0])]
    # Resampled within each task, the mean cannot vary; across tasks it would.
    assert bootstrap.bootstrap(bootstrap.mean, tasks, repetitions=500) == (0.5, 0.5, 0.5)
    scores = [np.random.default_rng(0).normal(size=8)]
    first = bootstrap.bootstrap(bootstrap.iqm, scores, repetitions=2000)
    assert first == bootstrap.bootstrap(bootstrap.iqm, scores, repetitions=2000)
    assert first != bootstrap.bootstrap(bootstrap.iqm, scores, repetitions=2000, seed=1)


def test_the_bootstrap_of_the_mean_is_scipys() -> None:
    scores = np.random.default_rng(3).normal(size=12)
    ours = bootstrap.bootstrap(bootstrap.mean, [scores], repetitions=20_000)
    theirs = stats.bootstrap((scores,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0))
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.02)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.02)


def test_intervals_cover_what_they_say_at_ten_runs() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        interval = bootstrap.bootstrap(bootstrap.iqm, [rng.normal(size=10)], repetitions=400)
        hits += interval.low <= 0 <= interval.high
    assert 0.90 <= hits / 400 <= 0.97


def test_wins_by_hand_and_by_scipy() -> None:
    x, y = np.array([1.0, 2, 3]), np.array([2.0, 2, 0])
    assert bootstrap.wins(x, y) == pytest.approx((1 + (1 + 1) + 3) / 9)  # 1 > 0; 2 > 0 and two ties; 3 > all
    assert bootstrap.wins(x, y) == pytest.approx(stats.mannwhitneyu(x, y).statistic / 9)


def test_improvement_is_the_mean_over_tasks() -> None:
    interval = bootstrap.improvement([np.array([1.0, 2]), np.array([0.0])], [np.array([0.0, 0]), np.array([1.0])])
    assert interval.value == 0.5
    assert interval == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(("runs", "smallest"), [(3, 0.10), (4, 2 / 70), (5, 2 / 252)])
def test_separated_runs_give_the_smallest_p(runs: int, smallest: float) -> None:
    low, high = np.arange(runs, dtype=float), np.arange(runs, dtype=float) + 100
    assert permutation.permutation_p([low], [high]) == pytest.approx(smallest)
    assert permutation.smallest_p([runs], [runs]) == pytest.approx(smallest)


@given(
    st.lists(st.floats(-5, 5), min_size=2, max_size=5, unique=True),
    st.lists(st.floats(6, 9) | st.floats(-9, -6), min_size=2, max_size=5, unique=True),
)
def test_one_task_without_ties_is_scipys_exact_mann_whitney(x: list[float], y: list[float]) -> None:
    ours = permutation.permutation_p([np.array(x)], [np.array(y)])
    theirs = stats.mannwhitneyu(x, y, method="exact", alternative="two-sided").pvalue
    assert ours == pytest.approx(theirs)


def test_two_tasks_are_scipys_permutation_test() -> None:
    xs, ys = [np.array([1.0, 4.0]), np.array([2.0, 2.5])], [np.array([0.0, 3.0]), np.array([1.0, 2.2])]

    def statistic(splits: list[tuple[int, ...]]) -> float:
        total = 0.0
        for task, chosen in zip(range(2), splits, strict=True):
            pooled = np.concatenate([xs[task], ys[task]])
            rest = [index for index in range(4) if index not in chosen]
            total += float(bootstrap.wins(pooled[list(chosen)], pooled[rest])) - 0.5
        return abs(total)

    from itertools import combinations, product

    splits = list(combinations(range(4), 2))
    observed = statistic([(0, 1), (0, 1)])
    values = [statistic([one, two]) for one, two in product(splits, splits)]
    assert permutation.permutation_p(xs, ys) == pytest.approx(np.mean([value >= observed - 1e-12 for value in values]))


def test_many_arrangements_are_drawn() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=12), rng.normal(1.0, size=12)
    ours = permutation.permutation_p([x], [y])
    theirs = stats.mannwhitneyu(x, y, method="exact").pvalue
    assert ours == pytest.approx(theirs, rel=0.15)
    assert ours == permutation.permutation_p([x], [y])


def test_no_difference_is_rarely_called_one() -> None:
    rng = np.random.default_rng(1)
    hits = sum(permutation.permutation_p([rng.normal(size=5)], [rng.normal(size=5)]) <= 0.05 for _ in range(600))
    assert hits / 600 < 0.075


def test_holm_by_hand() -> None:
    assert permutation.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert permutation.holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert permutation.holm([]) == []


def test_seeds_that_would_do() -> None:
    assert permutation.seeds_that_could_decide([(3, 3)], 1) == 4  # 3 give 0.10, 4 give 0.029
    assert permutation.seeds_that_could_decide([(5, 5)], 10) == 6  # 5 give 0.0079 * 10, 6 give 0.0022 * 10
    assert permutation.seeds_that_could_decide([(2, 20)], 1) == 2  # 2 of 22 runs: 2 / 231
    assert permutation.seeds_for_power(1.0) == 18  # a t-test's 17 (Cohen 1988, table 2.4.1), * pi / 3
    assert permutation.seeds_for_power(-0.5) == 68  # 64, * pi / 3 = 67.02
    assert permutation.seeds_for_power(0.01) == pytest.approx(164_387, abs=2)  # 156,977 * pi / 3
    assert permutation.seeds_for_power(9.0) == 4  # fewer could not decide
    assert permutation.seeds_for_power(0.0) is None


def test_cohens_d_by_hand() -> None:
    assert permutation.cohens_d(np.array([2.0, 4.0]), np.array([1.0, 3.0])) == pytest.approx(1 / math.sqrt(2))
    assert permutation.cohens_d(np.array([1.0, 1.0]), np.array([0.0, 0.0])) == math.inf
    assert permutation.cohens_d(np.array([1.0, 1.0]), np.array([1.0, 1.0])) == 0


def test_episode_sets_share_no_episode_and_only_grow() -> None:
    sets = {name: episode_seeds(0, name, 2000) for name in EPISODE_SETS}
    merged = [seed for seeds in sets.values() for seed in seeds]
    assert len(set(merged)) == len(merged)
    assert episode_seeds(0, "final", 10) == sets["final"][:10]
    assert not set(episode_seeds(1, "final", 2000)) & set(sets["final"])
