"""Learning curves as numbers: runs on a common grid, their IQM with a band, the area under it, steps to a threshold."""

from collections.abc import Sequence

import numpy as np

from experiments.comparison.bootstrap import BOOTSTRAP_SEED, QUANTILES, FloatArray, trimmed_mean
from experiments.results.stored_run import Curve

GRID_POINTS = 50  # of a curve whose runs share no grid
BAND_REPETITIONS = 2_000


def align(curves: Sequence[Curve]) -> tuple[FloatArray, FloatArray]:
    """The curves on a common grid [points], values [runs, points]; nan where a run has no value.

    Runs that were measured at the same env steps keep them; others are interpolated, and never extended.
    """
    first = curves[0][0]
    if all(np.array_equal(steps, first) for steps, _ in curves):
        return first, np.array([values for _, values in curves])
    grid = np.linspace(min(steps[0] for steps, _ in curves), max(steps[-1] for steps, _ in curves), GRID_POINTS)
    return grid, np.array([np.interp(grid, steps, values, left=np.nan, right=np.nan) for steps, values in curves])


def iqm_curve(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """IQM over the runs [runs, points] that have a value, its pointwise 95% band (low, high), and how many these are.

    Runs are resampled whole, where all have a value; each array is [points].
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
        drawn = rng.integers(len(known), size=(BAND_REPETITIONS, len(known)))
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
