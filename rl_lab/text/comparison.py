"""Tables and verdicts for the terminal."""

import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.comparison.comparison import Comparison, sentences
from experiments.comparison.verdict import DECIDED, p_text
from experiments.speed.measuring import Comparison as SpeedComparison

NARROW = 84  # columns beside the agents' names, below which tables leave out what can be spared
PIPE_WIDTH = 140
MOST_PAIRS = 21  # that are listed one by one; of more, those of the best agent
PROFILE_TAUS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95)  # that the terminal shows


def console() -> Console:
    """Standard output: colours on a terminal only; never narrower than a table in a pipe."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
    return Console(width=width, highlight=False, no_color=True, color_system=None)


def print_comparison(comparison: Comparison) -> None:
    """The scores by environment, the aggregates, the verdicts, and what they rest on."""
    out = console()
    longest = max(len(record["agent"]) for record in comparison["records"])
    narrow = out.width < NARROW + longest
    for env in dict.fromkeys(record["env"] for record in comparison["records"]):
        _print_records(out, env, [record for record in comparison["records"] if record["env"] == env], narrow=narrow)
    _print_aggregates(out, comparison["aggregates"], narrow=narrow)
    _print_profiles(out, comparison["aggregates"], narrow=narrow)
    _print_verdicts(out, comparison, narrow=narrow)
    _print_method(out, comparison)
    if narrow:
        out.print(
            "The terminal is narrow: min, max, effect sizes and more are in report.html and summary.csv.", style="dim"
        )


def _table(title: str, headings: Sequence[str]) -> Table:
    """A plain table whose first column is the agent."""
    table = Table(title=title, title_justify="left", title_style="", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("agent", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _print_records(out: Console, env: str, records: list[dict[str, Any]], *, narrow: bool) -> None:
    evaluation = records[0]["evaluation"]
    measure = next((record["measure"] for record in records if record["measure"]), "return")
    what = "return" if measure == "return" else "minus steps to the exit"
    plural = "" if evaluation["episodes"] == 1 else "s"
    seed = evaluation["seed"]
    episodes = "episodes that are not known" if seed is None else (
        f"{evaluation['episodes']} shared episode{plural} (evaluation seed {seed})"
    )  # fmt: skip
    headings = ["runs", "mean", "IQM", "95% interval"] + ([] if narrow else ["min", "max"]) + ["normalised"]
    table = _table(f"[bold]{env}[/bold]: {what} over {episodes}", headings + ([] if narrow else ["95% interval"]))
    ranked = sorted(records, key=lambda record: -(record["mean"] if record["mean"] is not None else float("inf")))
    for record in ranked:
        normalised = record["normalised"]
        cells = [_runs(record), _number(record["mean"]), _number(record["iqm"]), _interval(record["interval"])]
        cells += [] if narrow else [_number(record["min"]), _number(record["max"])]
        cells += [f"{normalised['iqm']:.3f}" if normalised else "-"]
        cells += [] if narrow else [_interval(normalised["interval"], 3) if normalised else "-"]
        table.add_row(record["agent"], *cells)
    out.print(table)
    _print_learning(out, ranked, narrow=narrow)
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
        for note in record["notes"]:
            out.print(f"  {record['agent']}: {note}", style="yellow", markup=False)
    out.print()


def _runs(record: dict[str, Any]) -> str:
    """Such as "2/3 (1 failed)"."""
    asides = [f"{record['runs_failed']} failed"] if record["runs_failed"] else []
    asides += [f"{record['attempts_retried']} retried"] if record["attempts_retried"] else []
    aside = f" ({', '.join(asides)})" if asides else ""
    return f"{record['runs_finished']}/{record['runs_planned']}{aside}"


def _print_learning(out: Console, records: list[dict[str, Any]], *, narrow: bool) -> None:
    """How quickly the agents learned: the area under the curve, steps to the threshold, time."""
    if not any(record["area"] for record in records):
        return
    share = next((record["threshold"]["share"] for record in records if "threshold" in record), None)
    headings = ["area", "95% interval"] + ([] if share is None else [f"steps to {share:g}"])
    table = _table("", headings + ([] if narrow else ["time a run", "steps/s"]))
    for record in records:
        area = record["area"] or {"mean_height": None, "interval": None}
        cells = [_number(area["mean_height"]), _interval(area["interval"])]
        if share is not None:
            cells.append(_reached(record.get("threshold")))
        seconds = [one for one in record["seconds"] if one is not None]
        speed = record["steps_per_second"]
        cells += [] if narrow else [
            f"{statistics.median(seconds):.1f} s" if seconds else "-", f"{speed:,.0f}" if speed else "-"
        ]  # fmt: skip
        table.add_row(record["agent"], *cells)
    out.print(table)


def _reached(threshold: dict[str, Any] | None) -> str:
    """Such as "12,000 (9/10)"."""
    if threshold is None:
        return "-"
    median = "never" if threshold["median"] is None else f"{threshold['median']:,.0f}"
    return f"{median} ({threshold['reached']}/{threshold['runs']})"


def _print_aggregates(out: Console, aggregates: list[dict[str, Any]], *, narrow: bool) -> None:
    if not any(len(aggregate["envs"]) > 1 for aggregate in aggregates):
        return
    names = ("iqm",) if narrow else ("iqm", "mean", "median", "optimality_gap")
    titles = {"iqm": "IQM", "optimality_gap": "optimality gap"}
    table = _table(
        "[bold]All environments[/bold]: normalised scores", ["envs", *(titles.get(one, one) for one in names)]
    )
    for aggregate in sorted(aggregates, key=lambda aggregate: -aggregate["iqm"]):
        cells = [f"{aggregate[name]:.2f} {_interval(aggregate[f'{name}_interval'])}" for name in names]
        table.add_row(aggregate["agent"], str(len(aggregate["envs"])), *cells)
    out.print(table)
    if len({len(aggregate["envs"]) for aggregate in aggregates}) > 1:
        out.print("  the agents were not all run in the same environments", style="dim")
    out.print()


def _print_profiles(out: Console, aggregates: list[dict[str, Any]], *, narrow: bool) -> None:
    if not aggregates:
        return
    taus = PROFILE_TAUS[::2] if narrow else PROFILE_TAUS
    table = _table(
        "[bold]Performance profile[/bold]: share of runs with a normalised score above", [f"{tau:g}" for tau in taus]
    )
    for aggregate in sorted(aggregates, key=lambda aggregate: -aggregate["iqm"]):
        profile = aggregate["profile"]
        places = [max(i for i, tau in enumerate(profile["tau"]) if tau <= wanted + 1e-9) for wanted in taus]
        table.add_row(aggregate["agent"], *(f"{profile['share'][place]:.2f}" for place in places))
    out.print(table)
    out.print()


def _print_verdicts(out: Console, comparison: Comparison, *, narrow: bool) -> None:
    pairs = list(zip(sentences(comparison), comparison["pairs"], strict=True))
    if not pairs:
        return
    out.print("[bold]Verdicts[/bold]")
    decided = sum(pair["verdict"] in DECIDED for _, pair in pairs)
    shown = pairs
    if len(pairs) > MOST_PAIRS:
        best = _best(comparison)
        shown = [(words, pair) for words, pair in pairs if best in (pair["x"], pair["y"])]
        out.print(
            f"  {decided} of {len(pairs)} pairs are decided; here those of {best}, the rest in the report", markup=False
        )
    for words, pair in sorted(shown, key=lambda one: one[1]["verdict"] not in DECIDED):
        out.print(f"  {words}", style="" if pair["verdict"] in DECIDED else "dim", markup=False)
    out.print()
    if narrow:
        return
    table = _table(
        "[bold]Tests[/bold]", ["P(improvement)", "p", "p, Holm", "Cliff's delta", "Cohen's d", "paired difference"]
    )
    table.columns[0].header = "pair"
    for _, pair in shown:
        paired = pair["paired_difference"]
        table.add_row(
            f"{pair['x']} - {pair['y']}",
            _estimate(pair["probability_of_improvement"], pair["interval"]),
            *(p_text(pair[name]).removeprefix("p = ").removeprefix("p ") for name in ("p", "p_holm")),
            _estimate(pair["cliffs_delta"], pair["cliffs_delta_interval"]),
            "-" if pair["cohens_d"] is None else _estimate(pair["cohens_d"], pair["cohens_d_interval"]),
            "-" if paired is None else _estimate(paired["mean"], paired["interval"]),
        )
    out.print(table)
    out.print()


def _best(comparison: Comparison) -> str:
    """The agent with the highest IQM of normalised scores, else the one that improves on the most."""
    if comparison["aggregates"]:
        return str(max(comparison["aggregates"], key=lambda aggregate: aggregate["iqm"])["agent"])
    sums: dict[str, float] = {}
    for pair in comparison["pairs"]:
        sums[pair["x"]] = sums.get(pair["x"], 0.0) + pair["probability_of_improvement"] - 0.5
        sums[pair["y"]] = sums.get(pair["y"], 0.0) - pair["probability_of_improvement"] + 0.5
    return max(sums, key=sums.__getitem__)


def _print_method(out: Console, comparison: Comparison) -> None:
    method, records = comparison["method"], comparison["records"]
    out.print(
        f"Unit: {method['unit']}. Intervals: 95%, {method['bootstrap']}, {method['aggregate_repetitions']:,} "
        f"repetitions (improvement, profiles, effects: {method['improvement_repetitions']:,}), "
        f"seed {method['bootstrap_seed']}. p: {method['test']}.",
        style="dim",
    )
    if any(record["interval"] and record["interval"][0] == record["interval"][1] for record in records):
        line = "An interval without width: all runs scored alike. The bootstrap cannot see more; it is no certainty."
        out.print(line, style="dim")
    if len({record["runs_finished"] for record in records if record["normalised"]}) > 1 and comparison["aggregates"]:
        out.print("Environments with more finished runs weigh more in the IQM over all of them.", style="dim")
    if any(0 < record["runs_finished"] < 4 for record in records):
        out.print("The IQM of fewer than 4 runs is their mean.", style="dim")
    coverage = {record["runs_finished"]: record["simulated_coverage"] for record in records}
    few = [f"about {share:.0%} for {runs} runs" for runs, share in sorted(coverage.items()) if share]
    if few:
        out.print(
            f"Few runs: such intervals hold the true value less often than 95% (simulated: {', '.join(few)}).",
            style="dim",
        )
    made = comparison["made_with"]
    facts = [
        f"{name} {' or '.join(made[name])}"
        for name in ("rl-lab", "python", "gymnasium", "numpy", "torch")
        if name in made
    ]
    facts += [f"commit {' or '.join(made['commit'])}"] if "commit" in made else []
    facts += [" or ".join(made[name]) for name in ("processor", "system") if made.get(name, [""]) != [""]]
    if facts:
        out.print(f"Made with {', '.join(facts)}.", style="dim", markup=False)


def written_lines(written: Sequence[Path]) -> list[str]:
    """What was written, the report first."""
    report = [path for path in written if path.suffix == ".html"]
    lines = [f"report: {path}" for path in report]
    data = [path for path in written if path.suffix in (".json", ".csv", ".tex", "")]
    pictures = [path for path in written if path.suffix == ".png"]
    lines += [f"written: {path}" for path in data]
    if pictures:
        lines.append(f"figures, as PNG and SVG: {len(pictures)} in {pictures[-1].parent}")
    return lines


def _budget(budget: dict[str, int]) -> str:
    return ", ".join(f"{value:,} {name}" for name, value in budget.items())


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _interval(interval: list[float] | None, digits: int = 2) -> str:
    return "-" if interval is None else rf"\[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def _estimate(value: float, interval: list[float]) -> str:
    return f"{value:.2f} {_interval(interval)}"


def print_speeds(comparisons: list[SpeedComparison], rounds: int) -> None:
    """Speeds, each with what it is compared to."""
    for one in comparisons:
        print(f"{one.name}: {one.speed:,.0f} {one.unit}")
        print(f"  {one.ratio:.3g} x [{one.lowest:.3g}, {one.highest:.3g}] {one.baseline_name} ({one.baseline:,.0f})")
    print(f"Medians of {rounds} rounds [lowest, highest]; in each, both sides take turns on one core.")
