"""The figure of a search: scores candidate by candidate, what each setting explains, and scores against settings."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.figures.style import CEILING, COLOURS, DETAIL, FORMATS, TITLE, save_figure
from experiments.specs.labels import folder_name
from experiments.tuning.result import Candidate, TuningResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3  # of slices beside one another
WIDTH, HEIGHT, SLICE_HEIGHT = 10.0, 3.2, 2.5  # inches
LONGEST = 14  # characters of a choice's name
FINISHED: Any = {"s": 26, "color": COLOURS[0], "zorder": 3, "linewidths": 0}
PRUNED: Any = {"s": 14, "color": "#AAAAAA", "zorder": 2, "linewidths": 0}
BEST: Any = {"s": 90, "color": COLOURS[1], "marker": "*", "zorder": 4, "linewidths": 0}


def draw_tuning(result: TuningResult, folder: Path) -> list[Path]:
    """Draw a search that has a winner, into its folder: `tuning-AGENT.png` and `.svg`."""
    names = sorted(result.space, key=lambda name: -result.importances.get(name, 0.0))
    rows = math.ceil(len(names) / COLUMNS)

    def draw(figure: "Figure") -> None:
        grid = figure.add_gridspec(1 + rows, COLUMNS, height_ratios=[HEIGHT, *[SLICE_HEIGHT] * rows])
        _history(figure.add_subplot(grid[0, : COLUMNS - 1]), result)
        _importances(figure.add_subplot(grid[0, COLUMNS - 1]), result)
        for number, name in enumerate(names):
            axes = figure.add_subplot(grid[1 + number // COLUMNS, number % COLUMNS])
            _slice(axes, result, name)
            axes.set_ylabel("score" if number % COLUMNS == 0 else "")

    path = folder / f"tuning-{folder_name(result.agent)}"
    return save_figure(path, (WIDTH, HEIGHT + SLICE_HEIGHT * rows), draw, FORMATS)


def _history(axes: "Axes", result: TuningResult) -> None:
    from matplotlib.ticker import MaxNLocator

    finished, best = result.finished, result.best
    axes.scatter([one.number for one in finished], [_score(one) for one in finished], label="finished", **FINISHED)
    pruned = [one for one in result.candidates if one.state == "pruned" and one.reports]
    last = [one.reports[-1] for one in pruned]
    if pruned:
        axes.scatter([one.number for one in pruned], last, label="pruned: its last report", **PRUNED)
    heights = np.maximum.accumulate([_score(one) for one in finished])
    axes.step(
        [one.number for one in finished], heights, where="post", color=COLOURS[0], linewidth=1, label="best so far"
    )
    if best is not None:
        axes.scatter([best.number], [_score(best)], label=f"best: candidate {best.number}", **BEST)
    if best is not None and result.fresh is not None:  # below the best by the gap: its own episodes may be others
        axes.axhline(_score(best) - result.fresh.gap.value, label="the best with fresh seeds", **CEILING)
    _frame(axes, finished, pruned)
    axes.set_title(
        f"{result.agent} on {', '.join(result.envs)}: {len(result.candidates)} candidates", loc="left", **TITLE
    )
    axes.set_xlabel("candidate")
    axes.set_ylabel("score on validation episodes")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="best")


def _importances(axes: "Axes", result: TuningResult) -> None:
    found = dict(reversed(result.importances.items()))
    axes.set_title("Share of variance explained", loc="left", fontsize=10)
    if not found:
        axes.text(0.5, 0.5, "too few candidates\nto tell", ha="center", va="center", transform=axes.transAxes, **DETAIL)
        axes.set_axis_off()
        return
    axes.barh(list(found), list(found.values()), color=COLOURS[5])
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.tick_params(axis="y", labelsize=8)


def _slice(axes: "Axes", result: TuningResult, name: str) -> None:
    """Scores against the values of one setting."""
    known = [one for one in result.finished if name in one.settings]
    values = [one.settings[name] for one in known]
    dimension = result.space[name]
    assert isinstance(dimension, dict)
    choices = dimension.get("choices")
    places: list[Any] = values
    if isinstance(choices, list):
        places = [choices.index(value) for value in values]
        names = [one if isinstance(one, str) else json.dumps(one) for one in choices]
        axes.set_xticks(range(len(choices)), [one[:LONGEST] for one in names], fontsize=8)
        axes.set_xlim(-0.5, len(choices) - 0.5)
    elif dimension.get("log"):
        axes.set_xscale("log")
    axes.scatter(places, [_score(one) for one in known], **FINISHED)
    if result.best in known:
        at = known.index(result.best)
        axes.scatter([places[at]], [_score(known[at])], **BEST)
    _frame(axes, result.finished, [])
    axes.set_title(name, loc="left", fontsize=10)


def _frame(axes: "Axes", finished: list[Candidate], pruned: list[Candidate]) -> None:
    """Show all but the worst, which would squash the rest: from the lower quartile of the finished ones on."""
    scores = [_score(one) for one in finished]
    low, high = float(np.quantile(scores, 0.25)), max(scores)
    room = 0.08 * (high - low) or 0.5
    outside = sum(score < low - room for score in scores) + sum(one.reports[-1] < low - room for one in pruned)
    axes.set_ylim(low - room, high + 2 * room)
    axes.grid(alpha=0.25)
    if outside:
        axes.text(0.01, 0.02, f"{outside} lower", transform=axes.transAxes, **DETAIL)


def _score(candidate: Candidate) -> float:
    assert candidate.score is not None
    return candidate.score
