"""Aggregate scores and their intervals (Agarwal et al. 2021, "Deep RL at the edge of the statistical precipice").

Scores come as one array [runs] a task; the number of runs may differ between tasks. One training run is the unit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Statistic = Callable[[Sequence[FloatArray]], FloatArray]  # arrays [..., runs], one a task -> [...]

AGGREGATE_REPETITIONS = 50_000
IMPROVEMENT_REPETITIONS = 2_000
BOOTSTRAP_SEED = 0
CONFIDENCE = 0.95
QUANTILES = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
BATCH = 5_000  # repetitions at a time: bounds the memory

# How often the 95% interval of the IQM holds the true value for this many runs of one task with normal scores:
# simulated, 20,000 experiments each, by `python -m experiments.comparison.bootstrap`.
SIMULATED_COVERAGE = {2: 0.50, 3: 0.75, 4: 0.88, 5: 0.90, 6: 0.91, 7: 0.91, 8: 0.93, 9: 0.94}


class Interval(NamedTuple):
    """An estimate and its 95% interval."""

    value: float
    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float]:
        """The interval without the estimate."""
        return self.low, self.high

    def to_json(self, name: str, interval_name: str = "interval") -> dict[str, Any]:
        """The estimate under one key, the ends of its interval under another."""
        return {name: self.value, interval_name: [self.low, self.high]}


@dataclass(frozen=True)
class Estimate:
    """A number that is estimated from runs, with its 95% interval where there is more than one run."""

    value: float
    ends: tuple[float, float] | None  # of the interval; None of a single run

    @classmethod
    def of_runs(cls, interval: Interval, num_runs: int) -> Self:
        """What is known from so many runs: a single one has no interval."""
        return cls(interval.value, interval.ends if num_runs > 1 else None)

    def to_json(self, name: str) -> dict[str, Any]:
        """The estimate under its name, and `interval`."""
        return {name: self.value, "interval": None if self.ends is None else list(self.ends)}


def trimmed_mean(scores: FloatArray) -> FloatArray:
    """The mean of the middle half along the last axis [..., n]: a quarter is cut off at each end, rounded down.

    With fewer than 4 scores nothing is cut: it is the mean.
    """
    count = scores.shape[-1]
    cut = count // 4
    if cut == 0:
        return np.asarray(scores.mean(axis=-1))
    return np.asarray(np.sort(scores, axis=-1)[..., cut : count - cut].mean(axis=-1))


def iqm(tasks: Sequence[FloatArray]) -> FloatArray:
    """Interquartile mean over all runs of all tasks."""
    return trimmed_mean(np.concatenate(tasks, axis=-1))


def mean(tasks: Sequence[FloatArray]) -> FloatArray:
    """Mean of the task means."""
    return np.asarray(np.mean([scores.mean(axis=-1) for scores in tasks], axis=0))


def median(tasks: Sequence[FloatArray]) -> FloatArray:
    """Median of the task means."""
    return np.asarray(np.median([scores.mean(axis=-1) for scores in tasks], axis=0))


def optimality_gap(tasks: Sequence[FloatArray]) -> FloatArray:
    """1 - mean(min(score, 1)): how far the runs stay below the reference."""
    return 1.0 - mean([np.minimum(scores, 1.0) for scores in tasks])


STATISTICS: dict[str, Statistic] = {"iqm": iqm, "mean": mean, "median": median, "optimality_gap": optimality_gap}


def resample(scores: FloatArray, repetitions: int, rng: np.random.Generator) -> FloatArray:
    """Runs drawn with replacement [repetitions, runs]."""
    count = len(scores)
    small: Any = np.uint8 if count <= 256 else np.int64  # four times as fast
    return scores[rng.integers(count, size=(repetitions, count), dtype=small)]


def bootstrap(
    statistic: Statistic,
    tasks: Sequence[FloatArray],
    repetitions: int = AGGREGATE_REPETITIONS,
    seed: int = BOOTSTRAP_SEED,
) -> Interval:
    """The statistic with its percentile interval; runs are resampled within each task, independently."""
    return bootstrap_all({"": statistic}, tasks, repetitions, seed)[""]


def bootstrap_all(
    statistics: dict[str, Statistic],
    tasks: Sequence[FloatArray],
    repetitions: int = AGGREGATE_REPETITIONS,
    seed: int = BOOTSTRAP_SEED,
) -> dict[str, Interval]:
    """Several statistics of the same resampled runs, each with its percentile interval."""
    rng = np.random.default_rng(seed)
    draws: dict[str, list[FloatArray]] = {name: [] for name in statistics}
    for begin in range(0, repetitions, BATCH):
        size = min(BATCH, repetitions - begin)
        resampled = [resample(scores, size, rng) for scores in tasks]
        for name, statistic in statistics.items():
            draws[name].append(statistic(resampled))
    return {
        name: percentile(float(statistic(tasks)), np.concatenate(draws[name])) for name, statistic in statistics.items()
    }


def percentile(value: float, draws: FloatArray) -> Interval:
    """An estimate with the interval that holds the middle 95% of draws."""
    low, high = np.quantile(draws, QUANTILES)
    return Interval(value, float(low), float(high))


@lru_cache(maxsize=4)  # pairs of agents mostly have as many runs as other pairs
def counts(sizes: tuple[int, ...], repetitions: int, seed: int) -> tuple[FloatArray, ...]:
    """How often each run is drawn [repetitions, runs], for each of some samples: a bootstrap's draws, as weights."""
    rng = np.random.default_rng(seed)
    draws = (rng.multinomial(size, np.full(size, 1 / size), size=repetitions) for size in sizes)
    return tuple(one.astype(np.float64) for one in draws)


