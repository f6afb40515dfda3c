"""Snapshots: the policy as it was at points of the learning curve, for whoever wants to see it grow.

`snapshots/<env_step>/` holds the policy's state and nothing else. They are no result: no digest covers them, and a run
that goes on from a checkpoint writes again what came after it.
"""

import contextlib
import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agents import storage
from agents.storage import State
from experiments.errors import InputError
from experiments.files import remove_folder

FOLDER = "snapshots"
NUMBER = re.compile("0|[1-9][0-9]{0,17}")
MOST = 64  # snapshots of a run
MOST_BYTES = 64_000_000  # of all of them together


class Kept(NamedTuple):
    """A snapshot that is kept."""

    point: int  # number of the curve's point, from 0
    env_step: int
    num_bytes: int


class Snapshots:
    """The snapshots of a run.

    Which are kept is a function of the points and the sizes alone: every `stride`-th point, and the stride is doubled
    when they are too many or too large together. So a run that was killed or extended keeps the same ones.

    Args:
        run: the run's folder.
        known: what `to_state` gave when the checkpoint was written that the run goes on from.
    """

    def __init__(self, run: Path, known: State | None = None) -> None:
        self._folder = run / FOLDER
        self._point, self._stride = 0, 1
        self._kept: list[Kept] = []
        if known is None:
            if self._folder.exists() or self._folder.is_symlink():
                remove_folder(self._folder)
            return
        self._point, self._stride = int(known["points"]), int(known["stride"])
        self._kept = [Kept(*map(int, one)) for one in known["kept"]]
        for step in snapshot_steps(run):
            if step not in {one.env_step for one in self._kept}:
                self._remove(step)

    def add(self, env_step: int, policy: State) -> None:
        """Keep the policy at the next point of the curve, if its turn it is. An empty state is none."""
        point, self._point = self._point, self._point + 1
        size = _num_bytes(policy)
        if not policy or point % self._stride or size > MOST_BYTES:
            return
        self._write(env_step, policy)
        self._kept.append(Kept(point, env_step, size))
        while len(self._kept) > MOST or sum(one.num_bytes for one in self._kept) > MOST_BYTES:
            self._stride *= 2
            for one in self._kept:
                if one.point % self._stride:
                    self._remove(one.env_step)
            self._kept = [one for one in self._kept if one.point % self._stride == 0]

    def to_state(self) -> State:
        """What a checkpoint needs to know of them."""
        return {"points": self._point, "stride": self._stride, "kept": [list(one) for one in self._kept]}

    def _write(self, env_step: int, policy: State) -> None:
        """A snapshot is there whole, or not at all; one that cannot be written, on a full disk, is done without."""
        target, coming = self._folder / str(env_step), self._folder / ".new"
        with contextlib.suppress(OSError):
            if self._folder.is_symlink():
                remove_folder(self._folder)
            remove_folder(coming)
            storage.write(coming, policy)
            remove_folder(target)
            coming.rename(target)

    def _remove(self, env_step: int) -> None:
        remove_folder(self._folder / str(env_step))


def _num_bytes(state: State) -> int:
    """The bytes that a state takes on disk, about: arrays as they are, the rest as JSON."""
    total = 0
    for value in state.values():
        if isinstance(value, dict):
            total += _num_bytes(value)
        else:
            total += value.nbytes if isinstance(value, np.ndarray) else len(json.dumps(value))
    return total


def snapshot_steps(run: Path) -> list[int]:
    """The env steps at which there is a snapshot, in order."""
    try:
        if (run / FOLDER).is_symlink():
            return []
        names = [
            path.name for path in (run / FOLDER).iterdir() if NUMBER.fullmatch(path.name) and not path.is_symlink()
        ]
    except OSError:
        return []
    return sorted(int(name) for name in names)


def read_snapshot(run: Path, env_step: int) -> State:
    """The policy's state at an env step.

    Raises:
        InputError: there is none at that step, or it is damaged.
    """
    steps = snapshot_steps(run)
    if env_step not in steps:
        there = ", ".join(f"{step:,}" for step in steps) or "none"
        raise InputError(f"{run}: expected the env step of a snapshot ({there}), got {env_step:,}")
    try:
        return storage.read(run / FOLDER / str(env_step))
    except ValueError as error:
        raise InputError(str(error)) from error


def nearest_snapshot(run: Path, env_step: int) -> int:
    """The env step of the last snapshot at or before a step.

    Raises:
        InputError: there is none.
    """
    before = [step for step in snapshot_steps(run) if step <= env_step]
    if not before:
        raise InputError(f"{run}: there is no snapshot at or before env step {env_step:,}")
    return before[-1]
