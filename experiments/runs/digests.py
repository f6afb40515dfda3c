"""SHA-256 of files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from agents.ring import CHUNKS
from experiments.files import files_below, open_regular

NOTHING: Mapping[str, str] = {}


def digest_of(path: Path) -> str | None:
    """A file's digest; None where it cannot be read."""
    try:
        with open_regular(path, follow=False) as file:
            return hashlib.file_digest(cast(Any, file), "sha256").hexdigest()
    except OSError:
        return None


def digests_below(folder: Path, earlier: Path, known: dict[str, str]) -> dict[str, str]:
    """The digest of every file below a folder, by its path there.

    Args:
        folder: the folder.
        earlier: another, of which some files may be linked into this one: these are not read again.
        known: the digests of the other's files.
    """
    digests = {}
    for path in files_below(folder):
        name = path.relative_to(folder).as_posix()
        is_linked = name in known and (earlier / name).exists() and path.samefile(earlier / name)
        digests[name] = known[name] if is_linked else digest_of(path) or ""
    return digests


def result_digests(run: Path, known: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """The digests of a run's results: its logs, and the checkpoint's files but for the wall-clock times.

    Chunks, of which there may be thousands, have one together. Files whose digests are known, by their paths in the
    run's folder, are not read.
    """
    files = [run / name for name in ("episodes.csv", "evaluations.csv", "learning.csv", "info.csv")]
    leads_elsewhere = (run / "checkpoint").is_symlink()  # what is there is not this run's
    parts = () if leads_elsewhere else ("agent", "run")
    files += [file for part in parts for file in files_below(run / "checkpoint" / part)]
    digests: dict[Path, str] = {}
    chunks: dict[Path, str] = {}
    for file in files:
        if file.is_file():
            of_one = chunks if file.parent.name == CHUNKS else digests
            path = file.relative_to(run)
            of_one[path] = known.get(path.as_posix()) or digest_of(file) or ""
    for folder in {path.parent for path in chunks}:
        lines = "".join(f"{digest} {path.name}\n" for path, digest in chunks.items() if path.parent == folder)
        digests[folder] = hashlib.sha256(lines.encode()).hexdigest()
    return {path.as_posix(): digest for path, digest in digests.items()}
