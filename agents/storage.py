"""Learning states on disk: arrays in `state.npz`, everything else in `state.json`. No pickles, no code."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

State = dict[str, Any]  # nested dictionaries with string keys; leaves are numpy arrays or JSON values

ARRAYS, VALUES = "state.npz", "state.json"


def write(folder: Path, state: State) -> None:
    """Write a state into a folder, which is made if it is not there."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    values = _split(state, "", arrays)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / ARRAYS, allow_pickle=False, **arrays)
    (folder / VALUES).write_text(json.dumps(values, sort_keys=True), encoding="utf-8")


def read(folder: Path) -> State:
    """Read what `write` wrote.

    Raises:
        ValueError: a file is missing or damaged.
    """
    try:
        state: State = json.loads((folder / VALUES).read_text(encoding="utf-8"))
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            for path in arrays.files:
                *parents, name = path.split("/")
                place = state
                for parent in parents:
                    place = place[parent]
                place[name] = arrays[path]
    except (OSError, ValueError, KeyError, TypeError, EOFError, NotImplementedError, zipfile.BadZipFile) as error:
        raise ValueError(f"{folder}: missing or damaged ({error})") from error
    return state


def _split(state: State, prefix: str, arrays: dict[str, np.ndarray[Any, Any]]) -> State:
    """The JSON part of a state; the arrays go into `arrays`, under their path."""
    values: State = {}
    for name, value in sorted(state.items()):  # one order, so that equal states are equal bytes
        if isinstance(value, np.ndarray):
            arrays[prefix + name] = value
        elif isinstance(value, dict):
            values[name] = _split(value, f"{prefix}{name}/", arrays)
        else:
            values[name] = value
    return values
