"""Curves for the screen: each run's, and a group's IQM with its band; smoothed, then reduced to what can be seen."""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.comparison.learning_curve import iqm_curve
from experiments.errors import InputError, unknown
from experiments.results.stored_run import StoredRun
from experiments.runs.run_folder import EPISODES_LOG, EVALUATIONS_LOG, TIMING_LOG, RunFolder
from rl_lab.viewer.logs import FloatArray, Log, LogCache

KINDS = ("evaluation", "training")
AXES = ("steps", "episodes", "seconds")
GRID_POINTS = 200  # of a group's IQM where its runs share no points
DRAWS = 200_000  # of single runs, at most, in the bootstrap of a point: 2,000 resamples of up to 100 runs
MOST_WIDTH = 4_000  # pixels
MOST_SMOOTHING = 100_000  # episodes
MANY_RUNS = 20  # from which on faint curves have fewer points


@dataclass(frozen=True)
class CurveQuery:
    """Which curves, and how.

    Raises:
        InputError: something is out of range.
    """

    kind: str = "evaluation"  # one of KINDS
    axis: str = "steps"  # one of AXES
    smoothing: int = 1  # episodes of training that a point is the mean of: it and those before it
    low: float | None = None  # of what is seen, on the axis
    high: float | None = None
    width: int = 800  # pixels

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("kind", self.kind, KINDS)
        if self.axis not in AXES:
            raise unknown("axis", self.axis, AXES)
        if not 1 <= self.smoothing <= MOST_SMOOTHING:
            raise InputError(f"smoothing: expected 1 to {MOST_SMOOTHING:,} episodes, got {self.smoothing}")
        if not 16 <= self.width <= MOST_WIDTH:
            raise InputError(f"width: expected 16 to {MOST_WIDTH} pixels, got {self.width}")


@dataclass(frozen=True)
class RunCurve:
    """One run's, reduced to what can be seen."""

    id: str
    seed: int | None
    x: list[float]
    y: list[float]
    steps: list[float]  # env steps of the same points


@dataclass(frozen=True)
class GroupCurve:
    """An agent's in an environment: the IQM of its runs, with a pointwise 95% band where there are several."""

    env: str
    agent: str
    experiment: str
    runs: list[RunCurve]
    x: list[float] = field(default_factory=list)
    iqm: list[float | None] = field(default_factory=list)
    low: list[float | None] = field(default_factory=list)
    high: list[float | None] = field(default_factory=list)
    num_runs: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class EnvScale:
    """The ends of the scale of an environment's scores."""

    env: str
    floor: float
    ceiling: float
    kind: str


class Points(NamedTuple):
    """A curve: each array is [points]."""

    x: FloatArray
    y: FloatArray
    steps: FloatArray  # env steps

    def at(self, places: Any) -> "Points":
        """Some of the points."""
        return Points(self.x[places], self.y[places], self.steps[places])


@dataclass(frozen=True)
class Curves:
    """All that was asked for."""

    groups: list[GroupCurve]
    scales: list[EnvScale]
    measure: str  # "return" or "-steps"

    def to_json(self) -> dict[str, Any]:
        """As it stands."""
        return asdict(self)


