"""Learning curves as figures: training returns and evaluation scores against env steps."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.comparison.learning_curve import GRID_POINTS
from experiments.figures.curve_panel import best_agents, clip, draw_curves, draw_scale, measure_of, thousands
from experiments.figures.style import DETAIL, FORMATS, MOST_LINES, TITLE, look, make_figure, save_figure
from experiments.files import make_folder
from experiments.results.groups import Groups
from experiments.results.run_result import Curve, FloatArray, RunResult
from experiments.specs.labels import folder_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILE_NAME = "learning-curves"
SIZE = (11, 4.4)  # inches


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
    agents = best_agents(agents)
    training, evaluation = figure.subplots(1, 2)
    extents: dict[Axes, list[FloatArray]] = {training: [], evaluation: []}  # of what must be seen
    most_steps = max(run.env_steps for runs in agents.values() for run in runs)
    for agent, runs in agents.items():
        its, label = look(order.index(folder_name(agent))), f"{agent} (n = {len(runs)})"
        for axes, curves in (
            (training, [_binned(run, most_steps) for run in runs]),
            (evaluation, [r.curve for r in runs]),
        ):
            extents[axes] += draw_curves(axes, curves, its, label)
    extents[evaluation] += draw_scale(evaluation, first)
    training.set(title="Training, with exploration", ylabel=f"return an episode, means over {GRID_POINTS} parts")
    shared = ", shared episodes" if first.task.evaluation else ""
    evaluation.set(title=f"Evaluation, greedy{shared}", ylabel=f"{measure_of(first)}, mean")
    for axes in (training, evaluation):
        clip(axes, extents[axes], first)
        axes.set_xlabel("environment steps")
        axes.grid(visible=True)
        axes.xaxis.set_major_formatter(thousands)
        axes.set_xlim(-0.02 * max(most_steps, 1), 1.02 * max(most_steps, 1))
    handles, labels = evaluation.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    several = max(map(len, agents.values())) > 1
    detail = "IQM of the runs thick, each run thin, band: pointwise 95% bootstrap interval"
    figure.suptitle(f"{env}\n\n", **TITLE)
    detail = detail if several else "one run an agent"
    detail += f"; the best {MOST_LINES} of {num_agents} agents" if num_agents > MOST_LINES else ""
    figure.text(0.5, 0.905, detail, ha="center", **DETAIL)


def _binned(run: RunResult, most_steps: int) -> Curve:
    """Training returns averaged over bins of env steps, so that single episodes do not hide the curve."""
    steps, returns = run.training
    if not len(steps):
        return steps, returns
    width = max(most_steps, 1) / GRID_POINTS
    bins = np.minimum((steps / width).astype(int), GRID_POINTS - 1)
    used = np.unique(bins)
    return (used + 0.5) * width, np.array([returns[bins == one].mean() for one in used])
