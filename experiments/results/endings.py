"""Why episodes were good or bad: how they ended, and how often the agent was where it had never been."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from envs.endings import ending, ending_words
from experiments.runs.manifest import TableSize


@dataclass(frozen=True)
class Endings:
    """How evaluation episodes ended, and what a table knew of the states in them."""

    counts: Mapping[str, int]  # of episodes, by what their end is called (see `envs.endings`)
    unmet_share: float | None = None  # mean share of the decisions taken in states that training had never met
    states_met: int | None = None  # by training; the median of several runs
    states_possible: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "counts": dict(self.counts),
            "unmet_share": self.unmet_share,
            "states_met": self.states_met,
            "states_possible": self.states_possible,
        }

    def in_words(self) -> str:
        """Such as "crashed 97%, landed 3%; 25% of decisions in states never met (met 1,234 of 161,051)"."""
        total = sum(self.counts.values())
        ordered = sorted(self.counts.items(), key=lambda one: (-one[1], one[0]))
        text = ", ".join(f"{word} {_percent(count / total)}" for word, count in ordered)
        if self.unmet_share is None or not self.states_met:
            return text
        of = f" of {self.states_possible:,}" if self.states_possible else ""
        return f"{text}; {_percent(self.unmet_share)} of decisions in states never met (met {self.states_met:,}{of})"


class End(NamedTuple):
    """How one episode ended."""

    terminated: bool
    success: bool | None
    unmet_share: float | None


def endings_of(ends: Sequence[End], env_id: str, table: TableSize | None) -> Endings:
    """How some episodes ended.

    Args:
        ends: of the episodes.
        env_id: of their environment, which has words for it.
        table: of the agent, if it has one.
    """
    words = ending_words(env_id)
    shares = [one.unmet_share for one in ends if one.unmet_share is not None]
    return Endings(
        counts=Counter(ending(words, terminated=one.terminated, success=one.success) for one in ends),
        unmet_share=statistics.fmean(shares) if shares and len(shares) == len(ends) else None,
        states_met=None if table is None else table.met,
        states_possible=None if table is None else table.possible,
    )


def together(several: Sequence[Endings | None]) -> Endings | None:
    """Those of several runs; None where some are not known."""
    known = [one for one in several if one is not None and one.counts]
    if not known or len(known) < len(several):
        return None
    counts: Counter[str] = Counter()
    for one in known:
        counts.update(one.counts)
    shares = [one.unmet_share for one in known if one.unmet_share is not None]
    met = [one.states_met for one in known if one.states_met is not None]
    return Endings(
        counts=dict(counts),
        unmet_share=statistics.fmean(shares) if len(shares) == len(known) else None,
        states_met=statistics.median_low(met) if len(met) == len(known) else None,
        states_possible=known[0].states_possible,
    )


def _percent(share: float) -> str:
    """Such as "3%"; neither 0% nor 100% is said of what is not."""
    if 0 < share < 0.01:
        return "under 1%"
    return "over 99%" if 0.99 < share < 1 else f"{share:.0%}"
