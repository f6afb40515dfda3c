"""The output folder: is it free for an experiment, and what is in it already?"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.errors import InputError
from experiments.results.stored_run import check_same_task, read_runs, task_of
from experiments.runs.provenance import describe
from experiments.runs.run_folder import MANIFEST, RunFolder
from experiments.specs.spec import RunSpec
from experiments.training.train_run import has_results, resume


def check_output(out: Path) -> None:
    """Raise where nothing can be written.

    Raises:
        InputError: the output folder is a file, or is not writable.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: expected a folder, got a file")
    nearest = out.resolve()
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(f"--out {out}: {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"--out {out}: the folder {nearest} is not writable")


def check_folders(run_specs: Sequence[RunSpec], out: Path) -> None:
    """Check, without changing anything, that the runs' folders are free for them.

    Raises:
        InputError: the folder holds the same run with other settings, or its neighbours are in another environment.
    """
    of_environment: dict[Path, RunSpec] = {}
    for run_spec in run_specs:
        folder = RunFolder(out / run_spec.folder)
        if (folder.path / MANIFEST).exists():
            _check_same_run(folder, run_spec)
            if has_results(folder.read_manifest()) and not _is_there(folder, run_spec):
                resume(run_spec, folder)  # refuses what cannot be gone on with
            if folder.is_locked():
                with folder.lock():  # says which process it is
                    pass
        of_environment.setdefault(folder.path.parent.parent, run_spec)
    for neighbours, run_spec in of_environment.items():  # runs of one environment's label are of one task
        if neighbours.is_dir():
            for run in read_runs([neighbours], skip_damaged=True, may_be_empty=True):
                check_same_task(run_spec.env.label, task_of(run.run_spec), task_of(run_spec), str(neighbours))


def _check_same_run(folder: RunFolder, run_spec: RunSpec) -> None:
    known = folder.run_spec()
    differing = [
        f"{name} {getattr(known_part, name)!r} there, {getattr(asked_part, name)!r} asked for"
        for known_part, asked_part, names in (
            (known.env, run_spec.env, ("id", "settings", "reset_seed")),
            (known.agent, run_spec.agent, ("id", "settings")),
            (known, run_spec, ("evaluation",)),
        )
        for name in names
        if getattr(known_part, name) != getattr(asked_part, name)
    ]
    if (known.budget.steps is None) != (run_spec.budget.steps is None):
        differing.append(f"a budget of {known.budget} there, of {run_spec.budget} asked for")
    if differing:
        raise InputError(
            f"{folder.path}: holds the same trial with other settings: {'; '.join(differing)}; "
            "give it a name of its own (name=...) or another --out"
        )


def prepare(run_spec: RunSpec, out: Path, settings: dict[str, Any]) -> bool:
    """Enter a run in its folder as pending; False where it is finished already."""
    folder = RunFolder(out / run_spec.folder)
    if not (folder.path / MANIFEST).exists():
        folder.write_manifest(describe(run_spec, settings, "pending"))
        return True
    return not _is_there(folder, run_spec)  # a run that is there stays as it is until this one starts


def _is_there(folder: RunFolder, run_spec: RunSpec) -> bool:
    """Has the run finished what is asked for?"""
    return folder.read_manifest()["status"] == "finished" and folder.run_spec().budget.covers(run_spec.budget)
