"""The logs of runs as arrays, followed by offset: what was read is not read again, within a stated amount of memory."""

import csv
import io
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.runs.csv_log import read_from
from experiments.runs.run_folder import EPISODES_LOG, EVALUATIONS_LOG, TIMING_LOG

MOST_BYTES = 256_000_000  # of arrays that are kept
COLUMNS = {
    EPISODES_LOG: ("env_step", "return", "length"),
    EVALUATIONS_LOG: ("env_step", "phase", "set", "return", "length"),
    TIMING_LOG: ("env_step", "episodes", "seconds"),
}
TEXTS = ("phase", "set")
PIECE = 16_000_000  # bytes of a file that are read at once
LONGEST_HEADER = 20_000  # characters
NUM_LOCKS = 16

FloatArray = NDArray[np.float64]


@dataclass
class Log:
    """Columns of a log, as far as they are read."""

    offset: int = 0
    header: list[str] = field(default_factory=list)
    numbers: dict[str, FloatArray] = field(default_factory=dict)  # [rows]
    texts: dict[str, NDArray[np.str_]] = field(default_factory=dict)  # [rows]

    def __len__(self) -> int:
        return max((len(column) for column in self.numbers.values()), default=0)

    @property
    def num_bytes(self) -> int:
        """What its arrays take, with the room behind them."""
        return sum(_room(column).nbytes for columns in (self.numbers, self.texts) for column in columns.values())

    def extend(self, more: "Log") -> None:
        """Take over the rows of a piece that follows."""
        for column, values in more.numbers.items():
            self.numbers[column] = _appended(self.numbers.get(column, np.empty(0)), values)
        for column, words in more.texts.items():
            self.texts[column] = _appended(self.texts.get(column, np.empty(0, words.dtype)), words)


class LogCache:
    """The logs that were asked for last; those that were not for long are forgotten when they are too large together.

    Args:
        most_bytes: of all arrays together; the log that is asked for is kept in any case.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._logs: OrderedDict[Path, Log] = OrderedDict()
        self._lock = threading.Lock()
        self._reading = [threading.Lock() for _ in range(NUM_LOCKS)]  # a large log does not keep others waiting

    def read(self, run: Path, name: str) -> Log:
        """A log of a run as it is now; what is no row of numbers is left out.

        One that is damaged has no rows, and neither has one that alone would take more than all may.
        """
        path = run / name
        with self._reading[hash(path) % NUM_LOCKS]:
            with self._lock:
                log = self._logs.pop(path, None) or Log()
            try:
                log = _followed(path, name, log, self._most_bytes)
            except (ValueError, LookupError, csv.Error, OverflowError):  # whatever a damaged file makes of its reader
                log = Log()
            with self._lock:
                self._logs[path] = log
                while self.num_bytes > self._most_bytes and len(self._logs) > 1:
                    self._logs.popitem(last=False)
            return log

    @property
    def num_bytes(self) -> int:
        """What all arrays take."""
        return sum(log.num_bytes for log in self._logs.values())


def _followed(path: Path, name: str, log: Log, most_bytes: int) -> Log:
    """The log with what was added to its file, piece by piece; read anew where the file was cut back."""
    while True:
        text, reached = read_from(path, log.offset, PIECE)
        if reached < log.offset:
            log = Log()
            continue
        if reached == log.offset:
            return log
        header = log.header
        if not header:
            first, _, text = text.partition("\n")
            header = _checked(first, name)
        log = Log(reached, header, dict(log.numbers), dict(log.texts))  # who reads the old one sees no row too many
        log.extend(_parsed(text, header, name))
        if log.num_bytes > most_bytes:
            raise ValueError("too large")


def _room(column: NDArray[Any]) -> NDArray[Any]:
    """The array that a column is the first part of."""
    return column if column.base is None else column.base


def _appended(column: NDArray[Any], more: NDArray[Any]) -> NDArray[Any]:
    """A column [n] with more rows [m] after it [n + m], in the room that is left behind it, or in half as much again.

    A column that were copied at every look would leave holes in memory, which add up to more than what is kept.
    """
    size, room = len(column) + len(more), _room(column)
    if len(room) < size:
        room = np.empty(size + size // 2, column.dtype)
        room[: len(column)] = column
    room[len(column) : size] = more
    return room[:size]


def _checked(line: str, name: str) -> list[str]:
    """The names of a log's columns.

    Raises:
        ValueError: one that is needed is missing, or two are the same.
    """
    if len(line) > LONGEST_HEADER:
        raise ValueError("expected the names of columns")
    header = next(csv.reader([line]), [])
    if len(set(header)) != len(header) or not set(COLUMNS[name]) <= set(header):
        raise ValueError(f"expected the columns {', '.join(COLUMNS[name])}, each once")
    return header


def _parsed(text: str, header: list[str], name: str) -> Log:
    """The columns of rows of CSV [rows]; a row with a cell that is no finite number is left out."""
    import pandas as pd

    wanted = list(COLUMNS[name])
    numbers, texts = ([one for one in wanted if (one in TEXTS) == is_text] for is_text in (False, True))
    if not text.strip():
        return Log()
    table = pd.read_csv(
        io.StringIO(text), names=header, usecols=wanted, dtype=str, on_bad_lines="skip", header=None, engine="c",
        quoting=csv.QUOTE_NONE,
    )  # fmt: skip
    values = {one: pd.to_numeric(table[one], errors="coerce").to_numpy(dtype=float) for one in numbers}
    sound = np.isfinite(np.array(list(values.values()))).all(axis=0)
    words = {one: table[one].fillna("").to_numpy(dtype="U8")[sound] for one in texts}
    return Log(numbers={one: column[sound] for one, column in values.items()}, texts=words)
