"""Running a whole experiment: check everything, then train what is not finished yet, then draw the curves."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.curves import write_curves
from experiments.errors import InputError
from experiments.executor import Listener, execute, limit_threads
from experiments.results import group_runs, read_runs
from experiments.run_folder import Manifest
from experiments.spec import Trial
from experiments.trial import check_folder, check_trial, prepare


@dataclass(frozen=True)
class Outcome:
    """How an experiment went."""

    manifests: list[Manifest]  # of the trials that ran now
    skipped: list[Trial]  # finished before
    figures: list[Path]

    @property
    def failed(self) -> list[Manifest]:
        """The trials that failed now."""
        return [manifest for manifest in self.manifests if manifest["status"] == "failed"]


def run_trials(trials: Sequence[Trial], out: Path, jobs: int, listener: Listener) -> Outcome:
    """Run the trials of an experiment; finished ones are skipped.

    Raises:
        InputError: something is wrong; nothing has been written then.
    """
    check_output(out)
    settings = {}
    for trial in trials:
        key = (trial.env.model_dump_json(), trial.agent.model_dump_json())
        if key not in settings:
            settings[key] = check_trial(trial)
        check_folder(trial, out)
    to_run: list[Trial] = []
    skipped: list[Trial] = []
    for trial in trials:
        fresh = prepare(trial, out, settings[trial.env.model_dump_json(), trial.agent.model_dump_json()])
        (to_run if fresh else skipped).append(trial)
    limit_threads()
    manifests = execute(to_run, out, min(jobs, max(1, len(to_run))), listener)
    experiments = {trial.experiment for trial in trials}
    figures = []
    for experiment in sorted(experiments):
        figures += write_curves(group_runs(read_runs([out / experiment])), out / experiment)
    return Outcome(manifests, skipped, figures)


def check_output(out: Path) -> None:
    """Raise where nothing can be written.

    Raises:
        InputError: the output folder is a file, or is not writable.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: expected a folder, came a file")
    nearest = out.resolve()
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(f"--out {out}: {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"--out {out}: the folder {nearest} is not writable")
