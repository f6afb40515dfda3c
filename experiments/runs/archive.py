"""Runs in one checked file: an archive that opens again elsewhere, wherever a run's folder is asked for.

A ZIP file whose first member, `archive.json`, names every other with its size and SHA-256. The same runs give the same
bytes. Who reads one unpacks it into a temporary folder of this process: names that lead out of it, sizes beyond what is
said, and bytes whose digest differs are refused.
"""

import atexit
import hashlib
import io
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from experiments.errors import InputError, explain, shown_as
from experiments.files import open_regular, read_bytes, replace_file
from experiments.runs.run_folder import ERROR, LOGS, MANIFEST, RunFolder, run_paths

SUFFIX, INDEX, FORMAT = ".zip", "archive.json", "rl-lab-archive-1"
OF_RUNS = {MANIFEST, ERROR, *LOGS}
WITH_CHECKPOINTS = ("checkpoint", "snapshots")  # folders of a run
OF_EXPERIMENTS = re.compile(r"spec(-\d+)?\.toml")
OF_COMPARISONS = {"results.json", "scores.csv", "summary.csv", "table.tex", "report.html"}
COMPARISON = "comparison"
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every member: the same runs are the same bytes
LARGEST = 50_000_000_000  # bytes of everything in an archive
LARGEST_INDEX = 200_000_000  # bytes
MOST_MEMBERS = 10_000_000
PIECE = 1 << 20  # bytes


