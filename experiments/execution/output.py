"""The output folder: is it free for an experiment, and what is in it already? Each run there is read once."""

import contextlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from experiments.errors import InputError
from experiments.results.groups import check_same_task
from experiments.results.run_result import Stopping, Task
from experiments.results.stored_run import StoredRun, read_runs
from experiments.runs.manifest import FORMAT
from experiments.runs.own_code import Code, differing
from experiments.runs.provenance import describe
from experiments.runs.run_folder import LOGS, MANIFEST, LockedError, RunFolder
from experiments.specs.spec import RunSpec
from experiments.training.resume import resumable
from experiments.training.train_run import CheckedSpec

_log = logging.getLogger(__name__)


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


class Output:
    """The runs that an output folder holds where an experiment's runs shall go.

    Args:
        out: the output folder.
        run_specs: the experiment's runs.
        code: the user's own code that each is made of.

    Raises:
        InputError: one of their own folders is damaged.
    """

    def __init__(self, out: Path, run_specs: Sequence[RunSpec], code: Sequence[Code]) -> None:
        self._out, self._run_specs = out, run_specs
        self._code = {(out / run_spec.folder).parent: one for run_spec, one in zip(run_specs, code, strict=True)}
        self.stored: dict[Path, StoredRun] = {}  # by their folders
        self._of_environment: dict[Path, RunSpec] = {}
        self._torn: set[Path] = set()  # runs' folders that a power cut has left without what they had
        for run_spec in run_specs:
            self._of_environment.setdefault((out / run_spec.folder).parent.parent, run_spec)
        for neighbours in self._of_environment:
            if neighbours.is_dir():
                for run in read_runs([neighbours], skip_damaged=True, may_be_empty=True):
                    self.stored[run.folder.path] = run
        for run_spec in run_specs:
            folder = RunFolder(out / run_spec.folder)
            if folder.path in self.stored:
                if torn := torn_file(self.stored[folder.path]):
                    _log.warning("%s: torn, as by a power cut; the run is trained anew", torn)
                    del self.stored[folder.path]
                    self._torn.add(folder.path)
            elif folder.is_torn():
                _log.warning("%s: torn, as by a power cut; the run is trained anew", folder.path / MANIFEST)
                self._torn.add(folder.path)
            elif folder.exists():
                self.stored[folder.path] = StoredRun.load(folder)  # says how it is damaged

    def check(self) -> None:
        """Check, without changing anything, that the folders are free for the experiment's runs.

        Raises:
            InputError: a folder holds the same run with other settings, or its neighbours are in another environment;
                or it is being written.
        """
        for run_spec in self._run_specs:
            run = self.known(run_spec)
            if run is None:
                continue
            check_same_run(run, run_spec)
            if run.manifest.has_results and not self.is_finished(run_spec):
                resumable(run_spec, run.folder, run.manifest)  # refuses what cannot be gone on with
            if run.folder.is_written():
                raise run.folder.locked_error()
        for path, run in self.stored.items():  # seeds of one agent are of one code
            if path.parent in self._code:
                _check_same_code(run, self._code[path.parent])
        for neighbours, run_spec in self._of_environment.items():  # runs under one environment's label are of one task
            for path, run in self.stored.items():
                if path.is_relative_to(neighbours):
                    check_same_task(run_spec.env.label, Task.of(run.run_spec), Task.of(run_spec), str(neighbours))

    def known(self, run_spec: RunSpec) -> StoredRun | None:
        """The run as it is there already, if it is."""
        return self.stored.get(self._out / run_spec.folder)

    def is_finished(self, run_spec: RunSpec) -> bool:
        """Is there a finished run that covers what is asked for?"""
        run = self.known(run_spec)
        return run is not None and run.finished and run.run_spec.budget.covers(run_spec.budget)

    def stamp(self, run_spec: RunSpec, stopping: Stopping) -> None:
        """Note in a run's manifest with which batch of seeds it comes.

        Raises:
            InputError: it came by another rule.
        """
        folder = RunFolder(self._out / run_spec.folder)
        with folder.lock():
            manifest, values = folder.read_manifest(), stopping.to_json()
            known = manifest.stopping_rule
            if known is None:
                folder.write_manifest(manifest.with_(stopping_rule=values))
            elif known != values:
                rule = Stopping.from_json(known).rule
                raise InputError(
                    f"{folder.path}: was run with --batch {rule.batch} --max-seeds {rule.batch * rule.looks}: a rule "
                    "that is changed while it is looked at means nothing; go on with these"
                )

    def enter(self, run_spec: RunSpec, checked: CheckedSpec) -> None:
        """Enter a run in its folder as pending, unless one is there, which stays as it is until this one starts."""
        if self.known(run_spec) is not None:
            return
        folder = RunFolder(self._out / run_spec.folder)
        with contextlib.suppress(LockedError), folder.lock():  # another command may have begun it since the look
            if folder.path in self._torn:
                folder.forget_results()
            elif folder.exists():
                return
            folder.write_manifest(describe(run_spec, "pending", checked.settings).with_(code=checked.code))


def torn_file(run: StoredRun) -> Path | None:
    """A file of a finished run that a power cut has left empty, or taken away; found without reading any."""
    if not run.finished:
        return None
    has_checkpoint = run.folder.checkpoint.exists()  # who needs room may have removed it
    for name in run.manifest.digests:
        path = run.folder.path / name
        try:
            if path.stat().st_size == 0:
                return path
        except OSError:
            if has_checkpoint or name in LOGS:
                return path
    return None


def _check_same_code(known_run: StoredRun, code: Code) -> None:
    """Raise where a run that has begun is of other code than is loaded now."""
    manifest = known_run.manifest
    if manifest.attempts and manifest.format >= FORMAT and (names := differing(manifest.code, code)):
        raise InputError(
            f"{known_run.folder.path}: was made by other code: {', '.join(names)} differs; seeds of one agent are of "
            "one code: give it a name of its own (name=...) or another --out"
        )


def check_same_run(known_run: StoredRun, run_spec: RunSpec) -> None:
    """Raise where a run that is there is another one.

    Raises:
        InputError: with what differs.
    """
    known = known_run.run_spec
    differing = [
        f"{name} {getattr(known_part, name)!r} there, {getattr(asked_part, name)!r} asked for"
        for known_part, asked_part, names in (
            (known.env, run_spec.env, ("id", "settings", "reset_seed", "max_episode_steps", "wrappers", "evaluation")),
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
            f"{known_run.folder.path}: holds the same trial with other settings: {'; '.join(differing)}; "
            "give it a name of its own (name=...) or another --out"
        )
