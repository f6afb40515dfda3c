"""The statistics of a comparison: against other libraries' numbers, by simulation, and against known wrong turns."""

import dataclasses
import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from experiments.comparison import bootstrap, permutation
from experiments.comparison.bootstrap import Estimate, FloatArray
from experiments.comparison.comparison import common_ranges, compare_groups
from experiments.comparison.learning_curve import align, iqm_curve
from experiments.comparison.pair import make_pairs
from experiments.comparison.ranking import ranked
from experiments.comparison.summary import AgentSummary, EvaluationEpisodes
from experiments.results.run_result import RunResult

SMALL = st.integers(0, 4).map(float)  # many ties


def tasks_of(matrix: FloatArray) -> list[FloatArray]:
    """A score matrix [runs, tasks] as one array a task."""
    return list(matrix.T.astype(float))


# -- numbers of others ------------------------------------------------------------------------------------


def test_rliables_own_score_matrices() -> None:
    """The two of its test suite, whose numbers it publishes."""
    x = tasks_of(np.array([[1, 2], [2, 2], [1, 1], [2, 1]]))
    y = tasks_of(np.array([[1, 1], [2, 2], [3, 3]]))
    for statistic in (bootstrap.median, bootstrap.mean, bootstrap.iqm):
        assert float(statistic(x)) == 1.5
        assert float(statistic(y)) == 2.0
    assert bootstrap.improvement(x, y).value == pytest.approx(1 / 3)


def test_rliables_estimates_and_intervals_on_five_runs_of_sixteen_tasks() -> None:
    """What rliable 1.2.0 said of these (20,000 and 2,000 repetitions), run once beside this test."""
    matrix = np.sin(37 * np.arange(80.0).reshape(5, 16) / 80) * 0.5 + 0.5
    x, y = tasks_of(matrix), tasks_of(np.flip(matrix, axis=0) ** 2)
    theirs = {
        "iqm": (0.51057162, 0.38544466, 0.63404256),
        "mean": (0.50512443, 0.42858475, 0.58148304),
        "median": (0.51175271, 0.40715161, 0.60360443),
        "optimality_gap": (0.49487557, 0.41851696, 0.57141525),
    }
    for name, ours in bootstrap.bootstrap_all(bootstrap.STATISTICS, x).items():
        assert ours.value == pytest.approx(theirs[name][0])
        assert (ours.low, ours.high) == pytest.approx(theirs[name][1:], abs=0.006)
    improvement = bootstrap.improvement(x, y)
    assert improvement.value == pytest.approx(0.6475)
    assert (improvement.low, improvement.high) == pytest.approx((0.555, 0.7325), abs=0.012)
    share, low, high = bootstrap.profile(x, np.array([0.25, 0.5, 0.75]))
    assert share.tolist() == pytest.approx([0.6625, 0.5, 0.3375])
    assert low.tolist() == pytest.approx([0.5625, 0.3875, 0.2375], abs=0.015)
    assert high.tolist() == pytest.approx([0.7625, 0.6, 0.4375], abs=0.015)


def test_the_mann_whitney_example_of_scipys_manual() -> None:
    """Ages at diagnosis of type II diabetes: U = 17, exact p = 0.111."""
    males, females = np.array([19.0, 22, 16, 29, 24]), np.array([20.0, 11, 17, 12])
    assert bootstrap.wins(males, females) == 17 / 20
    assert permutation.permutation_p([males], [females]) == pytest.approx(0.1111111111)


def test_holms_example() -> None:
    """R's p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm")."""
    assert permutation.holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])


# -- the test is exact ------------------------------------------------------------------------------------


def brute_force_p(xs: list[FloatArray], ys: list[FloatArray]) -> float:
    """Every arrangement of every task, one by one."""

    def statistic(chosen: tuple[tuple[int, ...], ...]) -> float:
        total = 0.0
        for x, y, places in zip(xs, ys, chosen, strict=True):
            pooled = np.concatenate([x, y])
            rest = [place for place in range(len(pooled)) if place not in places]
            total += float(bootstrap.wins(pooled[list(places)], pooled[rest])) - 0.5
        return abs(total)

    choices = [list(combinations(range(len(x) + len(y)), len(x))) for x, y in zip(xs, ys, strict=True)]
    observed = statistic(tuple(tuple(range(len(x))) for x in xs))
    values = [statistic(chosen) for chosen in product(*choices)]
    return float(np.mean([value >= observed - 1e-12 for value in values]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(SMALL, min_size=1, max_size=3), st.lists(SMALL, min_size=1, max_size=3)),
        min_size=1,
        max_size=3,
    )
)
def test_p_is_that_of_all_arrangements(tasks: list[tuple[list[float], list[float]]]) -> None:
    """With ties, several tasks and unequal numbers of runs."""
    xs, ys = [np.array(x) for x, _ in tasks], [np.array(y) for _, y in tasks]
    assert permutation.permutation_p(xs, ys) == pytest.approx(brute_force_p(xs, ys))


