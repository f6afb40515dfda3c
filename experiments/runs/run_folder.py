"""A run folder: plain files, readable without this project; reading one never runs code from it.

run.json          resolved settings, command, seeds, versions, machine, status, digests
episodes.csv      one row a training episode
evaluations.csv   one row an evaluation episode
timing.csv        wall-clock times, apart, so that the two logs are the same bytes in every equal run
checkpoint/       what the run needs to go on, the agent's whole learning state with it
"""

import contextlib
import csv
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout
from pydantic import ValidationError

from experiments.runs.checkpoint import CheckpointFolder
from experiments.errors import InputError, explain
from experiments.specs.spec import RunSpec

MANIFEST, ERROR, LOCK = "run.json", "error.txt", ".lock"
LOGS = ("episodes.csv", "evaluations.csv", "timing.csv")
EPISODES = ("episode", "env_step", "return", "length", "epsilon", "td_error")
EVALUATIONS = ("env_step", "phase", "set", "episode_seed", "return", "length", "terminated", "truncated")
TIMING = ("env_step", "episodes", "seconds", "training_seconds", "evaluation_seconds", "steps_per_second")

Manifest = dict[str, Any]
STATUSES = ("pending", "running", "finished", "failed", "interrupted")


class LockedError(InputError):
    """Another process writes the run folder."""