def profile(
    tasks: Sequence[FloatArray],
    taus: FloatArray,
    repetitions: int = IMPROVEMENT_REPETITIONS,
    seed: int = BOOTSTRAP_SEED,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Performance profile: the share of runs above each tau [T], mean over tasks, and its pointwise 95% band [T], [T].

    Runs are resampled within each task.
    """
    shares, draws = [], []
    drawn = counts(tuple(map(len, tasks)), repetitions, seed)
    for scores, of_task in zip(tasks, drawn, strict=True):
        above = (scores[:, None] > taus[None, :]).astype(np.float64)
        shares.append(above.mean(axis=0))
        draws.append(of_task @ above / len(scores))
    low, high = np.quantile(np.mean(draws, axis=0), QUANTILES, axis=0)
    return np.mean(shares, axis=0), low, high


def wins(x: FloatArray, y: FloatArray) -> FloatArray:
    """Share of pairs of runs in which x is above y, ties one half: U / (N_x N_y); x [N_x], y [N_y]."""
    return np.asarray(_win_matrix(x, y).mean())


def _win_matrix(x: FloatArray, y: FloatArray) -> FloatArray:
    """[N_x, N_y]: 1 where x is above y, one half where they are the same."""
    return np.asarray((x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :]))


def improvement(
    xs: Sequence[FloatArray],
    ys: Sequence[FloatArray],
    repetitions: int = IMPROVEMENT_REPETITIONS,
    seed: int = BOOTSTRAP_SEED,
) -> Interval:
    """Probability that a run of x beats a run of y on the same task, mean over tasks, with its interval.

    The runs of both are resampled, independently, within each task.
    """
    values, draws = [], []
    drawn = iter(counts(tuple(len(side) for pair in zip(xs, ys, strict=True) for side in pair), repetitions, seed))
    for x, y in zip(xs, ys, strict=True):
        matrix = _win_matrix(x, y)
        values.append(matrix.mean())
        of_x, of_y = next(drawn), next(drawn)
        draws.append(((of_x @ matrix) * of_y).sum(axis=1) / matrix.size)
    return percentile(float(np.mean(values)), np.mean(draws, axis=0))


def paired_difference(
    differences: Sequence[FloatArray], repetitions: int = AGGREGATE_REPETITIONS, seed: int = BOOTSTRAP_SEED
) -> Interval:
    """The mean over tasks of the mean difference of runs with the same seed [seeds], seeds resampled in each task."""
    return bootstrap(mean, differences, repetitions, seed)


def _simulate_coverage(num_experiments: int = 20_000) -> None:
    rng = np.random.default_rng(1)
    for num_runs in range(2, 11):
        scores = rng.standard_normal((num_experiments, num_runs))
        hits = 0
        for one in scores:
            interval = bootstrap(iqm, [one], repetitions=1_000, seed=int(rng.integers(2**31)))
            hits += interval.low <= 0 <= interval.high
        print(f"{num_runs}: {hits / num_experiments:.3f}")


if __name__ == "__main__":
    _simulate_coverage()