def test_p_of_many_runs_is_scipys() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=25), rng.normal(0.6, size=30)
    theirs = stats.mannwhitneyu(x, y, method="exact").pvalue
    assert permutation.permutation_p([x], [y]) == pytest.approx(theirs)


def test_arrangements_that_cannot_be_counted_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    xs, ys = [rng.normal(0.5, size=size) for size in (5, 6)], [rng.normal(size=size) for size in (7, 4)]
    counted = permutation.permutation_p(xs, ys)
    monkeypatch.setattr(permutation, "MAX_LATTICE", 0)
    drawn = permutation.permutation_p(xs, ys)
    assert drawn == pytest.approx(counted, rel=0.03)
    assert drawn == permutation.permutation_p(xs, ys)
    assert drawn != counted


# -- what the intervals and verdicts promise --------------------------------------------------------------


@pytest.mark.parametrize(("num_runs", "num_tasks"), [(10, 1), (10, 4), (20, 1)])
def test_intervals_of_the_iqm_hold_the_truth_as_often_as_they_say(num_runs: int, num_tasks: int) -> None:
    """95% ± 2 from 10 runs on; below, the table prints what was simulated."""
    rng = np.random.default_rng(5)
    num_experiments, hits = 1_500, 0
    for number in range(num_experiments):
        tasks = [rng.normal(size=num_runs) for _ in range(num_tasks)]
        interval = bootstrap.bootstrap(bootstrap.iqm, tasks, repetitions=1_000, seed=number)
        hits += interval.low <= 0 <= interval.high
    error = 2 * math.sqrt(0.95 * 0.05 / num_experiments)
    assert 0.93 - error <= hits / num_experiments <= 0.97 + error


@pytest.mark.parametrize("num_runs", [3, 5])
def test_the_printed_coverage_of_few_runs_is_what_is_found(num_runs: int) -> None:
    rng = np.random.default_rng(6)
    hits = 0
    for number in range(800):
        interval = bootstrap.bootstrap(bootstrap.iqm, [rng.normal(size=num_runs)], repetitions=1_000, seed=number)
        hits += interval.low <= 0 <= interval.high
    assert hits / 800 == pytest.approx(bootstrap.SIMULATED_COVERAGE[num_runs], abs=0.035)


def summary(scores: FloatArray, seeds: range | None = None, evaluation_seed: int | None = 0) -> AgentSummary:
    return AgentSummary(
        env="", agent="", runs_planned=len(scores), seeds=list(seeds or range(len(scores))), measure="return",
        scores=scores.tolist(), evaluation=EvaluationEpisodes(seed=evaluation_seed), budget={"steps": 1},
    )  # fmt: skip


@pytest.mark.parametrize(("num_runs", "num_envs"), [(5, 1), (10, 1), (5, 3)])
def test_equal_agents_are_rarely_called_different(num_runs: int, num_envs: int) -> None:
    """Three agents without a difference: in at most 5% of the comparisons is any pair decided (Holm)."""
    rng = np.random.default_rng(7)
    num_comparisons, decided = 250, 0
    for _ in range(num_comparisons):
        summaries = {
            (f"e{env}", agent): summary(rng.normal(size=num_runs), evaluation_seed=None)  # nothing paired
            for env in range(num_envs)
            for agent in "abc"
        }
        decided += any(pair.verdict.decided for pair in make_pairs("abc", summaries))
    assert decided / num_comparisons <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / num_comparisons)


def test_a_real_difference_is_found() -> None:
    """Two standard deviations apart, ten runs a side: nearly always."""
    rng = np.random.default_rng(8)
    found = 0
    for _ in range(100):
        summaries = {("e", agent): summary(rng.normal(2.0 * (agent == "a"), size=10)) for agent in "ab"}
        (pair,) = make_pairs("ab", summaries)
        found += pair.verdict.word == "better"
    assert found >= 95


@pytest.mark.parametrize(("effect", "tests"), [(1.0, 1), (1.5, 6), (2.0, 15)])
def test_the_seeds_that_would_do_do(effect: float, tests: int) -> None:
    """About four times in five, against a level divided by the number of tests."""
    rng = np.random.default_rng(9)
    wanted = permutation.seeds_for_power(effect, tests)
    assert wanted is not None
    found = sum(
        permutation.permutation_p([rng.normal(effect, size=wanted)], [rng.normal(size=wanted)]) * tests < 0.05
        for _ in range(600)
    )
    assert found / 600 == pytest.approx(0.8, abs=0.08)


