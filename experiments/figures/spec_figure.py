"""The figure that a specification asks for: one number of the training episodes, against another, with intervals.

It is drawn from the logs of the runs; `figure.csv` has its numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.comparison.bootstrap import BOOTSTRAP_SEED, CONFIDENCE, FloatArray
from experiments.errors import InputError, unknown
from experiments.figures.style import BAND_ALPHA, CEILING, DETAIL, FLOOR, TITLE, Look, look, save_figure
from experiments.files import csv_bytes, replace_file
from experiments.results.stored_run import StoredRun, read_runs
from experiments.specs.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

REPETITIONS = 2_000  # of the bootstrap
GRID_POINTS = 100  # of a curve over env steps
NAME = "figure"
SIZE = (7.2, 4.6)  # inches


@dataclass(frozen=True)
class Line:
    """One line of a figure: means over runs, with 95% bootstrap intervals."""

    label: str
    x: FloatArray  # [points]
    mean: FloatArray  # [points]
    low: FloatArray  # [points]
    high: FloatArray  # [points]
    num_runs: int


def write_figure(figure: Figure, folder: Path, order: Sequence[str] = ()) -> list[Path]:
    """Draw the figure of the finished runs below an experiment's folder: PNG, SVG and CSV.

    Args:
        figure: what is asked for.
        folder: the experiment's.
        order: labels of agents, in the order of the lines; those that are not in it follow.

    Raises:
        InputError: the runs have not what the figure asks for.
    """
    runs = [run for run in read_runs([folder], skip_damaged=True) if run.finished]
    if not runs:
        return []
    place = {label: index for index, label in enumerate(dict.fromkeys(order))}
    runs.sort(key=lambda run: place.get(run.run_spec.agent.label, len(place)))
    lines = figure_lines(figure, runs)
    path = folder / NAME
    rows: list[list[Any]] = [["line", figure.x, "mean", "low", "high", "runs"]]
    for line in lines:
        for row in zip(line.x.tolist(), line.mean.tolist(), line.low.tolist(), line.high.tolist(), strict=True):
            rows.append([line.label, *row, line.num_runs])
    replace_file(path.with_suffix(".csv"), csv_bytes(rows))
    return [*draw(figure, lines, path), path.with_suffix(".csv")]


def figure_lines(figure: Figure, runs: Sequence[StoredRun]) -> list[Line]:
    """The lines of a figure.

    Raises:
        InputError: a column or a setting is not there.
    """
    groups: dict[str, list[StoredRun]] = {}
    several = len({run.run_spec.env.label for run in runs}) > 1
    for run in runs:
        label = run.run_spec.agent.label + (f", {run.run_spec.env.label}" if several else "")
        groups.setdefault(label, []).append(run)
    if figure.x == "episode":
        return [_line(label, *_by_episode(figure, group)) for label, group in groups.items()]
    if figure.x == "env_step":
        end = min(run.manifest.env_steps or 0 for run in runs)
        return [_line(label, *_by_step(figure, group, end)) for label, group in groups.items()]
    return _by_setting(figure, groups)


def _by_episode(figure: Figure, runs: list[StoredRun]) -> tuple[FloatArray, FloatArray]:
    columns = [_column(run, figure.y) for run in runs]
    values = np.array([column[: min(map(len, columns))] for column in columns])
    if figure.smooth > 1:  # means of as many episodes before and after
        padded = np.pad(np.cumsum(values, axis=1), ((0, 0), (1, 0)))
        last = np.minimum(np.arange(values.shape[1]) + figure.smooth // 2 + 1, values.shape[1])
        first = np.maximum(np.arange(values.shape[1]) - (figure.smooth - 1) // 2, 0)
        values = (padded[:, last] - padded[:, first]) / (last - first)
    return np.arange(1.0, values.shape[1] + 1), values


def _by_step(figure: Figure, runs: list[StoredRun], end: int) -> tuple[FloatArray, FloatArray]:
    """The sum over all episodes that have ended by then."""
    grid = np.linspace(0, end, GRID_POINTS + 1)
    values = []
    for run in runs:
        sums = np.concatenate([[0.0], np.cumsum(_column(run, figure.y))])
        values.append(sums[np.searchsorted(_column(run, "env_step"), grid, side="right")])
    return grid, np.array(values)


def _by_setting(figure: Figure, groups: dict[str, list[StoredRun]]) -> list[Line]:
    """A point for each agent, at its setting: the mean over all episodes."""
    points: dict[str, list[tuple[float, list[StoredRun]]]] = {}
    several = len({(group[0].run_spec.env.label, group[0].run_spec.agent.id) for group in groups.values()}) > 1
    for group in groups.values():
        run_spec, settings = group[0].run_spec, group[0].manifest.agent_settings
        for name in filter(None, (figure.x, figure.lines)):
            if name not in settings:
                raise unknown("setting", name, ["episode", "env_step", *settings])
        words = [f"{figure.symbol or figure.lines} = {settings[figure.lines]}"] if figure.lines else []
        words = [f"{run_spec.agent.id} in {run_spec.env.label}", *words] if several or not words else words
        label = ", ".join(words)
        points.setdefault(label, []).append((float(str(settings[figure.x])), group))
    lines = []
    for label, some in points.items():
        some.sort(key=lambda point: point[0])
        if len({x for x, _ in some}) < len(some):
            expected = "figure: lines: expected a setting that tells agents apart that have one"
            raise InputError(f"{expected} {figure.x}, got {figure.lines or 'none'}")
        intervals = [_interval(np.array([[_column(run, figure.y).mean()] for run in group])) for _, group in some]
        mean, low, high = (np.concatenate(parts) for parts in zip(*intervals, strict=True))
        lines.append(Line(label, np.array([x for x, _ in some]), mean, low, high, min(len(group) for _, group in some)))
    return lines


def _column(run: StoredRun, name: str) -> FloatArray:
    """A column of the training episodes, as numbers; true is 1."""
    values = run.folder.episode_columns(name)[name]
    if not len(values):
        raise InputError(f"{run.folder.path}: no episode has ended, so that there is nothing to draw")
    return values


def _line(label: str, x: FloatArray, values: FloatArray) -> Line:
    return Line(label, x, *_interval(values), len(values))


def _interval(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Means [points] of values [runs, points], and their percentile bootstrap intervals."""
    num_runs = len(values)
    draws = np.random.default_rng(BOOTSTRAP_SEED).multinomial(num_runs, [1 / num_runs] * num_runs, REPETITIONS)
    means = draws @ values / num_runs
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return values.mean(axis=0), low, high


