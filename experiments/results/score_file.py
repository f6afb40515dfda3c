"""Scores as one file, to keep beside a paper and to compare with: every run with its seed, score and learning curve.

The bundled results of suites are such files (`experiments/results/bundled/`).
"""

import json
import math
from pathlib import Path
from typing import Any

from experiments.errors import InputError, located, shown
from experiments.evaluation.score_scale import ScoreScale
from experiments.files import read_text, replace_file
from experiments.results.groups import Groups
from experiments.results.run_result import Identity, MadeWith, RunResult, Task, finite
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
    replace_file(path, text.encode())


def check_scores_path(path: Path) -> None:
    """Raise where writing scores would overwrite something else.

    Raises:
        InputError: the file is there and holds no scores, or its folder is missing.
    """
    if not path.resolve().parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")
    if path.exists():
        try:
            known = is_scores(json.loads(read_text(path)))
        except (OSError, ValueError, RecursionError):
            known = False
        if not known:
            raise InputError(f"{path}: is there, and holds no scores: expected a new file")


def _run_values(run: RunResult) -> dict[str, Any]:
    values: dict[str, Any] = {"seed": run.seed, "status": run.status, "retries": run.retries, "notes": list(run.notes)}
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
    }


def is_scores(values: Any) -> bool:
    """Is this what `write_scores` wrote?"""
    return isinstance(values, dict) and values.get("format") == FORMAT


def scores_to_results(values: dict[str, Any], place: str) -> list[RunResult]:
    """The runs of a file of scores.

    Raises:
        InputError: it is damaged.
    """
    with located(f"{place}: damaged"):
        return [_run_results(run, values, place) for run in values["runs"]]


def _run_results(run: dict[str, Any], values: dict[str, Any], place: str) -> RunResult:
    env, agent = str(run["env"]), str(run["agent"])
    for label in (env, *agent.split(":")):
        check_label("label", label)
    entry = values["entries"][f"{env}/{agent}"]
    known: dict[str, Any] = {
        "env": env,
        "agent": agent,
        "seed": int(run["seed"]),
        "place": f"{place} ({agent} on {env}, seed {run['seed']})",
        "experiment": str(values["name"]),
        "status": str(run["status"]),
        "task": Task.from_json(entry["task"]),
        "identity": Identity.from_json(entry["identity"]),
        "budget": dict(entry["budget"]),
        "retries": int(run["retries"]),
        "notes": tuple(shown(str(note)) for note in run["notes"]),
        "made_with": MadeWith.from_json(values["made_with"], str(values["command"])),
    }
    if run["status"] != "finished":
        return RunResult(**known)
    scale, curve_scale = (
        None if entry[key] is None else ScoreScale.from_json(entry[key]) for key in ("reference", "curve_reference")
    )
    steps, heights = run["curve"]
    return RunResult(
        **known,
        scale=scale,
        curve_scale=curve_scale,
        measure=str(entry["measure"]),
        scores=finite([run["score"]]),
        curve=(finite(steps), finite(heights)),
        env_steps=int(run["env_steps"]),
        seconds=run["seconds"],
        steps_per_second=run["steps_per_second"],
    )
