"""What a body says, as an observation of each kind of space."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from rl_lab.serving.questions import RefusedError, parse_question, parsed, space_schema


@pytest.mark.parametrize(
    ("space", "value", "expected"),
    [
        (spaces.Tuple((spaces.Discrete(3), spaces.Box(0, 1, (1,)))), [2, [0.5]], (2, np.array([0.5], np.float32))),
        (spaces.Dict(a=spaces.Discrete(2), b=spaces.MultiBinary(2)), {"a": 1, "b": [0, 1]}, {"a": 1, "b": [0, 1]}),
        (spaces.Discrete(3, start=-1), -1, -1),
        (spaces.Box(0, 255, (2,), np.uint8), [255, 0], np.array([255, 0], np.uint8)),
        (spaces.MultiDiscrete([2, 5]), [1, 4], np.array([1, 4])),
    ],
)
def test_observations_of_every_space_are_parsed(space: Any, value: Any, expected: Any) -> None:
    found = parsed(value, space, "observation")
    assert space.contains(found)
    assert str(found) == str(expected) or {key: list(map(int, np.ravel(one))) for key, one in found.items()} == {
        key: list(map(int, np.ravel(one))) for key, one in expected.items()
    }
    space_schema(space)


@pytest.mark.parametrize(
    ("space", "value"),
    [
        (spaces.Box(0, 255, (2,), np.uint8), [255, 0.5]),
        (spaces.Box(0, 255, (2,), np.uint8), [256, 0]),
        (spaces.MultiDiscrete([2, 5]), [2, 0]),
        (spaces.Dict(a=spaces.Discrete(2)), {"a": 1, "b": 1}),
        (spaces.Tuple((spaces.Discrete(3),)), [1, 1]),
        (spaces.Text(3), "abc"),
        (spaces.Box(-1, 1, (1,)), [[0.0]]),
        (spaces.Box(-1, 1, (1,)), [10**400]),
    ],
)
def test_what_is_no_observation_is_refused(space: Any, value: Any) -> None:
    with pytest.raises(RefusedError) as refused:
        parsed(value, space, "observation")
    assert refused.value.status == 422


def test_a_question_is_one_thing() -> None:
    assert parse_question(b'{"observation": 1}').is_single
    assert not parse_question(b'{"observations": [1]}').is_single
    with pytest.raises(RefusedError, match="masks: expected mask beside what is asked"):
        parse_question(b'{"observation": 1, "masks": [[true]]}')
