"""Results read back from run folders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, located
from experiments.references import Reference
from experiments.run_folder import RunFolder, find_runs
from experiments.spec import Trial

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One run: what was asked for, how it ended, and its logs."""

    folder: RunFolder
    trial: Trial
    manifest: dict[str, Any]

    @property
    def finished(self) -> bool:
        """Did it train to the end of its budget?"""
        return bool(self.manifest["status"] == "finished")

    @property
    def reference(self) -> Reference | None:
        """The ends of the scale of its scores, if they are known."""
        return self._reference("reference")

    @property
    def curve_reference(self) -> Reference | None:
        """The same on the episodes of the curve's points."""
        return self._reference("curve_reference")

    def _reference(self, key: str) -> Reference | None:
        values = self.manifest.get(key)
        try:
            return None if values is None else Reference(**values)
        except TypeError as error:
            raise InputError(f"{self.folder.path}: run.json: damaged: {key}: {error}") from error

    @cached_property
    def _evaluations(self) -> list[dict[str, str]]:
        return self.folder.evaluations()

    def _score(self, row: dict[str, str]) -> float:
        """An episode's score: its return, or minus its steps where the return does not tell how good it was."""
        return -float(row["length"]) if self.manifest.get("measure") == "-steps" else float(row["return"])

    def final_scores(self, episode_set: str = "fresh") -> FloatArray:
        """The scores [episodes] of the final evaluation."""
        rows = [row for row in self._evaluations if row["phase"] == "final" and row["set"] == episode_set]
        if episode_set == "fresh" and len(rows) != self.trial.evaluation.final_episodes:
            expected = self.trial.evaluation.final_episodes
            raise InputError(f"evaluations.csv: damaged: expected {expected} final episodes, came {len(rows)}")
        return np.array([self._score(row) for row in rows])

    def curve(self, episode_set: str = "fresh") -> tuple[FloatArray, FloatArray]:
        """Env steps [points] and mean evaluation scores [points]."""
        points: dict[int, list[float]] = {}
        with located(f"{self.folder.path}: evaluations.csv: damaged"):
            for row in self._evaluations:
                if row["phase"] == "curve" and row["set"] == episode_set:
                    points.setdefault(int(row["env_step"]), []).append(self._score(row))
        steps = np.array(sorted(points), dtype=float)
        return steps, np.array([np.mean(points[int(step)]) for step in steps])

    def training(self) -> tuple[FloatArray, FloatArray]:
        """Env steps [episodes] at the end of each training episode, and the episodes' returns."""
        rows = self.folder.episodes()
        with located(f"{self.folder.path}: episodes.csv: damaged"):
            numbers = [(float(row["env_step"]), float(row["return"])) for row in rows]
        return np.array([step for step, _ in numbers]), np.array([total for _, total in numbers])


Group = dict[tuple[str, str], list[Run]]  # (environment label, agent label) -> runs


def read_runs(folders: Sequence[Path], *, skip_damaged: bool = False, may_be_empty: bool = False) -> list[Run]:
    """Every run at or below the folders.

    Raises:
        InputError: a folder is missing, holds no run, or a run is damaged (and damaged ones are not to be skipped).
    """
    found: dict[Path, RunFolder] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError(
                f"{folder}: expected a folder with runs, came {'a file' if folder.exists() else 'nothing'}"
            )
        inside = find_runs(folder)
        if not inside and not may_be_empty:
            raise InputError(f"{folder}: expected a folder with runs, and no run is in it")
        found |= {run.path.resolve(): run for run in inside}
    runs = []
    for run_folder in found.values():
        try:
            runs.append(Run(run_folder, run_folder.trial(), run_folder.read_manifest()))
        except InputError:
            if not skip_damaged:
                raise
    return runs


def group_runs(runs: Iterable[Run]) -> Group:
    """The runs by environment and agent. Agents of different experiments with one label are told apart.

    Raises:
        InputError: runs of one environment were not evaluated alike, and so cannot be compared.
    """
    runs = list(runs)
    owners: dict[tuple[str, str], set[str]] = {}
    for run in runs:
        key = (run.trial.env.label, run.trial.agent.label)
        owners.setdefault(key, set()).add(run.trial.experiment)
    groups: Group = {}
    first_of: dict[str, Run] = {}
    for run in runs:
        env, agent = run.trial.env.label, run.trial.agent.label
        first = first_of.setdefault(env, run)
        check_same_task(first.trial, run.trial, f"{run.folder.path} and {first.folder.path}")
        label = f"{run.trial.experiment}:{agent}" if len(owners[env, agent]) > 1 else agent
        group = groups.setdefault((env, label), [])
        if group:
            _check_same_agent(group, run)
        group.append(run)
    return groups


def _check_same_agent(group: list[Run], run: Run) -> None:
    """A run may join a group when it is one more seed of the same agent with the same budget."""
    first = group[0]
    place = f"{run.folder.path}: cannot be pooled with {first.folder.path}"
    agents = [(one.trial.agent.id, one.trial.agent.settings) for one in (run, first)]  # trials hold no defaults
    if agents[0] != agents[1]:
        raise InputError(f"{place}: another agent, or other settings, under the label {run.trial.agent.label!r}")
    if run.trial.budget != first.trial.budget:
        raise InputError(f"{place}: it trained for {run.trial.budget}, not for {first.trial.budget}")
    if any(run.trial.seed == other.trial.seed for other in group):
        raise InputError(f"{place}: seed {run.trial.seed} is there twice, and a copy is no further run")


def check_same_task(one: Trial, other: Trial, place: str) -> None:
    """Check that two trials under one environment label are in one environment and judged on the same episodes.

    Raises:
        InputError: they are not, and so cannot be compared.
    """
    facts = (
        ("environment", *(trial.env.model_dump(include={"id", "settings", "reset_seed"}) for trial in (one, other))),
        ("evaluation", *(trial.evaluation.model_dump(include={"seed", "final_episodes"}) for trial in (one, other))),
    )
    for name, of_one, of_other in facts:
        if of_one != of_other:
            raise InputError(
                f"{place}: another {name} under the label {one.env.label!r} ({of_one} against {of_other}), "
                "which cannot be compared: give it a label of its own (name=...), or compare one experiment at a time"
            )
