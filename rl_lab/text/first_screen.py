"""A comparison's first screen: a line an agent in each environment, and the verdicts in plain words."""

import statistics
import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from experiments.comparison.comparison import Comparison
from experiments.comparison.pair import AgentPair
from experiments.comparison.ranking import ranked
from experiments.comparison.summary import AgentSummary
from experiments.comparison.verdict import p_text
from experiments.evaluation.score_scale import GIVEN
from rl_lab.text.tables import number, runs_text, table

MOST_AGENTS = 12  # of an environment that are shown; the others are in the report
MOST_NAMES = 4  # of agents in a line
MOST_VERDICTS = 10  # lines that tell of decided pairs


def print_first_screen(out: Console, comparison: Comparison) -> None:
    """What most readers came for; `--full` and the report have the rest."""
    for env in comparison.envs:
        _print_environment(out, env, ranked(comparison.in_env(env)))
    for line in verdict_lines(comparison):
        for part in textwrap.wrap(line, max(40, out.width - 2), subsequent_indent="    ", initial_indent="  "):
            out.print(part, markup=False)


def _print_environment(out: Console, env: str, summaries: Sequence[AgentSummary]) -> None:
    first = summaries[0]
    known = next((one for one in summaries if one.scale), first)
    what = "minus steps to the exit" if known.measure == "-steps" else "return"
    headings = ["runs", what, *(["of the scale"] if known.scale else [])]
    share = next((one.threshold.share for one in summaries if one.threshold), None)
    headings += [f"steps to {share:g} of it"] if share is not None else []

    def rows(*, wide: bool) -> Table:
        shown = table(f"[bold]{env}[/bold]", headings)
        for one in summaries[:MOST_AGENTS]:
            cells = [runs_text(one), number(one.iqm.value if one.iqm else None)]
            cells += [_share(one)] if known.scale else []
            cells += [_when(one, wide=wide)] if share is not None else []
            shown.add_row(one.agent, *cells)
        return shown

    whole = rows(wide=True)
    fits = out.measure(whole, options=out.options.update(max_width=1_000)).maximum <= out.width
    out.print(whole if fits else rows(wide=False))
    if len(summaries) > MOST_AGENTS:
        out.print(f"  and {len(summaries) - MOST_AGENTS} agents below these", style="dim")
    if known.scale is not None:
        top = known.scale.kind if known.scale.kind == "solved" else f"the {known.scale.kind}"
        error = f" ± {known.scale.floor_error:.2g}" if known.scale.floor_error else ""
        floor = "the random policy" if known.scale.kind != GIVEN or known.scale.floor_error else "the given floor"
        ends = f"0 = {floor}, {known.scale.floor:.2f}{error}; 1 = {top}, {known.scale.ceiling:.2f}"
        out.print(f"  scale: {ends}", style="dim", markup=False)
    elif first.scores:
        lacks = "no scale: nobody knows a ceiling; compare --scale FILE.toml gives one"
        out.print(f"  {lacks}", style="dim", markup=False)
    _print_endings(out, summaries)
    for one in summaries:
        if one.own_side and one.own_side_endings:
            mean = statistics.fmean(one.own_side)
            known_there = f"{number(mean)}, {one.own_side_endings.in_words()}"
            out.print(f"  {one.agent} where it trained: {known_there}", style="dim", markup=False)
        if one.book_seed:
            scores = ", ".join(f"{score:.1f}" for score in one.book_seed)
            out.print(f"  {one.agent} from the one start it trained on: {scores}", style="dim", markup=False)
    for note in dict.fromkeys(note for one in summaries for note in one.notes):
        agents = [one.agent for one in summaries if note in one.notes]
        who = "all" if len(agents) == len(summaries) > 1 else ", ".join(agents)
        who = who if len(agents) <= MOST_NAMES or who == "all" else f"{len(agents)} agents"
        out.print(f"  {who}: {note}", style="yellow", markup=False)
    out.print()


def _print_endings(out: Console, summaries: Sequence[AgentSummary]) -> None:
    """How the final episodes ended, unless all ended alike."""
    agents: dict[str, list[str]] = {}
    for one in summaries[:MOST_AGENTS]:
        if one.endings is not None:
            agents.setdefault(one.endings.in_words(), []).append(one.agent)
    if len(agents) > 1 or any(len(one.endings.counts) > 1 for one in summaries if one.endings):
        for words, who in agents.items():
            line = f"{', '.join(who)}: {words}"
            for part in textwrap.wrap(line, max(40, out.width - 2), initial_indent="  ", subsequent_indent="    "):
                out.print(part, style="dim", markup=False)


