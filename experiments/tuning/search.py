"""A search as a source of runs: candidates in turn, each with its runs one after the other."""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from experiments.comparison.bootstrap import iqm
from experiments.errors import InputError, explain
from experiments.execution.output import check_same_run, torn_file
from experiments.results.stored_run import StoredRun
from experiments.runs.manifest import Manifest
from experiments.runs.run_folder import RunFolder
from experiments.specs.spec import RunSpec
from experiments.training.observers import Point
from experiments.training.train_run import check_run_spec
from experiments.tuning.scaling import scales
from experiments.tuning.searched import Settings
from experiments.tuning.study import TuningStudy


@dataclass
class _Candidate:
    number: int
    to_run: deque[RunSpec]
    under_way: bool = False
    env_steps: int = 0  # of its runs that have ended
    scores: dict[str, list[float]] = field(default_factory=dict)  # by the environment's label

    @property
    def all_scores(self) -> list[float]:
        """Of the runs that have ended."""
        return [score for of_env in self.scores.values() for score in of_env]


class Search:
    """The candidates of a study, as runs.

    At the n-th evaluation of a candidate, over all its runs, the study is told the mean of the scores of its runs that
    have finished and of this evaluation, and decides whether the candidate is pruned.

    Args:
        study: where candidates come from.
        out: the output folder.
        jobs: candidates at once.
    """

    def __init__(self, study: TuningStudy, out: Path, jobs: int) -> None:
        self._study, self._out, self._jobs = study, out, jobs
        self._scales = scales(study.searched)
        self._open: dict[str, _Candidate] = {}  # by their labels
        self.prunes = study.searched.spec.tuning.pruner != "none"
        self.errors: list[str] = []  # of candidates that could not be tried
        for trial in study.mine():
            self._begin(trial.number, study.settings_of(trial))

    def next(self) -> RunSpec | None:
        """The next run: of a candidate that has begun, or of a new one."""
        while True:
            for label, candidate in list(self._open.items()):
                if not candidate.under_way and (run_spec := self._next_of(label, candidate)) is not None:
                    return run_spec
            if len(self._open) >= self._jobs or (asked := self._study.ask()) is None:
                return None
            self._begin(*asked)

    def evaluated(self, run_spec: RunSpec, point: Point) -> bool:
        """A run has come to a point of its curve. True: its candidate lags behind."""
        candidate = self._open[run_spec.agent.label]
        score = point.score
        _, of_curve = self._scales.get(run_spec.env.label, (None, None))
        if of_curve is not None:
            score = float(of_curve.normalise(np.array(score)))
        place = f"{run_spec.env.label}, {run_spec.seed}: {point.env_step}"
        return self._study.report(candidate.number, place, float(np.mean([*candidate.all_scores, score])))

    def ended(self, run_spec: RunSpec, manifest: Manifest) -> None:
        """A run has ended: finished, pruned or failed."""
        label = run_spec.agent.label
        candidate = self._open[label]
        candidate.under_way = False
        candidate.env_steps += manifest.env_steps or 0
        if manifest.finished:
            self._score(candidate, run_spec, manifest)
        elif manifest.pruned:
            self._study.pruned(candidate.number, candidate.env_steps)
            del self._open[label]
        else:
            self._fail(label, candidate, manifest.error or manifest.status)

    def _begin(self, number: int, settings: Settings) -> None:
        try:
            run_specs = self._study.searched.run_specs(number, settings)
        except ValidationError as error:  # settings that do not go together
            why = explain(error)
            self._study.failed(number, why)
            self.errors.append(f"{self._study.searched.candidate_label(number)}: {why}")
            return
        label = run_specs[0].agent.label
        self._open[label] = _Candidate(number, deque(run_specs))

    def _next_of(self, label: str, candidate: _Candidate) -> RunSpec | None:
        """The candidate's next run that has not finished; where there is none, it is scored."""
        while candidate.to_run:
            run_spec = candidate.to_run.popleft()
            folder = RunFolder(self._out / run_spec.folder)
            if folder.exists():
                run = StoredRun.load(folder)
                check_same_run(run, run_spec)
                if run.finished and torn_file(run) is None:
                    candidate.env_steps += run.manifest.env_steps or 0
                    self._score(candidate, run_spec, run.manifest)
                    continue
            try:
                check_run_spec(run_spec)
            except InputError as error:  # settings that do not go together
                self._fail(label, candidate, str(error))
                return None
            candidate.under_way = True
            return run_spec
        scores = [candidate.scores[env.label] for env in self._study.searched.envs]
        score = float(iqm([np.array(of_env) for of_env in scores]))
        self._study.scored(candidate.number, candidate.env_steps, score, scores)
        del self._open[label]
        return None

    def _score(self, candidate: _Candidate, run_spec: RunSpec, manifest: Manifest) -> None:
        score = StoredRun(RunFolder(self._out / run_spec.folder), manifest).results().score
        if run_spec.env.label in self._scales:
            score = float(self._scales[run_spec.env.label][0].normalise(np.array(score)))
        candidate.scores.setdefault(run_spec.env.label, []).append(score)

    def _fail(self, label: str, candidate: _Candidate, why: str) -> None:
        self._study.failed(candidate.number, why, candidate.env_steps)
        self.errors.append(f"{label}: {why}")
        del self._open[label]
