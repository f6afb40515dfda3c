"""Learning curves as numbers: runs on a common grid, their IQM with a band, the area under it, steps to a threshold."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from experiments.comparison.bootstrap import (
    BOOTSTRAP_SEED,
    QUANTILES,
    Estimate,
    FloatArray,
    bootstrap,
    iqm,
    trimmed_mean,
)
from experiments.evaluation.score_scale import ScoreScale
from experiments.results.run_result import Curve

GRID_POINTS = 50  # of a curve whose runs share no grid
BAND_REPETITIONS = 2_000
THRESHOLD = 0.9  # of the way from the floor to the ceiling


@dataclass(frozen=True)
class CurveBand:
    """The IQM of several learning curves with its pointwise 95% band; None where no run has a value."""

    env_steps: list[float]  # [points]
    iqm: list[float | None]  # [points]
    low: list[float | None]  # [points]
    high: list[float | None]  # [points]
    runs: list[int]  # [points], that have a value there

    def to_json(self) -> dict[str, Any]:
        """The band as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Area:
    """The area under learning curves between two env steps, as their mean height."""

    begin: float  # env steps
    end: float
    mean_height: Estimate
    heights: list[float]  # [runs]

    def to_json(self) -> dict[str, Any]:
        """The area as JSON values."""
        known = {"from": self.begin, "until": self.end, **self.mean_height.to_json("mean_height")}
        return known | {"heights": self.heights}


@dataclass(frozen=True)
class StepsToThreshold:
    """How many env steps each run took to a score."""

    score: float
    share: float  # of the way from the floor to the ceiling, at which the score lies
    env_steps: list[float | None]  # [runs]; None: never reached
    stayed: list[bool | None]  # [runs]: was every later point of the curve as high? None: never reached

    @property
    def reached(self) -> int:
        """How many runs reached it."""
        return sum(one is not None for one in self.env_steps)

    @property
    def median(self) -> float | None:
        """Of the env steps; never reached counts as later than all. None where the median run never reached it."""
        median = statistics.median(math.inf if one is None else one for one in self.env_steps)
        return median if math.isfinite(median) else None

    def to_json(self) -> dict[str, Any]:
        """The threshold as JSON values."""
        return {
            "score": self.score,
            "share": self.share,
            "env_steps": self.env_steps,
            "stayed": self.stayed,
            "reached": self.reached,
            "runs": len(self.env_steps),
            "median": self.median,
        }


def curve_band(curves: Sequence[Curve]) -> CurveBand:
    """The IQM of the runs' curves, with its band."""
    env_steps, values = align(curves)
    middle, low, high, num_runs = iqm_curve(values)
    return CurveBand(env_steps.tolist(), _known(middle), _known(low), _known(high), num_runs.astype(int).tolist())


def area_under(curves: Sequence[Curve], begin: float, end: float) -> Area:
    """The IQM of the mean heights of the runs' curves between two env steps."""
    heights = np.array([area(curve, begin, end) for curve in curves])
    return Area(begin, end, Estimate.of_runs(bootstrap(iqm, [heights]), len(heights)), heights.tolist())


def steps_to_threshold(curves: Sequence[Curve], scale: ScoreScale) -> StepsToThreshold:
    """The env steps that each run took to 0.9 of the way from the floor to the ceiling."""
    score = scale.score_at(THRESHOLD)
    reached = [steps_to(curve, score) for curve in curves]
    stayed = [None if at is None else stays_at(curve, at, score) for at, curve in zip(reached, curves, strict=True)]
    return StepsToThreshold(score, THRESHOLD, reached, stayed)


def _known(values: FloatArray) -> list[float | None]:
    """Numbers, None where no run has one."""
    return [float(value) if np.isfinite(value) else None for value in values]


def align(curves: Sequence[Curve]) -> tuple[FloatArray, FloatArray]:
    """The curves on a common grid [points], values [runs, points]; nan where a run has no value.

    Runs that were measured at the same env steps keep them; others are interpolated, and never extended.
    """
    first = curves[0][0]
    if all(np.array_equal(steps, first) for steps, _ in curves):
        return first, np.array([values for _, values in curves])
    grid = np.linspace(min(steps[0] for steps, _ in curves), max(steps[-1] for steps, _ in curves), GRID_POINTS)
    return grid, np.array([np.interp(grid, steps, values, left=np.nan, right=np.nan) for steps, values in curves])


def iqm_curve(
    values: FloatArray, repetitions: int = BAND_REPETITIONS
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """IQM over the runs [runs, points] that have a value, its pointwise 95% band (low, high), and how many these are.

    Runs are resampled whole, where all have a value, `repetitions` times; each array is [points].
    """
    num_runs = np.isfinite(values).sum(axis=0)
    middle, low, high = (np.full(values.shape[1], np.nan) for _ in range(3))
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    for pattern in {tuple(column) for column in np.isfinite(values).T.tolist()}:
        points = np.flatnonzero((np.isfinite(values) == np.array(pattern)[:, None]).all(axis=0))
        known = values[np.array(pattern)][:, points]  # [runs, points]
        if not len(known):
            continue
        middle[points] = trimmed_mean(known.T)
        drawn = rng.integers(len(known), size=(repetitions, len(known)))
        draws = np.stack([trimmed_mean(known[:, point][drawn]) for point in range(len(points))], axis=1)
        low[points], high[points] = np.quantile(draws, QUANTILES, axis=0)
    return middle, low, high, num_runs.astype(np.float64)


def area(curve: Curve, begin: float, end: float) -> float:
    """The mean height of a curve between two env steps: the area under it, divided by the length."""
    steps, values = curve
    inside = (steps > begin) & (steps < end)
    x = np.concatenate([[begin], steps[inside], [end]])
    y = np.concatenate([[np.interp(begin, steps, values)], values[inside], [np.interp(end, steps, values)]])
    return float(np.trapezoid(y, x) / (end - begin)) if end > begin else float(y[-1])


def steps_to(curve: Curve, threshold: float) -> float | None:
    """Env steps of the first point at or above a threshold; None if it is never reached."""
    reached = np.flatnonzero(curve[1] >= threshold)
    return float(curve[0][reached[0]]) if len(reached) else None


def stays_at(curve: Curve, since: float, threshold: float) -> bool:
    """Is every point of a curve since some env step at or above a threshold?"""
    return bool((curve[1][curve[0] >= since] >= threshold).all())
