"""Tables and verdicts for the terminal."""

import json
import shutil
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.comparison import Comparison, sentences
from experiments.speed import Comparison as SpeedComparison

NARROW = 90  # columns below which the table leaves out what can be spared
PIPE_WIDTH = 140


def console() -> Console:
    """Standard output: colours on a terminal only; never narrower than a table in a pipe."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
    return Console(width=width, highlight=False, no_color=True, color_system=None)


def print_comparison(comparison: Comparison) -> None:
    """The scores by environment, the aggregates, the verdicts, and what they rest on."""
    out = console()
    for env in dict.fromkeys(record["env"] for record in comparison["records"]):
        _print_records(out, env, [record for record in comparison["records"] if record["env"] == env])
    _print_aggregates(out, comparison["aggregates"])
    if comparison["pairs"]:
        out.print("[bold]Verdicts[/bold]")
        for sentence, pair in zip(sentences(comparison), comparison["pairs"], strict=True):
            decided = pair["verdict"] in ("better", "worse")
            out.print(f"  {sentence}", style="" if decided else "dim", markup=False)
        out.print()
    method = comparison["method"]
    out.print(
        f"Unit: {method['unit']}. Intervals: 95%, {method['bootstrap']}, {method['aggregate_repetitions']:,} "
        f"repetitions (improvement: {method['improvement_repetitions']:,}), seed {method['bootstrap_seed']}.",
        style="dim",
    )
    if any(0 < record["runs_finished"] < 4 for record in comparison["records"]):
        out.print("The IQM of fewer than 4 runs is their mean.", style="dim")
    coverage = {record["runs_finished"]: record["simulated_coverage"] for record in comparison["records"]}
    few = [f"about {share:.0%} for {runs} runs" for runs, share in sorted(coverage.items()) if share]
    if few:
        out.print(
            f"Few runs: such intervals hold the true value less often than 95% (simulated: {', '.join(few)}).",
            style="dim",
        )


def _print_records(out: Console, env: str, records: list[dict[str, Any]]) -> None:
    narrow = out.width < NARROW
    evaluation = records[0]["evaluation"]
    measure = next((record["measure"] for record in records if record["measure"]), "return")
    what = "return" if measure == "return" else "minus steps to the exit"
    plural = "s" if evaluation["episodes"] > 1 else ""
    episodes = f"{evaluation['episodes']} shared episode{plural} (evaluation seed {evaluation['seed']})"
    title = f"[bold]{env}[/bold]: {what} over {episodes}"
    table = Table(title=title, title_justify="left", title_style="", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("agent", overflow="fold")
    headings = (
        ["runs", "mean", "IQM", "95% interval"] + ([] if narrow else ["min", "max"]) + ["normalised", "95% interval"]
    )
    for heading in headings[:-1] if narrow else headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for record in sorted(records, key=lambda record: -(record["mean"] if record["mean"] is not None else float("inf"))):
        runs = f"{record['runs_finished']}/{record['runs_planned']}"
        if record["runs_failed"]:
            runs += f" ({record['runs_failed']} failed)"
        normalised = record["normalised"]
        cells = [runs, _number(record["mean"]), _number(record["iqm"]), _interval(record["interval"])]
        cells += [] if narrow else [_number(record["min"]), _number(record["max"])]
        cells += [f"{normalised['iqm']:.3f}" if normalised else "-"]
        cells += [] if narrow else [_interval(normalised["interval"], 3) if normalised else "-"]
        table.add_row(record["agent"], *cells)
    out.print(table)
    reference = next((record["reference"] for record in records if record["reference"]), None)
    if reference is not None:
        error = f" ± {reference['random_error']:g}" if reference["random_error"] else ""
        out.print(
            f"  normalised: 0 = random policy ({reference['random']:.2f}{error}), "
            f"1 = {reference['kind']} ({reference['reference']:.2f})",
            style="dim",
        )
    budgets = {json.dumps(record["budget"]) for record in records}
    if len(budgets) > 1:
        each = ", ".join(f"{record['agent']} {_budget(record['budget'])}" for record in records)
        out.print(f"  the agents trained for different budgets: {each}", style="dim")
    for record in records:
        if record.get("book_seed"):
            values = ", ".join(f"{value:.1f}" for value in record["book_seed"])
            out.print(
                f"  {record['agent']} on the seed it trained on: {values} (one start, an episode a run)", style="dim"
            )
    out.print()


def _print_aggregates(out: Console, aggregates: list[dict[str, Any]]) -> None:
    if not any(len(aggregate["envs"]) > 1 for aggregate in aggregates):
        return
    table = Table(
        title="[bold]All environments[/bold]: normalised scores", title_justify="left", title_style="", box=None,
        pad_edge=False, padding=(0, 2, 0, 0),
    )  # fmt: skip
    table.add_column("agent", overflow="fold")
    names = ("iqm",) if out.width < NARROW else ("iqm", "mean", "median", "optimality_gap")
    table.add_column("envs", justify="right")
    for name in names:
        table.add_column({"iqm": "IQM", "optimality_gap": "optimality gap"}.get(name, name), justify="right")
    for aggregate in sorted(aggregates, key=lambda aggregate: -aggregate["iqm"]):
        cells = [f"{aggregate[name]:.2f} {_interval(aggregate[f'{name}_interval'])}" for name in names]
        table.add_row(aggregate["agent"], str(len(aggregate["envs"])), *cells)
    out.print(table)
    out.print()


def _budget(budget: dict[str, int]) -> str:
    return ", ".join(f"{value:,} {name}" for name, value in budget.items())


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _interval(interval: list[float] | None, digits: int = 2) -> str:
    return "-" if interval is None else rf"\[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def print_speeds(comparisons: list[SpeedComparison], rounds: int) -> None:
    """Speeds, each with what it is compared to."""
    for one in comparisons:
        print(f"{one.name}: {one.speed:,.0f} {one.unit}")
        print(f"  {one.ratio:.3g} x [{one.lowest:.3g}, {one.highest:.3g}] {one.baseline_name} ({one.baseline:,.0f})")
    print(f"Medians of {rounds} rounds [lowest, highest]; in each, both sides take turns on one core.")
