"""Comparing agents: scores with intervals for each environment, aggregates, profiles, and verdicts on pairs."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.comparison import bootstrap, permutation
from experiments.comparison.summary import THRESHOLD, Record, as_values, make_record
from experiments.comparison.verdict import make_pairs, sentence
from experiments.errors import located
from experiments.results.reading import read_results
from experiments.results.stored_run import Groups, RunResult, group_runs

Comparison = dict[str, Any]
NUM_TAUS = 101  # points of a performance profile
BUNDLED = "reference:"  # what the names of bundled results begin with


def compare_runs(folders: Sequence[Path]) -> Comparison:
    """Everything that `rl-lab compare` says, as JSON values.

    Raises:
        InputError: a folder is missing, damaged, or holds runs that cannot be compared.
    """
    return compare_groups(group_runs(read_results(folders)))


def compare_groups(groups: Groups) -> Comparison:
    """The same for runs that have been read."""
    ranges = common_ranges(groups)
    records: list[Record] = []
    for (env, agent), runs in groups.items():
        with located(runs[0].place):
            records.append(make_record(env, agent, runs, ranges.get(env, (0.0, 0.0))))
    agents = list(dict.fromkeys(agent for _, agent in groups))
    finished = {(record["env"], record["agent"]): record for record in records if record["scores"]}
    return {
        "records": records,
        "aggregates": [found for agent in agents if (found := _aggregate(agent, records)) is not None],
        "pairs": make_pairs(agents, finished, [agent for agent in agents if agent.startswith(BUNDLED)]),
        "method": {
            "unit": "one training run; its score is the mean over the final evaluation episodes",
            "confidence": bootstrap.CONFIDENCE,
            "bootstrap": "percentile, stratified by environment",
            "aggregate_repetitions": bootstrap.AGGREGATE_REPETITIONS,
            "improvement_repetitions": bootstrap.IMPROVEMENT_REPETITIONS,
            "bootstrap_seed": bootstrap.BOOTSTRAP_SEED,
            "alpha": permutation.ALPHA,
            "test": "exact permutation test of the probability of improvement, two-sided; Holm's correction over pairs",
            "threshold": THRESHOLD,
        },
        "made_with": _made_with([run for runs in groups.values() for run in runs]),
    }


def common_ranges(groups: Groups) -> dict[str, tuple[float, float]]:
    """For each environment, the env steps between which every finished run has a curve."""
    ranges: dict[str, tuple[float, float]] = {}
    for (env, _), runs in groups.items():
        for steps in (run.curve[0] for run in runs if run.finished and len(run.curve[0])):
            begin, end = ranges.get(env, (0.0, float("inf")))
            ranges[env] = (max(begin, float(steps[0])), min(end, float(steps[-1])))
    return ranges


def _aggregate(agent: str, records: list[Record]) -> dict[str, Any] | None:
    """Aggregates over the environments on which an agent has normalised scores."""
    mine = [record for record in records if record["agent"] == agent and record["normalised"]]
    if not mine:
        return None
    tasks = [np.array(record["normalised"]["scores"]) for record in mine]
    result: dict[str, Any] = {
        "agent": agent,
        "envs": [record["env"] for record in mine],
        "runs": sum(len(task) for task in tasks),
    }
    for name, interval in bootstrap.bootstrap_all(bootstrap.STATISTICS, tasks).items():
        result |= as_values(name, f"{name}_interval", interval)
    taus = _taus(records)
    share, low, high = bootstrap.profile(tasks, taus)
    result["profile"] = {"tau": taus.tolist(), "share": share.tolist(), "low": low.tolist(), "high": high.tolist()}
    return result


def _taus(records: list[Record]) -> bootstrap.FloatArray:
    """The scores at which every profile is drawn: 0 to 1, and on to the best score where that is higher."""
    scores = [score for record in records if record["normalised"] for score in record["normalised"]["scores"]]
    return np.linspace(0.0, max(1.0, *scores), NUM_TAUS)


def _made_with(results: list[RunResult]) -> dict[str, list[str]]:
    """Every version and machine that the runs tell of; more than one means that they are of different ones."""
    found: dict[str, set[str]] = {}
    for run in results:
        for kind in ("versions", "machine"):
            for name, value in (run.facts.get(kind) or {}).items():
                found.setdefault(name, set()).add(str(value))
        for name, value in (("commit", _commit(run)), ("command", run.facts.get("command"))):
            if value:
                found.setdefault(name, set()).add(value if isinstance(value, str) else shlex.join(value))
        if run.facts.get("started"):
            found.setdefault("date", set()).add(str(run.facts["started"])[:10])
    return {name: sorted(values) for name, values in found.items()}


def _commit(run: RunResult) -> str | None:
    """The lab's commit, and whether files differed from it."""
    git = run.facts.get("git")
    return f"{git['commit'][:12]}{' with changes' if git.get('dirty') else ''}" if git else None


def sentences(comparison: Comparison) -> list[str]:
    """The verdicts in words."""
    return [sentence(pair) for pair in comparison["pairs"]]