class _Member(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    size: Annotated[int, Field(ge=0, le=LARGEST)]
    sha256: str


class _Index(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: str
    members: Annotated[list[_Member], Field(max_length=MOST_MEMBERS)]


class Archived(NamedTuple):
    """What was put into an archive."""

    runs: int
    files: int
    num_bytes: int  # of the archive
    sha256: str  # of the archive


def write_archive(folder: Path, file: Path, *, with_checkpoints: bool = False) -> Archived:
    """Put the runs at or below a folder into one file: manifests, logs, results, specs.

    Args:
        folder: a run's, an experiment's, or an output folder.
        file: the archive, which ends in .zip; one that is there is replaced, another's file is not.
        with_checkpoints: the agents' states too, so that they can be watched.

    Raises:
        InputError: there is no run, one is being written, or the file cannot be.
    """
    if file.suffix.lower() != SUFFIX:
        raise InputError(f"{file}: expected a file that ends in {SUFFIX}, got {file.suffix or 'no ending'!r}")
    if not file.resolve().parent.is_dir():
        raise InputError(f"{file}: the folder {file.parent} does not exist")
    if file.is_symlink():
        raise InputError(f"{file}: expected a file, got a link, and nothing is written through one")
    if file.exists() and not is_archive(file):
        raise InputError(f"{file}: is there, and is no archive of the lab's: expected a new file")
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder with runs, got {'a file' if folder.exists() else 'nothing'}")
    runs = list(run_paths(folder))
    if not runs:
        raise InputError(f"{folder}: expected a folder with runs, and no run is in it")
    for run in runs:
        RunFolder(run).read_manifest()  # says how it is damaged
        if RunFolder(run).is_written():
            raise InputError(f"{run}: is being written: expected a run that has ended, or was stopped")
    paths = sorted(set(_of_runs(runs, with_checkpoints=with_checkpoints)) | set(_beside(folder, runs)))
    members = [_described(path, path.relative_to(folder).as_posix()) for path in paths]
    index = _Index(format=FORMAT, members=members)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        _add(archive, INDEX, index.model_dump_json(indent=1).encode())
        for path, member in zip(paths, members, strict=True):
            data = read_bytes(path, largest=member.size, follow=False)
            if hashlib.sha256(data).hexdigest() != member.sha256:
                raise InputError(f"{path}: was changed while it was read")
            _add(archive, member.name, data)
    replace_file(file, written.getvalue(), sync=True)
    digest = hashlib.sha256(written.getvalue()).hexdigest()
    return Archived(len(runs), len(members), len(written.getvalue()), digest)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, EPOCH)
    member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    archive.writestr(member, data)


def _of_runs(runs: list[Path], *, with_checkpoints: bool) -> Iterator[Path]:
    for run in runs:
        yield from (run / name for name in OF_RUNS if _is_plain(run / name))
        for name in WITH_CHECKPOINTS if with_checkpoints else ():
            for place, _, files in os.walk(run / name):
                yield from (Path(place) / one for one in files if _is_plain(Path(place) / one))


def _beside(folder: Path, runs: list[Path]) -> Iterator[Path]:
    """Specs and results of comparisons in the folders above the runs, down from `folder`."""
    above = {place for run in runs for place in run.parents if place == folder or place.is_relative_to(folder)}
    for place in above:
        yield from (path for path in place.glob("*.toml") if OF_EXPERIMENTS.fullmatch(path.name) and _is_plain(path))
        yield from (place / COMPARISON / name for name in OF_COMPARISONS if _is_plain(place / COMPARISON / name))


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _described(path: Path, name: str) -> _Member:
    digest = hashlib.sha256()
    size = 0
    with open_regular(path, follow=False) as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            size += len(piece)
    return _Member(name=name, size=size, sha256=digest.hexdigest())


# -- opening ----------------------------------------------------------------------------------------------------


def is_archive(file: Path) -> bool:
    """Is this a file that `write_archive` wrote?"""
    try:
        with open_regular(file) as opened, zipfile.ZipFile(opened) as archive:
            return archive.namelist()[:1] == [INDEX]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def unpacked(path: Path) -> Path:
    """A path to runs; of one that is an archive, or leads into one, where it lies unpacked.

    Raises:
        InputError: the archive is damaged.
    """
    for file in (path, *path.parents):
        if file.suffix.lower() == SUFFIX and file.is_file() and is_archive(file):
            status = file.stat()
            folder = _unpack(file.resolve(), status.st_mtime_ns, status.st_size)
            shown_as(str(folder), str(file))
            return folder / path.relative_to(file)
    return path


@lru_cache(maxsize=64)
def _unpack(file: Path, changed: int, size: int) -> Path:
    """The folder that an archive is unpacked into; it goes with this process."""
    folder = Path(tempfile.mkdtemp(prefix="rl-lab-archive-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        with open_regular(file) as opened, zipfile.ZipFile(opened) as archive:
            for member in _index(archive, file).members:
                target = folder.joinpath(*PurePosixPath(member.name).parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(archive, member, target, file)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{file}: cannot be unpacked: {error.strerror or error}") from error
    except Exception as error:  # whatever zipfile, zlib, lzma and bz2 make of bytes that are none of theirs
        raise InputError(f"{file}: damaged: {error}") from error
    return folder


def _index(archive: zipfile.ZipFile, file: Path) -> _Index:
    names = archive.namelist()
    if archive.getinfo(INDEX).file_size > LARGEST_INDEX:
        raise InputError(f"{file}: damaged: {INDEX}: expected at most {LARGEST_INDEX:,} bytes")
    try:
        index = _Index.model_validate_json(archive.read(INDEX))
    except ValidationError as error:
        raise InputError(f"{file}: damaged: {INDEX}: {explain(error, _Index.model_fields)}") from error
    if index.format != FORMAT:
        raise InputError(f"{file}: {INDEX}: format: expected {FORMAT}, got {index.format!r}: made by another version")
    if [INDEX, *(member.name for member in index.members)] != names or len(set(names)) < len(names):
        raise InputError(f"{file}: damaged: its members are not those that {INDEX} names")
    if sum(member.size for member in index.members) > LARGEST:
        raise InputError(f"{file}: expected at most {LARGEST:,} bytes in it")
    for member in index.members:
        if not _is_inside(member.name):
            raise InputError(f"{file}: damaged: {member.name!r}: expected the name of a file inside")
    return index


def _is_inside(name: str) -> bool:
    """Does a name stay below the folder that it is unpacked into, on every system?"""
    parts = name.split("/")
    return all(part not in ("", ".", "..") and not re.search(r'[\\:*?"<>|\x00-\x1f]', part) for part in parts)


def _copy(archive: zipfile.ZipFile, member: _Member, target: Path, file: Path) -> None:
    digest, size = hashlib.sha256(), 0
    with archive.open(member.name) as source, target.open("xb") as copy:
        while piece := source.read(PIECE):
            size += len(piece)
            if size > member.size:
                break
            digest.update(piece)
            copy.write(piece)
    if size != member.size or digest.hexdigest() != member.sha256:
        raise InputError(f"{file}: damaged: {member.name} is not what it was when it was archived")
