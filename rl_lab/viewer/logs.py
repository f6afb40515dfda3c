"""The logs of runs as arrays, followed by offset: what was read is not read again, within a stated amount of memory."""

import csv
import io
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

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
        """What its arrays take."""
        return sum(column.nbytes for columns in (self.numbers, self.texts) for column in columns.values())


class LogCache:
    """The logs that were asked for last; those that were not for long are forgotten when they are too large together.

    Args:
        most_bytes: of all arrays together; the log that is asked for is kept in any case.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._logs: OrderedDict[Path, Log] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, run: Path, name: str) -> Log:
        """A log of a run as it is now; what is no row of numbers is left out."""
        path = run / name
        with self._lock:
            log = self._logs.pop(path, None) or Log()
            log = _followed(path, name, log)
            self._logs[path] = log
            while self.num_bytes > self._most_bytes and len(self._logs) > 1:
                self._logs.popitem(last=False)
            return log

    @property
    def num_bytes(self) -> int:
        """What all arrays take."""
        return sum(log.num_bytes for log in self._logs.values())


def _followed(path: Path, name: str, log: Log) -> Log:
    """The log with what was added to its file; read anew where the file was cut back."""
    text, offset = read_from(path, log.offset)
    if offset < log.offset:
        log = Log()
        text, offset = read_from(path, 0)
    if offset == log.offset:
        return log
    if not log.header:
        first, _, text = text.partition("\n")
        header = next(csv.reader([first]), [])
    else:
        header = log.header
    wanted = [column for column in COLUMNS[name] if column in header]
    added = _parsed(text, header, wanted)
    numbers = {
        column: np.concatenate([log.numbers.get(column, np.empty(0)), added[column].astype(float)])
        for column in wanted
        if column not in TEXTS
    }
    texts = {
        column: np.concatenate([log.texts.get(column, np.empty(0, "U8")), added[column].astype("U8")])
        for column in wanted
        if column in TEXTS
    }
    return Log(offset, header, numbers, texts)


def _parsed(text: str, header: list[str], wanted: list[str]) -> dict[str, NDArray[np.generic]]:
    """Some columns of rows of CSV [rows]; a row with a cell that is no number is left out."""
    import pandas as pd

    if not text.strip():
        return {column: np.empty(0, "U8" if column in TEXTS else float) for column in wanted}
    table = pd.read_csv(
        io.StringIO(text), names=header, usecols=wanted, dtype=str, on_bad_lines="skip", header=None, engine="c"
    )
    frame = pd.DataFrame(
        {
            column: table[column].fillna("") if column in TEXTS else pd.to_numeric(table[column], errors="coerce")
            for column in wanted
        }
    )
    numbers = [column for column in wanted if column not in TEXTS]
    sound = np.isfinite(frame[numbers].to_numpy(dtype=float)).all(axis=1)
    return {column: frame[column].to_numpy(dtype="U8" if column in TEXTS else float)[sound] for column in wanted}
