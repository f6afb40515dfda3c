"""Forces what short runs have written to the disk, many at a time: one by one would take longer than they do."""

import os
import threading
import time

EVERY = 10.0  # seconds between two times, at least
PATIENCE = 10.0  # seconds that the end of an experiment waits for the last time


class Forcing:
    """Has the system write out what it holds, in a thread of its own, while runs go on."""

    def __init__(self) -> None:
        self._begun = self._last = time.monotonic()
        self._thread: threading.Thread | None = None

    def run_ended(self) -> None:
        """A run has ended: force it to the disk with others, if the last time was long ago."""
        now = time.monotonic()
        if now - self._last >= EVERY and (self._thread is None or not self._thread.is_alive()):
            self._last = now
            self._start()

    def close(self) -> None:
        """The experiment has ended; of a long one, the last runs are forced to the disk too."""
        if time.monotonic() - self._begun >= EVERY:
            self._start()
            if self._thread is not None:
                self._thread.join(PATIENCE)

    def _start(self) -> None:
        if hasattr(os, "sync"):
            self._thread = threading.Thread(target=os.sync, daemon=True)
            self._thread.start()
