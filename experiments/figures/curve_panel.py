"""A panel of learning curves: of every agent the IQM with its band, and each run faintly."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from experiments.comparison.learning_curve import align, iqm_curve
from experiments.figures.style import BAND_ALPHA, CEILING, DETAIL, FLOOR, MOST_LINES, Look
from experiments.results.run_result import Curve, FloatArray, RunResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOM = 0.25  # above and below what must be seen, as a share of it, for single runs


def best_agents(agents: dict[str, list[RunResult]]) -> dict[str, list[RunResult]]:
    """The best of them, by their mean score, as many as lines can be told apart."""
    if len(agents) <= MOST_LINES:
        return agents
    best = sorted(agents, key=lambda agent: -np.mean([run.score for run in agents[agent]]))[:MOST_LINES]
    return {agent: runs for agent, runs in agents.items() if agent in best}


def draw_curves(
    axes: "Axes", curves: Sequence[Curve], its: Look, label: str, places: Sequence[FloatArray] | None = None
) -> list[FloatArray]:
    """Draw the curves of an agent's runs; what of them must be seen: their IQM, and its band.

    Args:
        axes: where.
        curves: env steps and heights [points] of each run.
        its: the agent's look.
        label: its name in the legend.
        places: where each run's points stand [points], if not at their env steps; the IQM's are the runs' medians.
    """
    known = [index for index, curve in enumerate(curves) if len(curve[0])]
    if not known:
        return []
    curves = [curves[index] for index in known]
    grid, values = align(curves)
    middle, low, high, _ = iqm_curve(values)
    at = [steps for steps, _ in curves] if places is None else [places[index] for index in known]
    x = grid
    if places is not None:
        reached = zip(curves, at, strict=True)
        x = np.nanmedian([np.interp(grid, steps, one, right=np.nan) for (steps, _), one in reached], axis=0)
    if len(curves) > 1:
        for place, (_, heights) in zip(at, curves, strict=True):
            axes.plot(place, heights, linewidth=0.7, alpha=0.35, color=its.colour)
        axes.fill_between(x, low, high, color=its.colour, alpha=BAND_ALPHA, linewidth=0)
    axes.plot(x, middle, linewidth=2.2, label=label, marker="." if len(x) < 3 else None, **its.line)
    return [middle, *np.nanquantile([low, high], (0.02, 0.98), axis=1)]


def draw_scale(axes: "Axes", run: RunResult) -> list[FloatArray]:
    """Lines at the ends of the scale, where it is known; these must be seen."""
    scale = run.curve_scale
    if scale is None:
        return []
    name = "exact optimum" if scale.kind == "exact optimum" else f"{scale.kind} ({scale.ceiling:g})"
    axes.axhline(scale.ceiling, label=name, **CEILING)
    axes.axhline(scale.floor, label="random policy", **FLOOR)
    return [np.array([scale.floor, scale.ceiling])]


def measure_of(run: RunResult) -> str:
    """What a height is."""
    return "return" if run.measure == "return" else "minus steps to the exit"


def thousands(value: float, _: object) -> str:
    """A number of env steps, for an axis."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def clip(axes: "Axes", extents: Sequence[FloatArray], run: RunResult) -> None:
    """Cut off what would squash all the rest: single runs, and what lies far below the scale of a run's scores.

    Medians, bands and the ends of the scale are seen; of medians and bands, down to half a scale below its floor.
    """
    known = np.concatenate([one[np.isfinite(one)] for one in extents]) if extents else np.zeros(0)
    if not len(known):
        return
    low, high, what = float(known.min()), float(known.max()), "single runs"
    scale = run.curve_scale
    if scale is not None and scale.ceiling > scale.floor:
        deepest = scale.floor - (scale.ceiling - scale.floor) / 2
        low, what = (deepest, "curves") if low < deepest else (low, what)
    margin = ROOM * max(high - low, 1e-9)
    drawn = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()])
    lowest, highest = float(np.nanmin(drawn)), float(np.nanmax(drawn))
    below, above = lowest < low - margin, highest > high + margin
    if not (below or above):
        return
    rest = 0.2 * margin
    axes.set_ylim(low - margin if below else lowest - rest, high + margin if above else highest + rest)
    places = [place for place, is_cut in (("below", below), ("above", above)) if is_cut]
    note = f"{what} {' and '.join(places)} are cut off"
    axes.text(0.99, 0.02, note, transform=axes.transAxes, ha="right", va="bottom", **DETAIL)
