"""What a deep network is given for an observation."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from agents.deep.features import Features
from agents.registry import make_agent


@pytest.mark.parametrize(
    ("space", "observation", "expected"),
    [
        (spaces.Discrete(3, start=5), 6, [0.0, 1.0, 0.0]),
        (spaces.Box(0, 255, (2,), np.uint8), np.array([0, 255], np.uint8), [0.0, 1.0]),
        (spaces.Box(-1, 1, (2,), np.float64), np.array([0.5, -1.0]), [0.5, -1.0]),
        (spaces.MultiDiscrete([2, 3]), np.array([1, 2]), [0.0, 1.0, 0.0, 0.0, 1.0]),
        (spaces.Tuple((spaces.Discrete(2), spaces.Box(0, 1, (1,)))), (1, np.array([0.5], np.float32)), [0, 1, 0.5]),
        (spaces.Dict({"a": spaces.Discrete(2), "b": spaces.MultiBinary(2)}), {"a": 0, "b": [1, 0]}, [1, 0, 1, 0]),
    ],
)
def test_what_a_network_sees(space: Any, observation: Any, expected: list[float]) -> None:
    features = Features(space, "auto")
    assert features.shape == (len(expected),)
    row = features.rows(features.stored(observation)[None])
    assert row.dtype == np.float32
    assert row.tolist() == [expected]
    empty: Any = gym.vector.utils.create_empty_array(space, 3)
    batch = gym.vector.utils.concatenate(space, [observation] * 3, empty)
    assert features.rows(features.stored_rows(batch, 3)).tolist() == [expected] * 3


def test_images_have_their_channels_first() -> None:
    space = spaces.Box(0, 255, (4, 5, 3), np.uint8)
    picture = space.sample()
    features = Features(space, "auto")
    assert features.shape == (3, 4, 5)
    np.testing.assert_allclose(
        features.rows(features.stored(picture)[None])[0], picture.transpose(2, 0, 1) / 255, rtol=1e-6
    )
    assert Features(space, "mlp").shape == (60,)
    assert Features(spaces.Box(0, 1, (4, 5)), "cnn").shape == (1, 4, 5)


@pytest.mark.parametrize(
    ("space", "settings", "message"),
    [
        (spaces.Box(0, 1, (3,)), {"network": "cnn"}, "a 'cnn' observes images"),
        (spaces.Sequence(spaces.Discrete(2)), {}, "dqn cannot observe Sequence"),
        (spaces.Box(0, 1, (4, 4)), {"learner": "compiled"}, "expected 'torch' for images"),
        (spaces.Box(0, 1, (3,)), {"hidden_sizes": [0]}, "expected 1 to 4096 units each"),
        (spaces.Box(0, 1, (3,)), {"learner": "compiled", "network": "cnn"}, "expected 'torch' for a 'cnn'"),
        (spaces.Box(0, 1, (3,)), {"batch_size": 99, "buffer_size": 50}, "expected at most buffer_size"),
    ],
)
def test_what_does_not_fit_together(space: Any, settings: dict[str, Any], message: str) -> None:
    from agents.policy import Spaces

    with pytest.raises(ValueError, match=message):
        make_agent("dqn", Spaces(space, spaces.Discrete(2)), **settings)
