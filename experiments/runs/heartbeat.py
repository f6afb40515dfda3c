"""Who writes a run: a small file that its process keeps fresh, so that readers need not touch the lock.

A reader on the same machine asks for the process; elsewhere it believes a file that is fresh. Writers decide by the
lock alone.
"""

import contextlib
import json
import os
import platform
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from experiments.errors import InputError
from experiments.files import open_new, read_bytes

FILE = "heartbeat.json"
EVERY = 2.0  # seconds between two beats
FRESH = 30.0  # seconds, within which the last beat of another machine counts
LARGEST = 4096  # bytes of the file


class Heartbeat(BaseModel):
    """The process that writes a run."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    host: str
    boot: str  # changes when the machine starts anew
    process: int
    started: int  # by the system's clock: another process may get the same number

    @classmethod
    def of_this_process(cls) -> "Heartbeat":
        """The one that this process leaves."""
        return _of_process(os.getpid())

    def is_alive(self, path: Path) -> bool:
        """Does the process write still?"""
        if self.host == platform.node() and self.boot == _boot() and _boot():
            return _started(self.process) == self.started
        try:
            return time.time() - path.stat().st_mtime < FRESH
        except OSError:
            return False


def writer(run: Path) -> Heartbeat | None:
    """The process that writes a run, if one does. Changes nothing."""
    path = run / FILE
    try:
        heartbeat = Heartbeat.model_validate_json(read_bytes(path, largest=LARGEST, follow=False))
    except (InputError, ValidationError):
        return None
    return heartbeat if heartbeat.is_alive(path) else None


class Heart:
    """Beats while a run is written: a thread of the process keeps the file fresh, which goes in the end."""

    _beating: ClassVar[set[Path]] = set()
    _thread: ClassVar[threading.Thread | None] = None

    def __init__(self, run: Path) -> None:
        self._path = run / FILE

    def __enter__(self) -> "Heart":
        """Begin."""
        with contextlib.suppress(OSError), open_new(self._path) as file:
            file.write(json.dumps(Heartbeat.of_this_process().model_dump()).encode())
        Heart._beating.add(self._path)
        if Heart._thread is None or not Heart._thread.is_alive():  # one for all runs; a forked child has none
            Heart._thread = threading.Thread(target=Heart._beat, daemon=True)
            Heart._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End."""
        Heart._beating.discard(self._path)
        with contextlib.suppress(OSError):
            self._path.unlink()

    @classmethod
    def _beat(cls) -> None:
        while True:
            time.sleep(EVERY)
            for path in list(cls._beating):
                with contextlib.suppress(OSError):
                    os.utime(path)


@lru_cache(maxsize=1)
def _of_process(process: int) -> Heartbeat:
    return Heartbeat(host=platform.node(), boot=_boot(), process=process, started=_started(process) or 0)


@lru_cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _started(process: int) -> int | None:
    """When a process began, in the system's ticks; None where there is none, or the system does not tell."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])
