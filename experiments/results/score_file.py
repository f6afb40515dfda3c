"""Scores as one file, to keep beside a paper and to compare with: every run with its seed, score and learning curve.

The bundled results of suites are such files (`experiments/results/bundled/`).
"""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from experiments.errors import InputError, explain, located
from experiments.files import read_text, replace_file
from experiments.results.endings import Endings
from experiments.results.groups import Groups
from experiments.results.run_result import (
    LARGEST,
    Identity,
    MadeWith,
    OwnSide,
    RunResult,
    Stopping,
    Task,
    finite,
    scale_of,
)
from experiments.runs.manifest import Git, Scale, Shown, Status
from experiments.specs.labels import check_label

FORMAT = "rl-lab-scores-1"


def write_scores(groups: Groups, path: Path, name: str, command: str) -> None:
    """Write every run's score, a line each.

    Args:
        groups: the runs, by environment and agent as they are told apart.
        path: the file; one that is there is replaced if it holds scores.
        name: of the collection.
        command: what made it, for who wants to make it again.

    Raises:
        InputError: the file holds something else.
    """
    check_scores_path(path)
    entries: dict[str, dict[str, Any]] = {}
    lines = []
    for (env, agent), runs in groups.items():
        known = next((run for run in runs if run.finished), runs[0])
        scales = {
            key: None if one is None else one.to_json()
            for key, one in (("reference", known.scale), ("curve_reference", known.curve_scale))
        }
        entries[f"{env}/{agent}"] = {
            "identity": {} if known.identity is None else known.identity.to_json(),
            "budget": known.budget,
            "task": known.task.to_json(),
            "measure": known.measure,
            **scales,
        }
        lines += [json.dumps({"env": env, "agent": agent} | _run_values(run)) for run in runs]
    known_making = (run.made_with.to_json() for runs in groups.values() for run in runs)
    made_with = next((one for one in known_making if one), {})
    head = {"format": FORMAT, "name": name, "command": command, "made_with": made_with, "entries": entries}
    text = json.dumps(head, indent=1).removesuffix("\n}")
    text += ',\n "runs": [\n  ' + ",\n  ".join(sorted(lines)) + "\n ]\n}\n"
    replace_file(path, text.encode(), sync=True)


def check_scores_path(path: Path) -> None:
    """Raise where writing scores would overwrite something else.

    Raises:
        InputError: the file is there and holds no scores, or its folder is missing.
    """
    if not path.resolve().parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")
    if path.is_symlink():
        raise InputError(f"{path}: expected a file, got a link, and nothing is written through one")
    if path.exists():
        try:
            known = is_scores(json.loads(read_text(path)))
        except (OSError, ValueError, RecursionError):
            known = False
        if not known:
            raise InputError(f"{path}: is there, and holds no scores: expected a new file")


def _run_values(run: RunResult) -> dict[str, Any]:
    values: dict[str, Any] = {"seed": run.seed, "status": run.status, "retries": run.retries, "notes": list(run.notes)}
    if run.stopping is not None:
        values["stopping_rule"] = run.stopping.to_json()
    if not run.finished:
        return values
    steps, heights = (array.tolist() for array in run.curve)
    speed = run.steps_per_second
    return values | {
        "score": run.score,
        "env_steps": run.env_steps,
        "seconds": run.seconds,
        "steps_per_second": None if speed is None or not math.isfinite(speed) else round(speed, 1),
        "curve": [steps, heights],
        **({"curve_seconds": run.curve_seconds.tolist()} if len(run.curve_seconds) else {}),
        **({} if run.endings is None else {"endings": run.endings.to_json()}),
        **({} if run.own_side is None else {"own_side": run.own_side.to_json()}),
    }


def is_scores(values: Any) -> bool:
    """Is this what `write_scores` wrote?"""
    return isinstance(values, dict) and values.get("format") == FORMAT


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


Number = Annotated[float, Field(gt=-LARGEST, lt=LARGEST)]
Count = Annotated[int, Field(ge=0, lt=2**63)]


