"""A run's folder in two places: what changes where it is trained is put where it is kept, and nothing else is sent."""

import os
from dataclasses import dataclass
from pathlib import Path

from experiments.files import files_below, make_folder, remove_folder, replace_file
from experiments.runs import heartbeat
from experiments.runs.run_folder import LOCK, MANIFEST

CHECKPOINT = "checkpoint"
OWN = (LOCK, heartbeat.FILE)  # of each place
Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Change:
    """What is new in a run's folder."""

    files: dict[str, bytes]  # by their paths in it
    gone: list[str]


class Sender:
    """Says what has changed in a folder since it was last asked.

    Args:
        folder: a run's, as the other place has it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = _stamps(folder)

    def change(self) -> Change:
        """What has changed. To be asked while nobody writes."""
        now = _stamps(self._folder)
        changed = [name for name, stamp in now.items() if self._known.get(name) != stamp]
        gone = sorted(self._known.keys() - now.keys())
        self._known = now
        return Change({name: (self._folder / name).read_bytes() for name in changed}, gone)


def contents(folder: Path) -> dict[str, bytes]:
    """All that a run's folder holds, for a place that has nothing of it."""
    return {name: (folder / name).read_bytes() for name in _stamps(folder)}


def put(files: dict[str, bytes], folder: Path) -> None:
    """Write the contents of a folder into another one, which is empty."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def apply(change: Change, folder: Path) -> None:
    """Put a change into the folder that is kept; whenever this is cut off, what is there is sound.

    The logs come first, since a checkpoint needs what it counts; then the checkpoint, as a whole; run.json last.
    """
    of_checkpoint = {name for name in (*change.files, *change.gone) if _first(name) == CHECKPOINT}
    for name in change.gone:
        if name not in of_checkpoint:
            (folder / name).unlink(missing_ok=True)
    for name, data in change.files.items():
        if name not in of_checkpoint and name != MANIFEST:
            place = folder / name
            make_folder(place.parent.parent, place.parent.name)
            replace_file(place, data)
    if of_checkpoint:
        _replace_checkpoint(change, folder)
    if MANIFEST in change.files:
        replace_file(folder / MANIFEST, change.files[MANIFEST])


def _replace_checkpoint(change: Change, folder: Path) -> None:
    """The next checkpoint is made beside the one that is there: what is as it was is linked."""
    now, coming, old = folder / CHECKPOINT, folder / f"{CHECKPOINT}.new", folder / f"{CHECKPOINT}.old"
    remove_folder(coming)
    coming.mkdir()
    for name in _stamps(now) if now.exists() else ():
        if f"{CHECKPOINT}/{name}" not in change.files and f"{CHECKPOINT}/{name}" not in change.gone:
            (coming / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(now / name, coming / name)
    for name, data in change.files.items():
        if _first(name) == CHECKPOINT:
            path = coming / name.removeprefix(f"{CHECKPOINT}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    remove_folder(old)
    if now.exists():
        now.rename(old)
    coming.rename(now)
    remove_folder(old)


def _first(name: str) -> str:
    return name.partition("/")[0]


def _stamps(folder: Path) -> dict[str, Stamp]:
    """The files below a folder, and what tells whether one has changed."""
    found: dict[str, Stamp] = {}
    for path in files_below(folder):
        name = path.relative_to(folder).as_posix()
        if path.name in OWN or _first(name).startswith(f"{CHECKPOINT}.") or path.is_symlink():
            continue
        status = path.stat()
        found[name] = status.st_ino, status.st_size, status.st_mtime_ns
    return found
