"""What one training run came to, wherever it is kept: the unit of every comparison."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from experiments.evaluation.score_scale import ScoreScale
from experiments.results.endings import Endings
from experiments.runs.manifest import Git, Manifest, Scale
from experiments.runs.run_folder import RunFolder
from experiments.specs.spec import RunSpec

FloatArray = NDArray[np.float64]
Curve = tuple[FloatArray, FloatArray]  # env steps [points], values [points]
NOTHING: Curve = (np.zeros(0), np.zeros(0))


LARGEST = 1e100  # of a number that results may hold: squares and sums stay finite


def scale_of(record: Scale | None) -> ScoreScale | None:
    """The scale that a record holds, if there is one."""
    return None if record is None else ScoreScale.from_json(record.model_dump())


def finite(values: Any) -> FloatArray:
    """Numbers as an array.

    Raises:
        ValueError: they are none, or too large to be added up.
    """
    if np.iscomplexobj(values):
        raise ValueError("expected real numbers, got complex ones")
    try:
        array = np.asarray(values, dtype=float)
    except OverflowError as error:  # an integer of hundreds of digits
        raise ValueError(f"expected finite numbers below {LARGEST:g}: {error}") from None
    if not (np.abs(array) < LARGEST).all():
        raise ValueError(f"expected finite numbers below {LARGEST:g}, got {array[~(np.abs(array) < LARGEST)][0]}")
    return array


@dataclass(frozen=True)
class EpisodeSet:
    """The shared episodes of a final score."""

    seed: int  # of the evaluation
    final_episodes: int
    purpose: str = "comparison"  # or "tuning"

    def to_json(self) -> dict[str, JsonValue]:
        """As in a score file."""
        others: dict[str, JsonValue] = {} if self.purpose == "comparison" else {"purpose": self.purpose}
        return {"seed": self.seed, "final_episodes": self.final_episodes} | others


@dataclass(frozen=True)
class Task:
    """What must be the same in runs that are compared; what is not known of another library's run is None."""

    environment: Mapping[str, JsonValue] | None = None  # id, settings, reset seed
    evaluation: EpisodeSet | None = None

    @classmethod
    def of(cls, run_spec: RunSpec) -> Self:
        """That of a run of ours."""
        evaluation = run_spec.evaluation
        episodes = EpisodeSet(evaluation.seed, evaluation.final_episodes, evaluation.purpose)
        return cls(run_spec.env.task(), episodes)

    def to_json(self) -> dict[str, Any]:
        """As in a score file: what is known."""
        values: dict[str, Any] = {} if self.environment is None else {"environment": dict(self.environment)}
        return values | ({} if self.evaluation is None else {"evaluation": self.evaluation.to_json()})

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        environment, evaluation = values.get("environment"), values.get("evaluation")
        episodes = None
        if evaluation is not None:
            purpose = str(evaluation.get("purpose", "comparison"))
            episodes = EpisodeSet(int(evaluation["seed"]), int(evaluation["final_episodes"]), purpose)
        return cls(None if environment is None else dict(environment), episodes)


@dataclass(frozen=True)
class Identity:
    """Which agent it was; runs of another library have a name and no more."""

    id: str
    settings: Mapping[str, JsonValue] | None = None  # those that are no defaults

    def to_json(self) -> dict[str, Any]:
        """As in a score file."""
        return {"name": self.id} if self.settings is None else {"id": self.id, "settings": dict(self.settings)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Identity | None":
        """What `to_json` gave; None of nothing."""
        if not values:
            return None
        return cls(str(values["name"])) if "name" in values else cls(str(values["id"]), dict(values["settings"]))


@dataclass(frozen=True)
class MadeWith:
    """From which code, on which machine, when and by which command a run was made, as far as that is known."""

    versions: Mapping[str, str | None] = field(default_factory=dict)
    machine: Mapping[str, str | int | None] = field(default_factory=dict)
    git: Git | None = None
    command: str = ""
    started: str | None = None  # UTC

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """What a manifest says."""
        started = manifest.attempts[0].started if manifest.attempts else None
        return cls(manifest.versions, manifest.machine, manifest.git, shlex.join(manifest.command), started)

    def to_json(self) -> dict[str, Any]:
        """As in a score file, which has the command elsewhere."""
        if self == MadeWith():
            return {}
        git = None if self.git is None else self.git.model_dump()
        return {"versions": dict(self.versions), "machine": dict(self.machine), "git": git, "started": self.started}


@dataclass(frozen=True)
class OwnSide:
    """What a run came to where it trained: the same final episodes, in the environment as it was in training."""

    score: float
    endings: Endings

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"score": self.score, "endings": self.endings.to_json()}


