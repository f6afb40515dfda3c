"""A log: an append-only CSV file, which can be cut back to where a checkpoint was written, and followed by offset."""

import contextlib
import csv
import hashlib
import io
import math
import os
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from experiments.errors import InputError, unknown
from experiments.files import as_input_error, open_again, open_new, open_regular

LARGEST_LOG = 1_000_000_000  # bytes; a million episodes take a tenth of it
LONGEST_ROW = 4096  # bytes of a log's end, in which its last row is looked for
Cell = str | bool | int | float | None
Rows = list[dict[str, str]]  # by their columns' names, as text


class LogOffset(BaseModel):
    """How long a log was, and the digest of what was in it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    bytes: int = Field(ge=0)
    sha256: str

    def check(self, path: Path) -> None:
        """Check that a log begins with what was in it then.

        Raises:
            InputError: it does not.
        """
        found = b""
        with contextlib.suppress(OSError), open_regular(path, follow=False) as file:
            found = file.read(self.bytes)
        if len(found) != self.bytes or hashlib.sha256(found).hexdigest() != self.sha256:
            raise InputError(f"{path}: damaged: its first {self.bytes} bytes are not what the run wrote")


class CsvLog:
    """An append-only CSV file; a row is with the operating system when `flush` returns.

    Args:
        path: the file.
        columns: names of the columns.
        offset: where a checkpoint was written: the file is cut back to what it was then. None: it begins anew.

    Raises:
        InputError: the file does not begin with what the offset tells of.
    """

    def __init__(self, path: Path, columns: Sequence[str], offset: LogOffset | None = None) -> None:
        self.columns = list(columns)
        self._digest, self._length = hashlib.sha256(), 0
        self._writer = csv.writer(self, lineterminator="\n")
        if offset is None:
            self._file: IO[bytes] = open_new(path)
            self._writer.writerow(self.columns)
            return
        offset.check(path)
        self._file = open_again(path)
        self._count(self._file.read(offset.bytes))
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

    def append(self, values: Mapping[str, Cell]) -> None:
        """Add a row; a value that is missing or None is blank."""
        self._writer.writerow([_text(values.get(column)) for column in self.columns])

    def offset(self) -> LogOffset:
        """How long the file is, and its digest."""
        return LogOffset(bytes=self._length, sha256=self._digest.hexdigest())

    def flush(self, *, sync: bool = False) -> None:
        """Hand everything to the operating system; with `sync`, have it force it to the disk."""
        self._file.flush()
        if sync:
            os.fsync(self._file.fileno())

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


def read_rows(path: Path, columns: Sequence[str]) -> Rows:
    """The rows of a log that begins with these columns; a last line that was cut short is left out.

    Raises:
        InputError: the log is missing or damaged.
    """
    with _reading(path, columns) as (names, rows):
        return [dict(zip(names, row, strict=True)) for row in rows]


class Columns(NamedTuple):
    """Some columns of a log, by their names; all are of its length."""

    numbers: dict[str, NDArray[np.float64]]  # [rows] nan where a cell is blank; true is 1
    texts: dict[str, list[str]]


def read_columns(
    path: Path,
    columns: Sequence[str],
    numbers: Sequence[str],
    texts: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> Columns:
    """Some columns of a log that begins with `columns`: a few bytes a cell, however long it is.

    Args:
        path: the log.
        columns: what it begins with.
        numbers: names of columns of numbers.
        texts: names of columns of text.
        optional: names of more columns of numbers, left out where the log has none.

    Raises:
        InputError: the log is missing or damaged, or has no such column.
    """
    with _reading(path, columns) as (names, rows):
        for name in (*numbers, *texts):
            if name not in names:
                raise unknown("column", name, names)
        numbers = [*numbers, *(name for name in optional if name in names)]
        of_numbers = [(array("d"), names.index(name)) for name in numbers]
        of_texts: list[tuple[list[str], int]] = [([], names.index(name)) for name in texts]
        for row in rows:
            for values, index in of_numbers:
                cell = row[index]
                values.append(_WORDS[cell] if cell in _WORDS else float(cell))
            for words, index in of_texts:
                words.append(sys.intern(row[index]))
    return Columns(
        {name: np.array(values) for name, (values, _) in zip(numbers, of_numbers, strict=True)},
        {name: words for name, (words, _) in zip(texts, of_texts, strict=True)},
    )


_WORDS = {"": math.nan, "true": 1.0, "false": 0.0}


@contextlib.contextmanager
def _reading(path: Path, columns: Sequence[str]) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """A log's columns, and its rows one after the other."""
    line = 1
    try:
        with as_input_error(path), open_regular(path, follow=False) as file:
            if (size := os.fstat(file.fileno()).st_size) > LARGEST_LOG:
                raise InputError(f"{path}: damaged: expected at most {LARGEST_LOG:,} bytes, got {size:,}")
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            reader = csv.reader(one for one in text if one.endswith("\n"))
            names = next(reader, [])
            if names[: len(columns)] != list(columns):
                raise InputError(f"{path}: damaged: expected columns {', '.join(columns)}, got {names or None}")

            def rows() -> Iterator[list[str]]:
                nonlocal line
                for line, row in enumerate(reader, start=2):
                    if len(row) != len(names):
                        raise InputError(f"{path}: damaged: line {line} has not {len(names)} values")
                    yield row

            yield names, rows()
    except (ValueError, csv.Error) as error:  # bytes that are no text, text that is no number
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: damaged: after line {line}: {error}") from error


def read_last_row(path: Path, columns: Sequence[str]) -> dict[str, str]:
    """The last row of a log that has these columns, by their names: its end alone is read.

    Raises:
        InputError: the log is missing or damaged, or has no row.
    """
    with as_input_error(path), open_regular(path, follow=False) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - LONGEST_ROW))
        end = file.read()
    lines = end[: end.rfind(b"\n") + 1].decode("utf-8", errors="replace").splitlines()
    cells = next(csv.reader(lines[-1:]), [])
    if len(cells) != len(columns) or cells == list(columns):
        raise InputError(f"{path}: expected a row of {len(columns)} values at its end, got {len(cells)}")
    return dict(zip(columns, cells, strict=True))


def read_from(path: Path, offset: int, most: int = LARGEST_LOG) -> tuple[str, int]:
    """What was added to a log since a number of bytes, `most` bytes of it, and the number to go on from; whole lines.

    A log that has become shorter, since its run was resumed from a checkpoint, is read again from its beginning.
    """
    try:
        with open_regular(path, follow=False) as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(offset if size >= offset else 0)
            begin = file.tell()
            data = file.read(most)
    except OSError:
        return "", 0
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode("utf-8", errors="replace"), begin + len(whole)