class Log:
    """An append-only CSV file; a row is with the operating system when `flush` returns.

    Args:
        path: the file.
        columns: names of the columns.
        mark: what `mark` gave when a checkpoint was written: the file is cut back to what it was then.

    Raises:
        InputError: the file does not begin with what the mark tells of.
    """

    def __init__(self, path: Path, columns: Sequence[str], mark: dict[str, Any] | None = None) -> None:
        self.columns = list(columns)
        self._digest, self._length = hashlib.sha256(), 0
        self._writer = csv.writer(self, lineterminator="\n")
        if mark is None:
            self._file: IO[bytes] = path.open("wb")
            self._writer.writerow(self.columns)
            return
        check_mark(path, mark)
        with path.open("rb") as file:
            self._count(file.read(mark["bytes"]))
        self._file = path.open("r+b")
        self._file.truncate(self._length)
        self._file.seek(self._length)

    def write(self, text: str) -> None:
        """Add text (this is what `csv.writer` calls)."""
        data = text.encode()
        self._file.write(data)
        self._count(data)

    def _count(self, data: bytes) -> None:
        self._digest.update(data)
        self._length += len(data)

    def append(self, values: dict[str, Any]) -> None:
        """Add a row; a value that is not there or None is blank."""
        self._writer.writerow([_text(values.get(column)) for column in self.columns])

    def mark(self) -> dict[str, Any]:
        """How long the file is, and its digest."""
        return {"bytes": self._length, "sha256": self._digest.hexdigest()}

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file; what cannot be written any more is left out."""
        with contextlib.suppress(OSError):
            self._file.close()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(float(value)) if isinstance(value, float) else str(value)  # repr: the shortest text with the same bits


def check_mark(path: Path, mark: dict[str, Any]) -> None:
    """Check that a log begins with what a mark tells of.

    Raises:
        InputError: it does not.
    """
    found = b""
    with contextlib.suppress(OSError), path.open("rb") as file:
        found = file.read(mark["bytes"])
    if len(found) != mark["bytes"] or hashlib.sha256(found).hexdigest() != mark["sha256"]:
        raise InputError(f"{path}: damaged: its first {mark['bytes']} bytes are not what the run wrote")


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = CheckpointFolder(path)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from writing the folder; the system lets go of it when this process ends.

        Raises:
            LockedError: another process writes it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire(timeout=1.0)  # who only looks whether it is locked lets go at once
        except Timeout:
            try:
                process = f" {self.read_manifest()['attempts'][-1]['process']}"
            except (InputError, LookupError, TypeError):
                process = ""
            raise LockedError(f"{self.path}: another process{process} is writing this run") from None
        try:
            yield
        finally:
            lock.release()

    def is_locked(self) -> bool:
        """Is it being written?"""
        if not (self.path / LOCK).exists():
            return False
        try:
            with FileLock(self.path / LOCK, blocking=False):
                return False
        except Timeout:
            return True

    def forget_results(self) -> None:
        """Remove the results of an earlier attempt at the same run that cannot be taken up."""
        self.checkpoint.remove()  # first: a checkpoint without its logs could not be gone on from
        for name in LOGS:
            (self.path / name).unlink(missing_ok=True)

    def write_error(self, text: str) -> None:
        """Write down why an attempt failed, below earlier ones."""
        with (self.path / ERROR).open("a", encoding="utf-8") as file:
            file.write(text.rstrip() + "\n\n")

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace run.json at once."""
        self.path.mkdir(parents=True, exist_ok=True)
        coming = self.path / (MANIFEST + ".new")
        try:
            coming.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
            coming.replace(self.path / MANIFEST)
        except OSError:
            with contextlib.suppress(OSError):
                coming.unlink()
            raise

    def read_manifest(self) -> Manifest:
        """The manifest.

        Raises:
            InputError: this is no run folder, or its manifest is damaged.
        """
        if not self.path.is_dir():
            raise InputError(
                f"{self.path}: expected a run folder, got {'a file' if self.path.exists() else 'nothing'}"
            )
        try:
            manifest: Manifest = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            inside = find_runs(self.path)
            hint = f"; there are runs below it, such as {inside[0].path}" if inside else ""
            raise InputError(f"{self.path}: no run folder: it has no {MANIFEST}{hint}") from error
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{self.path / MANIFEST}: damaged: {error}") from error
        sound = isinstance(manifest, dict) and isinstance(manifest.get("trial"), dict)
        kinds = {"attempts": list, "budgets": list, "versions": dict, "machine": dict, "git": dict, "digests": dict}
        sound = sound and all(isinstance(manifest.get(key) or kind(), kind) for key, kind in kinds.items())
        sound = sound and all(
            isinstance(one, dict) for key in ("attempts", "budgets") for one in manifest.get(key) or []
        )
        if not sound or manifest.get("status") not in STATUSES:
            raise InputError(f"{self.path / MANIFEST}: damaged: expected the manifest of a run")
        return manifest

    def run_spec(self) -> RunSpec:
        """The run that the run is of.

        Raises:
            InputError: this is no run folder, or its manifest is damaged.
        """
        try:
            return RunSpec.model_validate(self.read_manifest()["trial"])
        except ValidationError as error:
            raise InputError(f"{self.path / MANIFEST}: damaged: {explain(error)}") from error

    def rows(self, name: str, columns: Sequence[str]) -> list[dict[str, str]]:
        """The rows of a log that begin with these columns; a last line that was cut short is left out.

        Raises:
            InputError: the log is missing or damaged.
        """
        path = self.path / name
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: missing or damaged: {error}") from error
        complete = text[: text.rfind("\n") + 1]
        reader = csv.DictReader(io.StringIO(complete))
        if list(reader.fieldnames or [])[: len(columns)] != list(columns):
            raise InputError(f"{path}: damaged: expected columns {', '.join(columns)}, got {reader.fieldnames}")
        rows = list(reader)
        for line, row in enumerate(rows, start=2):
            if None in row or None in row.values():
                raise InputError(f"{path}: damaged: line {line} has not {len(reader.fieldnames or [])} values")
        return rows

    def episodes(self) -> list[dict[str, str]]:
        """The training episodes."""
        return self.rows("episodes.csv", EPISODES)

    def evaluations(self) -> list[dict[str, str]]:
        """The evaluation episodes."""
        return self.rows("evaluations.csv", EVALUATIONS)


def find_runs(folder: Path) -> list[RunFolder]:
    """Every run folder at or below a folder, in the order of their paths."""
    return [RunFolder(path) for path in _run_paths(folder)]


def _run_paths(folder: Path) -> Iterator[Path]:
    yield from sorted(manifest.parent for manifest in folder.rglob(MANIFEST))
