"""Comparing agents: scores with intervals for each environment, aggregates, and verdicts on pairs of agents."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import aggregates, permutation
from experiments.aggregates import Interval
from experiments.errors import located
from experiments.references import Reference
from experiments.results import Group, Run, group_runs, read_runs

FloatArray = NDArray[np.float64]
NEGLIGIBLE = 1e-9  # a scale shorter than this is none

Record = dict[str, Any]  # one agent on one environment
Comparison = dict[str, Any]


def compare_runs(folders: Sequence[Path]) -> Comparison:
    """Everything that `rl-lab compare` says, as JSON values.

    Raises:
        InputError: a folder is missing, damaged, or holds runs that cannot be compared.
    """
    return compare_groups(group_runs(read_runs(folders)))


def compare_groups(groups: Group) -> Comparison:
    """The same for runs that have been read.

    Raises:
        InputError: a run's results are damaged.
    """
    records = []
    for (env, agent), runs in groups.items():
        with located(str(runs[0].folder.path.parent)):
            records.append(_record(env, agent, runs))
    scores = {(record["env"], record["agent"]): np.array(record["scores"]) for record in records if record["scores"]}
    agents = list(dict.fromkeys(agent for _, agent in groups))
    return {
        "records": records,
        "aggregates": [found for agent in agents if (found := _aggregate(agent, records)) is not None],
        "pairs": _pairs(agents, scores),
        "method": {
            "unit": "one training run; its score is the mean over the final evaluation episodes",
            "confidence": aggregates.CONFIDENCE,
            "bootstrap": "percentile, stratified by environment",
            "aggregate_repetitions": aggregates.AGGREGATE_REPETITIONS,
            "improvement_repetitions": aggregates.IMPROVEMENT_REPETITIONS,
            "bootstrap_seed": aggregates.BOOTSTRAP_SEED,
            "alpha": permutation.ALPHA,
        },
    }


def _record(env: str, agent: str, runs: list[Run]) -> Record:
    finished = [run for run in runs if run.finished]
    statuses = [run.manifest["status"] for run in runs]
    record: Record = {
        "env": env,
        "agent": agent,
        "runs_planned": len(runs),
        "runs_finished": len(finished),
        "runs_failed": statuses.count("failed"),
        "seeds": [run.trial.seed for run in finished],
        "measure": finished[0].manifest["measure"] if finished else None,
        "scores": [float(run.final_scores().mean()) for run in finished],
        "mean": None,
        "iqm": None,
        "interval": None,
        "min": None,
        "max": None,
        "normalised": None,
        "reference": None,
        "simulated_coverage": aggregates.SIMULATED_COVERAGE.get(len(finished)),
        "evaluation": {
            "episodes": runs[0].trial.evaluation.final_episodes,
            "seed": runs[0].trial.evaluation.seed,
        },
        "budget": runs[0].trial.budget.model_dump(exclude_none=True),
        "env_steps": [run.manifest["env_steps"] for run in finished],
    }
    if not finished:
        return record
    scores = np.array(record["scores"])
    record |= {"mean": float(scores.mean()), "min": float(scores.min()), "max": float(scores.max())}
    record |= _interval_over_runs("iqm", "interval", scores)
    book = [run.final_scores("book") for run in finished]
    if all(len(one) for one in book):
        record["book_seed"] = [float(one.mean()) for one in book]
    reference = finished[0].reference
    if reference is not None:
        record["reference"] = reference.as_dict()
        record["normalised"] = _normalised(scores, reference)
    return record


def _interval(name: str, interval_name: str, interval: Interval) -> dict[str, Any]:
    return {name: interval.value, interval_name: [interval.low, interval.high]}


def _interval_over_runs(name: str, interval_name: str, scores: FloatArray) -> dict[str, Any]:
    """The IQM of one environment's runs; one run has no interval."""
    result = _interval(name, interval_name, aggregates.bootstrap(aggregates.iqm, [scores]))
    return result if len(scores) > 1 else result | {interval_name: None}


def _normalised(scores: FloatArray, reference: Reference) -> dict[str, Any] | None:
    """0 is the random policy, 1 the reference; None where the two are the same."""
    scale = reference.reference - reference.random
    if abs(scale) < NEGLIGIBLE:
        return None
    normalised = (scores - reference.random) / scale
    return {"scores": normalised.tolist()} | _interval_over_runs("iqm", "interval", normalised)


