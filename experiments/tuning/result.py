"""What a search came to: its candidates, the winner, and what the winner is worth on fresh seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import JsonValue

from experiments.comparison.bootstrap import (
    AGGREGATE_REPETITIONS,
    BOOTSTRAP_SEED,
    Estimate,
    FloatArray,
    bootstrap,
    iqm,
    percentile,
    resample,
)

STATES = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}


@dataclass(frozen=True)
class Candidate:
    """Settings that were tried."""

    number: int
    state: str  # of STATES' values
    settings: dict[str, JsonValue]
    score: float | None  # the IQM of its runs on validation episodes; None where it did not finish
    reports: list[float]  # [evaluations] mean scores so far, by which it is pruned
    env_steps: int
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As in tuning.json."""
        return dict(vars(self))


@dataclass(frozen=True)
class FreshScore:
    """What the winner came to with seeds that no search has used, on the episodes of comparisons."""

    score: Estimate  # the IQM of its runs
    gap: Estimate  # the optimism gap: tuned score minus this one
    num_runs: int
    measured: str  # "return", "-steps", or "normalised score"
    tuned: float  # what the search promised: its score there, on the scale of these episodes where that is known

    def to_json(self) -> dict[str, Any]:
        """As in tuning.json."""
        return {
            "runs": self.num_runs,
            "measure": self.measured,
            "tuned_score": self.tuned,
            **self.score.to_json("score"),
            "optimism_gap": self.gap.to_json("value"),
        }


@dataclass(frozen=True)
class TuningResult:
    """A search for one agent's settings."""

    agent: str  # its label
    agent_id: str
    envs: list[str]
    sampler: str
    pruner: str
    num_seeds: int  # of a candidate, in each environment
    num_validation_episodes: int
    space: dict[str, JsonValue]
    candidates: list[Candidate]
    importances: dict[str, float]  # share of the scores' variance that each setting explains
    fresh: FreshScore | None = None

    @property
    def finished(self) -> list[Candidate]:
        """The candidates that have a score."""
        return [one for one in self.candidates if one.score is not None]

    @property
    def best(self) -> Candidate | None:
        """The winner: the first of those with the highest score."""
        return max(self.finished, key=lambda one: (one.score, -one.number), default=None)

    @property
    def env_steps(self) -> int:
        """The budget that was spent."""
        return sum(one.env_steps for one in self.candidates)

    def count(self, state: str) -> int:
        """Candidates in a state."""
        return sum(one.state == state for one in self.candidates)

    def to_json(self) -> dict[str, Any]:
        """As in tuning.json."""
        best = self.best
        return {
            "agent": self.agent,
            "id": self.agent_id,
            "envs": self.envs,
            "sampler": self.sampler,
            "pruner": self.pruner,
            "seeds": self.num_seeds,
            "validation_episodes": self.num_validation_episodes,
            "env_steps": self.env_steps,
            "space": self.space,
            "best": None if best is None else best.to_json(),
            "fresh": None if self.fresh is None else self.fresh.to_json(),
            "importances": self.importances,
            "candidates": [one.to_json() for one in self.candidates],
        }


def fresh_score(tuned: Sequence[FloatArray], fresh: Sequence[FloatArray], measured: str) -> FreshScore:
    """The winner's fresh score and the optimism gap, with bootstrap intervals.

    Runs are resampled within each environment, those of the search and the fresh ones independently. The choice of the
    winner is not resampled: the gap's interval is about noise, and its value holds the optimism.

    Args:
        tuned: scores of the winner's runs in the search, an array [runs] for each environment.
        fresh: scores of its runs with fresh seeds, the same.
        measured: what a score is.
    """
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    draws = [iqm([resample(scores, AGGREGATE_REPETITIONS, rng) for scores in of_side]) for of_side in (tuned, fresh)]
    gap = percentile(float(iqm(tuned) - iqm(fresh)), draws[0] - draws[1])
    fewest = min(len(scores) for scores in [*tuned, *fresh])
    score = Estimate.of_runs(bootstrap(iqm, fresh), min(len(scores) for scores in fresh))
    return FreshScore(score, Estimate.of_runs(gap, fewest), sum(map(len, fresh)), measured, float(iqm(tuned)))
