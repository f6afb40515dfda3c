"""One agent in all its environments: aggregate scores with intervals, and its performance profile."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from experiments.comparison import bootstrap
from experiments.comparison.bootstrap import FloatArray, Interval
from experiments.comparison.summary import AgentSummary

NUM_TAUS = 101  # points of a performance profile


@dataclass(frozen=True)
class PerformanceProfile:
    """The share of runs above each normalised score, mean over environments, with its pointwise 95% band."""

    tau: list[float]  # [points]
    share: list[float]  # [points]
    low: list[float]  # [points]
    high: list[float]  # [points]

    def to_json(self) -> dict[str, Any]:
        """The profile as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Aggregate:
    """Normalised scores of an agent over the environments in which it has them."""

    agent: str
    envs: list[str]
    runs: int  # in all of them
    iqm: Interval
    mean: Interval
    median: Interval
    optimality_gap: Interval
    profile: PerformanceProfile

    def to_json(self) -> dict[str, Any]:
        """An aggregate of results.json."""
        return {
            "agent": self.agent,
            "envs": self.envs,
            "runs": self.runs,
            **self.iqm.to_json("iqm", "iqm_interval"),
            **self.mean.to_json("mean", "mean_interval"),
            **self.median.to_json("median", "median_interval"),
            **self.optimality_gap.to_json("optimality_gap", "optimality_gap_interval"),
            "profile": self.profile.to_json(),
        }


def make_aggregates(agents: Sequence[str], summaries: Sequence[AgentSummary]) -> list[Aggregate]:
    """The aggregates of the agents that have normalised scores."""
    scores = [(one.agent, one.env, np.array(one.normalised.scores)) for one in summaries if one.normalised]
    # The profiles are drawn at the scores from 0 to 1, and on to the best one where that is higher.
    taus = np.linspace(0.0, max(1.0, *(float(task.max()) for _, _, task in scores)) if scores else 1.0, NUM_TAUS)
    aggregates = []
    for agent in agents:
        tasks = {env: task for of, env, task in scores if of == agent}
        if tasks:
            aggregates.append(_aggregate(agent, tasks, taus))
    return aggregates


def _aggregate(agent: str, scores: dict[str, FloatArray], taus: FloatArray) -> Aggregate:
    """The aggregate of an agent from its normalised scores [runs] in each environment."""
    tasks = list(scores.values())
    share, low, high = bootstrap.profile(tasks, taus)
    profile = PerformanceProfile(taus.tolist(), share.tolist(), low.tolist(), high.tolist())
    intervals = bootstrap.bootstrap_all(bootstrap.STATISTICS, tasks)
    return Aggregate(agent, list(scores), sum(len(task) for task in tasks), **intervals, profile=profile)
