"""What is asked of a policy, checked: a request's body becomes observations, or a line that says how it is wrong."""

import json
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.policy import batch_of
from experiments.errors import InputError, in_words

MOST_OBSERVATIONS = 1_000  # of a request
LARGEST_BODY = 4_000_000  # bytes
KEYS = ("observation", "observations", "mask", "masks", "policy")


class RefusedError(ValueError):
    """A request that is not answered.

    Args:
        status: of HTTP.
        message: one line.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Question:
    """What a policy is asked."""

    body: dict[str, Any]  # as it came
    policy: str | None  # which one; None: the first
    is_single: bool

    def observations(self, space: spaces.Space[Any]) -> Any:
        """A batch of them [N, ...].

        Raises:
            RefusedError: they are none of the space.
        """
        if self.is_single:
            return batch_of([parsed(self.body["observation"], space, "observation")])
        given = self.body["observations"]
        return batch_of([parsed(one, space, f"observations[{index}]") for index, one in enumerate(given)])

    def masks(self, num_actions: int | None, count: int) -> NDArray[np.bool_] | None:
        """Which actions are legal [N, A], where that is told.

        Raises:
            RefusedError: they are none.
        """
        key = "mask" if self.is_single else "masks"
        given = self.body.get(key)
        if given is None:
            return None
        rows = [given] if self.is_single else given
        expected = f"{key}: expected {num_actions} times true or false, at least one of them true"
        if num_actions is None or not isinstance(rows, list) or len(rows) != count:
            raise RefusedError(422, f"{expected}, for each observation")
        for row in rows:
            if not isinstance(row, list) or len(row) != num_actions or {*map(type, row)} != {bool} or not any(row):
                raise RefusedError(422, f"{expected}, got {_short(row)}")
        return np.array(rows, dtype=np.bool_)


def parse_question(data: bytes) -> Question:
    """The question in a request's body.

    Raises:
        RefusedError: it is none.
    """
    try:
        body = json.loads(data, parse_constant=_no_number)
    except RefusedError:
        raise
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"expected a body of JSON: {in_words(error)[:200]}") from None
    if not isinstance(body, dict):
        raise RefusedError(422, f"expected an object with observation or observations, got {_short(body)}")
    for key in body:
        if key not in KEYS:
            raise RefusedError(422, f"unknown key {_short(key)}; expected one of: {', '.join(KEYS)}")
    if ("observation" in body) == ("observations" in body):
        raise RefusedError(422, "expected observation or observations, one of the two")
    is_single = "observation" in body
    if not is_single:
        many = body["observations"]
        if not isinstance(many, list) or not 1 <= len(many) <= MOST_OBSERVATIONS:
            got = f"{len(many):,}" if isinstance(many, list) else _short(many)
            raise RefusedError(422, f"observations: expected a list of 1 to {MOST_OBSERVATIONS:,}, got {got}")
    if (wrong := "masks" if is_single else "mask") in body:
        raise RefusedError(422, f"{wrong}: expected {'mask' if is_single else 'masks'} beside what is asked")
    policy = body.get("policy")
    if policy is not None and not isinstance(policy, str):
        raise RefusedError(422, f"policy: expected a name, got {_short(policy)}")
    return Question(body, policy, is_single)


def _no_number(text: str) -> NoReturn:
    raise RefusedError(422, f"expected finite numbers, got {text}")


def parsed(value: Any, space: spaces.Space[Any], place: str) -> Any:
    """One observation as the space has it.

    Raises:
        RefusedError: it is none of the space.
    """
    match space:
        case spaces.Discrete():
            first, last = int(space.start), int(space.start + space.n) - 1
            whole = type(value) is int or (type(value) is float and value.is_integer())  # to JSON, 7.0 is a 7
            if not whole or not first <= value <= last:
                raise RefusedError(422, f"{place}: expected a whole number from {first} to {last}, got {_short(value)}")
            return int(value)
        case spaces.Box() | spaces.MultiDiscrete() | spaces.MultiBinary():
            return _array(value, space, place)
        case spaces.Dict():
            if not isinstance(value, dict) or value.keys() != space.spaces.keys():
                keys = ", ".join(space.spaces)
                raise RefusedError(422, f"{place}: expected an object with the keys {keys}, got {_short(value)}")
            return {key: parsed(value[key], one, f"{place}.{key}") for key, one in space.spaces.items()}
        case spaces.Tuple():
            if not isinstance(value, list) or len(value) != len(space.spaces):
                raise RefusedError(422, f"{place}: expected a list of {len(space.spaces)}, got {_short(value)}")
            return tuple(parsed(one, of, f"{place}[{i}]") for i, (one, of) in enumerate(zip(value, space, strict=True)))
    raise RefusedError(422, f"{place}: observations of the kind {type(space).__name__} have no form in JSON")


def _array(value: Any, space: spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary, place: str) -> NDArray[Any]:
    shape = tuple(space.shape or ())
    described = f"numbers of shape {list(shape)}" if shape else "a number"
    try:
        given = np.array(value)
    except (ValueError, OverflowError, RecursionError):  # rows of different lengths
        raise RefusedError(422, f"{place}: expected {described}, got {_short(value)}") from None
    if given.dtype.kind not in "iuf" or given.shape != shape or _has_booleans(value):
        got = f"shape {list(given.shape)}" if given.dtype.kind in "iuf" and given.shape != shape else _short(value)
        raise RefusedError(422, f"{place}: expected {described}, got {got}")
    kind = space.dtype
    assert kind is not None
    with np.errstate(all="ignore"):
        made = given.astype(kind)
    whole = np.dtype(kind).kind in "iu"
    if not np.isfinite(made).all() or (whole and not np.array_equal(made, given)):
        expected = "whole numbers" if whole else f"finite numbers of {np.dtype(kind).name}"
        raise RefusedError(422, f"{place}: expected {expected} in their range, got {_short(value)}")
    if not space.contains(made):
        raise RefusedError(422, f"{place}: expected {_bounds(space)}, got {_short(value)}")
    return made


def _has_booleans(value: Any) -> bool:
    return any(map(_has_booleans, value)) if isinstance(value, list) else isinstance(value, bool)


def _bounds(space: spaces.Space[Any]) -> str:
    if isinstance(space, spaces.Box):
        return f"numbers between {_short(space.low.tolist())} and {_short(space.high.tolist())}"
    return f"an element of {space}"


def _short(value: Any) -> str:
    """A value as it was given, in a few words."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= 120 else f"{text[:117]}..."