def _aggregate(agent: str, records: list[Record]) -> dict[str, Any] | None:
    """Aggregates over the environments on which an agent has normalised scores."""
    mine = [record for record in records if record["agent"] == agent and record["normalised"]]
    if not mine:
        return None
    tasks = [np.array(record["normalised"]["scores"]) for record in mine]
    statistics = {
        "iqm": aggregates.iqm,
        "mean": aggregates.mean,
        "median": aggregates.median,
        "optimality_gap": aggregates.optimality_gap,
    }
    result: dict[str, Any] = {
        "agent": agent,
        "envs": [record["env"] for record in mine],
        "runs": sum(len(task) for task in tasks),
    }
    for name, statistic in statistics.items():
        result |= _interval(name, f"{name}_interval", aggregates.bootstrap(statistic, tasks))
    return result


def _pairs(agents: list[str], scores: dict[tuple[str, str], FloatArray]) -> list[dict[str, Any]]:
    """Every two agents on the environments that both finished, and a verdict each."""
    pairs = []
    for x, y in combinations(agents, 2):
        envs = [env for env, agent in scores if agent == x and (env, y) in scores]
        if envs:
            pairs.append(_pair(x, y, envs, [scores[env, x] for env in envs], [scores[env, y] for env in envs]))
    for pair, p in zip(pairs, permutation.holm([pair["p"] for pair in pairs]), strict=True):
        pair["p_holm"] = p
        pair["verdict"], pair["reason"] = _verdict(pair, len(pairs))
    return pairs


def _pair(x: str, y: str, envs: list[str], xs: list[FloatArray], ys: list[FloatArray]) -> dict[str, Any]:
    runs = [len(one) for one in xs], [len(one) for one in ys]
    improvement = aggregates.improvement(xs, ys)
    effect = permutation.cohens_d(xs[0], ys[0]) if len(envs) == 1 else None
    return {
        "x": x,
        "y": y,
        "envs": envs,
        "runs_x": sum(runs[0]),
        "runs_y": sum(runs[1]),
        **_interval("probability_of_improvement", "interval", improvement),
        "p": permutation.permutation_p(xs, ys),
        "smallest_p": permutation.smallest_p(*runs),
        "cliffs_delta": 2 * improvement.value - 1,
        "cohens_d": effect if effect is None or np.isfinite(effect) else None,
    }


def _verdict(pair: dict[str, Any], num_pairs: int) -> tuple[str, str]:
    """ "better", "worse", "undecided" or "too few seeds", and why."""
    low, high = pair["interval"]
    if pair["p_holm"] < permutation.ALPHA and not low <= 0.5 <= high:
        return ("better" if low > 0.5 else "worse"), f"p = {pair['p_holm']:.2g} after Holm's correction"
    if pair["smallest_p"] * num_pairs > permutation.ALPHA:
        needed = permutation.seeds_that_could_decide(len(pair["envs"]), num_pairs)
        reason = (
            f"the smallest p that they can give is {pair['smallest_p']:.2g}, times {num_pairs} "
            f"pair{'s' if num_pairs > 1 else ''}; {needed} seeds could decide"
        )
        return "too few seeds", reason
    reason = f"p = {pair['p_holm']:.2g} after Holm's correction"
    if pair["cohens_d"] and (needed_for_power := permutation.seeds_for_power(pair["cohens_d"])):
        reason += f"; about {needed_for_power} seeds would see a difference of this size"
    return "undecided", reason


def sentences(comparison: Comparison) -> list[str]:
    """The verdicts in words."""
    result = []
    for pair in comparison["pairs"]:
        low, high = pair["interval"]
        where = pair["envs"][0] if len(pair["envs"]) == 1 else f"{len(pair['envs'])} environments"
        numbers = f"probability of improvement {pair['probability_of_improvement']:.2f} [{low:.2f}, {high:.2f}]"
        x, y = pair["x"], pair["y"]
        if pair["verdict"] == "too few seeds":
            result.append(f"{x} against {y} on {where}: too few seeds ({pair['reason']})")
        elif pair["verdict"] in ("better", "worse"):
            result.append(f"{x} is {pair['verdict']} than {y} on {where} ({numbers}; {pair['reason']})")
        else:
            result.append(f"{x} against {y} on {where}: {pair['verdict']} ({numbers}; {pair['reason']})")
    return result
