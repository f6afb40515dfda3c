"""The results of bundled suites, to rank one's own beside: score files in `experiments/results/bundled/`."""

import dataclasses
import json
from collections.abc import Sequence
from importlib import resources

from experiments.errors import InputError, unknown
from experiments.results.run_result import RunResult
from experiments.results.score_file import is_scores, scores_to_results

BUNDLED = "reference:"  # what their agents' names begin with


def bundled_names() -> list[str]:
    """The suites whose results are bundled."""
    folder = resources.files("experiments.results") / "bundled"
    if not folder.is_dir():
        return []
    return sorted(entry.name.removesuffix(".json") for entry in folder.iterdir() if entry.name.endswith(".json"))


def bundled_results(suite: str) -> list[RunResult]:
    """The bundled results of a suite.

    Raises:
        InputError: there are none of that name.
    """
    if suite not in bundled_names():
        raise unknown("reference", suite, bundled_names())
    text = (resources.files("experiments.results") / "bundled" / f"{suite}.json").read_text(encoding="utf-8")
    values = json.loads(text)
    if not is_scores(values):
        raise InputError(f"the reference results of {suite} are damaged")
    return scores_to_results(values | {"name": "reference"}, f"the reference results of {suite}")


def bundled_runs(mine: Sequence[RunResult], against: Sequence[str]) -> list[RunResult]:
    """The bundled results of suites in the environments that were run, marked as such in their agents' names.

    Raises:
        InputError: a suite has none, or none in these environments.
    """
    found: list[RunResult] = []
    envs = {run.env for run in mine}
    for suite in against:
        known = bundled_results(suite)
        fitting = [run for run in known if run.env in envs]
        if not fitting:
            theirs = ", ".join(sorted({run.env for run in known}))
            raise InputError(f"--against {suite}: it has results in {theirs}, and none in {', '.join(sorted(envs))}")
        found += [dataclasses.replace(run, agent=f"{BUNDLED}{run.agent}") for run in fitting]
    return found