def space_schema(space: spaces.Space[Any]) -> dict[str, Any]:
    """A space as a schema of JSON.

    Raises:
        InputError: it has none.
    """
    match space:
        case spaces.Discrete():
            return {"type": "integer", "minimum": int(space.start), "maximum": int(space.start + space.n) - 1}
        case spaces.Box():
            if np.dtype(space.dtype).kind in "iu":
                return _array_schema(space.low, space.high, "integer")
            most = np.finfo(space.dtype).max  # finite numbers alone are taken
            return _array_schema(np.maximum(space.low, -most), np.minimum(space.high, most), "number")
        case spaces.MultiDiscrete():
            return _array_schema(space.start, space.start + space.nvec - 1, "integer")
        case spaces.MultiBinary():
            low = np.zeros(space.shape, dtype=int)
            return _array_schema(low, low + 1, "integer")
        case spaces.Dict():
            inner = {key: space_schema(one) for key, one in space.spaces.items()}
            return {"type": "object", "properties": inner, "required": list(inner), "additionalProperties": False}
        case spaces.Tuple():
            items = [space_schema(one) for one in space.spaces]
            return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    raise InputError(f"observations of the kind {type(space).__name__} have no form in JSON")


def _array_schema(low: Any, high: Any, number: str) -> dict[str, Any]:
    """Of numbers [...] between bounds; bounds that differ within a row are told number by number."""
    low, high = np.asarray(low), np.asarray(high)
    if low.ndim == 0:
        return {"type": number, "minimum": low.item(), "maximum": high.item()}
    rows = [_array_schema(one, other, number) for one, other in zip(low, high, strict=True)]
    count = {"type": "array", "minItems": len(rows), "maxItems": len(rows)}
    return count | ({"items": rows[0]} if all(row == rows[0] for row in rows) else {"prefixItems": rows})
