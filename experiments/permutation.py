"""Exact permutation tests on runs, with Holm's correction, and what a verdict needs."""

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from experiments.aggregates import FloatArray, wins

ALPHA = 0.05
MAX_ARRANGEMENTS = 200_000
DRAWS = 100_000
POWER = 0.8
ROUNDING = 1e-12


def permutation_p(xs: Sequence[FloatArray], ys: Sequence[FloatArray], seed: int = 0) -> float:
    """Two-sided p of "the runs of x and y come from one distribution", runs exchanged within each task.

    The statistic is the probability of improvement less one half, mean over tasks: only the order of the scores
    counts, so tasks need no common scale. All arrangements where there are at most 200,000, else 100,000 draws.
    """
    pooled = [np.concatenate([x, y]) for x, y in zip(xs, ys, strict=True)]
    observed = abs(np.mean([wins(x, y) - 0.5 for x, y in zip(xs, ys, strict=True)]))
    if math.prod(math.comb(len(x) + len(y), len(x)) for x, y in zip(xs, ys, strict=True)) <= MAX_ARRANGEMENTS:
        totals = np.zeros(1)
        for scores, x in zip(pooled, xs, strict=True):
            per_arrangement = _statistics(scores, _all_splits(len(scores), len(x)))
            totals = (totals[:, None] + per_arrangement[None, :]).ravel()
        extreme = np.abs(totals / len(xs)) >= observed - ROUNDING
        return float(extreme.mean())
    rng = np.random.default_rng(seed)
    total = np.zeros(DRAWS)
    for scores, x in zip(pooled, xs, strict=True):
        order = np.argsort(rng.random((DRAWS, len(scores))), axis=1)
        total += _statistics(scores, order[:, : len(x)])
    extreme = np.abs(total / len(xs)) >= observed - ROUNDING
    return float((extreme.sum() + 1) / (DRAWS + 1))  # the observed arrangement is one of them


def _all_splits(total: int, size: int) -> NDArray[np.intp]:
    return np.array(list(combinations(range(total), size)), dtype=np.intp)


def _statistics(scores: FloatArray, chosen: NDArray[np.intp]) -> FloatArray:
    """U / (N_x N_y) - 1/2 for each choice [K, N_x] of the runs that are called x, by the sum of their ranks."""
    ranks = np.array([(scores < score).sum() + ((scores == score).sum() + 1) / 2 for score in scores])
    size = chosen.shape[1]
    u = ranks[chosen].sum(axis=1) - size * (size + 1) / 2
    return np.asarray(u / (size * (len(scores) - size)) - 0.5)


def smallest_p(runs_x: Sequence[int], runs_y: Sequence[int]) -> float:
    """The smallest p that so many runs a task can give."""
    return min(1.0, 2 / math.prod(math.comb(x + y, x) for x, y in zip(runs_x, runs_y, strict=True)))


def seeds_that_could_decide(num_tasks: int, num_pairs: int) -> int:
    """The fewest runs a side and task with which the test, corrected for `num_pairs`, can fall below alpha."""
    runs = 2
    while smallest_p([runs] * num_tasks, [runs] * num_tasks) * num_pairs > ALPHA:
        runs += 1
    return runs


def seeds_for_power(effect_size: float) -> int | None:
    """Runs a side that see Cohen's d with 80% power (normal approximation, n = 2 ((z + z) / d)^2); None at d = 0."""
    if not effect_size or not math.isfinite(effect_size):
        return None
    z = float(NormalDist().inv_cdf(1 - ALPHA / 2) + NormalDist().inv_cdf(POWER))
    return max(2, math.ceil(2 * (z / effect_size) ** 2))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values (Holm 1979): reject where they are below alpha."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def cohens_d(x: FloatArray, y: FloatArray) -> float:
    """Difference of the means in pooled standard deviations; infinite where neither side varies."""
    difference = float(x.mean() - y.mean())
    if len(x) < 2 or len(y) < 2:
        return math.nan
    variance = ((len(x) - 1) * x.var(ddof=1) + (len(y) - 1) * y.var(ddof=1)) / (len(x) + len(y) - 2)
    if variance == 0:
        return math.copysign(math.inf, difference) if difference else 0.0
    return difference / float(np.sqrt(variance))
