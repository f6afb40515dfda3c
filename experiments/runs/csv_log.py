"""A log: an append-only CSV file, which can be cut back to where a checkpoint was written, and followed by offset."""

import contextlib
import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, Field

from experiments.errors import InputError
from experiments.files import open_again, open_new, open_regular, read_text

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


def read_rows(path: Path, columns: Sequence[str]) -> Rows:
    """The rows of a log that begins with these columns; a last line that was cut short is left out.

    Raises:
        InputError: the log is missing or damaged.
    """
    text = read_text(path, follow=False)
    reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
    if list(reader.fieldnames or [])[: len(columns)] != list(columns):
        raise InputError(f"{path}: damaged: expected columns {', '.join(columns)}, got {reader.fieldnames}")
    rows = list(reader)
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise InputError(f"{path}: damaged: line {line} has not {len(reader.fieldnames or [])} values")
    return rows


def read_from(path: Path, offset: int) -> tuple[str, int]:
    """What was added to a log since a number of bytes, and the number to go on from; only whole lines.

    A log that has become shorter, since its run was resumed from a checkpoint, is read again from its beginning.
    """
    try:
        with open_regular(path, follow=False) as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(offset if size >= offset else 0)
            begin = file.tell()
            data = file.read()
    except OSError:
        return "", 0
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode("utf-8", errors="replace"), begin + len(whole)
