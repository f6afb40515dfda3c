"""A comparison for the terminal: scores by environment, aggregates, profiles, verdicts, and what they rest on."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from experiments.comparison.aggregate import Aggregate
from experiments.comparison.comparison import Comparison
from experiments.comparison.ranking import ranked
from rl_lab.text.console import console
from rl_lab.text.environment import print_environment
from rl_lab.text.first_screen import print_first_screen
from rl_lab.text.tables import interval_text, table
from rl_lab.text.verdicts import print_verdicts

NARROW = 84  # columns beside the agents' names, below which tables leave out what can be spared
PROFILE_TAUS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95)  # that the terminal shows


def print_comparison(comparison: Comparison, *, full: bool = False) -> None:
    """The first screen; in full, the scores by environment, the aggregates, the verdicts, and what they rest on."""
    out = console()
    if not full:
        print_first_screen(out, comparison)
        return
    narrow = out.width < NARROW + max(map(len, comparison.agents))
    for env in comparison.envs:
        print_environment(out, env, comparison.in_env(env), narrow=narrow)
    aggregates = ranked(comparison.aggregates)
    _print_aggregates(out, aggregates, narrow=narrow)
    _print_profiles(out, aggregates, narrow=narrow)
    print_verdicts(out, comparison, narrow=narrow)
    _print_method(out, comparison)
    if narrow:
        out.print(
            "The terminal is narrow: min, max, effect sizes and more are in report.html and summary.csv.", style="dim"
        )


def _print_aggregates(out: Console, aggregates: Sequence[Aggregate], *, narrow: bool) -> None:
    if not any(len(aggregate.envs) > 1 for aggregate in aggregates):
        return
    headings = ["envs", "IQM"] + ([] if narrow else ["mean", "median", "optimality gap"])
    scores = table("[bold]All environments[/bold]: normalised scores", headings)
    for aggregate in aggregates:
        intervals = [aggregate.iqm]
        intervals += [] if narrow else [aggregate.mean, aggregate.median, aggregate.optimality_gap]
        scores.add_row(aggregate.agent, str(len(aggregate.envs)), *map(interval_text, intervals))
    out.print(scores)
    if len({len(aggregate.envs) for aggregate in aggregates}) > 1:
        out.print("  the agents were not all run in the same environments", style="dim")
    out.print()


def _print_profiles(out: Console, aggregates: Sequence[Aggregate], *, narrow: bool) -> None:
    if not aggregates:
        return
    taus = PROFILE_TAUS[::2] if narrow else PROFILE_TAUS
    shares = table(
        "[bold]Performance profile[/bold]: share of runs with a normalised score above", [f"{tau:g}" for tau in taus]
    )
    for aggregate in aggregates:
        profile = aggregate.profile
        places = [max(i for i, tau in enumerate(profile.tau) if tau <= wanted + 1e-9) for wanted in taus]
        shares.add_row(aggregate.agent, *(f"{profile.share[place]:.2f}" for place in places))
    out.print(shares)
    out.print()


def _print_method(out: Console, comparison: Comparison) -> None:
    method, summaries = comparison.method, comparison.summaries
    out.print(
        f"Unit: {method.unit}. Intervals: 95%, {method.bootstrap}, {method.aggregate_repetitions:,} "
        f"repetitions (improvement, profiles, effects: {method.improvement_repetitions:,}), "
        f"seed {method.bootstrap_seed}. p: {method.test}.",
        style="dim",
    )
    if any(one.iqm and one.iqm.ends and one.iqm.ends[0] == one.iqm.ends[1] for one in summaries):
        line = "An interval without width: all runs scored alike. The bootstrap cannot see more; it is no certainty."
        out.print(line, style="dim")
    if len({one.runs_finished for one in summaries if one.normalised}) > 1 and comparison.aggregates:
        out.print("Environments with more finished runs weigh more in the IQM over all of them.", style="dim")
    if any(0 < one.runs_finished < 4 for one in summaries):
        out.print("The IQM of fewer than 4 runs is their mean.", style="dim")
    coverage = {one.runs_finished: one.simulated_coverage for one in summaries}
    few = [f"about {share:.0%} for {runs} runs" for runs, share in sorted(coverage.items()) if share]
    if few:
        out.print(
            f"Few runs: such intervals hold the true value less often than 95% (simulated: {', '.join(few)}).",
            style="dim",
        )
    made = comparison.made_with
    facts = [
        f"{name} {' or '.join(made[name])}"
        for name in ("rl-lab", "python", "gymnasium", "numpy", "torch")
        if name in made
    ]
    facts += [f"commit {' or '.join(made['commit'])}"] if "commit" in made else []
    facts += [" or ".join(made[name]) for name in ("processor", "system") if made.get(name, [""]) != [""]]
    if facts:
        out.print(f"Made with {', '.join(facts)}.", style="dim", markup=False)


def written_lines(written: Sequence[Path], *, full: bool = False) -> list[str]:
    """What was written, the report first."""
    report = [path for path in written if path.suffix == ".html"]
    lines = [f"report: {path}" for path in report]
    if not full:
        lines = lines or [f"written: {written[0].parent}"]
        return [f"{lines[0]} (curves, tests, videos; more: --full)"]
    data = [path for path in written if path.suffix in (".json", ".csv", ".tex", "")]
    pictures = [path for path in written if path.suffix == ".png"]
    lines += [f"written: {path}" for path in data]
    if pictures:
        lines.append(f"figures, as PNG and SVG: {len(pictures)} in {pictures[-1].parent}")
    return lines
