"""Comparing agents: scores with intervals for each environment, aggregates, profiles, and verdicts on pairs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.comparison.aggregate import Aggregate, make_aggregates
from experiments.comparison.bootstrap import (
    AGGREGATE_REPETITIONS,
    BOOTSTRAP_SEED,
    CONFIDENCE,
    IMPROVEMENT_REPETITIONS,
)
from experiments.comparison.learning_curve import THRESHOLD
from experiments.comparison.learning_speed import learning_pairs
from experiments.comparison.pair import AgentPair, make_pairs
from experiments.comparison.pair_choice import AUTO, choose_pairs
from experiments.comparison.permutation import ALPHA
from experiments.comparison.sentence import sentence
from experiments.comparison.summary import AgentSummary, summarise
from experiments.errors import located
from experiments.results.bundled_results import BUNDLED
from experiments.results.given_scales import Scales
from experiments.results.groups import Groups
from experiments.results.reading import read_groups
from experiments.results.run_result import RunResult
from experiments.runs.manifest import Git

EQUAL = "are equal: both are optimal in every run"
ALIKE = "are equal: every run of both has the same score"


@dataclass(frozen=True)
class Method:
    """How the numbers are made."""

    unit: str = "one training run; its score is the mean over the final evaluation episodes"
    confidence: float = CONFIDENCE
    bootstrap: str = "percentile, stratified by environment"
    aggregate_repetitions: int = AGGREGATE_REPETITIONS
    improvement_repetitions: int = IMPROVEMENT_REPETITIONS
    bootstrap_seed: int = BOOTSTRAP_SEED
    alpha: float = ALPHA
    test: str = "exact permutation test of the probability of improvement, two-sided; Holm's correction over pairs"
    pairs: str = "all"  # which pairs are tested
    threshold: float = THRESHOLD  # of a curve: the share of the way from the floor to the ceiling

    def to_json(self) -> dict[str, Any]:
        """The method as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """Everything that `rl-lab compare` says."""

    summaries: list[AgentSummary]
    aggregates: list[Aggregate]  # of the agents that have normalised scores
    pairs: list[AgentPair]
    learning: list[AgentPair]  # the same by how fast they learn: the area under their curves
    method: Method
    made_with: dict[str, list[str]]  # versions, machines, commits, commands, dates, as the runs tell of them

    @property
    def envs(self) -> list[str]:
        """The environments' labels, in the order in which the runs were read."""
        return list(dict.fromkeys(summary.env for summary in self.summaries))

    @property
    def agents(self) -> list[str]:
        """The agents' labels, in the same order."""
        return list(dict.fromkeys(summary.agent for summary in self.summaries))

    @property
    def sentences(self) -> list[str]:
        """The verdicts on the pairs in words."""
        return [
            f"{pair.x} and {pair.y} {EQUAL}"
            if self.are_both_optimal(pair)
            else f"{pair.x} and {pair.y} {ALIKE}"
            if self.are_alike(pair)
            else sentence(pair)
            for pair in self.pairs
        ]

    def are_alike(self, pair: AgentPair) -> bool:
        """Has every run of both agents the same score in each environment?"""
        theirs = [one for one in self.summaries if one.agent in (pair.x, pair.y) and one.env in pair.envs]
        known = [{score for one in theirs if one.env == env for score in one.scores} for env in pair.envs]
        return all(len(scores) == 1 for scores in known)

    @property
    def learning_sentences(self) -> list[str]:
        """The verdicts on who learns faster in words: those that are decided, then how many are not."""
        decided = [f"by the area under the curve: {sentence(pair)}" for pair in self.learning if pair.verdict.decided]
        others = len(self.learning) - len(decided)
        pairs = "1 pair is" if others == 1 else f"{others} pairs are"
        return decided + ([f"by the area under the curve: {pairs} not decided"] if others else [])

    def are_both_optimal(self, pair: AgentPair) -> bool:
        """Is every run of both agents as good as the exact optimum?"""
        theirs = [one for one in self.summaries if one.agent in (pair.x, pair.y) and one.env in pair.envs]
        return all(0 < one.runs_finished == one.optimal_runs for one in theirs)

    @property
    def undecided(self) -> list[tuple[str, str]]:
        """The pairs of agents that further seeds could decide: neither decided nor equal."""
        return [
            (pair.x, pair.y)
            for pair in self.pairs
            if not (pair.verdict.decided or self.are_alike(pair) or self.are_both_optimal(pair))
        ]

    def in_env(self, env: str) -> list[AgentSummary]:
        """The summaries of an environment."""
        return [summary for summary in self.summaries if summary.env == env]

    def to_json(self) -> dict[str, Any]:
        """What results.json holds."""
        return {
            "records": [summary.to_json() for summary in self.summaries],
            "aggregates": [aggregate.to_json() for aggregate in self.aggregates],
            "pairs": [pair.to_json() for pair in self.pairs],
            "learning": [pair.to_json() for pair in self.learning],
            "method": self.method.to_json(),
            "made_with": self.made_with,
        }


