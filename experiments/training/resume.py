"""Does a run go on from its checkpoint, or begin anew?"""

import logging

from experiments.errors import InputError
from experiments.runs.manifest import FORMAT, Manifest
from experiments.runs.run_folder import EPISODES_LOG, RunFolder
from experiments.runs.run_state import Saved, read_checkpoint
from experiments.specs.spec import Budget, RunSpec

_log = logging.getLogger(__name__)


def resume(run_spec: RunSpec, folder: RunFolder) -> tuple[Saved | None, Manifest | None]:
    """The checkpoint that a run goes on from, if there is one, and the manifest of the attempts before.

    A run goes on when it was stopped, or has spent a smaller budget. What cannot be gone on with begins anew, unless
    it has finished before: that is left alone.

    Raises:
        InputError: the run has finished before, and cannot be gone on with.
    """
    if not folder.exists():
        return None, None
    known = folder.read_manifest()
    return resumable(run_spec, folder, known), known


def resumable(run_spec: RunSpec, folder: RunFolder, known: Manifest) -> Saved | None:
    """The same for a manifest that has been read."""
    if not folder.checkpoint.exists():
        return None
    try:
        if known.format != FORMAT or EPISODES_LOG not in known.columns:
            raise InputError(f"{folder.path}: it was made by another version, which this one cannot go on with")
        saved = _newest_sound(folder)
    except InputError as error:
        if known.has_results:
            raise InputError(f"{error}; the run has finished before, and is left as it is: move it away") from error
        _log.warning("%s; the run begins anew", error)
        return None
    before = saved.state.budget
    if before == run_spec.budget:
        return saved
    if known.has_results and saved.state.spent and run_spec.budget.covers(before):
        return saved
    if known.has_results:
        stopped = f"an extension to {before} was stopped at {saved.state.env_step:,} env steps"
        raise InputError(f"{folder.path}: {stopped}: finish it with that budget first, got {run_spec.budget}")
    return None  # another budget, of a run that never finished: it begins anew


def _newest_sound(folder: RunFolder) -> Saved:
    """The newest checkpoint whose files, and whose logs, are what the run wrote.

    Raises:
        InputError: there is none; the message is of the newest.
    """
    try:
        return _sound(folder)
    except InputError as error:
        if not folder.checkpoint.fall_back():
            raise
        saved = _sound(folder)
        _log.warning("%s: the run goes on from the checkpoint before, at %s env steps", error, saved.state.env_step)
        return saved


def _sound(folder: RunFolder) -> Saved:
    saved = read_checkpoint(folder.checkpoint)
    for name, offset in saved.state.logs.items():
        offset.check(folder.path / name)
    return saved


def budgets(run_spec: RunSpec, saved: Saved | None, known: Manifest | None) -> list[Budget]:
    """The budgets that the run was given, one after the other: a finished run may be extended."""
    asked = run_spec.budget
    if saved is None:
        return [asked]
    given = list(known.budgets if known is not None and known.budgets else [asked])
    spent = saved.state.budget  # what came after it was stopped before anything of it was saved
    given = given[: given.index(spent) + 1] if spent in given else [*given, spent]
    return given if given[-1] == asked else [*given, asked]