class _Making(_Record):
    """How the runs were made, as far as that is known."""

    versions: dict[Shown, Shown | None] = {}
    machine: dict[Shown, Shown | Count | None] = {}
    git: Git | None = None
    started: Shown | None = None


class _Entry(_Record):
    """What the runs of an agent in an environment have in common."""

    identity: dict[str, JsonValue]
    budget: dict[str, Count]
    task: dict[str, JsonValue]
    measure: Literal["return", "-steps"]
    reference: Scale | None = None
    curve_reference: Scale | None = None


class _Endings(_Record):
    """How a run's final episodes ended."""

    counts: dict[Shown, Count]
    unmet_share: Annotated[float, Field(ge=0, le=1)] | None = None
    states_met: Count | None = None
    states_possible: Count | None = None


class _OwnSide(_Record):
    """What it came to where it trained, if it is judged elsewhere."""

    score: Number
    endings: _Endings


class _Run(_Record):
    """A run: a line of the file."""

    env: str
    agent: str
    seed: Count
    status: Status
    retries: Count
    notes: list[Shown]
    stopping_rule: dict[str, JsonValue] | None = None
    score: Number | None = None
    env_steps: Count = 0
    seconds: Annotated[float, Field(ge=0, lt=LARGEST)] | None = None
    steps_per_second: Annotated[float, Field(ge=0, lt=LARGEST)] | None = None
    curve: Annotated[list[list[Number]], Field(min_length=2, max_length=2)] = [[], []]
    curve_seconds: list[Annotated[float, Field(ge=0, lt=LARGEST)]] = []
    endings: _Endings | None = None
    own_side: _OwnSide | None = None


class _Scores(_Record):
    """A file of scores."""

    name: str
    command: Shown
    made_with: _Making
    entries: dict[str, _Entry]
    runs: list[_Run]


def scores_to_results(values: dict[str, Any], place: str) -> list[RunResult]:
    """The runs of a file of scores.

    Raises:
        InputError: it is damaged.
    """
    with located(f"{place}: damaged"):
        try:
            scores = _Scores.model_validate_json(json.dumps(values))
        except ValidationError as error:
            raise InputError(explain(error)) from None
        made_with = MadeWith(**dict(scores.made_with), command=scores.command)
        return [_run_results(run, scores, made_with, place) for run in scores.runs]


def _run_results(run: _Run, scores: _Scores, made_with: MadeWith, place: str) -> RunResult:
    for label in (run.env, *run.agent.split(":")):
        check_label("label", label)
    entry = scores.entries[f"{run.env}/{run.agent}"]
    known = RunResult(
        env=run.env,
        agent=run.agent,
        seed=run.seed,
        place=f"{place} ({run.agent} on {run.env}, seed {run.seed})",
        experiment=scores.name,
        status=run.status,
        task=Task.from_json(entry.task),
        identity=Identity.from_json(entry.identity),
        budget=entry.budget,
        retries=run.retries,
        stopping=None if run.stopping_rule is None else Stopping.from_json(run.stopping_rule),
        notes=tuple(run.notes),
        made_with=made_with,
    )
    if run.status != "finished":
        return known
    if run.score is None:
        raise InputError(f"{known.place}: score: expected a number, got nothing")
    (steps, heights), own = run.curve, run.own_side
    if len(steps) != len(heights):
        raise InputError(f"{known.place}: curve: expected as many scores as env steps")
    if run.curve_seconds and len(run.curve_seconds) != len(steps):
        raise InputError(f"{known.place}: curve_seconds: expected as many as env steps")
    return replace(
        known,
        scale=scale_of(entry.reference),
        curve_scale=scale_of(entry.curve_reference),
        measure=entry.measure,
        scores=finite([run.score]),
        curve=(finite(steps), finite(heights)),
        curve_seconds=finite(run.curve_seconds),
        env_steps=run.env_steps,
        endings=None if run.endings is None else Endings(**dict(run.endings)),
        own_side=None if own is None else OwnSide(own.score, Endings(**dict(own.endings))),
        seconds=run.seconds,
        steps_per_second=run.steps_per_second,
    )
