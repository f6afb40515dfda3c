"""Runs of ours, read back from their folders. No code of theirs is imported."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from experiments.errors import InputError, located
from experiments.evaluation.score_scale import ScoreScale
from experiments.results.endings import End, Endings, endings_of
from experiments.results.run_result import (
    Curve,
    FloatArray,
    Identity,
    MadeWith,
    OwnSide,
    RunResult,
    Stopping,
    Task,
    scale_of,
)
from experiments.runs.csv_log import Columns
from experiments.runs.digests import digest_of
from experiments.runs.manifest import Manifest
from experiments.runs.run_folder import LOGS, RunFolder, find_runs
from experiments.specs.spec import MOST_UNITS, RunSpec


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
        return scale_of(self.manifest.reference)

    @property
    def curve_scale(self) -> ScoreScale | None:
        """The same on the episodes of the curve's points."""
        return scale_of(self.manifest.curve_reference)

    @cached_property
    def _evaluations(self) -> Columns:
        return self.folder.evaluation_columns()

    def _scores(self, phase: str, episode_set: str) -> tuple[FloatArray, FloatArray]:
        """Env steps and scores [episodes] of a phase.

        A score is the return, or minus the steps where the return does not tell how good an episode was.
        """
        numbers, texts = self._evaluations
        chosen = np.array(
            [(one, other) == (phase, episode_set) for one, other in zip(texts["phase"], texts["set"], strict=True)],
            dtype=bool,
        )
        scores = -numbers["length"] if self.manifest.measure == "-steps" else numbers["return"]
        return numbers["env_step"][chosen], scores[chosen]

    def final_scores(self, episode_set: str = "fresh") -> FloatArray:
        """The scores [episodes] of the final evaluation."""
        _, scores = self._scores("final", episode_set)
        expected = self.run_spec.evaluation.final_episodes
        if episode_set == "fresh" and len(scores) != expected:
            raise InputError(f"evaluations.csv: damaged: expected {expected} final episodes, got {len(scores)}")
        return scores

    def endings(self, episode_set: str = "fresh") -> Endings:
        """How the episodes of the final evaluation ended."""
        numbers, texts = self._evaluations
        chosen = [one == ("final", episode_set) for one in zip(texts["phase"], texts["set"], strict=True)]
        unknown = np.full(len(chosen), np.nan)
        columns = (numbers["terminated"], numbers.get("success", unknown), numbers.get("unmet_share", unknown))
        rows = zip(*(column[chosen].tolist() for column in columns), strict=True)
        ends = [
            End(bool(terminated), None if math.isnan(success) else bool(success), None if math.isnan(unmet) else unmet)
            for terminated, success, unmet in rows
        ]
        return endings_of(ends, self.run_spec.env.id, self.manifest.table)

    def curve(self, episode_set: str = "fresh") -> Curve:
        """Env steps [points] and mean evaluation scores [points]."""
        steps, scores = self._scores("curve", episode_set)
        points = np.unique(steps)
        return points, np.array([np.mean(scores[steps == point]) for point in points])

    def own_side(self) -> OwnSide | None:
        """What it came to where it trained, if it is judged elsewhere."""
        scores = self.final_scores("train")
        return OwnSide(float(scores.mean()), self.endings("train")) if len(scores) else None

    def training(self) -> Curve:
        """Env steps [episodes] at the end of each training episode, and the episodes' returns."""
        columns = self.folder.episode_columns("env_step", "return")
        return columns["env_step"], columns["return"]

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
            stopping=None if manifest.stopping_rule is None else Stopping.from_json(manifest.stopping_rule),
            folder=self.folder,
            manifest=manifest,
        )
        if not self.finished:
            return known
        seconds, speed = self._timing()
        scores, curve, training = self.final_scores(), self.curve(), self.training()
        notes = (*manifest.notes, *self._changed_logs())
        if not all(np.isfinite(values).all() for values in (scores, *curve, *training)):
            return replace(known, status="failed", notes=(*notes, "its scores or returns are not all finite numbers"))
        return replace(
            known,
            measure=manifest.measure or "return",
            scores=scores,
            book_scores=self.final_scores("book"),
            curve=curve,
            curve_seconds=self._seconds_at(curve[0]),
            training=training,
            env_steps=manifest.env_steps or 0,
            scale=self.scale,
            curve_scale=self.curve_scale,
            endings=self.endings(),
            own_side=self.own_side(),
            seconds=seconds,
            steps_per_second=speed,
            notes=notes,
        )

    def _changed_logs(self) -> list[str]:
        """Which logs are not as the run wrote them, in words."""
        logs = {name: known for name, known in self.manifest.digests.items() if name in LOGS}
        return [
            f"{name} was changed after the run had ended"
            for name, known in logs.items()
            if digest_of(self.folder.path / name) != known
        ]

    def _seconds_at(self, env_steps: FloatArray) -> FloatArray:
        """Seconds of training [points] till each of these env steps; none where the times do not tell."""
        try:
            rows = self.folder.timing()
            known = {float(row["env_step"]): float(row["training_seconds"]) for row in rows}
            seconds = np.array([known[step] for step in env_steps.tolist()])
        except (InputError, LookupError, ValueError):
            return np.zeros(0)
        is_sound = np.isfinite(seconds).all() and (np.diff(seconds, prepend=0.0) >= 0).all()
        return seconds if is_sound else np.zeros(0)

    def _timing(self) -> tuple[float | None, float | None]:
        try:
            last = self.folder.timing()[-1]
            seconds, speed = float(last["seconds"]), float(last["steps_per_second"] or "nan")
            return (seconds if 0 <= seconds < MOST_UNITS else None), (speed if 0 <= speed < MOST_UNITS else math.nan)
        except (InputError, LookupError, ValueError):
            return None, None


def read_runs(
    folders: Sequence[Path],
    *,
    skip_damaged: bool = False,
    damaged: dict[Path, InputError] | None = None,
    may_be_empty: bool = False,
    known: Mapping[Path, StoredRun] | None = None,
) -> list[StoredRun]:
    """Every run at or below the folders; those that are known, by their folders, are not read again.

    Damaged ones are left out where they are to be skipped, or where there is a dictionary for them: in it, by their
    folders, is what is wrong.

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
        except InputError as error:
            if damaged is not None:
                damaged[run_folder.path] = error
            elif not skip_damaged:
                raise
    return runs
