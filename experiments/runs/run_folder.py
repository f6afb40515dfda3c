"""A run folder: plain files, readable without this project; reading one never runs code from it.

run.json          resolved settings, command, seeds, versions, machine, status, digests
episodes.csv      one row a training episode
evaluations.csv   one row an evaluation episode
learning.csv      what the agent says of its learning, where it says anything
info.csv          what the environment reports under names that are no column of episodes.csv
timing.csv        wall-clock times, apart, so that the other logs are the same bytes in every equal run
checkpoint/       what the run needs to go on, the agent's whole learning state with it
snapshots/        the policy at points of the learning curve
heartbeat.json    who writes the run, while somebody does
before/           the results of a finished run that is trained anew, since its extension could not go on from it
"""

import contextlib
import logging
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from experiments.errors import InputError, shown
from experiments.files import make_folder, open_regular, read_bytes, remove_folder, replace_file, sync_file, sync_folder
from experiments.runs import heartbeat, snapshots
from experiments.runs.checkpoint import CheckpointFolder
from experiments.runs.csv_log import Columns, Rows, read_columns, read_last_row, read_rows
from experiments.runs.manifest import LARGEST, Manifest, parse_manifest

MANIFEST, ERROR, LOCK, BEFORE = "run.json", "error.txt", ".lock", "before"
TRASH = ".rl-lab-trash"  # a folder of runs that the viewer was asked to delete; what is in it is no run
EPISODES_LOG, EVALUATIONS_LOG, TIMING_LOG = "episodes.csv", "evaluations.csv", "timing.csv"
LEARNING_LOG, INFO_LOG = "learning.csv", "info.csv"
LOGS = (EPISODES_LOG, EVALUATIONS_LOG, TIMING_LOG, LEARNING_LOG, INFO_LOG)

# The first columns of each log. What an agent's metrics and an environment's info add comes after them.
EPISODES = ("episode", "env_step", "return", "length", "epsilon", "td_error")
EVALUATIONS = ("env_step", "phase", "set", "episode_seed", "return", "length", "terminated", "truncated")
ENDINGS = ("success", "unmet_share")  # of evaluations.csv too, since format 3
TIMING = ("env_step", "episodes", "seconds", "training_seconds", "evaluation_seconds", "steps_per_second")
LEARNING = ("env_step",)
INFO = ("episode", "key", "value")


_log = logging.getLogger(__name__)

NUM_LEVELS = 4  # of folders above a run's: agent, environment, experiment, output


class LockedError(InputError):
    """Another process writes the run folder."""