def test_an_interval_over_one_half_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small p is: both are asked for."""
    summaries = {("e", "a"): summary(np.arange(8.0) + 100), ("e", "b"): summary(np.arange(8.0))}
    assert make_pairs("ab", summaries)[0].verdict.word == "better"
    straddling = bootstrap.Interval(1.0, 0.5, 1.0)
    monkeypatch.setattr(bootstrap, "improvement", lambda xs, ys: straddling)
    (pair,) = make_pairs("ab", summaries)
    assert pair.verdict.p_holm < 0.001
    assert pair.verdict.word == "undecided"


def test_too_few_seeds_is_said_only_where_nothing_could_be_decided() -> None:
    """Holm multiplies the largest p by one: beside tests that are decided, four runs a side can decide too."""
    summaries = {("e", "a"): summary(np.arange(10.0) + 100), ("e", "b"): summary(np.arange(10.0))}
    summaries |= {("e", "c"): summary(np.arange(4.0) + 50), ("e", "d"): summary(np.array([48.0, 49, 50.5, 52.5]))}
    verdicts = {pair.x + pair.y: pair.verdict.word for pair in make_pairs("abcd", summaries)}
    assert verdicts["cd"] == "undecided"
    assert set(verdicts.values()) == {"better", "worse", "undecided"}


def test_rounding_noise_is_no_spread() -> None:
    same, other = np.full(5, 0.3), np.array([0.11, 0.23, 0.37])
    interval = permutation.cohens_d_interval(same, other)
    assert interval is None or -100 < interval.low < interval.high < 100
    assert permutation.cohens_d(np.full(5, 0.1 + 0.2), np.full(3, 0.3)) == 0


# -- by hand ----------------------------------------------------------------------------------------------


def test_a_profile_by_hand() -> None:
    tasks = [np.array([0.0, 1.0]), np.array([0.5, 0.5, 2.0])]
    share, low, high = bootstrap.profile(tasks, np.array([-1.0, 0.0, 0.5, 1.0, 2.0]))
    assert share.tolist() == pytest.approx([1, (1 / 2 + 1) / 2, (1 / 2 + 1 / 3) / 2, (0 + 1 / 3) / 2, 0])
    assert (low <= share).all()
    assert (high >= share).all()


def test_the_improvements_interval_is_that_of_resampled_runs() -> None:
    """Against runs drawn one by one."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(0.5, size=8), rng.normal(size=6)
    draws = [bootstrap.wins(rng.choice(x, 8), rng.choice(y, 6)) for _ in range(4_000)]
    ours = bootstrap.improvement([x], [y])
    assert (ours.low, ours.high) == pytest.approx(np.quantile(draws, [0.025, 0.975]).tolist(), abs=0.03)


def test_paired_differences_see_what_spread_between_seeds_hides() -> None:
    rng = np.random.default_rng(4)
    base = rng.normal(0, 100, size=6)
    summaries = {("e", "a"): summary(base + 1), ("e", "b"): summary(base)}
    (pair,) = make_pairs("ab", summaries)
    paired = pair.evidence.paired_difference
    assert paired is not None
    assert list(paired.mean) == pytest.approx([1, 1, 1])  # the mean, and the ends of its interval
    assert (paired.unit, paired.seeds) == ("score", 6)
    assert pair.verdict.word == "undecided"
    other_seeds = {("e", "a"): summary(base), ("e", "b"): summary(base, range(50, 56))}
    assert make_pairs("ab", other_seeds)[0].evidence.paired_difference is None


def test_effect_sizes_by_hand_and_their_intervals() -> None:
    x, y = np.array([2.0, 4.0, 6.0, 8.0]), np.array([1.0, 3.0, 5.0, 7.0])
    interval = permutation.cohens_d_interval(x, y)
    assert interval is not None
    assert interval.value == pytest.approx(1 / math.sqrt(20 / 3))
    assert interval.low < interval.value < interval.high
    shifted = permutation.cohens_d_interval(10 * x + 5, 10 * y + 5)
    assert shifted == pytest.approx(interval)
    rng = np.random.default_rng(0)
    drawn = [permutation.cohens_d(rng.choice(x, 4), rng.choice(y, 4)) for _ in range(4_000)]
    finite = [one for one in drawn if math.isfinite(one)]
    assert (interval.low, interval.high) == pytest.approx(np.quantile(finite, [0.025, 0.975]).tolist(), abs=0.35)
    assert permutation.cohens_d_interval(np.ones(3), np.zeros(3)) is None  # it is infinite


