"""Verdicts in words and the tests behind them, for the terminal."""

from rich.console import Console

from experiments.comparison.comparison import Comparison
from experiments.comparison.ranking import ranked
from experiments.comparison.verdict import p_text
from rl_lab.text.tables import interval_text, table

MOST_PAIRS = 21  # that are listed one by one; of more, those of the best agent


def print_verdicts(out: Console, comparison: Comparison, *, narrow: bool) -> None:
    """The verdicts, decided ones first; where there is room a table of tests and effect sizes."""
    pairs = list(zip(comparison.sentences, comparison.pairs, strict=True))
    if not pairs:
        return
    out.print("[bold]Verdicts[/bold]")
    shown = pairs
    if len(pairs) > MOST_PAIRS:
        best = _best(comparison)
        shown = [(words, pair) for words, pair in pairs if best in (pair.x, pair.y)]
        decided = sum(pair.verdict.decided for _, pair in pairs)
        out.print(
            f"  {decided} of {len(pairs)} pairs are decided; here those of {best}, the rest in the report", markup=False
        )
    if comparison.method.pairs != "all":
        out.print(f"  tested: {comparison.method.pairs} (--pairs chooses)", markup=False)
    for words, pair in sorted(shown, key=lambda one: not one[1].verdict.decided):
        out.print(f"  {words}", style="" if pair.verdict.decided else "dim", markup=False)
    for words in comparison.learning_sentences:
        out.print(f"  {words}", markup=False)
    out.print()
    if narrow:
        return
    headings = ["P(improvement)", "p", "p, Holm", "Cliff's delta", "Cohen's d", "paired difference"]
    tests = table("[bold]Tests[/bold]", headings, first="pair")
    for _, pair in shown:
        evidence, paired = pair.evidence, pair.evidence.paired_difference
        tests.add_row(
            f"{pair.x} - {pair.y}",
            interval_text(evidence.improvement),
            *(p_text(p).removeprefix("p = ").removeprefix("p ") for p in (evidence.p, pair.verdict.p_holm)),
            interval_text(evidence.cliffs_delta),
            interval_text(evidence.cohens_d),
            interval_text(None if paired is None else paired.mean),
        )
    out.print(tests)
    out.print()


def _best(comparison: Comparison) -> str:
    """The agent with the highest IQM of normalised scores, else the one that improves on the most."""
    if comparison.aggregates:
        return ranked(comparison.aggregates)[0].agent
    sums: dict[str, float] = {}
    for pair in comparison.pairs:
        advantage = pair.evidence.improvement.value - 0.5
        sums[pair.x] = sums.get(pair.x, 0.0) + advantage
        sums[pair.y] = sums.get(pair.y, 0.0) - advantage
    return max(sums, key=sums.__getitem__)
