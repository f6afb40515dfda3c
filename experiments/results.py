"""Results read back from run folders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError
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
        for row in self._evaluations:
            if row["phase"] == "curve" and row["set"] == episode_set:
                points.setdefault(int(row["env_step"]), []).append(self._score(row))
        steps = np.array(sorted(points), dtype=float)
        return steps, np.array([np.mean(points[int(step)]) for step in steps])

    def training(self) -> tuple[FloatArray, FloatArray]:
        """Env steps [episodes] at the end of each training episode, and the episodes' returns."""
        rows = self.folder.episodes()
        return np.array([float(row["env_step"]) for row in rows]), np.array([float(row["return"]) for row in rows])


Group = dict[tuple[str, str], list[Run]]  # (environment label, agent label) -> runs


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Every run at or below the folders.

    Raises:
        InputError: a folder is missing, holds no run, or a run is damaged.
    """
    found: dict[Path, RunFolder] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError(
                f"{folder}: expected a folder with runs, came {'a file' if folder.exists() else 'nothing'}"
            )
        inside = find_runs(folder)
        if not inside:
            raise InputError(f"{folder}: expected a folder with runs, and no run is in it")
        found |= {run.path.resolve(): run for run in inside}
    return [Run(folder, folder.trial(), folder.read_manifest()) for folder in found.values()]


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
        for name, of_first, of_run in (
            (
                "environment",
                first.trial.env.model_copy(update={"steps": None, "episodes": None}),
                run.trial.env.model_copy(update={"steps": None, "episodes": None}),
            ),
            ("evaluation", _episodes(first.trial), _episodes(run.trial)),
        ):
            if of_first != of_run:
                raise InputError(
                    f"{run.folder.path}: cannot be compared with {first.folder.path}: another {name} under the label "
                    f"{env!r} ({of_run} against {of_first}); compare one experiment at a time, or name them apart"
                )
        label = f"{run.trial.experiment}:{agent}" if len(owners[env, agent]) > 1 else agent
        groups.setdefault((env, label), []).append(run)
    return groups


def _episodes(trial: Trial) -> dict[str, int]:
    return {"seed": trial.evaluation.seed, "final_episodes": trial.evaluation.final_episodes}
