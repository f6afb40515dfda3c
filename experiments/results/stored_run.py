"""Results of training runs: read back from run folders here, from other files in `experiments.results.foreign`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, located
from experiments.evaluation.score_scale import ScoreScale
from experiments.runs.digests import digest_of
from experiments.runs.manifest import Manifest, Scale
from experiments.runs.run_folder import RunFolder, find_runs
from experiments.specs.spec import RunSpec

FloatArray = NDArray[np.float64]
Curve = tuple[FloatArray, FloatArray]  # env steps [points], values [points]
NOTHING: Curve = (np.zeros(0), np.zeros(0))


LARGEST = 1e100  # of a number that results may hold: squares and sums stay finite


def finite(values: Any) -> FloatArray:
    """Numbers as an array.

    Raises:
        ValueError: they are none, or too large to be added up.
    """
    array = np.asarray(values, dtype=float)
    if not (np.abs(array) < LARGEST).all():
        raise ValueError(f"expected finite numbers below {LARGEST:g}, got {array[~(np.abs(array) < LARGEST)][0]}")
    return array


@dataclass(frozen=True)
class RunResult:
    """What one training run came to, wherever it is kept: the unit of every comparison."""

    env: str  # labels
    agent: str
    seed: int
    place: str  # where it is kept, for messages
    experiment: str = ""
    status: str = "finished"
    task: dict[str, Any] = field(default_factory=dict)  # environment and evaluation episodes; empty: not known
    identity: dict[str, Any] = field(default_factory=dict)  # agent and settings; empty: not known
    budget: dict[str, int] = field(default_factory=dict)
    measure: str = "return"  # or "-steps": what a score is
    scores: FloatArray = field(default_factory=lambda: np.zeros(0))  # [episodes] of the final evaluation
    book_scores: FloatArray = field(default_factory=lambda: np.zeros(0))  # [episodes] from the start it trained on
    curve: Curve = NOTHING  # mean evaluation scores
    training: Curve = NOTHING  # returns of training episodes, with exploration
    env_steps: int = 0
    scale: ScoreScale | None = None  # the ends of the scale, on the final episodes
    curve_scale: ScoreScale | None = None  # the same on the episodes of the curve's points
    retries: int = 0  # attempts that failed before the last
    seconds: float | None = None  # of wall-clock time, training and evaluation
    steps_per_second: float | None = None  # of training
    facts: dict[str, Any] = field(default_factory=dict)  # versions, machine, git
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
            task=task_of(run_spec),
            identity=run_spec.agent.model_dump(include={"id", "settings"}),  # runs hold no defaults
            budget=run_spec.budget.model_dump(exclude_none=True),
            facts={
                "versions": manifest.versions,
                "machine": manifest.machine,
                "git": None if manifest.git is None else manifest.git.model_dump(),
                "command": manifest.command,
                "started": manifest.attempts[0].started if manifest.attempts else None,
            },
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


Groups = dict[tuple[str, str], list[RunResult]]  # (environment label, agent label) -> runs


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


def group_runs(results: Iterable[RunResult]) -> Groups:
    """The runs by environment and agent. Agents of different experiments with one label are told apart.

    Raises:
        InputError: runs of one environment were not evaluated alike, and so cannot be compared.
    """
    results = list(results)
    owners: dict[tuple[str, str], set[str]] = {}
    for run in results:
        owners.setdefault((run.env, run.agent), set()).add(run.experiment)
    groups: Groups = {}
    first_of: dict[str, RunResult] = {}
    for run in results:
        first = first_of.setdefault(run.env, run)
        if run.finished and not first.finished:
            first = first_of[run.env] = run
        check_same_task(run.env, first.task, run.task, f"{run.place} and {first.place}")
        several = len(owners[run.env, run.agent]) > 1 and run.experiment
        label = f"{run.experiment}:{run.agent}" if several else run.agent
        if run.finished and first.finished and run.measure != first.measure:
            kinds = f"{run.measure} against {first.measure}"
            raise InputError(f"{run.place} and {first.place}: another measure under the label {run.env!r} ({kinds})")
        group = groups.setdefault((run.env, label), [])
        if group:
            _check_same_agent(group, run)
        group.append(run)
    return groups


def _check_same_agent(group: list[RunResult], run: RunResult) -> None:
    """A run may join a group when it is one more seed of the same agent with the same budget."""
    first = group[0]
    place = f"{run.place}: cannot be pooled with {first.place}"
    if run.identity != first.identity:
        raise InputError(f"{place}: another agent, or other settings, under the label {run.agent!r}")
    if run.budget != first.budget:
        raise InputError(f"{place}: it trained for {_words(run.budget)}, not for {_words(first.budget)}")
    if any(run.seed == other.seed for other in group):
        raise InputError(f"{place}: seed {run.seed} is there twice, and a copy is no further run")


def _words(budget: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {'env steps' if unit == 'steps' else unit}" for unit, number in budget.items())


def task_of(run_spec: RunSpec) -> dict[str, Any]:
    """What must be the same in runs that are compared: the environment, and the episodes that they are judged on."""
    return {
        "environment": run_spec.env.model_dump(include={"id", "settings", "reset_seed"}),
        "evaluation": run_spec.evaluation.model_dump(include={"seed", "final_episodes"}),
    }


def check_same_task(env: str, one: dict[str, Any], other: dict[str, Any], place: str) -> None:
    """Check that two runs under one environment label are in one environment and judged on the same episodes.

    What is not known of a run (of another library's) is not compared.

    Raises:
        InputError: they are not, and so cannot be compared.
    """
    for name in one.keys() & other.keys():
        if one[name] != other[name]:
            raise InputError(
                f"{place}: another {name} under the label {env!r} ({one[name]} against {other[name]}), "
                "which cannot be compared: give it a label of its own (name=...), or compare one experiment at a time"
            )
