"""One agent in one environment: what its runs came to."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from experiments.comparison.bootstrap import SIMULATED_COVERAGE, Estimate, Interval, bootstrap, iqm
from experiments.comparison.learning_curve import (
    Area,
    CurveBand,
    StepsToThreshold,
    area_under,
    curve_band,
    steps_to_threshold,
)
from experiments.evaluation.episode_seeds import episode_seeds
from experiments.evaluation.score_scale import ScoreScale
from experiments.results.endings import Endings, together
from experiments.results.run_result import FloatArray, RunResult, StoppingRule

ROUNDING = 1e-9  # of a normalised score


@dataclass(frozen=True)
class EvaluationEpisodes:
    """The episodes that runs were judged on, as far as they are known."""

    episodes: int | None = None  # how many
    seed: int | None = None  # that they follow from; None: they are not the lab's shared episodes
    episode_seeds: list[int] | None = None  # [episodes]

    def to_json(self) -> dict[str, Any]:
        """The episodes as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class NormalisedScores:
    """Scores on a scale: 0 is the random policy, 1 the best known one."""

    scores: list[float]  # [runs]
    iqm: Estimate

    def to_json(self) -> dict[str, Any]:
        """The scores as JSON values."""
        return {"scores": self.scores, **self.iqm.to_json("iqm")}


@dataclass(frozen=True, kw_only=True)
class AgentSummary:
    """What the runs of an agent in an environment came to; lists [runs] are of the finished ones, in one order.

    What needs a finished run (a curve, a scale) is None where there is none.
    """

    env: str  # labels
    agent: str
    runs_planned: int
    runs_failed: int = 0
    attempts_retried: int = 0  # of all the runs
    seeds: list[int]  # [runs]
    measure: str | None = None  # "return" or "-steps": what a score is
    scores: list[float]  # [runs]
    mean: float | None = None
    iqm: Estimate | None = None
    lowest: float | None = None
    highest: float | None = None
    normalised: NormalisedScores | None = None
    scale: ScoreScale | None = None
    curve: CurveBand | None = None
    area: Area | None = None  # under the curve, where every run in the environment has one
    threshold: StepsToThreshold | None = None
    evaluation: EvaluationEpisodes = EvaluationEpisodes()
    budget: dict[str, int] = field(default_factory=dict)
    env_steps: list[int] = field(default_factory=list)  # [runs]
    seconds: list[float | None] = field(default_factory=list)  # [runs], of wall-clock time
    steps_per_second: float | None = None  # median over the runs
    notes: list[str] = field(default_factory=list)  # what a reader must know of the runs
    endings: Endings | None = None  # of the final episodes of all runs
    own_side: list[float] | None = None  # [runs], scores where they trained, if they are judged elsewhere
    own_side_endings: Endings | None = None
    book_seed: list[float] | None = None  # [runs], scores from the one start that they trained on
    rule: StoppingRule | None = None  # by which seeds are added until pairs are decided, if they are
    looks: list[int] = field(default_factory=list)  # [runs], with which batch of these a run came, from 1; 0: with none

    def batches(self, num_looks: int) -> list[FloatArray]:
        """The scores of each batch [looks][runs]."""
        pairs = list(zip(self.looks, self.scores, strict=True))
        return [np.array([score for of, score in pairs if of == look]) for look in range(1, num_looks + 1)]

    @property
    def runs_finished(self) -> int:
        """How many runs trained to the end of their budget."""
        return len(self.scores)

    @property
    def simulated_coverage(self) -> float | None:
        """How often the interval of the IQM of so few runs holds the true value; None from 10 runs on."""
        return SIMULATED_COVERAGE.get(self.runs_finished)

    @property
    def optimal_runs(self) -> int:
        """How many runs are as good as an exact optimum, where that is what the scale ends in."""
        if self.normalised is None or self.scale is None or self.scale.kind != "exact optimum":
            return 0
        return sum(abs(score - 1) <= ROUNDING for score in self.normalised.scores)

    def to_json(self) -> dict[str, Any]:
        """A record of results.json."""
        values = {
            "env": self.env,
            "agent": self.agent,
            "runs_planned": self.runs_planned,
            "runs_finished": self.runs_finished,
            "runs_failed": self.runs_failed,
            "attempts_retried": self.attempts_retried,
            "seeds": self.seeds,
            "measure": self.measure,
            "scores": self.scores,
            "mean": self.mean,
            **({"iqm": None, "interval": None} if self.iqm is None else self.iqm.to_json("iqm")),
            "min": self.lowest,
            "max": self.highest,
            "normalised": None if self.normalised is None else self.normalised.to_json(),
            "reference": None if self.scale is None else self.scale.to_json(),
            "curve": None if self.curve is None else self.curve.to_json(),
            "area": None if self.area is None else self.area.to_json(),
            "simulated_coverage": self.simulated_coverage,
            "evaluation": self.evaluation.to_json(),
            "budget": self.budget,
            "env_steps": self.env_steps,
            "seconds": self.seconds,
            "steps_per_second": self.steps_per_second,
            "notes": self.notes,
            "endings": None if self.endings is None else self.endings.to_json(),
        }
        if self.own_side is not None:
            endings = None if self.own_side_endings is None else self.own_side_endings.to_json()
            values["own_side"] = {"scores": self.own_side, "endings": endings}
        if self.book_seed is not None:
            values["book_seed"] = self.book_seed
        if self.threshold is not None:
            values["threshold"] = self.threshold.to_json()
        return values