def compare_runs(
    places: Sequence[Path],
    against: Sequence[str] = (),
    pairs: str = AUTO,
    scales: Scales | None = None,
    *,
    normalised: bool = False,
) -> Comparison:
    """Everything that `rl-lab compare` says of the runs at some places, with the bundled results of suites beside them.

    Args:
        places: folders and files with results.
        against: suites whose bundled results join in.
        pairs: which pairs of agents are tested (see `compare_groups`).
        scales: of the scores, by the environments' labels.
        normalised: all other scores are normalised already.

    Raises:
        InputError: a place is missing, damaged, or holds runs that cannot be compared.
    """
    return compare_groups(read_groups(places, against, scales, normalised=normalised), pairs)


def compare_groups(groups: Groups, pairs: str = AUTO) -> Comparison:
    """The comparison of runs that have been read.

    Args:
        groups: the runs.
        pairs: which pairs of agents are tested: "all"; "best", the best against each; an agent's label, that one
            against each; "auto", all where these are at most 300.

    Raises:
        InputError: there is no such agent, or a run is damaged.
    """
    ranges = common_ranges(groups)
    summaries: list[AgentSummary] = []
    for (env, agent), runs in groups.items():
        with located(runs[0].place):
            summaries.append(summarise(env, agent, runs, ranges.get(env, (0.0, 0.0))))
    agents = list(dict.fromkeys(agent for _, agent in groups))
    finished = {(summary.env, summary.agent): summary for summary in summaries if summary.scores}
    aggregates = make_aggregates(agents, summaries)
    choice = choose_pairs(pairs, agents, summaries, aggregates)
    bundled = [agent for agent in agents if agent.startswith(BUNDLED)]
    made = make_pairs(agents, finished, bundled, choice.against, choice.tests)
    return Comparison(
        summaries=summaries,
        aggregates=aggregates,
        pairs=made,
        learning=learning_pairs(agents, finished, bundled, choice.against, choice.tests),
        method=Method(test=_test_words(made), pairs=choice.words),
        made_with=_made_with([run for runs in groups.values() for run in runs]),
    )


def _test_words(pairs: Sequence[AgentPair]) -> str:
    """How the tests were made, in words."""
    everything = [*pairs, *(single for pair in pairs for single in pair.by_env or [])]
    methods = {pair.evidence.method for pair in everything}
    words = Method().test
    if "drawn" in methods:
        words += "; where there is too much to count, of 100,000 seeded draws"
    if "sequential" in methods:
        words += "; where seeds were added until pairs were decided, the repeated p of a group-sequential test"
    if "normal" in methods:
        words += "; with more than about 70 runs a side, by the normal approximation with ties"
    return words


def common_ranges(groups: Groups) -> dict[str, tuple[float, float]]:
    """For each environment, the env steps between which every finished run has a curve.

    A curve that never moves is as high wherever it is looked at, so that its length is no matter beside others.
    """
    ranges: dict[str, tuple[float, float]] = {}
    for env in dict.fromkeys(env for env, _ in groups):
        runs = [run for (of, _), some in groups.items() if of == env for run in some]
        curves = [run.curve for run in runs if run.finished and len(run.curve[0])]
        if curves:
            moving = [curve for curve in curves if np.ptp(curve[1]) > 0] or curves
            begin, end = max(float(steps[0]) for steps, _ in moving), min(float(steps[-1]) for steps, _ in moving)
            ranges[env] = begin, end
    return ranges


def _made_with(results: list[RunResult]) -> dict[str, list[str]]:
    """Every version and machine that the runs tell of; more than one means that they are of different ones."""
    found: dict[str, set[str]] = {}
    for run in results:
        made = run.made_with
        for name, value in (*made.versions.items(), *made.machine.items()):
            found.setdefault(name, set()).add(str(value))
        date = (made.started or "")[:10]
        for name, text in (("commit", _commit(made.git)), ("command", made.command), ("date", date)):
            if text:
                found.setdefault(name, set()).add(text)
    return {name: sorted(values) for name, values in found.items()}


def _commit(git: Git | None) -> str | None:
    """The lab's commit, and whether files differed from it."""
    return None if git is None else f"{git.commit[:12]}{' with changes' if git.dirty else ''}"
