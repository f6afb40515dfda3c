"""A checkpoint: everything that a run needs to go on as if it had never stopped.

agent/         whatever the agent saves
run/           counts, the lengths of the logs, where the environment is
timing.json    wall-clock times, apart: the files above are the same bytes in every equal run
digests.json   SHA-256 of every file above: what is damaged is not taken for sound

A checkpoint that is forced to the disk outlives a power cut. Those in between are not, and the last one that was stays
beside them as `checkpoint.old`, so that a cut costs no more than what came after it.

Chunks of a large replay buffer (see `agents.ring`) that are as they were in the checkpoint before are the same files,
linked, with the digests that they had: a checkpoint writes what is new. They go when no checkpoint has them any more.
"""

import json
from pathlib import Path
from typing import Any

from agents import storage
from agents.base import Agent
from agents.storage import State
from experiments.errors import InputError
from experiments.files import files_below, read_bytes, remove_folder, sync_folder, sync_tree
from experiments.runs.digests import digest_of, digests_below
from experiments.runs.timing import Timing

LARGEST_LIST = 50_000_000  # bytes of digests.json
AGENT, RUN, TIMING, DIGESTS = "agent", "run", "timing.json", "digests.json"


class CheckpointFolder:
    """The checkpoint of a run folder, replaced as a whole: a complete one is there at every instant."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._newest, self._coming, self._previous, self._gone = (
            run / name for name in ("checkpoint", "checkpoint.new", "checkpoint.old", "checkpoint.gone")
        )
        self.digests: dict[str, str] = {}  # of the files of the newest one, if it was written here
        self._newest_is_forced = True  # what an earlier process has left has lasted
        self._has_forced_before = False  # is `checkpoint.old` one that was forced to the disk?

    @property
    def path(self) -> Path:
        """The newest complete one; the one before it while it is being replaced."""
        return self._previous if self._previous.exists() and not self._newest.exists() else self._newest

    @property
    def agent(self) -> Path:
        """The folder with the agent's state."""
        return self.path / AGENT

    def exists(self) -> bool:
        """Is there one?"""
        return self.path.exists()

    def write(self, agent: Agent, state: State, timing: Timing, *, sync: bool = False) -> None:
        """Replace it. Where that fails, such as on a full disk, the one before it stays.

        Args:
            agent: whose state it holds.
            state: the run's.
            timing: wall-clock times.
            sync: force it to the disk.
        """
        remove_folder(self._coming)
        earlier, known = self._earlier()
        try:
            agent.save(self._coming / AGENT, None if earlier is None else earlier / AGENT)
            storage.write(self._coming / RUN, state)
            (self._coming / TIMING).write_text(json.dumps(timing.to_json()), encoding="utf-8")
            digests = digests_below(self._coming, earlier or self._coming, known)
            (self._coming / DIGESTS).write_text(json.dumps(digests), encoding="utf-8")
        except OSError:
            remove_folder(self._coming)
            raise
        if sync:
            sync_tree(self._coming)
        self._swap(keep=not sync)
        self.digests = digests
        self._newest_is_forced = sync

    def _swap(self, *, keep: bool) -> None:
        """Put the new one in the place of the newest; the last one that was forced to the disk may have to stay."""
        if self._newest.exists():
            if self._newest_is_forced or not self._previous.exists():
                remove_folder(self._previous)
                self._newest.rename(self._previous)
            else:
                remove_folder(self._gone)
                self._newest.rename(self._gone)
        self._coming.rename(self._newest)
        if not keep:
            sync_folder(self._run)
        remove_folder(self._gone)
        if not (keep and (self._newest_is_forced or self._has_forced_before)):
            remove_folder(self._previous)
        self._has_forced_before = keep and self._previous.exists()

    def force(self) -> None:
        """Force the newest one to the disk; the one before it can go then."""
        sync_tree(self._newest)
        sync_folder(self._run)
        remove_folder(self._previous)
        self._newest_is_forced, self._has_forced_before = True, False

    def _earlier(self) -> tuple[Path | None, dict[str, str]]:
        """The newest checkpoint and its digests, which the next one may take over; None where these are damaged."""
        if not self.exists():
            return None, {}
        try:
            return self.path, _listed(self.path / DIGESTS)
        except InputError:
            return None, {}

    def read(self) -> tuple[State, dict[str, Any]]:
        """The run's part and the wall-clock times, after every file was checked.

        Raises:
            InputError: there is none, or a file is missing or damaged.
        """
        self.check()
        try:
            return storage.read(self.path / RUN), json.loads((self.path / TIMING).read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(str(error)) from error

    def fall_back(self) -> bool:
        """Go back to the one before, where the newest is damaged and there is one; was there?"""
        if not (self._newest.exists() and self._previous.exists()):
            return False
        remove_folder(self._newest)
        self.digests = {}
        return True

    def check(self) -> None:
        """Check every file.

        Raises:
            InputError: a file is missing or damaged; the message names it.
        """
        path = self.path / DIGESTS
        if self.path.is_symlink():
            raise InputError(f"{self.path}: expected a folder, got a link, which is not followed")
        digests = _listed(path)
        there = {file.relative_to(self.path).as_posix() for file in files_below(self.path)}
        if unlisted := sorted(there - {DIGESTS} - set(digests)):
            raise InputError(f"{self.path / unlisted[0]}: not what the run wrote: {DIGESTS} does not name it")
        for name, digest in digests.items():
            file = self.path / name
            if not file.resolve().is_relative_to(self.path.resolve()):
                raise InputError(f"{path}: damaged: it names {name!r}")
            if digest_of(file) != digest:
                raise InputError(f"{file}: {'damaged' if file.exists() else 'missing'}: not what the run wrote")

    def remove(self) -> None:
        """Forget it."""
        for path in (self._newest, self._coming, self._previous, self._gone):
            remove_folder(path)


def _listed(path: Path) -> dict[str, str]:
    """The digests that a checkpoint lists.

    Raises:
        InputError: they are missing or damaged.
    """
    try:
        listed = json.loads(read_bytes(path, largest=LARGEST_LIST, follow=False))
        return {str(name): str(digest) for name, digest in dict(listed).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: missing or damaged: {error}") from error
