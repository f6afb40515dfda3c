"""Runs that are to go: they are moved into a folder from which they can be taken back."""

import os
import time
from pathlib import Path

from experiments.errors import InputError
from experiments.files import make_folder
from experiments.runs.run_folder import TRASH, RunFolder


def move_to_trash(folder: Path, run: Path) -> Path:
    """Move a run below a folder into the folder's trash; where it is then.

    Raises:
        InputError: the run is being written, or cannot be moved.
    """
    if RunFolder(run).is_written():
        raise InputError(f"{run}: is being trained: stop it first")
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    target = make_folder(folder, TRASH)
    for part in (name, *run.relative_to(folder).parts[:-1]):
        target = make_folder(target, part)
    target = target / run.name
    number = 0
    while target.exists():
        number += 1
        target = target.with_name(f"{run.name}-{number}")
    try:
        run.rename(target)
    except OSError as error:
        raise InputError(f"{run}: cannot be moved: {error.strerror or error}") from error
    return target
