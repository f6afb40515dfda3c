"""Learning curves as figures: training returns and evaluation scores against env steps."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.comparison.learning_curve import GRID_POINTS, align, iqm_curve
from experiments.results.stored_run import Curve, Groups, RunResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, told apart with every kind of colour vision; line styles tell the rest apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")
FILE_NAME = "learning-curves"


def write_curves(groups: Groups, folder: Path) -> list[Path]:
    """One figure an environment, as PNG and SVG, `<folder>/<env>/learning-curves.*`."""
    written = []
    order = list(dict.fromkeys(agent for _, agent in groups))  # an agent keeps its colour in every figure
    for env in dict.fromkeys(env for env, _ in groups):
        agents = {agent: [run for run in runs if run.finished] for (of, agent), runs in groups.items() if of == env}
        agents = {agent: runs for agent, runs in agents.items() if runs}
        if agents:
            target = folder / env
            target.mkdir(parents=True, exist_ok=True)
            written += _draw(env, agents, order, target / FILE_NAME)
    return written


def _draw(env: str, agents: dict[str, list[RunResult]], order: list[str], path: Path) -> list[Path]:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first = next(iter(agents.values()))[0]
    measure, scale = first.measure, first.curve_scale
    num_runs = {agent: len(runs) for agent, runs in agents.items()}
    with matplotlib.rc_context(
        {"svg.hashsalt": "rl-lab", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure = Figure(figsize=(11, 4.4), layout="constrained")
        FigureCanvasAgg(figure)
        training, evaluation = figure.subplots(1, 2)
        most_steps = max(run.env_steps for runs in agents.values() for run in runs)
        for agent, runs in agents.items():
            index = order.index(agent)
            look: dict[str, Any] = {
                "color": COLOURS[index % len(COLOURS)],
                "linestyle": STYLES[index // len(COLOURS) % len(STYLES)],
            }
            label = f"{agent} (n = {num_runs[agent]})"
            _curves(training, [_binned(run, most_steps) for run in runs], look, label)
            _curves(evaluation, [run.curve for run in runs], look, label)
        if scale is not None:
            name = "exact optimum" if scale.kind == "exact optimum" else f"{scale.kind} ({scale.ceiling:g})"
            evaluation.axhline(scale.ceiling, color="#666666", linestyle=(0, (5, 3)), linewidth=1.2, label=name)
            evaluation.axhline(
                scale.floor, color="#AAAAAA", linestyle=(0, (1, 2)), linewidth=1.2, label="random policy"
            )
        training.set(
            title="Training, with exploration",
            xlabel="environment steps",
            ylabel=f"return an episode, means over {GRID_POINTS} parts",
        )
        shared = ", shared episodes" if first.task else ""
        ylabel = "return" if measure == "return" else "minus steps to the exit"
        evaluation.set(
            title=f"Evaluation, greedy{shared}",
            xlabel="environment steps",
            ylabel=f"{ylabel}, mean",
        )
        for axes in (training, evaluation):
            axes.grid(alpha=0.25)
            axes.xaxis.set_major_formatter(_thousands)
            axes.set_xlim(-0.02 * most_steps, 1.02 * most_steps)
        handles, labels = evaluation.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)), frameon=False)
        most = max(num_runs.values())
        detail = (
            "IQM of the runs thick, each run thin, band: pointwise 95% bootstrap interval"
            if most > 1
            else "one run an agent"
        )
        figure.suptitle(f"{env}\n\n", fontsize=13, fontweight="bold")
        figure.text(0.5, 0.905, detail, ha="center", fontsize=9, color="#555555")
        written = [path.with_suffix(".png"), path.with_suffix(".svg")]
        figure.savefig(written[0], dpi=130, metadata={"Software": None})
        figure.savefig(written[1], metadata={"Date": None})
    return written


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


def _curves(axes: "Axes", curves: list[Curve], look: dict[str, Any], label: str) -> None:
    curves = [curve for curve in curves if len(curve[0])]
    if not curves:
        return
    grid, values = align(curves)
    middle, low, high, _ = iqm_curve(values)
    if len(curves) > 1:
        for steps, one in curves:
            axes.plot(steps, one, linewidth=0.7, alpha=0.35, **look)
        axes.fill_between(grid, low, high, color=look["color"], alpha=0.15, linewidth=0)
    axes.plot(grid, middle, linewidth=2.2, label=label, marker="." if len(grid) < 3 else None, **look)
