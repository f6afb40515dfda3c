"""Learning states on disk. No pickles, no code.

state.npz    the arrays
state.json   everything else
rings.json   of a state with rings (see `agents.ring`): which it has; their rows are in chunks/
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from agents import ring
from agents.ring import CHUNKS, Ring

State = dict[str, Any]  # nested dictionaries with string keys; leaves are numpy arrays, rings or JSON values
Leaves = dict[str, Any]  # by their paths: names that "/" joins

ARRAYS, VALUES, RINGS = "state.npz", "state.json", "rings.json"


def write(folder: Path, state: State, earlier: Path | None = None) -> None:
    """Write a state into a folder, which is made if it is not there.

    Args:
        folder: the folder.
        state: the state.
        earlier: where an earlier state of the same agent is: chunks of rings that are as they were there are linked.
    """
    arrays: Leaves = {}
    rings: Leaves = {}
    values = _split(state, "", arrays, rings)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / ARRAYS, allow_pickle=False, **arrays)
    (folder / VALUES).write_text(json.dumps(values, sort_keys=True), encoding="utf-8")
    (folder / RINGS).unlink(missing_ok=True)
    if rings:
        known = {} if earlier is None else _known_rings(earlier)
        for number, (path, one) in enumerate(sorted(rings.items())):
            ring.write(one, folder / CHUNKS, str(number), (earlier or folder) / CHUNKS, known.get((number, path)))
        fields = {path: one.fields() for path, one in rings.items()}
        (folder / RINGS).write_text(json.dumps(fields, sort_keys=True), encoding="utf-8")


def read(folder: Path) -> State:
    """Read what `write` wrote.

    Raises:
        ValueError: a file is missing or damaged.
    """
    try:
        ring.check_regular(folder / VALUES)
        state: State = json.loads((folder / VALUES).read_text(encoding="utf-8"))
        for path, array in ring.read_arrays(folder / ARRAYS).items():
            _put(state, path, array)
        for (number, path), fields in _read_rings(folder).items():
            _put(state, path, ring.read(folder / CHUNKS, str(number), fields))
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        NotImplementedError,
        AttributeError,
        RecursionError,
        zipfile.BadZipFile,
    ) as error:
        raise ValueError(f"{folder}: missing or damaged ({error})") from error
    return state


def _read_rings(folder: Path) -> dict[tuple[int, str], ring.Fields]:
    """What is known of the rings of a state, by their numbers and paths; none where it has none."""
    ring.check_regular(folder / RINGS)
    if not (folder / RINGS).exists():
        return {}
    rings = json.loads((folder / RINGS).read_text(encoding="utf-8"))
    return {(number, path): ring.check(fields) for number, (path, fields) in enumerate(sorted(rings.items()))}


def _known_rings(folder: Path) -> dict[tuple[int, str], ring.Fields]:
    """Those of an earlier state; none where that cannot be read."""
    try:
        return _read_rings(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def split(state: State) -> tuple[State, Leaves]:
    """A state without rings: its JSON part, and its arrays by their paths."""
    arrays: Leaves = {}
    rings: Leaves = {}
    values = _split(state, "", arrays, rings)
    if rings:
        raise ValueError(f"expected a state without rings, got {', '.join(rings)}")
    return values, arrays


def joined(values: State, arrays: Leaves) -> State:
    """What `split` has parted.

    Raises:
        KeyError, TypeError: they do not belong together.
    """
    for path, array in arrays.items():
        _put(values, path, array)
    return values


def _put(state: State, path: str, leaf: Any) -> None:
    *parents, name = path.split("/")
    place = state
    for parent in parents:
        place = place[parent]
    place[name] = leaf


def _split(state: State, prefix: str, arrays: Leaves, rings: Leaves) -> State:
    """The JSON part of a state; the arrays and rings are put under their paths."""
    values: State = {}
    for name, value in sorted(state.items()):  # one order, so that equal states are equal bytes
        if isinstance(value, np.ndarray):
            arrays[prefix + name] = value
        elif isinstance(value, Ring):
            rings[prefix + name] = value
        elif isinstance(value, dict):
            values[name] = _split(value, f"{prefix}{name}/", arrays, rings)
        else:
            values[name] = value
    return values
