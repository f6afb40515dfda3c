"""What may be said of two agents: better, worse, undecided, or too few seeds."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from experiments.comparison import permutation
from experiments.comparison.evidence import Evidence

Word = Literal["better", "worse", "undecided", "too few seeds"]


@dataclass(frozen=True)
class Verdict:
    """What may be said of x against y, as one of a family of tests."""

    word: Word
    reason: str
    p_holm: float  # after Holm's correction
    tests: int  # of the family
    multiplier: int  # what Holm's correction multiplies this pair's p by, at best
    seeds_needed: int | None = None  # on each side, that could decide, or would see such a difference

    @property
    def decided(self) -> bool:
        """Is one of the two better?"""
        return self.word in ("better", "worse")

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON values."""
        return {
            "multiplier": self.multiplier,
            "p_holm": self.p_holm,
            "tests": self.tests,
            **({} if self.seeds_needed is None else {"seeds_needed": self.seeds_needed}),
            "verdict": self.word,
            "reason": self.reason,
        }


def judge(family: Sequence[Evidence], tests: int | None = None) -> list[Verdict]:
    """The verdicts on pairs whose tests are one family for Holm's correction.

    Args:
        family: what was measured.
        tests: how many tests the family has; more than are given where these were chosen among others by their data.
    """
    p_values = [evidence.p for evidence in family]
    more = 0 if tests is None else tests - len(family)
    ordered = sorted(p_values)
    verdicts = []
    for evidence, p_holm in zip(family, permutation.holm(p_values, more), strict=True):
        # Holm multiplies the smallest p by the number of tests, the next by one less, ...: at best, this one's is
        # multiplied by the number of tests whose p is not below the smallest that its runs can give.
        others = len(family) - bisect_left(ordered, evidence.smallest_p) - (evidence.p >= evidence.smallest_p)
        multiplier = 1 + others + more
        word, reason, seeds_needed = _verdict(evidence, p_holm, len(family) + more, multiplier)
        verdicts.append(Verdict(word, reason, p_holm, len(family) + more, multiplier, seeds_needed))
    return verdicts


def _verdict(evidence: Evidence, p_holm: float, tests: int, multiplier: int) -> tuple[Word, str, int | None]:
    """The verdict, why, and how many seeds on each side would help."""
    low, high = evidence.improvement.ends
    reason = f"{p_text(p_holm)} after Holm's correction"
    if p_holm < permutation.ALPHA and not low <= 0.5 <= high:
        return ("better" if low > 0.5 else "worse"), reason, None
    if evidence.smallest_p * multiplier >= permutation.ALPHA:
        needed = permutation.seeds_that_could_decide(evidence.runs, multiplier)
        reason = (
            f"the smallest p that they can give is {evidence.smallest_p:.2g}, times {multiplier} "
            f"pair{'s' if multiplier > 1 else ''}; {needed} seeds on each side could decide"
        )
        return "too few seeds", reason, needed
    wanted = permutation.seeds_for_power(evidence.cohens_d.value if evidence.cohens_d else 0.0, tests)
    if wanted and wanted > max(evidence.runs_each):
        reason += f"; about {wanted:,} seeds on each side would see a difference of this size"
        return "undecided", reason, wanted
    return "undecided", reason, None


def p_text(p: float) -> str:
    """Such as "p = 0.012" or "p < 0.0001"."""
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"