class MovedError(InputError):
    """The run folder is not where it was when writing it began."""


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = CheckpointFolder(path)
        self._identity: tuple[int, int] | None = None  # of the folder, while it is locked

    def exists(self) -> bool:
        """Is a run there?"""
        return (self.path / MANIFEST).exists()

    def is_torn(self) -> bool:
        """Has a power cut left its manifest empty?"""
        try:
            data = read_bytes(self.path / MANIFEST, largest=LARGEST, follow=False)
        except InputError:
            return False
        return not data.strip(b"\0")

    # -- writing ----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from writing the folder; the system lets go of it when this process ends.

        Raises:
            LockedError: another process writes it.
        """
        make_folder(self.path.parent, self.path.name)
        lock = FileLock(self.path / LOCK)
        if (self.path / LOCK).is_symlink():
            raise InputError(f"{self.path / LOCK}: expected a file, got a link, and nothing is written through one")
        try:
            lock.acquire(timeout=1.0)
        except Timeout:
            raise self.locked_error() from None
        try:
            self._identity = _identity(self.path)
            yield
        finally:
            self._identity = None
            lock.release()

    def check_in_place(self) -> None:
        """Check that the folder that is locked is still the one at its path.

        Raises:
            MovedError: it was moved or removed; nothing is to be written in its place.
        """
        if self._identity is not None and _identity(self.path) != self._identity:
            raise MovedError(f"{self.path}: the run's folder was moved or removed while the run was trained")

    def locked_error(self) -> LockedError:
        """The error that says which process writes the folder."""
        writer = heartbeat.writer(self.path)
        process = "" if writer is None else f" {writer.process}"
        return LockedError(f"{self.path}: another process{process} is writing this run")

    def is_written(self) -> bool:
        """Does a process write it? Asks the heartbeat, and changes nothing."""
        return heartbeat.writer(self.path) is not None

    def forget_results(self) -> None:
        """Remove the results of an earlier attempt at the same run that cannot be resumed."""
        self.checkpoint.remove()  # first: a checkpoint without its logs could not be gone on from
        for name in LOGS:
            (self.path / name).unlink(missing_ok=True)
        snapshots.Snapshots(self.path)

    def set_aside(self) -> None:
        """Put the results of a finished run aside, into `before/`, until others have taken their place."""
        aside = self.path / BEFORE
        remove_folder(aside)
        aside.mkdir()
        for name in (*LOGS, MANIFEST, "checkpoint", snapshots.FOLDER):
            with contextlib.suppress(FileNotFoundError):
                (self.path / name).rename(aside / name)

    def forget_aside(self) -> None:
        """Remove what was put aside."""
        if (self.path / BEFORE).exists():
            remove_folder(self.path / BEFORE)

    def write_error(self, text: str) -> None:
        """Write down why an attempt failed, below earlier ones."""
        self.check_in_place()
        before = b""
        with contextlib.suppress(InputError):
            before = read_bytes(self.path / ERROR, follow=False)
        replace_file(self.path / ERROR, before + text.rstrip().encode(errors="replace") + b"\n\n")

    def sync_manifest(self) -> None:
        """Force run.json to the disk, and the folders on the way to it."""
        sync_file(self.path / MANIFEST)
        for folder in (self.path, *self.path.parents[:NUM_LEVELS]):
            sync_folder(folder)

    def write_manifest(self, manifest: Manifest, *, sync: bool = False) -> None:
        """Replace run.json at once; with `sync`, force it to the disk.

        Raises:
            MovedError: see `check_in_place`.
        """
        self.check_in_place()
        if self._identity is None and not (self.path.is_dir() and not self.path.is_symlink()):
            make_folder(self.path.parent, self.path.name)
        replace_file(self.path / MANIFEST, manifest.to_json().encode(), sync=sync)

    # -- reading ----------------------------------------------------------------------------------------------

    def read_manifest(self) -> Manifest:
        """The manifest.

        Raises:
            InputError: this is no run folder, or its manifest is damaged or of an unknown format.
        """
        if not self.path.is_dir():
            raise InputError(f"{self.path}: expected a run folder, got {'a file' if self.path.exists() else 'nothing'}")
        path = self.path / MANIFEST
        try:
            with open_regular(path, follow=False) as file:
                data = file.read(LARGEST + 1)
        except FileNotFoundError as error:
            inside = next(run_paths(self.path), None)
            hint = f"; there are runs below it, such as {inside}" if inside else ""
            raise InputError(f"{self.path}: no run folder: it has no {MANIFEST}{hint}") from error
        except OSError as error:
            raise InputError(f"{path}: damaged: {error.strerror or error}") from error
        if len(data) > LARGEST:
            raise InputError(f"{path}: damaged: expected at most {LARGEST:,} bytes")
        return parse_manifest(data, path)

    def episodes(self) -> Rows:
        """The training episodes."""
        return read_rows(self.path / EPISODES_LOG, EPISODES)

    def episode_columns(self, *names: str) -> dict[str, NDArray[np.float64]]:
        """Columns [episodes] of the training episodes, as numbers; true is 1, nan where a cell is blank."""
        return read_columns(self.path / EPISODES_LOG, EPISODES, names).numbers

    def evaluation_columns(self) -> Columns:
        """Of the evaluation episodes [episodes]: how they went and ended, as numbers; the texts phase and set."""
        numbers, texts = ("env_step", "return", "length", "terminated"), ("phase", "set")
        return read_columns(self.path / EVALUATIONS_LOG, EVALUATIONS, numbers, texts, optional=ENDINGS)

    def evaluations(self) -> Rows:
        """The evaluation episodes."""
        return read_rows(self.path / EVALUATIONS_LOG, EVALUATIONS)

    def timing(self) -> Rows:
        """The wall-clock times."""
        return read_rows(self.path / TIMING_LOG, TIMING)

    def last_timing(self) -> dict[str, str]:
        """The last of the wall-clock times, without reading those before it."""
        return read_last_row(self.path / TIMING_LOG, TIMING)


@lru_cache(maxsize=1000)  # once is enough
def _tell_of_link(link: Path) -> None:
    _log.warning("%s: a link, which is not followed", shown(str(link)))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def find_runs(folder: Path) -> list[RunFolder]:
    """Every run folder at or below a folder, in the order of their paths."""
    return [RunFolder(path) for path in run_paths(folder)]


def run_paths(folder: Path) -> Iterator[Path]:
    """The paths of the run folders at or below a folder, in order."""
    found = []
    for place, folders, files in os.walk(folder):
        if MANIFEST in files or MANIFEST in folders:
            found.append(Path(place))
            folders.clear()  # no run lies within another
        if TRASH in folders:
            folders.remove(TRASH)
        for name in folders:
            if (link := Path(place) / name).is_symlink():
                _tell_of_link(link)
    yield from sorted(found)
