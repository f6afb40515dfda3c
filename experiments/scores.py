"""Scores as one file, to keep beside a paper and to compare with: every run with its seed, score and learning curve.

The bundled suites' reference results are such files (`experiments/suites/references/`).
"""

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from experiments.errors import InputError, located, unknown
from experiments.references import Reference
from experiments.results import Results

FORMAT = "rl-lab-scores-1"


def write_scores(results: Sequence[Results], path: Path, name: str, command: str) -> None:
    """Write every run's score, a line each.

    Args:
        results: the runs.
        path: the file.
        name: of the collection.
        command: what made it, for who wants to make it again.
    """
    envs: dict[str, dict[str, Any]] = {}
    agents: dict[str, dict[str, Any]] = {}
    for run in results:
        if run.finished or run.env not in envs:
            references = {
                key: None if one is None else one.as_dict()
                for key, one in (("reference", run.reference), ("curve_reference", run.curve_reference))
            }
            envs[run.env] = {"task": run.task, "measure": run.measure, **references}
        agents[f"{run.env}/{run.agent}"] = {"identity": run.identity, "budget": run.budget}
    made_with = next((run.facts for run in results if run.facts), {})
    head = {"format": FORMAT, "name": name, "command": command, "made_with": made_with, "envs": envs, "agents": agents}
    lines = [json.dumps(_run_values(run)) for run in sorted(results, key=lambda run: (run.env, run.agent, run.seed))]
    text = json.dumps(head, indent=1).removesuffix("\n}")
    path.write_text(text + ',\n "runs": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n", encoding="utf-8")


def _run_values(run: Results) -> dict[str, Any]:
    values: dict[str, Any] = {"env": run.env, "agent": run.agent, "seed": run.seed, "status": run.status}
    if not run.finished:
        return values
    steps, heights = (array.tolist() for array in run.curve)
    speed = None if run.steps_per_second is None else round(run.steps_per_second, 1)
    return values | {
        "score": run.score,
        "env_steps": run.env_steps,
        "seconds": run.seconds,
        "steps_per_second": speed,
        "curve": [steps, heights],
    }


def is_scores(values: Any) -> bool:
    """Is this what `write_scores` wrote?"""
    return isinstance(values, dict) and values.get("format") == FORMAT


def scores_to_results(values: dict[str, Any], place: str) -> list[Results]:
    """The runs of a file of scores.

    Raises:
        InputError: it is damaged.
    """
    with located(f"{place}: damaged"):
        return [_run_results(run, values, place) for run in values["runs"]]


def _run_results(run: dict[str, Any], values: dict[str, Any], place: str) -> Results:
    env, agent = str(run["env"]), str(run["agent"])
    of_env, of_agent = values["envs"][env], values["agents"][f"{env}/{agent}"]
    known: dict[str, Any] = {
        "env": env,
        "agent": agent,
        "seed": int(run["seed"]),
        "place": f"{place} ({agent} on {env}, seed {run['seed']})",
        "experiment": str(values["name"]),
        "status": str(run["status"]),
        "task": dict(of_env["task"]),
        "identity": dict(of_agent["identity"]),
        "budget": dict(of_agent["budget"]),
        "facts": dict(values["made_with"]) | {"command": values["command"]},
    }
    if run["status"] != "finished":
        return Results(**known)
    references: dict[str, Any] = {
        key: of_env[key] and Reference(**of_env[key]) for key in ("reference", "curve_reference")
    }
    steps, heights = run["curve"]
    return Results(
        **known,
        **references,
        measure=str(of_env["measure"]),
        scores=np.array([run["score"]], dtype=float),
        curve=(np.array(steps, dtype=float), np.array(heights, dtype=float)),
        env_steps=int(run["env_steps"]),
        seconds=run["seconds"],
        steps_per_second=run["steps_per_second"],
    )


def reference_names() -> list[str]:
    """The suites with reference results."""
    folder = resources.files("experiments") / "suites" / "references"
    if not folder.is_dir():
        return []
    return sorted(entry.name.removesuffix(".json") for entry in folder.iterdir() if entry.name.endswith(".json"))


def reference_results(suite: str) -> list[Results]:
    """The reference results of a suite.

    Raises:
        InputError: there are none of that name.
    """
    if suite not in reference_names():
        raise unknown("reference", suite, reference_names())
    text = (resources.files("experiments") / "suites" / "references" / f"{suite}.json").read_text(encoding="utf-8")
    values = json.loads(text)
    if not is_scores(values):
        raise InputError(f"the reference results of {suite} are damaged")
    return scores_to_results(values | {"name": "reference"}, f"the reference results of {suite}")
