"""A comparison as figures: scores with intervals, aggregates, performance profiles, who improves on whom."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.comparison.bootstrap import Estimate, Interval
from experiments.comparison.comparison import Comparison
from experiments.comparison.ranking import ranked
from experiments.figures.style import BAND_ALPHA, FORMATS, MOST_LINES, Look, look, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AGGREGATES = {"iqm": "IQM", "mean": "mean", "median": "median", "optimality_gap": "optimality gap (less is better)"}
MOST_IN_A_MATRIX = 12  # agents
LONGEST = 24  # letters of a name beside an axis
LEAST_SPAN = 0.2  # of an axis of normalised scores
BLUE_TO_ORANGE = ("#B35900", "#FFFFFF", "#00508C")  # told apart with every kind of colour vision


def write_figures(comparison: Comparison, folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Every figure that the comparison has the numbers for, as PNG and SVG."""
    drawn: list[tuple[str, Callable[[Figure], None], tuple[float, float]]] = []
    agents = comparison.agents
    height = 1.3 + 0.32 * len(agents)
    if comparison.aggregates:
        drawn.append(("aggregates", partial(draw_aggregates, comparison=comparison), (11, height + 0.4)))
        drawn.append(("profiles", partial(draw_profiles, comparison=comparison), (7.2, 4.8)))
    normalised = {summary.env for summary in comparison.summaries if summary.normalised}
    if len(normalised) > 1:
        rows = -(-len(normalised) // 3)
        drawn.append(("scores", partial(draw_scores, comparison=comparison), (11, rows * height + 0.5)))
    if comparison.pairs and len(agents) <= MOST_IN_A_MATRIX:
        side = 3.2 + 0.72 * len(agents)
        drawn.append(("improvement", partial(draw_improvement, comparison=comparison), (side + 1.4, side)))
    return [path for name, draw, size in drawn for path in save_figure(folder / name, size, draw, formats)]


def _short(name: str) -> str:
    """A name that leaves room for the figure; its ends tell names apart."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 3]}…{name[-(LONGEST - LONGEST // 3 - 1) :]}"


def _best_first(comparison: Comparison) -> list[str]:
    """The agents as they are ranked; those without a normalised score follow."""
    return list(dict.fromkeys([*(row.agent for row in ranked(comparison.aggregates)), *comparison.agents]))


def _look(comparison: Comparison, agent: str) -> Look:
    """An agent's look, the same in every figure."""
    return look(comparison.agents.index(agent))


def draw_aggregates(figure: "Figure", comparison: Comparison) -> None:
    """IQM, mean, median and optimality gap of normalised scores with intervals, an agent a row."""
    rows = ranked(comparison.aggregates)[::-1]  # the best on top
    panels = figure.subplots(1, len(AGGREGATES), sharey=True)
    for axes, (name, title) in zip(panels, AGGREGATES.items(), strict=True):
        _intervals(axes, comparison, [(row.agent, getattr(row, name)) for row in rows])
        axes.set_title(title, fontsize=10)
    several = any(len(row.envs) > 1 for row in rows)
    of = "all environments" if several else rows[0].envs[0]
    figure.suptitle(
        f"Normalised scores, {of}: 0 random policy, 1 reference; 95% bootstrap intervals" + _unlike(comparison),
        fontsize=11,
    )


def draw_scores(figure: "Figure", comparison: Comparison) -> None:
    """The IQM of normalised scores with intervals in each environment."""
    envs = [env for env in comparison.envs if any(summary.normalised for summary in comparison.in_env(env))]
    order = _best_first(comparison)[::-1]  # the best on top
    columns = min(3, len(envs))
    panels = figure.subplots(-(-len(envs) // columns), columns, squeeze=False).ravel()
    for axes, env in zip(panels, envs, strict=False):
        rows = [(one.agent, one.normalised.iqm) for one in comparison.in_env(env) if one.normalised]
        _intervals(axes, comparison, sorted(rows, key=lambda row: order.index(row[0])))
        axes.set_title(env, fontsize=10)
    for axes in panels[len(envs) :]:
        axes.set_visible(False)
    figure.suptitle("IQM of normalised scores: 0 random policy, 1 reference; 95% bootstrap intervals", fontsize=11)


def _intervals(axes: "Axes", comparison: Comparison, rows: Sequence[tuple[str, Estimate | Interval]]) -> None:
    for place, (agent, estimate) in enumerate(rows):
        colour = _look(comparison, agent).colour
        if estimate.ends is not None:
            axes.plot(estimate.ends, [place, place], linewidth=7, alpha=0.35, solid_capstyle="butt", color=colour)
        axes.plot([estimate.value], [place], marker="|", markersize=13, markeredgewidth=2.2, color=colour)
    axes.set_yticks(range(len(rows)), [_short(agent) for agent, _ in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.grid(visible=True, axis="x")
    low, high = axes.get_xlim()
    if high - low < LEAST_SPAN:  # a difference of a thousandth is none to fill a figure with
        axes.set_xlim((low + high - LEAST_SPAN) / 2, (low + high + LEAST_SPAN) / 2)


def _unlike(comparison: Comparison) -> str:
    """A line that says so where the agents have scores in different environments."""
    sets = {tuple(sorted(row.envs)) for row in comparison.aggregates}
    return "\n(the agents were not all run in the same environments)" if len(sets) > 1 else ""


def draw_profiles(figure: "Figure", comparison: Comparison) -> None:
    """The share of runs above each normalised score, with pointwise bands."""
    axes = figure.subplots()
    rows = ranked(comparison.aggregates)
    for row in rows[:MOST_LINES]:
        its, profile = _look(comparison, row.agent), row.profile
        axes.step(profile.tau, profile.share, where="post", linewidth=2, label=row.agent, **its.line)
        axes.fill_between(
            profile.tau, profile.low, profile.high, step="post", color=its.colour, alpha=BAND_ALPHA, linewidth=0
        )
    axes.set(xlabel="normalised score τ", ylabel="share of runs with a score above τ", ylim=(-0.02, 1.02))
    axes.set_title(
        f"Performance profiles, with pointwise 95% bootstrap bands{_unlike(comparison)}{_left_out(len(rows))}",
        fontsize=11,
    )
    axes.grid(visible=True)
    figure.legend(loc="outside lower center", ncols=4)


def _left_out(num_agents: int) -> str:
    return f"\n(the best {MOST_LINES} of {num_agents} agents)" if num_agents > MOST_LINES else ""


def draw_improvement(figure: "Figure", comparison: Comparison) -> None:
    """The probability that a run of the row's agent beats one of the column's; decided pairs in bold."""
    from matplotlib.colors import LinearSegmentedColormap

    agents = _best_first(comparison)
    axes = figure.subplots()
    values = [[float("nan")] * len(agents) for _ in agents]
    for pair in comparison.pairs:
        i, j = agents.index(pair.x), agents.index(pair.y)
        probability, low, high = pair.evidence.improvement
        values[i][j], values[j][i] = probability, 1 - probability
        for row, column, value, ends in (
            (i, j, probability, (low, high)),
            (j, i, 1 - probability, (1 - high, 1 - low)),
        ):
            text = f"{value:.2f}{'*' if pair.verdict.decided else ''}\n[{ends[0]:.2f}, {ends[1]:.2f}]"
            colour = "white" if abs(value - 0.5) > 0.3 else "black"
            weight = "bold" if pair.verdict.decided else "normal"
            axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color=colour, fontweight=weight)
    colours = LinearSegmentedColormap.from_list("blue to orange", BLUE_TO_ORANGE)
    image = axes.imshow(values, cmap=colours, vmin=0, vmax=1)
    axes.set_xticks(range(len(agents)), [_short(agent) for agent in agents], rotation=40, ha="right")
    axes.set_yticks(range(len(agents)), [_short(agent) for agent in agents])
    axes.spines[:].set_visible(False)
    title = "Probability that a run of the row beats\na run of the column (* decided, others are not)"
    figure.suptitle(title, fontsize=10)
    figure.colorbar(image, ax=axes, shrink=0.75, label="probability of improvement")
