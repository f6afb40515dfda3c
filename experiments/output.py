"""The output folder: is it free for an experiment, and what is in it already?"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.errors import InputError
from experiments.manifest import describe
from experiments.results import check_same_task, read_runs, task_of
from experiments.run_folder import MANIFEST, RunFolder
from experiments.spec import Trial
from experiments.trial import has_results, take_up


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


def check_folders(trials: Sequence[Trial], out: Path) -> None:
    """Check, without changing anything, that the trials' folders are free for them.

    Raises:
        InputError: the folder holds the same trial with other settings, or its neighbours are in another environment.
    """
    of_environment: dict[Path, Trial] = {}
    for trial in trials:
        folder = RunFolder(out / trial.folder)
        if (folder.path / MANIFEST).exists():
            _check_same_trial(folder, trial)
            if has_results(folder.read_manifest()) and not _is_there(folder, trial):
                take_up(trial, folder)  # refuses what cannot be gone on with
            if folder.is_locked():
                with folder.lock():  # says which process it is
                    pass
        of_environment.setdefault(folder.path.parent.parent, trial)
    for neighbours, trial in of_environment.items():  # trials of one environment's label are of one task
        if neighbours.is_dir():
            for run in read_runs([neighbours], skip_damaged=True, may_be_empty=True):
                check_same_task(trial.env.label, task_of(run.trial), task_of(trial), str(neighbours))


def _check_same_trial(folder: RunFolder, trial: Trial) -> None:
    known = folder.trial()
    differing = [
        f"{name} {getattr(known_part, name)!r} there, {getattr(asked_part, name)!r} asked for"
        for known_part, asked_part, names in (
            (known.env, trial.env, ("id", "settings", "reset_seed")),
            (known.agent, trial.agent, ("id", "settings")),
            (known, trial, ("evaluation",)),
        )
        for name in names
        if getattr(known_part, name) != getattr(asked_part, name)
    ]
    if (known.budget.steps is None) != (trial.budget.steps is None):
        differing.append(f"a budget of {known.budget} there, of {trial.budget} asked for")
    if differing:
        raise InputError(
            f"{folder.path}: holds the same trial with other settings: {'; '.join(differing)}; "
            "give it a name of its own (name=...) or another --out"
        )


def prepare(trial: Trial, out: Path, settings: dict[str, Any]) -> bool:
    """Enter a trial in its folder as pending; False where it is finished already."""
    folder = RunFolder(out / trial.folder)
    if not (folder.path / MANIFEST).exists():
        folder.write_manifest(describe(trial, settings, "pending"))
        return True
    return not _is_there(folder, trial)  # a run that is there stays as it is until this one starts


def _is_there(folder: RunFolder, trial: Trial) -> bool:
    """Has the run finished what is asked for?"""
    return folder.read_manifest()["status"] == "finished" and folder.trial().budget.covers(trial.budget)