def summarise(env: str, agent: str, runs: Sequence[RunResult], common: tuple[float, float]) -> AgentSummary:
    """The summary of an agent in an environment.

    Args:
        env: the environment's label.
        agent: the agent's.
        runs: all that were planned.
        common: env steps between which every run in the environment has a curve.
    """
    finished = [run for run in runs if run.finished]
    summary = AgentSummary(
        env=env,
        agent=agent,
        runs_planned=len(runs),
        runs_failed=sum(run.status == "failed" for run in runs),
        attempts_retried=sum(run.retries for run in runs),
        seeds=[run.seed for run in finished],
        scores=[run.score for run in finished],
        evaluation=_evaluation(runs[0]),
        budget=runs[0].budget,
        env_steps=[run.env_steps for run in finished],
        seconds=[run.seconds for run in finished],
        steps_per_second=_median([run.steps_per_second for run in finished]),
        notes=sorted({note for run in runs for note in run.notes}) + _unequal_lengths(finished) + _outside(finished),
        rule=next((run.stopping.rule for run in finished if run.stopping is not None), None),
        looks=[0 if run.stopping is None else run.stopping.look for run in finished],
    )
    if not finished:
        return summary
    scores, first = np.array(summary.scores), finished[0]
    interval = bootstrap(iqm, [scores])
    curves = [run.curve for run in finished if len(run.curve[0])]
    sides = [run.own_side for run in finished if run.own_side is not None]
    curve_scale = None if first.curve_scale is None or first.curve_scale.is_negligible else first.curve_scale
    return replace(
        summary,
        measure=first.measure,
        mean=float(scores.mean()),
        iqm=Estimate.of_runs(interval, len(scores)),
        lowest=float(scores.min()),
        highest=float(scores.max()),
        normalised=None if first.scale is None else normalised(summary.scores, interval, first.scale),
        scale=first.scale,
        curve=curve_band(curves) if curves else None,
        area=area_under(curves, *common) if curves else None,
        threshold=steps_to_threshold(curves, curve_scale) if curves and curve_scale else None,
        endings=together([run.endings for run in finished]),
        own_side=None if len(sides) < len(finished) else [side.score for side in sides],
        own_side_endings=together([side.endings for side in sides]) if len(sides) == len(finished) else None,
        book_seed=_book_scores(finished),
    )


def _outside(finished: Sequence[RunResult]) -> list[str]:
    """A note where some runs came with a batch of the sequential test, and others did not."""
    count = sum(run.stopping is None for run in finished)
    if count in (0, len(finished)):
        return []
    return [f"{count} of its runs came with no batch of the sequential test, and do not count in it"]


def normalised(scores: Sequence[float], interval: Interval, scale: ScoreScale) -> NormalisedScores | None:
    """Scores and the interval of their IQM on a scale; None where its ends are the same.

    The interval is scaled with the scores: a percentile interval keeps its place.
    """
    if scale.is_negligible:
        return None
    value, *ends = scale.normalise(np.array(interval)).tolist()
    scaled = Interval(value, min(ends), max(ends))
    return NormalisedScores(scale.normalise(np.array(scores)).tolist(), Estimate.of_runs(scaled, len(scores)))


def _evaluation(run: RunResult) -> EvaluationEpisodes:
    known = run.task.evaluation
    if known is None:
        return EvaluationEpisodes(len(run.scores) or None)
    count, seed = known.final_episodes, known.seed
    of_tuning = known.purpose == "tuning"
    return EvaluationEpisodes(count, seed, episode_seeds(seed, "validation" if of_tuning else "final", count))


def _book_scores(finished: Sequence[RunResult]) -> list[float] | None:
    """The mean scores [runs] from the start that each run trained on, if all have them."""
    if not all(len(run.book_scores) for run in finished):
        return None
    return [float(run.book_scores.mean()) for run in finished]


def _unequal_lengths(finished: Sequence[RunResult]) -> list[str]:
    """A note where runs whose budget is in env steps are of different length."""
    lengths = {run.env_steps for run in finished}
    if len(lengths) < 2 or "episodes" in finished[0].budget:
        return []
    short = sum(run.env_steps < max(lengths) for run in finished)
    return [f"{short} of {len(finished)} runs are shorter than {max(lengths):,} env steps"]


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and np.isfinite(value)]
    return float(statistics.median(known)) if known else None
