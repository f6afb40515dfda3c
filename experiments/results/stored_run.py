"""Runs of ours, read back from their folders. No code of theirs is imported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from experiments.errors import InputError, located
from experiments.evaluation.score_scale import ScoreScale
from experiments.results.run_result import Curve, FloatArray, Identity, MadeWith, RunResult, Task
from experiments.runs.digests import digest_of
from experiments.runs.manifest import Manifest, Scale
from experiments.runs.run_folder import RunFolder, find_runs
from experiments.specs.spec import RunSpec


@dataclass(frozen=True)
class StoredRun:
    """One run folder: what was asked for, how it ended, and its logs."""

    folder: RunFolder
    manifest: Manifest

    @classmethod
    def load(cls, folder: RunFolder) -> Self:
        """Read a run's manifest; its logs are read when they are asked for. No code is imported.

        Raises:
            InputError: it is damaged.
        """
        return cls(folder, folder.read_manifest())

    @property
    def run_spec(self) -> RunSpec:
        """What was asked for."""
        return self.manifest.run_spec

    @property
    def finished(self) -> bool:
        """Did it train to the end of its budget?"""
        return self.manifest.finished

    @property
    def scale(self) -> ScoreScale | None:
        """The ends of the scale of its scores, if they are known."""
        return _score_scale(self.manifest.reference)

    @property
    def curve_scale(self) -> ScoreScale | None:
        """The same on the episodes of the curve's points."""
        return _score_scale(self.manifest.curve_reference)

    @cached_property
    def _evaluations(self) -> list[dict[str, str]]:
        return self.folder.evaluations()

    def _score(self, row: dict[str, str]) -> float:
        """An episode's score: its return, or minus its steps where the return does not tell how good it was."""
        return -float(row["length"]) if self.manifest.measure == "-steps" else float(row["return"])

    def final_scores(self, episode_set: str = "fresh") -> FloatArray:
        """The scores [episodes] of the final evaluation."""
        rows = [row for row in self._evaluations if row["phase"] == "final" and row["set"] == episode_set]
        if episode_set == "fresh" and len(rows) != self.run_spec.evaluation.final_episodes:
            expected = self.run_spec.evaluation.final_episodes
            raise InputError(f"evaluations.csv: damaged: expected {expected} final episodes, got {len(rows)}")
        return np.array([self._score(row) for row in rows])

    def curve(self, episode_set: str = "fresh") -> Curve:
        """Env steps [points] and mean evaluation scores [points]."""
        points: dict[int, list[float]] = {}
        with located(f"{self.folder.path}: evaluations.csv: damaged"):
            for row in self._evaluations:
                if row["phase"] == "curve" and row["set"] == episode_set:
                    points.setdefault(int(row["env_step"]), []).append(self._score(row))
        steps = np.array(sorted(points), dtype=float)
        return steps, np.array([np.mean(points[int(step)]) for step in steps])

    def training(self) -> Curve:
        """Env steps [episodes] at the end of each training episode, and the episodes' returns."""
        rows = self.folder.episodes()
        with located(f"{self.folder.path}: episodes.csv: damaged"):
            numbers = [(float(row["env_step"]), float(row["return"])) for row in rows]
        return np.array([step for step, _ in numbers]), np.array([total for _, total in numbers])

    def results(self) -> RunResult:
        """What it came to.

        Raises:
            InputError: it is damaged; the message names the file.
        """
        with located(str(self.folder.path)):
            return self._results()

    def _results(self) -> RunResult:
        run_spec, manifest = self.run_spec, self.manifest
        known = RunResult(
            env=run_spec.env.label,
            agent=run_spec.agent.label,
            seed=run_spec.seed,
            place=str(self.folder.path),
            experiment=run_spec.experiment,
            status=manifest.status,
            task=Task.of(run_spec),
            identity=Identity(run_spec.agent.id, run_spec.agent.settings),  # runs hold no defaults
            budget=run_spec.budget.model_dump(exclude_none=True),
            made_with=MadeWith.of(manifest),
            retries=manifest.retries,
            folder=self.folder,
            manifest=manifest,
        )
        if not self.finished:
            return known
        seconds, speed = self._timing()
        digest = manifest.digests.get("evaluations.csv")
        changed = digest is not None and digest != digest_of(self.folder.path / "evaluations.csv")
        return replace(
            known,
            measure=manifest.measure or "return",
            scores=self.final_scores(),
            book_scores=self.final_scores("book"),
            curve=self.curve(),
            training=self.training(),
            env_steps=manifest.env_steps or 0,
            scale=self.scale,
            curve_scale=self.curve_scale,
            seconds=seconds,
            steps_per_second=speed,
            notes=("evaluations.csv was changed after the run had ended",) if changed else (),
        )

    def _timing(self) -> tuple[float | None, float | None]:
        try:
            last = self.folder.timing()[-1]
            return float(last["seconds"]), float(last["steps_per_second"] or "nan")
        except (InputError, LookupError, ValueError):
            return None, None


def _score_scale(scale: Scale | None) -> ScoreScale | None:
    return None if scale is None else ScoreScale.from_json(scale.model_dump())


def read_runs(
    folders: Sequence[Path],
    *,
    skip_damaged: bool = False,
    may_be_empty: bool = False,
    known: Mapping[Path, StoredRun] | None = None,
) -> list[StoredRun]:
    """Every run at or below the folders; those that are known, by their folders, are not read again.

    Raises:
        InputError: a folder is missing, holds no run, or a run is damaged (and damaged ones are not to be skipped).
    """
    found: dict[Path, RunFolder] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: expected a folder with runs, got {'a file' if folder.exists() else 'nothing'}")
        inside = find_runs(folder)
        if not inside and not may_be_empty:
            raise InputError(f"{folder}: expected a folder with runs, and no run is in it")
        found |= {run.path.resolve(): run for run in inside}
    runs = []
    for run_folder in found.values():
        try:
            runs.append((known or {}).get(run_folder.path) or StoredRun.load(run_folder))
        except InputError:
            if not skip_damaged:
                raise
    return runs