def test_verdicts_by_environment_are_a_family_of_their_own() -> None:
    high, low = np.arange(8.0) + 100, np.arange(8.0)
    summaries = {
        ("one", "a"): summary(high),
        ("one", "b"): summary(low),
        ("two", "a"): summary(low),
        ("two", "b"): summary(low),
    }
    (pair,) = make_pairs("ab", summaries)
    assert pair.verdict.tests == 1
    assert pair.by_env is not None
    assert [single.verdict.word for single in pair.by_env] == ["better", "undecided"]
    assert all(single.verdict.tests == 2 for single in pair.by_env)
    assert pair.by_env[0].verdict.p_holm == pytest.approx(2 * pair.by_env[0].evidence.p)


# -- one order everywhere ---------------------------------------------------------------------------------


def test_agents_are_ranked_by_their_iqm_and_unfinished_ones_last() -> None:
    iqms = {"mean is best": 2.0, "none": None, "best": 3.0, "also none": None, "as good": 2.0, "worst": -1.0}
    summaries = [
        dataclasses.replace(
            summary(np.zeros(0)), agent=agent, mean=9.0 if agent == "mean is best" else 0.0,
            iqm=None if iqm is None else Estimate(iqm, None),
        )
        for agent, iqm in iqms.items()
    ]  # fmt: skip
    order = ["best", "mean is best", "as good", "worst", "none", "also none"]
    assert [one.agent for one in ranked(summaries)] == order


# -- wrong turns known elsewhere --------------------------------------------------------------------------


def test_the_seed_is_heeded_and_the_global_generator_is_not() -> None:
    """rliable 1.2.0 ignores its random_state and draws from NumPy's global generator."""
    scores = [np.random.default_rng(0).normal(size=9)]
    np.random.seed(1)  # noqa: NPY002
    before = repr(np.random.get_state())  # noqa: NPY002
    first = bootstrap.bootstrap(bootstrap.iqm, scores, repetitions=3_000)
    assert repr(np.random.get_state()) == before  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    assert bootstrap.bootstrap(bootstrap.iqm, scores, repetitions=3_000) == first
    assert bootstrap.bootstrap(bootstrap.iqm, scores, repetitions=3_000, seed=3) != first


def test_runs_are_resampled_and_not_tasks() -> None:
    """A swapped axis makes intervals far too narrow (rliable #20): runs that differ, tasks that are alike."""
    runs = np.random.default_rng(1).normal(size=10)
    alike = bootstrap.bootstrap(bootstrap.mean, [runs] * 50, repetitions=4_000)
    assert alike.high - alike.low == pytest.approx(2 * 1.96 * runs.std() / math.sqrt(10 * 50), rel=0.1)
    constant = bootstrap.bootstrap(bootstrap.mean, [np.full(10, float(task)) for task in range(50)], 1_000)
    assert constant.low == constant.high == constant.value


@pytest.mark.parametrize("num_runs", [5, 10, 40])
def test_the_width_of_an_interval_follows_the_number_of_runs(num_runs: int) -> None:
    """z = 1.96 with n = 10 is written into marl-eval (#66)."""
    quantiles = stats.norm.ppf((np.arange(num_runs) + 0.5) / num_runs)
    interval = bootstrap.bootstrap(bootstrap.mean, [quantiles], repetitions=20_000)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * quantiles.std() / math.sqrt(num_runs), rel=0.06)


def test_shorter_runs_stay_in_the_curve() -> None:
    """RL Zoo's all_plots drops them."""
    short = (np.array([0.0, 10.0]), np.array([0.0, 1.0]))
    long = (np.array([0.0, 10.0, 20.0]), np.array([0.0, 3.0, 5.0]))
    grid, values = align([short, long])
    middle, _, _, runs = iqm_curve(values)
    assert runs[grid <= 10].tolist() == [2] * int((grid <= 10).sum())
    assert runs[-1] == 1
    assert middle[-1] == 5.0


def test_enough_repetitions_are_the_default() -> None:
    """Ten are in Open RL Benchmark."""
    assert (bootstrap.AGGREGATE_REPETITIONS, bootstrap.IMPROVEMENT_REPETITIONS) == (50_000, 2_000)


def test_what_does_not_learn_cuts_no_curve_short() -> None:
    """Areas go as far as the curves of all that learn; a curve that never moves is as high beyond its end."""

    def runs(agent: str, steps: list[float], heights: list[float]) -> list[RunResult]:
        curve = np.array(steps), np.array(heights)
        return [RunResult("e", agent, 0, "", scores=np.array(heights[-1:]), curve=curve)]

    groups = {("e", "fixed"): runs("fixed", [0, 10], [3, 3]), ("e", "learner"): runs("learner", [0, 100], [0, 8])}
    assert common_ranges(groups) == {"e": (0.0, 100.0)}
    areas = {one.agent: one.area.mean_height.value for one in compare_groups(groups).summaries if one.area}
    assert areas == {"fixed": 3.0, "learner": 4.0}
    del groups["e", "learner"]
    assert common_ranges(groups) == {"e": (0.0, 10.0)}