class CurveReader:
    """Reads the curves of runs, and remembers their logs."""

    def __init__(self, logs: LogCache) -> None:
        self._logs = logs

    def curves(self, runs: Sequence[tuple[str, Path]], query: CurveQuery) -> Curves:
        """The curves of runs, given by ids and folders, grouped by experiment, environment and agent."""
        with np.errstate(all="ignore"):  # numbers that are too large for their sums are no points
            return self._curves(runs, query)

    def _curves(self, runs: Sequence[tuple[str, Path]], query: CurveQuery) -> Curves:
        groups: dict[tuple[str, str, str], list[tuple[str, int, Points]]] = {}
        scales: dict[str, EnvScale] = {}
        measure = "return"
        for run_id, path in runs:
            try:
                run = StoredRun.load(RunFolder(path))
            except InputError:
                continue  # the list says what is wrong with it
            spec = run.run_spec
            if query.kind == "evaluation":
                measure = run.manifest.measure or measure
                scale = run.curve_scale or run.scale
                if scale is not None:
                    label = spec.env.label
                    scales[label] = EnvScale(label, scale.floor, scale.ceiling, scale.kind)
            points = self._curve(run, query)
            key = (spec.experiment, spec.env.label, spec.agent.label)
            groups.setdefault(key, []).append((run_id, spec.seed, points))
        buckets = query.width if len(runs) <= MANY_RUNS else max(16, query.width // 4)
        return Curves(
            [_group(key, members, query, buckets) for key, members in groups.items()], list(scales.values()), measure
        )

    def _curve(self, run: StoredRun, query: CurveQuery) -> Points:
        """A run's whole curve on the axis that is asked for, smoothed."""
        path = run.folder.path
        asks_episodes = query.kind == "training" or query.axis == "episodes"
        episodes = self._logs.read(path, EPISODES_LOG) if asks_episodes else Log()
        if query.kind == "training":
            steps, values = _numbers(episodes, "env_step"), _numbers(episodes, "return")
            resumed = [attempt.from_step for attempt in run.manifest.attempts if attempt.from_step > 0]
            values = smoothed(values, query.smoothing, np.searchsorted(steps, resumed, side="right").tolist())
            x = np.arange(1, len(values) + 1, dtype=float) if query.axis == "episodes" else steps
        else:
            steps, values = evaluation_means(self._logs.read(path, EVALUATIONS_LOG), run.manifest.measure or "return")
            ends = _numbers(episodes, "env_step")
            x = np.searchsorted(ends, steps, side="right").astype(float) if query.axis == "episodes" else steps
        if query.axis == "seconds":
            timing = self._logs.read(path, TIMING_LOG)
            if not len(timing):
                return Points(*[np.empty(0)] * 3)
            when = np.concatenate([[0.0], _numbers(timing, "env_step")])
            x = np.interp(steps, when, np.concatenate([[0.0], _numbers(timing, "seconds")]))
        return sound(Points(x, values, steps))


def sound(points: Points) -> Points:
    """The points whose numbers are finite, in the order of the axis: a damaged log may hold others."""
    known = np.logical_and.reduce([np.isfinite(column) for column in points])
    kept = points if known.all() else points.at(known)
    return kept if (np.diff(kept.x) >= 0).all() else kept.at(np.argsort(kept.x, kind="stable"))


def _numbers(log: Log, name: str) -> FloatArray:
    return log.numbers.get(name, np.empty(0))


def evaluation_means(log: Log, measure: str) -> tuple[FloatArray, FloatArray]:
    """Env steps [points] of the curve's evaluations, and their mean scores [points]."""
    if not len(log) or "phase" not in log.texts:
        return np.empty(0), np.empty(0)
    chosen = (log.texts["phase"] == "curve") & (log.texts["set"] == "fresh")
    steps = log.numbers["env_step"][chosen]
    scores = -log.numbers["length"][chosen] if measure == "-steps" else log.numbers["return"][chosen]
    points, places, counts = np.unique(steps, return_inverse=True, return_counts=True)
    return points, np.bincount(places, scores, minlength=len(points)) / np.maximum(counts, 1)


def smoothed(values: FloatArray, count: int, begins: Sequence[int] = ()) -> FloatArray:
    """Each value's mean with up to `count` - 1 before it [n]; never across a place where a run was resumed.

    Args:
        values: [n] one an episode.
        count: episodes.
        begins: where a part begins over which no mean is taken.
    """
    if count <= 1 or not len(values):
        return values
    means = np.empty(len(values))
    places = sorted({0, *(place for place in begins if 0 < place < len(values)), len(values)})
    for begin, end in itertools.pairwise(places):
        sums = np.concatenate([[0.0], np.cumsum(values[begin:end])])
        last = np.arange(1, end - begin + 1)
        first = np.maximum(last - count, 0)
        means[begin:end] = (sums[last] - sums[first]) / (last - first)
    return means


def reduced(points: Points, buckets: int) -> Points:
    """The lowest and the highest point of each of some buckets of the axis, in order; all, where there are few.

    Peaks and dips stay where they are, which means would hide.
    """
    x, y, _ = points
    if len(x) <= 2 * buckets:
        return points
    if x[-1] <= x[0]:
        return points.at(np.unique([0, int(np.argmin(y)), int(np.argmax(y)), len(x) - 1]))
    place = np.minimum(((x - x[0]) / (x[-1] - x[0]) * buckets).astype(int), buckets - 1)
    edges = np.flatnonzero(np.diff(place, prepend=-1)).tolist()
    kept = [0, len(x) - 1]
    for begin, end in itertools.pairwise([*edges, len(x)]):
        kept += [begin + int(np.argmin(y[begin:end])), begin + int(np.argmax(y[begin:end]))]
    return points.at(np.unique(kept))


def seen(points: Points, low: float | None, high: float | None) -> Points:
    """What lies within the ends of the axis, with the points next to them."""
    x = points.x
    if not len(x) or (low is None and high is None):
        return points
    begin = 0 if low is None else max(0, int(np.searchsorted(x, low, side="left")) - 1)
    end = len(x) if high is None else min(len(x), int(np.searchsorted(x, high, side="right")) + 1)
    return points.at(slice(begin, end))


def _group(
    key: tuple[str, str, str], members: Sequence[tuple[str, int, Points]], query: CurveQuery, buckets: int
) -> GroupCurve:
    experiment, env, agent = key
    cut = [(run_id, seed, seen(points, query.low, query.high)) for run_id, seed, points in members]
    runs = []
    for run_id, seed, points in cut:
        few = reduced(points, buckets)
        runs.append(RunCurve(run_id, seed, _short(few.x), _short(few.y), _short(few.steps)))
    known = [(points.x, points.y) for _, _, points in cut if len(points.x)]
    if len(known) < 2:
        return GroupCurve(env, agent, experiment, runs)
    grid, values = on_grid(known)
    repetitions = max(200, min(2_000, DRAWS // len(known)))
    middle, low, high, count = iqm_curve(values, repetitions)
    counts = count.astype(int).tolist()
    return GroupCurve(env, agent, experiment, runs, _short(grid), _known(middle), _known(low), _known(high), counts)


def on_grid(curves: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    """The curves on a common grid [points], values [runs, points]; nan where a run has no value.

    Runs that share their points, as far as they have come, keep them. Others are interpolated, where all have values:
    else a curve would jump where a run joins or leaves.
    """
    longest = max((x for x, _ in curves), key=len)
    if len(longest) <= 2 * GRID_POINTS and all(np.array_equal(x, longest[: len(x)]) for x, _ in curves):
        values = np.full((len(curves), len(longest)), np.nan)
        for row, (_, y) in enumerate(curves):
            values[row, : len(y)] = y
        return longest, values
    begin, end = max(x[0] for x, _ in curves), min(x[-1] for x, _ in curves)
    if begin >= end:  # nowhere do all have values
        begin, end = min(x[0] for x, _ in curves), max(x[-1] for x, _ in curves)
    grid = np.linspace(begin, end, GRID_POINTS)
    return grid, np.array([np.interp(grid, x, y, left=np.nan, right=np.nan) for x, y in curves])


def _short(values: FloatArray) -> list[float]:
    """Numbers in few digits: a screen shows no more."""
    return [float(f"{value:.6g}") for value in values.tolist()]


def _known(values: FloatArray) -> list[float | None]:
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values.tolist()]
