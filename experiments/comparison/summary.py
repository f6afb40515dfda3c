"""One agent in one environment: what its runs came to, as JSON values."""

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.comparison import bootstrap
from experiments.comparison.bootstrap import FloatArray, Interval
from experiments.comparison.learning_curve import align, area, iqm_curve, steps_to
from experiments.evaluation.episode_seeds import episode_seeds
from experiments.evaluation.score_scale import ScoreScale
from experiments.results.stored_run import RunResult

THRESHOLD = 0.9  # of the way from the floor to the ceiling

Record = dict[str, Any]


def make_record(env: str, agent: str, runs: Sequence[RunResult], common: tuple[float, float]) -> Record:
    """The record of an agent in an environment.

    Args:
        env: the environment's label.
        agent: the agent's.
        runs: all that were planned.
        common: env steps between which every run in the environment has a curve.
    """
    finished = [run for run in runs if run.finished]
    record: Record = {
        "env": env,
        "agent": agent,
        "runs_planned": len(runs),
        "runs_finished": len(finished),
        "runs_failed": sum(run.status == "failed" for run in runs),
        "attempts_retried": sum(run.retries for run in runs),
        "seeds": [run.seed for run in finished],
        "measure": finished[0].measure if finished else None,
        "scores": [run.score for run in finished],
        **dict.fromkeys(("mean", "iqm", "interval", "min", "max", "normalised", "reference", "curve", "area")),
        "simulated_coverage": bootstrap.SIMULATED_COVERAGE.get(len(finished)),
        "evaluation": _evaluation(runs[0]),
        "budget": runs[0].budget,
        "env_steps": [run.env_steps for run in finished],
        "seconds": [run.seconds for run in finished],
        "steps_per_second": _median([run.steps_per_second for run in finished]),
        "notes": sorted({note for run in runs for note in run.notes}),
    }
    if not finished:
        return record
    scores = np.array(record["scores"])
    record |= {"mean": float(scores.mean()), "min": float(scores.min()), "max": float(scores.max())}
    interval = bootstrap.bootstrap(bootstrap.iqm, [scores])
    record |= _of_runs("iqm", "interval", interval, len(scores))
    if all(len(run.book_scores) for run in finished):
        record["book_seed"] = [float(run.book_scores.mean()) for run in finished]
    scale = finished[0].scale
    if scale is not None:
        record["reference"] = scale.to_json()
        record["normalised"] = normalised(scores, interval, scale)
    lengths = {run.env_steps for run in finished}
    if len(lengths) > 1 and "episodes" not in runs[0].budget:
        short = sum(run.env_steps < max(lengths) for run in finished)
        record["notes"].append(f"{short} of {len(finished)} runs are shorter than {max(lengths):,} env steps")
    return record | _curve(finished, common)


def _evaluation(run: RunResult) -> dict[str, Any]:
    """On which episodes the runs were judged, as far as that is known."""
    known = run.task.get("evaluation")
    if known is None:
        return {"episodes": len(run.scores) or None, "seed": None, "episode_seeds": None}
    count, seed = known["final_episodes"], known["seed"]
    return {"episodes": count, "seed": seed, "episode_seeds": episode_seeds(seed, "final", count)}


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and np.isfinite(value)]
    return float(statistics.median(known)) if known else None


def as_values(name: str, interval_name: str, interval: Interval) -> dict[str, Any]:
    """An interval as JSON values."""
    return {name: interval.value, interval_name: [interval.low, interval.high]}


def _known(values: FloatArray) -> list[float | None]:
    """Numbers, None where no run has one."""
    return [float(value) if np.isfinite(value) else None for value in values]


def _of_runs(name: str, interval_name: str, interval: Interval, num_runs: int) -> dict[str, Any]:
    """The same; a single run has no interval."""
    return as_values(name, interval_name, interval) | ({} if num_runs > 1 else {interval_name: None})


def normalised(scores: FloatArray, interval: Interval, scale: ScoreScale) -> dict[str, Any] | None:
    """0 is the random policy, 1 the ceiling; None where the two are the same.

    The interval of the IQM is scaled with the scores: a percentile interval keeps its place.
    """
    if scale.is_negligible:
        return None
    value, *ends = scale.normalise(np.array(interval)).tolist()
    scaled = Interval(value, min(ends), max(ends))
    result = {"scores": scale.normalise(scores).tolist()}
    return result | _of_runs("iqm", "interval", scaled, len(scores))


def _curve(finished: Sequence[RunResult], common: tuple[float, float]) -> dict[str, Any]:
    """The learning curve, the area under it, and the steps to the threshold."""
    curves = [run.curve for run in finished if len(run.curve[0])]
    if not curves:
        return {}
    steps, values = align(curves)
    middle, low, high, num_runs = iqm_curve(values)
    heights = np.array([area(curve, *common) for curve in curves])
    result: dict[str, Any] = {
        "curve": {
            "env_steps": steps.tolist(),
            **{name: _known(values) for name, values in (("iqm", middle), ("low", low), ("high", high))},
            "runs": num_runs.astype(int).tolist(),
        },
        "area": {"from": common[0], "until": common[1]}
        | _of_runs("mean_height", "interval", bootstrap.bootstrap(bootstrap.iqm, [heights]), len(heights)),
    }
    scale = finished[0].curve_scale
    if scale is None or scale.is_negligible:
        return result
    threshold = scale.score_at(THRESHOLD)
    reached = [steps_to(curve, threshold) for curve in curves]
    ordered = sorted(float("inf") if one is None else one for one in reached)
    median = statistics.median(ordered)
    result["threshold"] = {
        "score": threshold,
        "share": THRESHOLD,
        "env_steps": reached,
        "reached": sum(one is not None for one in reached),
        "runs": len(reached),
        "median": median if np.isfinite(median) else None,  # never reached counts as later than all
    }
    return result
