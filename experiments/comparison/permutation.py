"""Exact permutation tests on runs, with Holm's correction, effect sizes, and what a verdict needs."""

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.comparison.bootstrap import BOOTSTRAP_SEED, QUANTILES, FloatArray, Interval, counts

Method = Literal["exact", "drawn", "normal", "sequential"]  # how a p was found

ALPHA = 0.05
DRAWS = 100_000
POWER = 0.8
SURELY_NORMAL = 1_000  # runs a side, from which on t is normal
ROUNDING = 1e-9  # of scores: a spread below it is none
BATCH = 10_000  # of the draws at a time
MOST_WORK = 200_000_000  # additions that counting may take, about: 70 runs a side
MAX_LATTICE = 1_000_000  # points of the statistic, beyond which arrangements are drawn instead of counted


class PermutationTest(NamedTuple):
    """The two-sided p of a permutation test, and how it was found."""

    p: float
    method: Method


def permutation_test(xs: Sequence[FloatArray], ys: Sequence[FloatArray], seed: int = 0) -> PermutationTest:
    """Test "the runs of x and y come from one distribution", runs exchanged within each task.

    The statistic is the probability of improvement less one half, mean over tasks: only the order of the scores
    counts, so tasks need no common scale. All arrangements are counted, however many there are: those of a task by
    the sum of the ranks that x has in them (Mann & Whitney 1947, Streitberg & Roehmel 1986), tasks by convolution.
    Where that is too much work it is normal, with the exact variance, which minds ties; where tasks with many
    different numbers of runs leave too many values to count, 100,000 arrangements are drawn.
    """
    sizes = [(len(x), len(y)) for x, y in zip(xs, ys, strict=True)]
    ranks = [doubled_ranks(np.concatenate([x, y])) for x, y in zip(xs, ys, strict=True)]
    if sum((num_x + num_y) ** 3 * num_x for num_x, num_y in sizes) > MOST_WORK:
        return PermutationTest(_normal_p(ranks, sizes), "normal")
    # U / (N_x N_y) as a whole number of steps, the same step in every task; `centre` stands for one half.
    step = math.lcm(*(2 * num_x * num_y for num_x, num_y in sizes))
    weights = [step // (2 * num_x * num_y) for num_x, num_y in sizes]
    least = [num_x * (num_x + 1) for num_x, _ in sizes]  # the doubled sum of the lowest ranks
    observed = sum(
        weight * (int(rank[:num_x].sum()) - low)
        for weight, rank, (num_x, _), low in zip(weights, ranks, sizes, least, strict=True)
    )
    centre = step * len(sizes) / 2
    extreme = abs(observed - centre)
    if step * len(sizes) > MAX_LATTICE:
        return PermutationTest(_drawn_p(ranks, sizes, weights, least, centre, extreme, seed), "drawn")
    chances = np.ones(1)
    for weight, rank, (num_x, _), low in zip(weights, ranks, sizes, least, strict=True):
        of_task = rank_sum_chances(rank, num_x)[low:]
        spread = np.zeros((len(of_task) - 1) * weight + 1)
        spread[::weight] = of_task
        chances = np.convolve(chances, spread)
    values = np.arange(len(chances))
    return PermutationTest(min(1.0, float(chances[np.abs(values - centre) >= extreme].sum())), "exact")


def permutation_p(xs: Sequence[FloatArray], ys: Sequence[FloatArray], seed: int = 0) -> float:
    """The two-sided p of `permutation_test`."""
    return permutation_test(xs, ys, seed).p


def _normal_p(ranks: list[NDArray[np.int64]], sizes: list[tuple[int, int]]) -> float:
    """The p of the normal distribution with the statistic's exact mean and variance, and a continuity correction.

    U's variance under exchange is N_x N_y / (N (N - 1)) times the sum of squares of the ranks around their mean.
    """
    difference, variance, steps = 0.0, 0.0, []
    for rank, (num_x, num_y) in zip(ranks, sizes, strict=True):
        count, halves = num_x + num_y, rank / 2.0
        wins = (halves[:num_x].sum() - num_x * (num_x + 1) / 2) / (num_x * num_y)
        difference += wins - 0.5
        spread = num_x * num_y / (count * (count - 1)) * float(((halves - halves.mean()) ** 2).sum())
        variance += spread / (num_x * num_y) ** 2
        steps.append(0.5 / (num_x * num_y))  # half of what one exchange changes
    if variance == 0:
        return 1.0
    beyond = max(0.0, abs(difference) - min(steps)) / math.sqrt(variance)
    return min(1.0, math.erfc(beyond / math.sqrt(2)))


def doubled_ranks(scores: FloatArray) -> NDArray[np.int64]:
    """Twice the rank of each score, ties in the middle: whole numbers."""
    ordered = np.sort(scores)
    return np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right") + 1


def rank_sum_chances(ranks: NDArray[np.int64], size: int) -> FloatArray:
    """The chance of each sum [0 ... all of them] of `size` of the ranks, drawn without replacement."""
    return _sum_chances(tuple(sorted(ranks.tolist())), size)


@lru_cache(maxsize=256)  # without ties all samples of one size have the same ranks
def _sum_chances(ranks: tuple[int, ...], size: int) -> FloatArray:
    total = sum(ranks)
    ways = np.zeros((size + 1, total + 1))
    ways[0, 0] = 1.0
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, : total + 1 - rank].copy()
    return np.asarray(ways[size] / math.comb(len(ranks), size))


