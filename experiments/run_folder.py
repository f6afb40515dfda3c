"""A run folder: plain files, readable without this project; reading one never runs code from it.

run.json          resolved settings, command, seeds, versions, machine, status
episodes.csv      one row a training episode
evaluations.csv   one row an evaluation episode
timing.csv        wall-clock times, apart, so that the two logs are the same bytes in every equal run
checkpoint/       the agent's whole learning state
"""

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from experiments.errors import InputError, explain
from experiments.spec import Trial

MANIFEST = "run.json"
EPISODES = ("episode", "env_step", "return", "length", "epsilon", "td_error")
EVALUATIONS = ("env_step", "phase", "set", "episode_seed", "return", "length", "terminated", "truncated")
TIMING = ("env_step", "episodes", "seconds", "training_seconds", "evaluation_seconds", "steps_per_second")

Manifest = dict[str, Any]
STATUSES = ("pending", "running", "finished", "failed", "interrupted")


class Log:
    """An append-only CSV file; a row is on disk when `flush` returns."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.columns = list(columns)
        self._file: IO[str] = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(self.columns)

    def append(self, values: dict[str, Any]) -> None:
        """Add a row; a value that is not there or None is blank."""
        self._writer.writerow([_text(values.get(column)) for column in self.columns])

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(float(value)) if isinstance(value, float) else str(value)  # repr: the shortest text with the same bits


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def checkpoint(self) -> Path:
        """The newest complete checkpoint; the one before it while it is being replaced."""
        newest, previous = self.path / "checkpoint", self.path / "checkpoint.old"
        return previous if previous.exists() and not newest.exists() else newest

    def write_checkpoint(self, save: Callable[[Path], None]) -> None:
        """Replace the checkpoint by what `save` writes; a complete one is there at every instant."""
        newest, coming, previous = (self.path / name for name in ("checkpoint", "checkpoint.new", "checkpoint.old"))
        shutil.rmtree(coming, ignore_errors=True)
        save(coming)
        if newest.exists():
            shutil.rmtree(previous, ignore_errors=True)
            newest.rename(previous)
        coming.rename(newest)
        shutil.rmtree(previous, ignore_errors=True)

    def forget_results(self) -> None:
        """Remove the results of an earlier, unfinished attempt at the same run."""
        for name in ("error.txt", "episodes.csv", "evaluations.csv", "timing.csv"):
            (self.path / name).unlink(missing_ok=True)
        for name in ("checkpoint", "checkpoint.new", "checkpoint.old"):
            shutil.rmtree(self.path / name, ignore_errors=True)

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace run.json at once."""
        self.path.mkdir(parents=True, exist_ok=True)
        coming = self.path / (MANIFEST + ".new")
        coming.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        coming.replace(self.path / MANIFEST)

    def read_manifest(self) -> Manifest:
        """The manifest.

        Raises:
            InputError: this is no run folder, or its manifest is damaged.
        """
        if not self.path.is_dir():
            raise InputError(
                f"{self.path}: expected a run folder, came {'a file' if self.path.exists() else 'nothing'}"
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
        if not sound or manifest.get("status") not in STATUSES:
            raise InputError(f"{self.path / MANIFEST}: damaged: expected the manifest of a run")
        return manifest

    def trial(self) -> Trial:
        """The trial that the run is of.

        Raises:
            InputError: this is no run folder, or its manifest is damaged.
        """
        try:
            return Trial.model_validate(self.read_manifest()["trial"])
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
            raise InputError(f"{path}: damaged: expected columns {', '.join(columns)}, came {reader.fieldnames}")
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