def draw(figure: Figure, lines: Sequence[Line], path: Path) -> list[Path]:
    """The figure as PNG and SVG."""
    return save_figure(path, SIZE, lambda picture: _draw(picture, figure, lines))


def _draw(picture: "Picture", figure: Figure, lines: Sequence[Line]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes = picture.subplots()
    for index, line in enumerate(lines):
        _draw_line(axes, line, look(index), is_curve=figure.x in ("episode", "env_step"), factor=figure.factor)
    for label, value in figure.marks.items():
        axes.axhline(value, label=label, **CEILING)
    for label, value in figure.marks_x.items():
        axes.axvline(value, label=label, **FLOOR | {"color": CEILING["color"]})
    axes.set_xlabel(figure.xlabel or figure.x.replace("_", " "))
    default = figure.y.replace("_", " ")
    axes.set_ylabel(figure.ylabel or (f"cumulative {default}" if figure.x == "env_step" else default))
    axes.set_title(figure.title, pad=22, **TITLE)
    runs = sorted({line.num_runs for line in lines})
    many = f"{runs[0]} runs" if len(runs) == 1 else f"{runs[0]} to {runs[-1]} runs"
    caption = f"means of {many} each, with 95% bootstrap intervals" if runs[-1] > 1 else ""
    axes.text(0.5, 1.02, caption, transform=axes.transAxes, ha="center", **DETAIL)
    axes.set_yscale(figure.yscale)
    if figure.x == "episode":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if figure.ylim is not None:
        axes.set_ylim(*figure.ylim)
    if figure.xlim is not None:
        axes.set_xlim(*figure.xlim)
    axes.grid(visible=True)
    handles, labels = axes.get_legend_handles_labels()
    columns = 6 if max(map(len, labels)) < 12 else 4 if max(map(len, labels)) < 20 else 3
    picture.legend(handles, labels, loc="outside lower center", ncols=columns)


def _draw_line(axes: "Axes", line: Line, its: Look, *, is_curve: bool, factor: float) -> None:
    mean, low, high = (values * factor for values in (line.mean, line.low, line.high))
    if is_curve:
        axes.fill_between(line.x, low, high, color=its.colour, alpha=BAND_ALPHA, linewidth=0)
        axes.plot(line.x, mean, label=line.label, linewidth=1.8, **its.line)
    else:
        axes.errorbar(
            line.x, mean, yerr=[mean - low, high - mean], label=line.label, linewidth=1.8, capsize=2, markersize=4,
            marker=its.marker, color=its.colour,
        )  # fmt: skip