def _share(summary: AgentSummary) -> str:
    """Such as "0.97", and how many runs are optimal where that is known."""
    if summary.normalised is None:
        return "-"
    text = f"{summary.normalised.iqm.value:.2f}"
    if not summary.optimal_runs:
        return text
    return f"{text}, optimal in {summary.optimal_runs}/{summary.runs_finished}"


def _when(summary: AgentSummary, *, wide: bool) -> str:
    threshold = summary.threshold
    if threshold is None:
        return "-"
    if threshold.median is None:
        return f"never in {len(threshold.env_steps) - threshold.reached}/{len(threshold.env_steps)}"
    lost = threshold.stayed.count(False)
    return f"{threshold.median:,.0f}" + (f", lost again in {lost}/{len(threshold.stayed)}" if lost and wide else "")


def verdict_lines(comparison: Comparison) -> Iterator[str]:
    """The verdicts in plain words: those that are decided, then how many are not, and what would decide them."""
    lines = _ordered(comparison.pairs)
    yield from (f"{better} is better than {worse}" for better, worse in lines[:MOST_VERDICTS])
    if len(lines) > MOST_VERDICTS:
        yield f"and {len(lines) - MOST_VERDICTS} more agents are better than others"
    open_pairs = [pair for pair in comparison.pairs if not pair.verdict.decided]
    for pair in [pair for pair in open_pairs if comparison.are_both_optimal(pair)]:
        yield f"{pair.x} and {pair.y} are equal{_where(pair)}: both are optimal"
        open_pairs.remove(pair)
    for pair in [pair for pair in open_pairs if comparison.are_alike(pair)]:
        yield f"{pair.x} and {pair.y} are equal{_where(pair)}: all their runs score the same"
        open_pairs.remove(pair)
    for word in ("undecided", "too few seeds"):
        pairs = [pair for pair in open_pairs if pair.verdict.word == word]
        if pairs:
            needed = [pair.verdict.seeds_needed for pair in pairs if pair.verdict.seeds_needed]
            help_ = f" ({_needed(needed, word)})" if needed else ""
            names = "; ".join(f"{pair.x} and {pair.y}" for pair in pairs[:MOST_NAMES])
            names += f"; and {len(pairs) - MOST_NAMES} more pairs" if len(pairs) > MOST_NAMES else ""
            yield f"{word}{help_}: {names}"
    faster = _ordered(comparison.learning)
    if faster:
        words = "; ".join(f"{one} than {others}" for one, others in faster[:MOST_NAMES])
        more = f"; and {len(faster) - MOST_NAMES} more agents" if len(faster) > MOST_NAMES else ""
        yield f"learns faster (area under the curve): {words}{more}"
    if comparison.method.pairs != "all":
        yield f"tested: {comparison.method.pairs} (--pairs chooses)"


def _ordered(pairs: Sequence[AgentPair]) -> list[tuple[str, str]]:
    """Each agent that is better than others, and in words than which, where, and by which p."""
    found: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for pair in pairs:
        if pair.verdict.decided:
            better, worse = (pair.x, pair.y) if pair.verdict.word == "better" else (pair.y, pair.x)
            found.setdefault((better, _where(pair)), []).append((worse, pair.verdict.p_holm))
    lines = []
    for (better, where), others in found.items():
        names = [name for name, _ in others]
        text = ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]
        most = p_text(max(p for _, p in others))
        lines.append((better, f"{text}{where} ({most if len({p for _, p in others}) == 1 else f'{most} at most'})"))
    return lines


def _needed(needed: Sequence[int], word: str) -> str:
    seeds = f"{min(needed):,}" if min(needed) == max(needed) else f"{min(needed):,} to {max(needed):,}"
    what = "could decide" if word == "too few seeds" else "would see such differences"
    return f"about {seeds} seeds on each side {what}"


def _where(pair: AgentPair) -> str:
    return f" on {pair.envs[0]}" if len(pair.envs) == 1 else f" over {len(pair.envs)} environments"
