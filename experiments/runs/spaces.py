"""Gymnasium spaces as JSON values, so that a trained policy can be opened without its environment."""

from typing import Any

import numpy as np
from gymnasium import Space, spaces
from numpy.typing import NDArray

from agents.policy import Spaces
from experiments.errors import InputError

SpaceJson = dict[str, Any]


def spaces_to_json(both: Spaces) -> dict[str, SpaceJson] | None:
    """The observation and the action space; None where one is of a kind that has no form here."""
    try:
        return {"observation": _to_json(both.observation_space), "action": _to_json(both.action_space)}
    except NotImplementedError:
        return None


def spaces_from_json(values: dict[str, SpaceJson]) -> Spaces:
    """The two spaces again.

    Raises:
        InputError: the values are no spaces.
    """
    try:
        return Spaces(_from_json(values["observation"]), _from_json(values["action"]))
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError, OverflowError) as error:
        raise InputError(f"spaces: damaged: {error}") from error


def _to_json(space: Space[Any]) -> SpaceJson:
    match space:
        case spaces.Discrete():
            return {"kind": "Discrete", "n": int(space.n), "start": int(space.start)}
        case spaces.MultiDiscrete():
            return {"kind": "MultiDiscrete", "nvec": space.nvec.tolist(), "start": space.start.tolist()}
        case spaces.MultiBinary():
            return {"kind": "MultiBinary", "n": list(space.n) if isinstance(space.n, tuple) else int(space.n)}
        case spaces.Box():
            bounds = {"low": _bound(space.low), "high": _bound(space.high)}
            return {"kind": "Box", "shape": list(space.shape), "dtype": str(space.dtype)} | bounds
        case spaces.Dict():
            return {"kind": "Dict", "spaces": [[key, _to_json(one)] for key, one in space.spaces.items()]}
        case spaces.Tuple():
            return {"kind": "Tuple", "spaces": [_to_json(one) for one in space.spaces]}
        case _:
            raise NotImplementedError(type(space).__name__)


def _from_json(values: SpaceJson) -> Space[Any]:
    match values["kind"]:
        case "Discrete":
            return spaces.Discrete(values["n"], start=values["start"])
        case "MultiDiscrete":
            return spaces.MultiDiscrete(values["nvec"], start=values["start"])
        case "MultiBinary":
            return spaces.MultiBinary(values["n"])
        case "Box":
            shape, dtype = tuple(values["shape"]), np.dtype(values["dtype"])
            low, high = (np.broadcast_to(np.array(_numbers(values[key]), dtype), shape) for key in ("low", "high"))
            return spaces.Box(low, high, shape, dtype.type)
        case "Dict":
            return spaces.Dict({key: _from_json(one) for key, one in values["spaces"]})
        case "Tuple":
            return spaces.Tuple([_from_json(one) for one in values["spaces"]])
        case kind:
            raise ValueError(f"unknown kind {kind!r}")


def _bound(bound: NDArray[Any]) -> Any:
    """One number where all are the same, else all [...]; an infinite one as text, which JSON has no number for."""
    if bound.size and (bound == bound.flat[0]).all():
        bound = bound.flat[0]
    return _texts(np.asarray(bound).tolist())


def _texts(values: Any) -> Any:
    if isinstance(values, list):
        return [_texts(value) for value in values]
    return values if np.isfinite(values) else str(values)


def _numbers(values: Any) -> Any:
    if isinstance(values, list):
        return [_numbers(value) for value in values]
    return float(values) if isinstance(values, str) else values
