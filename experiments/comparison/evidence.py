"""What is measured of two agents against each other: probability of improvement, a test, effect sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.comparison import bootstrap, permutation
from experiments.comparison.bootstrap import FloatArray, Interval
from experiments.comparison.sequential import repeated_p
from experiments.comparison.summary import AgentSummary
from experiments.results.run_result import StoppingRule


@dataclass(frozen=True)
class PairedDifference:
    """The mean difference of runs with the same seed, judged on the same episodes."""

    mean: Interval
    unit: str  # "score"; over several environments "normalised score"
    seeds: int  # in common, in the environment that has the fewest

    def to_json(self) -> dict[str, Any]:
        """The difference as JSON values."""
        return {**self.mean.to_json("mean"), "unit": self.unit, "seeds": self.seeds}


@dataclass(frozen=True)
class Evidence:
    """What the runs of two agents, x and y, say in the environments in which both have finished runs."""

    runs: list[tuple[int, int]]  # of x and y in each environment
    improvement: Interval  # probability that a run of x beats a run of y
    p: float
    method: permutation.Method  # how p was found
    smallest_p: float  # that so many runs can give
    cohens_d: Interval | None  # in a single environment in which runs vary
    paired_difference: PairedDifference | None
    budgets_differ: bool

    @property
    def runs_x(self) -> int:
        """All runs of x."""
        return sum(of_x for of_x, _ in self.runs)

    @property
    def runs_y(self) -> int:
        """All runs of y."""
        return sum(of_y for _, of_y in self.runs)

    @property
    def runs_each(self) -> list[int]:
        """The different numbers of runs that a side has in an environment, the smallest first."""
        return sorted({count for counts in self.runs for count in counts})

    @property
    def cliffs_delta(self) -> Interval:
        """The probability of improvement as an effect size: -1 always worse, 0 alike, 1 always better."""
        return Interval(*(2 * one - 1 for one in self.improvement))

    def to_json(self) -> dict[str, Any]:
        """The evidence as JSON values."""
        effect, paired = self.cohens_d, self.paired_difference
        return {
            "runs_x": self.runs_x,
            "runs_y": self.runs_y,
            "runs_each": self.runs_each,
            **self.improvement.to_json("probability_of_improvement"),
            "p": self.p,
            **({} if self.method == "exact" else {"p_method": self.method}),
            "smallest_p": self.smallest_p,
            **self.cliffs_delta.to_json("cliffs_delta", "cliffs_delta_interval"),
            "cohens_d": None if effect is None else effect.value,
            "cohens_d_interval": None if effect is None else list(effect.ends),
            "paired_difference": None if paired is None else paired.to_json(),
            "budgets_differ": self.budgets_differ,
            "runs": [list(counts) for counts in self.runs],
        }


def gather(of_x: Sequence[AgentSummary], of_y: Sequence[AgentSummary]) -> Evidence:
    """What two agents' summaries in the same environments say of them."""
    xs, ys = ([np.array(summary.scores) for summary in side] for side in (of_x, of_y))
    rule = next((one.rule for one in (*of_x, *of_y) if one.rule is not None), None)
    test = permutation.permutation_test(xs, ys) if rule is None else _sequential(of_x, of_y, rule)
    runs = [len(scores) for scores in xs], [len(scores) for scores in ys]
    return Evidence(
        runs=list(zip(*runs, strict=True)),
        improvement=bootstrap.improvement(xs, ys),
        **test._asdict(),
        smallest_p=permutation.smallest_p(*runs),
        cohens_d=permutation.cohens_d_interval(xs[0], ys[0]) if len(xs) == 1 else None,
        paired_difference=_paired_difference(of_x, of_y),
        budgets_differ=any(one.budget != other.budget for one, other in zip(of_x, of_y, strict=True)),
    )


def _sequential(
    of_x: Sequence[AgentSummary], of_y: Sequence[AgentSummary], rule: StoppingRule
) -> permutation.PermutationTest:
    """The repeated p by the batches that both agents have runs of, in every environment."""
    looks = 0
    while looks < rule.looks and all(len(one.batches(looks + 1)[-1]) for one in (*of_x, *of_y)):
        looks += 1
    if not looks:
        return permutation.PermutationTest(1.0, "sequential")
    p = repeated_p([one.batches(looks) for one in of_x], [one.batches(looks) for one in of_y], rule)
    return permutation.PermutationTest(p, "sequential")


def _paired_difference(of_x: Sequence[AgentSummary], of_y: Sequence[AgentSummary]) -> PairedDifference | None:
    """The paired difference where it means something; over several environments, of normalised scores."""
    several = len(of_x) > 1
    differences: list[FloatArray] = []
    for one, other in zip(of_x, of_y, strict=True):
        if one.evaluation.seed is None or other.evaluation.seed is None or one.measure != other.measure:
            return None
        sides = []
        for summary in (one, other):
            if several and summary.normalised is None:
                return None
            scores = summary.normalised.scores if several and summary.normalised else summary.scores
            sides.append(dict(zip(summary.seeds, scores, strict=True)))
        common = sorted(sides[0].keys() & sides[1].keys())
        if len(common) < 2:
            return None
        differences.append(np.array([sides[0][seed] - sides[1][seed] for seed in common]))
    return PairedDifference(
        mean=bootstrap.paired_difference(differences),
        unit="normalised score" if several else "score",
        seeds=min(len(one) for one in differences),
    )
