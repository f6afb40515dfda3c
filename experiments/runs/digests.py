"""SHA-256 of files."""

import hashlib
from pathlib import Path


def digest_of(path: Path) -> str | None:
    """A file's digest; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def digests_below(folder: Path) -> dict[str, str]:
    """The digest of every file below a folder, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_of(path) or "" for path in files}


def result_digests(run: Path) -> dict[str, str]:
    """The digests of a run's results: its logs, and the checkpoint's files but for the wall-clock times."""
    files = [run / name for name in ("episodes.csv", "evaluations.csv", "learning.csv", "info.csv")]
    files += [file for part in ("agent", "run") for file in sorted((run / "checkpoint" / part).rglob("*"))]
    return {file.relative_to(run).as_posix(): digest_of(file) or "" for file in files if file.is_file()}
