"""run.json: all that is known of a run beside its logs and its checkpoint. Typed, and checked where it is read."""

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator
from pydantic_core import to_json

from experiments.errors import InputError, explain, shown
from experiments.specs.spec import Budget, RunSpec

FORMAT = 3
READABLE = (2, 3)  # 2 is 0.4.0's
LARGEST = 16_000_000  # bytes of a run.json
Status = Literal["pending", "running", "finished", "failed", "interrupted"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Shown = Annotated[str, AfterValidator(shown)]  # only to be shown: without what would command a terminal


class Attempt(_Record):
    """One time that a process trained the run."""

    started: Shown  # UTC
    process: int
    from_step: int = 0  # env steps that were made before
    ended: Shown | None = None
    interrupted: bool = False
    error: Shown | None = None


class Seeds(_Record):
    """Every seed of the run, and how it follows from the run's seed and the evaluation's."""

    run: int
    derivation: str
    streams: dict[str, int]
    episodes_derivation: str
    curve_episodes: list[int]
    final_episodes: list[int]


class Wrapper(_Record):
    """A wrapper around the environment."""

    name: str
    arguments: dict[str, str] = {}


class Limits(_Record):
    """Steps after which an episode is cut off; None where nothing cuts it."""

    training: int | None = None
    evaluation: int | None = None


class Scale(_Record):
    """The ends of the scale of the scores: see `experiments.evaluation.score_scale`."""

    random: float
    random_error: float
    reference: float
    kind: str
    measure: str


class TableSize(_Record):
    """What a tabular agent's table takes."""

    kind: str
    states: int
    bytes: int
    collisions: int | None = None
    met: int | None = None  # states that training has met
    possible: int | None = None  # states that there are


class Git(_Record):
    """From which commit of the lab the run was made."""

    commit: Shown
    dirty: Shown | None = None  # digest of what differs from it


class Manifest(_Record):
    """What run.json holds. What nobody has filled in yet is empty."""

    format: int = FORMAT
    status: Status
    pruned: bool | None = None  # was it stopped since others were ahead?
    run_spec: RunSpec = Field(alias="trial")
    agent_settings: dict[str, JsonValue] = {}  # resolved
    spaces: dict[str, dict[str, JsonValue]] | None = None  # "observation" and "action"
    seeds: Seeds | None = None
    command: list[Shown] = []
    git: Git | None = None
    versions: dict[Shown, Shown | None] = {}
    machine: dict[Shown, Shown | int | None] = {}
    threads: dict[Shown, Shown | None] = {}
    code: dict[Shown, Shown] = {}  # digest of each module of the user's own
    attempts: list[Attempt] = []
    budgets: list[Budget] = []  # that it was given one after the other: a finished run may be extended
    wrappers: list[Wrapper] = []  # around the environment, the outermost first
    limits: Limits = Limits()
    factory: str | None = None  # `module:function` that made the environment
    engine: Shown | None = None  # how it was trained, in words
    backend: str | None = None  # of vector environments
    measure: str | None = None  # what a score is: "return" or "-steps"
    columns: dict[str, list[str]] = {}  # of the logs whose columns depend on the run
    env_steps: int | None = None
    episodes: int | None = None
    table: TableSize | None = None
    metrics: dict[str, float] = {}  # of the trained agent
    reference: Scale | None = None  # on the final episodes
    curve_reference: Scale | None = None  # on those of the curve
    scale: dict[str, float] | None = None  # that the user gave
    stopping_rule: dict[str, JsonValue] | None = None  # of seeds that are added: batch, looks, look
    digests: dict[str, str] = {}  # SHA-256 of every result
    notes: list[Shown] = []  # what a reader must know of the run
    error: Shown | None = None

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True)

    @field_validator("format")
    @classmethod
    def _known(cls, value: int) -> int:
        if value not in READABLE:
            raise ValueError(
                f"format: expected {' or '.join(map(str, READABLE))}, got {value}: made by another version"
            )
        return value

    @property
    def finished(self) -> bool:
        """Did the run train to the end of its budget?"""
        return self.status == "finished"

    @property
    def has_results(self) -> bool:
        """Has the run finished, now or before it was extended?"""
        return self.finished or len(self.budgets) > 1

    @property
    def retries(self) -> int:
        """Attempts that failed before the last."""
        return sum(attempt.error is not None for attempt in self.attempts[:-1])

    def with_(self, **values: Any) -> Self:
        """The same with other values."""
        return self.model_copy(update=values)

    def to_json(self) -> str:
        """The text of run.json: every field, and within records only what is known."""
        values = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        whole = {"trial": self.run_spec.model_dump(mode="json")}  # with the entries' own empty fields
        whole |= {name: getattr(self, name) for name in ("agent_settings", "versions", "machine", "threads")}
        names = [field.alias or name for name, field in type(self).model_fields.items()]
        return to_json({name: whole.get(name, values.get(name)) for name in names}, indent=2).decode() + "\n"


def parse_manifest(data: bytes, place: Path) -> Manifest:
    """The manifest in the bytes of a run.json.

    Raises:
        InputError: it is damaged, or of a format that this version does not know.
    """
    try:
        values = json.loads(data, parse_float=_finite, parse_constant=_finite)
        if not isinstance(values, dict):
            raise InputError(f"{place}: damaged: expected the manifest of a run")
        if "format" not in values:
            raise InputError(f"{place}: damaged: expected the manifest of a run, got none of its formats")
        _check_named(values, place)
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        raise InputError(f"{place}: damaged: expected the manifest of a run: {explain(error)}") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{place}: damaged: {error}") from error


def _finite(text: str) -> float:
    """A number of run.json, also within settings.

    Raises:
        ValueError: it is nan, or beyond all numbers.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"expected finite numbers, got {text}")
    return number


def _check_named(values: dict[str, Any], place: Path) -> None:
    """Raise where an entry has no name: its label would have to be made from its class, which reading never imports."""
    for part in ("env", "agent"):
        entry = values.get("trial", {}).get(part) if isinstance(values.get("trial"), dict) else None
        if isinstance(entry, dict) and not isinstance(entry.get("name"), str):
            raise InputError(f"{place}: damaged: trial.{part}.name: expected a label, got {entry.get('name')!r}")
