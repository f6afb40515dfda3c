"""What learning costs: evaluation scores against env steps and against seconds, side by side."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.comparison.bootstrap import trimmed_mean
from experiments.figures.curve_panel import best_agents, clip, draw_curves, draw_scale, measure_of, thousands
from experiments.figures.style import DETAIL, FORMATS, TITLE, look, save_figure
from experiments.files import make_folder
from experiments.results.groups import Groups
from experiments.results.run_result import Curve, FloatArray, RunResult
from experiments.specs.labels import folder_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILE_NAME = "learning-time"
SIZE = (11, 5.2)  # inches
FAR_APART = 10  # times: longest and shortest training of agents, from which on an axis is logarithmic


def write_time_curves(groups: Groups, folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """One figure an environment in which the seconds of two agents or more are known, `<folder>/<env>/learning-time.*`.

    An agent has the look that it has in `learning-curves`.
    """
    written = []
    order = list(dict.fromkeys(agent for _, agent in groups))
    for env in dict.fromkeys(env for env, _ in groups):
        agents = {agent: [run for run in runs if _is_timed(run)] for (of, agent), runs in groups.items() if of == env}
        agents = {agent: runs for agent, runs in agents.items() if runs}
        if len(agents) > 1:
            target = make_folder(folder, folder_name(env)) / FILE_NAME
            written += save_figure(target, SIZE, partial(_draw, env=env, agents=agents, order=order), formats)
    return written


def _is_timed(run: RunResult) -> bool:
    """Is it known when each point of the curve was reached, and did any training lie between?"""
    seconds = run.curve_seconds
    return run.finished and len(seconds) == len(run.curve[0]) > 1 and bool(seconds[-1] > 0)


def _draw(figure: "Figure", env: str, agents: dict[str, list[RunResult]], order: list[str]) -> None:
    agents = best_agents(agents)
    learners = {agent: runs for agent, runs in agents.items() if any(np.ptp(run.curve[1]) for run in runs)}
    first = next(iter(agents.values()))[0]
    extents: list[FloatArray] = []
    panels = figure.subplots(1, 2, sharey=True)
    for axes, places_of in zip(panels, (_env_steps, _seconds), strict=True):
        beginning = _scale_x(axes, [places_of(run) for runs in learners.values() for run in runs])
        for agent, runs in agents.items():
            its, label = look(order.index(agent)), f"{agent} (n = {len(runs)})"
            if agent in learners:
                curves = [_from(run.curve, places_of(run), beginning) for run in runs]
                places = [where[where >= beginning] for where in map(places_of, runs)]
                extents += draw_curves(axes, curves, its, label, places)
            else:  # one height, wherever it is looked at
                height = float(trimmed_mean(np.array([run.curve[1][-1] for run in runs])))
                axes.axhline(height, linewidth=2.2, label=label, **its.line)
                extents.append(np.array([height]))
        extents += draw_scale(axes, first)
        axes.grid(visible=True)
    for axes in panels:
        clip(axes, extents, first)
    panels[0].set(xlabel="environment steps", ylabel=f"{measure_of(first)}, mean of greedy episodes")
    panels[1].set(xlabel="seconds of training")
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    figure.suptitle(f"{env}: what learning costs\n\n", **TITLE)
    detail = "IQM of the runs thick, each run thin, band: pointwise 95% bootstrap interval; one thread a run"
    figure.text(0.5, 0.915, detail, ha="center", **DETAIL)


def _env_steps(run: RunResult) -> FloatArray:
    return run.curve[0]


def _seconds(run: RunResult) -> FloatArray:
    return run.curve_seconds


def _from(curve: Curve, places: FloatArray, beginning: float) -> Curve:
    """The part of a curve that is seen."""
    seen = places >= beginning
    return curve[0][seen], curve[1][seen]


def _scale_x(axes: "Axes", places: Sequence[FloatArray]) -> float:
    """Make the axis logarithmic where trainings are of very different lengths; the first point that is seen then."""
    axes.xaxis.set_major_formatter(thousands)
    ends = [float(one[-1]) for one in places] or [1.0]
    if max(ends) < FAR_APART * min(ends):
        return 0.0
    beginning = min(float(one[one > 0][0]) for one in places)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(thousands)
    axes.set_xlim(beginning / 1.1, 1.1 * max(ends))
    return beginning
