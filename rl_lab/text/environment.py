"""The agents in one environment, for the terminal: their scores, how quickly they learned, and what to know of them."""

import json
import statistics
from collections.abc import Sequence

from rich.console import Console

from experiments.comparison.learning_curve import StepsToThreshold
from experiments.comparison.ranking import ranked
from experiments.comparison.summary import AgentSummary
from rl_lab.text.tables import ends_text, number, runs_text, table


def print_environment(out: Console, env: str, summaries: Sequence[AgentSummary], *, narrow: bool) -> None:
    """Tables of the agents' scores and of their learning, an agent a row, the best first."""
    summaries = ranked(summaries)
    _print_scores(out, env, summaries, narrow=narrow)
    _print_learning(out, summaries, narrow=narrow)
    scale = next((summary.scale for summary in summaries if summary.scale), None)
    if scale is not None:
        error = f" ± {scale.floor_error:g}" if scale.floor_error else ""
        out.print(
            f"  normalised: 0 = random policy ({scale.floor:.2f}{error}), 1 = {scale.kind} ({scale.ceiling:.2f})",
            style="dim",
        )
    if len({json.dumps(summary.budget) for summary in summaries}) > 1:
        each = ", ".join(f"{summary.agent} {_budget(summary.budget)}" for summary in summaries)
        out.print(f"  the agents trained for different budgets: {each}", style="dim")
    for summary in summaries:
        if summary.own_side and summary.own_side_endings:
            mean, ends = number(statistics.fmean(summary.own_side)), summary.own_side_endings.in_words()
            out.print(f"  {summary.agent} where it trained: {mean}, {ends}", style="dim", markup=False)
        if summary.book_seed:
            values = ", ".join(f"{value:.1f}" for value in summary.book_seed)
            out.print(
                f"  {summary.agent} on the seed it trained on: {values} (one start, an episode a run)", style="dim"
            )
        for note in summary.notes:
            out.print(f"  {summary.agent}: {note}", style="yellow", markup=False)
    out.print()


def _print_scores(out: Console, env: str, summaries: Sequence[AgentSummary], *, narrow: bool) -> None:
    evaluation = summaries[0].evaluation
    measure = next((summary.measure for summary in summaries if summary.measure), "return")
    what = "return" if measure == "return" else "minus steps to the exit"
    plural = "" if evaluation.episodes == 1 else "s"
    episodes = "episodes that are not known" if evaluation.seed is None else (
        f"{evaluation.episodes} shared episode{plural} (evaluation seed {evaluation.seed})"
    )  # fmt: skip
    headings = ["runs", "mean", "IQM", "95% interval"] + ([] if narrow else ["min", "max"]) + ["normalised"]
    scores = table(f"[bold]{env}[/bold]: {what} over {episodes}", headings + ([] if narrow else ["95% interval"]))
    for summary in summaries:
        iqm, normalised = summary.iqm, summary.normalised
        cells = [runs_text(summary), number(summary.mean)]
        cells += ["-", "-"] if iqm is None else [number(iqm.value), ends_text(iqm.ends)]
        cells += [] if narrow else [number(summary.lowest), number(summary.highest)]
        cells += [f"{normalised.iqm.value:.3f}" if normalised else "-"]
        cells += [] if narrow else [ends_text(normalised.iqm.ends, 3) if normalised else "-"]
        scores.add_row(summary.agent, *cells)
    out.print(scores)


def _print_learning(out: Console, summaries: Sequence[AgentSummary], *, narrow: bool) -> None:
    """How quickly the agents learned: the area under the curve, steps to the threshold, time."""
    if not any(summary.area for summary in summaries):
        return
    share = next((summary.threshold.share for summary in summaries if summary.threshold), None)
    headings = ["area", "95% interval"] + ([] if share is None else [f"steps to {share:g}"])
    learning = table("", headings + ([] if narrow else ["time a run", "steps/s"]))
    for summary in summaries:
        height = None if summary.area is None else summary.area.mean_height
        cells = ["-", "-"] if height is None else [number(height.value), ends_text(height.ends)]
        cells += [] if share is None else [_reached(summary.threshold)]
        seconds = [one for one in summary.seconds if one is not None]
        speed = summary.steps_per_second
        cells += [] if narrow else [
            f"{statistics.median(seconds):.1f} s" if seconds else "-", f"{speed:,.0f}" if speed else "-"
        ]  # fmt: skip
        learning.add_row(summary.agent, *cells)
    out.print(learning)


def _reached(threshold: StepsToThreshold | None) -> str:
    """Such as "12,000 (9/10)"."""
    if threshold is None:
        return "-"
    median = "never" if threshold.median is None else f"{threshold.median:,.0f}"
    return f"{median} ({threshold.reached}/{len(threshold.env_steps)})"


def _budget(budget: dict[str, int]) -> str:
    return ", ".join(f"{value:,} {name}" for name, value in budget.items())