def _drawn_p(
    ranks: list[NDArray[np.int64]],
    sizes: list[tuple[int, int]],
    weights: list[int],
    least: list[int],
    centre: float,
    extreme: float,
    seed: int,
) -> float:
    rng = np.random.default_rng(seed)
    totals = np.zeros(DRAWS)
    for rank, (num_x, _), weight, low in zip(ranks, sizes, weights, least, strict=True):
        for begin in range(0, DRAWS, BATCH):  # so that the memory stays small
            chosen = np.argsort(rng.random((BATCH, len(rank))), axis=1)[:, :num_x]
            totals[begin : begin + BATCH] += weight * (rank[chosen].sum(axis=1) - low)
    at_least = int((np.abs(totals - centre) >= extreme).sum())
    return (at_least + 1) / (DRAWS + 1)  # the observed arrangement is one of them


def smallest_p(runs_x: Sequence[int], runs_y: Sequence[int]) -> float:
    """The smallest p that so many runs a task can give."""
    return min(1.0, 2 / math.prod(math.comb(x + y, x) for x, y in zip(runs_x, runs_y, strict=True)))


def seeds_that_could_decide(runs: Sequence[tuple[int, int]], num_tests: int) -> int:
    """The fewest runs a side in every task with which the test, corrected for `num_tests`, can fall below alpha.

    Args:
        runs: how many there are already, of both sides in each task: a side that has more keeps them.
        num_tests: of the family.
    """
    wanted = 2
    while True:
        of_x, of_y = ([max(wanted, one[side]) for one in runs] for side in (0, 1))
        if smallest_p(of_x, of_y) * num_tests < ALPHA:
            return wanted
        wanted += 1


def seeds_for_power(effect_size: float, num_tests: int = 1) -> int | None:
    """Runs a side that see Cohen's d with 80% power, as one of `num_tests`; None at d = 0.

    That of a t-test at a level divided by the number of tests (Bonferroni, the first step of Holm), over the
    efficiency of a test on ranks, 3 / pi; at least as many as can decide at all. For small effects it is the normal
    approximation, n = 2 ((z + z) / d)^2.
    """
    from scipy import special

    if not effect_size or not math.isfinite(effect_size):
        return None
    effect_size, level = abs(effect_size), ALPHA / num_tests
    z = float(NormalDist().inv_cdf(1 - level / 2) + NormalDist().inv_cdf(POWER))
    needed = max(2, math.floor(2 * (z / effect_size) ** 2))
    while needed < SURELY_NORMAL:
        freedom = 2 * needed - 2
        critical = special.stdtrit(freedom, 1 - level / 2)
        if 1 - special.nctdtr(freedom, effect_size * math.sqrt(needed / 2), critical) >= POWER:
            break
        needed += 1
    return max(math.ceil(needed * math.pi / 3), seeds_that_could_decide([(1, 1)], num_tests))


def holm(p_values: Sequence[float], more: int = 0) -> list[float]:
    """Holm's adjusted p-values (Holm 1979): reject where they are below alpha; `more` tests of the family had larger p.

    Those that were not made are counted as if: it makes no p smaller.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) + more - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def cohens_d(x: FloatArray, y: FloatArray) -> float:
    """Difference of the means in pooled standard deviations; infinite where neither side varies."""
    difference = float(x.mean() - y.mean())
    scale = ROUNDING * max(1.0, float(np.abs(x).max()), float(np.abs(y).max()))
    if len(x) < 2 or len(y) < 2:
        return math.nan
    variance = ((len(x) - 1) * x.var(ddof=1) + (len(y) - 1) * y.var(ddof=1)) / (len(x) + len(y) - 2)
    if math.sqrt(variance) <= scale:
        return math.copysign(math.inf, difference) if abs(difference) > scale else 0.0
    return difference / float(np.sqrt(variance))


def cohens_d_interval(
    x: FloatArray, y: FloatArray, repetitions: int = 2_000, seed: int = BOOTSTRAP_SEED
) -> Interval | None:
    """Cohen's d with its percentile interval; None where it is not finite."""
    value = cohens_d(x, y)
    if not math.isfinite(value) or min(len(x), len(y)) < 2:
        return None
    means, sums = [], []
    for scores, drawn in zip((x, y), counts((len(x), len(y)), repetitions, seed), strict=True):
        centred = scores - scores.mean()  # so that squares lose no digits
        mean = drawn @ centred / len(scores)
        means.append(mean + scores.mean())
        sums.append(drawn @ centred**2 - len(scores) * mean**2)
    pooled = np.sqrt(np.maximum(sums[0] + sums[1], 0) / (len(x) + len(y) - 2))
    spread = pooled > ROUNDING * max(1.0, float(np.abs(x).max()), float(np.abs(y).max()))
    finite = (means[0] - means[1])[spread] / pooled[spread]  # a resample of one run alone has no spread: left out
    if len(finite) < repetitions / 2:
        return None
    low, high = np.quantile(finite, QUANTILES)
    return Interval(value, float(low), float(high))
