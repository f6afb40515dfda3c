"""Learning curves as figures: training returns and evaluation scores against env steps."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.comparison.learning_curve import GRID_POINTS, align, iqm_curve
from experiments.figures.style import (
    BAND_ALPHA,
    CEILING,
    DETAIL,
    FLOOR,
    FORMATS,
    MOST_LINES,
    TITLE,
    Look,
    look,
    make_figure,
    save_figure,
)
from experiments.files import make_folder
from experiments.results.groups import Groups
from experiments.results.run_result import Curve, FloatArray, RunResult
from experiments.specs.labels import folder_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILE_NAME = "learning-curves"
SIZE = (11, 4.4)  # inches
ROOM = 0.25  # above and below what must be seen, as a share of it, for single runs


def write_curves(
    groups: Groups,
    folder: Path,
    agents_before: Sequence[str] = (),
    *,
    follow: bool = False,
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """One figure an environment, `<folder>/<env>/learning-curves.*`.

    Args:
        groups: the runs.
        folder: where the figures go.
        follow: may the environments' folders be links? Those that runs are in may.
        agents_before: the folders of agents that are numbered first, which may be in none of the groups.
        formats: of the figures.
    """
    written = []
    # An agent keeps its colour in every figure.
    order = list(dict.fromkeys([*agents_before, *(folder_name(agent) for _, agent in groups)]))
    for env in dict.fromkeys(env for env, _ in groups):
        agents = {agent: [run for run in runs if run.finished] for (of, agent), runs in groups.items() if of == env}
        agents = {agent: runs for agent, runs in agents.items() if runs}
        if agents:
            target = folder / folder_name(env)
            if not (follow and target.is_dir()):
                target = make_folder(folder, folder_name(env))
            draw = partial(_draw, env=env, agents=agents, order=order)
            written += save_figure(target / FILE_NAME, SIZE, draw, formats)
    return written


def curves_figure(groups: Groups, env: str) -> "Figure":
    """The learning curves in one environment as a figure of matplotlib's."""
    agents = {agent: [run for run in runs if run.finished] for (of, agent), runs in groups.items() if of == env}
    order = list(dict.fromkeys(folder_name(agent) for _, agent in groups))
    known = {agent: runs for agent, runs in agents.items() if runs}
    return make_figure(SIZE, partial(_draw, env=env, agents=known, order=order))


def _draw(figure: "Figure", env: str, agents: dict[str, list[RunResult]], order: list[str]) -> None:
    first, num_agents = next(iter(agents.values()))[0], len(agents)
    if num_agents > MOST_LINES:
        best = sorted(agents, key=lambda agent: -np.mean([run.score for run in agents[agent]]))[:MOST_LINES]
        agents = {agent: runs for agent, runs in agents.items() if agent in best}
    training, evaluation = figure.subplots(1, 2)
    extents: dict[Axes, list[FloatArray]] = {training: [], evaluation: []}  # of what must be seen
    most_steps = max(run.env_steps for runs in agents.values() for run in runs)
    for agent, runs in agents.items():
        its, label = look(order.index(folder_name(agent))), f"{agent} (n = {len(runs)})"
        for axes, curves in (
            (training, [_binned(run, most_steps) for run in runs]),
            (evaluation, [r.curve for r in runs]),
        ):
            extents[axes] += _curves(axes, curves, its, label)
    scale = first.curve_scale
    if scale is not None:
        name = "exact optimum" if scale.kind == "exact optimum" else f"{scale.kind} ({scale.ceiling:g})"
        evaluation.axhline(scale.ceiling, label=name, **CEILING)
        evaluation.axhline(scale.floor, label="random policy", **FLOOR)
        extents[evaluation].append(np.array([scale.floor, scale.ceiling]))
    training.set(title="Training, with exploration", ylabel=f"return an episode, means over {GRID_POINTS} parts")
    shared = ", shared episodes" if first.task.evaluation else ""
    measure = "return" if first.measure == "return" else "minus steps to the exit"
    evaluation.set(title=f"Evaluation, greedy{shared}", ylabel=f"{measure}, mean")
    for axes in (training, evaluation):
        _clip(axes, extents[axes])
        axes.set_xlabel("environment steps")
        axes.grid(visible=True)
        axes.xaxis.set_major_formatter(_thousands)
        axes.set_xlim(-0.02 * max(most_steps, 1), 1.02 * max(most_steps, 1))
    handles, labels = evaluation.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    several = max(map(len, agents.values())) > 1
    detail = "IQM of the runs thick, each run thin, band: pointwise 95% bootstrap interval"
    figure.suptitle(f"{env}\n\n", **TITLE)
    detail = detail if several else "one run an agent"
    detail += f"; the best {MOST_LINES} of {num_agents} agents" if num_agents > MOST_LINES else ""
    figure.text(0.5, 0.905, detail, ha="center", **DETAIL)


def _thousands(value: float, _: Any) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value:g}"


def _binned(run: RunResult, most_steps: int) -> Curve:
    """Training returns averaged over bins of env steps, so that single episodes do not hide the curve."""
    steps, returns = run.training
    if not len(steps):
        return steps, returns
    width = max(most_steps, 1) / GRID_POINTS
    bins = np.minimum((steps / width).astype(int), GRID_POINTS - 1)
    used = np.unique(bins)
    return (used + 0.5) * width, np.array([returns[bins == one].mean() for one in used])


def _clip(axes: "Axes", extents: list[FloatArray]) -> None:
    """Cut single runs off that would squash all the others; medians, bands and the ends of the scale are seen."""
    known = np.concatenate([one[np.isfinite(one)] for one in extents]) if extents else np.zeros(0)
    if not len(known):
        return
    low, high = float(known.min()), float(known.max())
    margin = ROOM * max(high - low, 1e-9)
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()])
    lowest, highest = float(np.nanmin(drawn)), float(np.nanmax(drawn))
    below, above = lowest < low - margin, highest > high + margin
    if not (below or above):
        return
    rest = 0.2 * margin
    axes.set_ylim(low - margin if below else lowest - rest, high + margin if above else highest + rest)
    places = [place for place, is_cut in (("below", below), ("above", above)) if is_cut]
    note = f"single runs {' and '.join(places)} are cut off"
    axes.text(0.99, 0.02, note, transform=axes.transAxes, ha="right", va="bottom", **DETAIL)


def _curves(axes: "Axes", curves: list[Curve], its: Look, label: str) -> list[FloatArray]:
    """Draw the curves of an agent's runs; what of them must be seen: their IQM, and its band."""
    curves = [curve for curve in curves if len(curve[0])]
    if not curves:
        return []
    grid, values = align(curves)
    middle, low, high, _ = iqm_curve(values)
    if len(curves) > 1:
        for steps, one in curves:
            axes.plot(steps, one, linewidth=0.7, alpha=0.35, color=its.colour)
        axes.fill_between(grid, low, high, color=its.colour, alpha=BAND_ALPHA, linewidth=0)
    axes.plot(grid, middle, linewidth=2.2, label=label, marker="." if len(grid) < 3 else None, **its.line)
    return [middle, *np.nanquantile([low, high], (0.02, 0.98), axis=1)]
