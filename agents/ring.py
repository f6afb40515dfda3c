"""A ring of rows, as a replay buffer keeps them, on disk as chunks: who saves it again writes what is new.

`chunks/<ring>-<number>.npz` holds the rows of one part of the ring. A chunk is never written to again: a later state
that has the same rows there links to it, so that the folder of each state is complete by itself, and what no state
holds any more goes with the last folder that did. Where the chunks end depends on the rows alone: equal rings are equal
bytes, however often each was saved.
"""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNKS = "chunks"  # the folder
CHUNK_BYTES = 1 << 22  # of a chunk, at most
NUM_CHUNKS = 16  # of a full ring, at least
LEAST = {"capacity": 1, "written": 0, "chunk_rows": 1}  # what a ring's fields may be

Fields = dict[str, int]  # of a ring: `capacity`, `written`, `chunk_rows`


@dataclass(frozen=True)
class Ring:
    """Rows that were written one after the other, each over the oldest where there is no room.

    Row i lies at i % capacity, and nothing changes it until it is written over; only the place after the newest row may
    hold anything, such as the observation that followed.

    Attributes:
        arrays: [rows, ...], by their names: what is written together. `rows` is `capacity`, or less while no more are
            written; one more than were written is enough.
        written: rows in all, also those that are written over.
        capacity: rows that there is room for.
    """

    arrays: dict[str, NDArray[Any]]
    written: int
    capacity: int

    @property
    def num_rows(self) -> int:
        """How many rows are kept: those that were written, and the place after the newest."""
        return min(self.written + 1, self.capacity)

    @property
    def chunk_rows(self) -> int:
        """Rows of a chunk: a power of two, by their bytes and the capacity."""
        row_bytes = sum(array.dtype.itemsize * int(np.prod(array.shape[1:])) for array in self.arrays.values())
        most = min(CHUNK_BYTES // max(1, row_bytes), self.capacity // NUM_CHUNKS)
        return 1 << max(0, most.bit_length() - 1)

    def fields(self) -> Fields:
        """What is to be known of the ring beside its chunks."""
        return {"capacity": self.capacity, "written": self.written, "chunk_rows": self.chunk_rows}


def write(ring: Ring, folder: Path, name: str, earlier: Path, known: Fields | None) -> None:
    """Write a ring's chunks.

    Args:
        ring: the ring.
        folder: where they go.
        name: the ring's.
        earlier: the folder of chunks of an earlier state.
        known: the fields of the same ring there; None: there is none, and every chunk is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(_parts(ring.fields())):
        file = f"{name}-{number:06d}.npz"
        (folder / file).unlink(missing_ok=True)  # which may be linked to
        if known is None or not _same(rows, ring.fields(), known) or not _linked(earlier / file, folder / file):
            np.savez(folder / file, allow_pickle=False, **{key: array[rows] for key, array in ring.arrays.items()})


def read(folder: Path, name: str, fields: Fields) -> Ring:
    """Read what `write` wrote.

    Raises:
        ValueError, OSError, KeyError, TypeError, EOFError, NotImplementedError: a chunk is missing or damaged.
    """
    parts: dict[str, list[NDArray[Any]]] = {}
    for number, rows in enumerate(_parts(fields)):
        file = folder / f"{name}-{number:06d}.npz"
        chunk = read_arrays(file)
        if number == 0:
            parts = {key: [] for key in chunk}
        if chunk.keys() != parts.keys() or any(len(array) != rows.stop - rows.start for array in chunk.values()):
            raise ValueError(f"{file.name}: expected {rows.stop - rows.start} rows of {', '.join(sorted(parts))}")
        for key, array in chunk.items():
            parts[key].append(array)
    joined = {key: np.concatenate(arrays) for key, arrays in parts.items()}
    return Ring(joined, fields["written"], fields["capacity"])


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file.

    Raises:
        ValueError, OSError, EOFError, NotImplementedError: it is missing or damaged.
    """
    try:
        check_regular(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in arrays.zip.infolist()):
                raise ValueError(f"{path.name}: expected arrays that are not packed")  # to whatever size
            return {name: arrays[name] for name in arrays.files}
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path.name}: {error}") from error


def check_regular(path: Path) -> None:
    """Check that a file is a regular one, if it is there: a pipe would block, a link could lead elsewhere.

    Raises:
        ValueError: it is not.
    """
    if path.is_symlink() or path.parent.is_symlink() or (path.exists() and not path.is_file()):
        raise ValueError(f"{path.name}: expected a regular file")


def check(fields: Any) -> Fields:
    """The fields of a ring, as they were read.

    Raises:
        ValueError, KeyError, TypeError: they are none.
    """
    if not all(type(fields[key]) is int and fields[key] >= least for key, least in LEAST.items()):
        raise ValueError(f"expected a ring, got {fields}")
    return {key: fields[key] for key in LEAST}


def _parts(fields: Fields) -> Iterator[slice]:
    """The rows of each chunk."""
    num_rows = min(fields["written"] + 1, fields["capacity"])
    for begin in range(0, num_rows, fields["chunk_rows"]):
        yield slice(begin, min(begin + fields["chunk_rows"], num_rows))


def _same(rows: slice, fields: Fields, known: Fields) -> bool:
    """Has nothing been written to these rows since?"""
    if any(fields[key] != known[key] for key in ("capacity", "chunk_rows")) or known["written"] > fields["written"]:
        return False
    if rows.start <= fields["written"] % fields["capacity"] < rows.stop:
        return False  # the place after the newest row lies there
    return _writes(rows, fields) == _writes(rows, known)


def _writes(rows: slice, fields: Fields) -> int:
    """How many rows were ever written to these places."""
    laps, position = divmod(fields["written"], fields["capacity"])
    places: int = rows.stop - rows.start
    return laps * places + min(max(position - int(rows.start), 0), places)


def _linked(source: Path, target: Path) -> bool:
    """Give a file another name; False where it is gone, or the file system knows no links."""
    try:
        target.hardlink_to(source)
    except OSError:
        return False
    return True