class StoppingRule(NamedTuple):
    """How seeds are added until pairs are decided."""

    batch: int  # seeds an agent, in every environment, at each look
    looks: int  # at most


@dataclass(frozen=True)
class Stopping:
    """With which batch of seeds a run came, and by which rule these are added."""

    rule: StoppingRule
    look: int  # from 1

    def to_json(self) -> dict[str, JsonValue]:
        """As in run.json."""
        return {"batch": self.rule.batch, "looks": self.rule.looks, "look": self.look}

    @classmethod
    def from_json(cls, values: Mapping[str, JsonValue]) -> Self:
        """What `to_json` gave.

        Raises:
            ValueError: it is none.
        """
        numbers = [values.get(name) for name in ("batch", "looks", "look")]
        batch, looks, look = (one if isinstance(one, int) else 0 for one in numbers)
        if not (batch >= 1 and 1 <= look <= looks):
            raise ValueError(f"stopping_rule: expected batch, looks and look from 1 on, got {dict(values)}")
        return cls(StoppingRule(batch, looks), look)


UNKNOWN_TASK, UNKNOWN_MAKING = Task(), MadeWith()


@dataclass(frozen=True)
class RunResult:
    """What one training run came to, wherever it is kept: the unit of every comparison."""

    env: str  # labels
    agent: str
    seed: int
    place: str  # where it is kept, for messages
    experiment: str = ""
    status: str = "finished"
    task: Task = UNKNOWN_TASK
    identity: Identity | None = None  # None: not known
    budget: dict[str, int] = field(default_factory=dict)
    measure: str = "return"  # or "-steps": what a score is
    scores: FloatArray = field(default_factory=lambda: np.zeros(0))  # [episodes] of the final evaluation
    book_scores: FloatArray = field(default_factory=lambda: np.zeros(0))  # [episodes] from the start it trained on
    curve: Curve = NOTHING  # mean evaluation scores
    curve_seconds: FloatArray = field(default_factory=lambda: np.zeros(0))  # [points] of training till then, if known
    training: Curve = NOTHING  # returns of training episodes, with exploration
    env_steps: int = 0
    scale: ScoreScale | None = None  # the ends of the scale, on the final episodes
    curve_scale: ScoreScale | None = None  # the same on the episodes of the curve's points
    endings: Endings | None = None  # of the final episodes; None: not known
    own_side: OwnSide | None = None  # where it trained, if it is judged elsewhere
    retries: int = 0  # attempts that failed before the last
    seconds: float | None = None  # of wall-clock time, training and evaluation
    steps_per_second: float | None = None  # of training
    made_with: MadeWith = UNKNOWN_MAKING
    stopping: Stopping | None = None  # with which batch it came, where seeds are added until pairs are decided
    notes: tuple[str, ...] = ()  # what a reader must know of it
    folder: RunFolder | None = None
    manifest: Manifest | None = None  # of a run of ours

    @property
    def finished(self) -> bool:
        """Did it train to the end of its budget?"""
        return self.status == "finished"

    @property
    def score(self) -> float:
        """Its score: the mean over the final evaluation's episodes."""
        return float(self.scores.mean())
