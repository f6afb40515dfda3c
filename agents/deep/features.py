"""What a network sees of an observation: numbers in a row, an image, or one of several things."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import iterate
from numpy.typing import NDArray

from agents.env_snapshot import leaves

FloatRows = NDArray[np.float32]  # [N, F] or [N, C, H, W]
MOST_NUMBERS = 100_000  # that a network of dense layers is given


class Features:
    """Observations as arrays: how they are remembered, and what the network is given.

    A Box of numbers in a row is taken as it is, a Discrete one is one-hot, what is put together of others (Dict, Tuple,
    MultiDiscrete) is laid in a row. A Box with more dimensions is an image for a CNN, and else laid in a row too; bytes
    are divided by 255.

    Args:
        space: of the observations.
        network: "auto", "mlp", "cnn" or "vin".

    Raises:
        ValueError: the network cannot take such observations.
    """

    def __init__(self, space: gym.Space[Any], network: str) -> None:
        self.space = space
        is_image = isinstance(space, spaces.Box) and len(space.shape) in (2, 3)
        if network == "cnn" and not is_image:
            raise ValueError(f"network: a 'cnn' observes images (a Box [H, W] or [H, W, C]), got {space}")
        if network == "vin" and not _is_grid(space):
            raise ValueError(f"network: 'vin' observes mazes' grids, bytes [2 R + 1, 2 C + 1, 3], got {space}")
        self.is_image = is_image and network != "mlp"
        self.is_discrete = isinstance(space, spaces.Discrete)
        numbers = spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary
        if not all(isinstance(leaf, numbers) for leaf in leaves(space)):
            raise ValueError(f"dqn cannot observe {space}")
        if self.is_discrete or isinstance(space, spaces.Box):
            self.stored_shape: tuple[int, ...] = space.shape or ()
            self.stored_type: Any = np.int64 if self.is_discrete else space.dtype
        else:
            self.stored_shape, self.stored_type = spaces.flatten_space(space).shape or (), np.float32
        if 0 in self.stored_shape:
            raise ValueError(f"dqn needs at least one observed number, got {space}")
        if self.stored_type == np.float64:
            self.stored_type = np.float32
        self.scale = 255.0 if self.stored_type == np.uint8 else 1.0
        if self.is_image:
            height, width, *channels = self.stored_shape
            self.shape: tuple[int, ...] = (channels[0] if channels else 1, height, width)
        else:
            self.shape = (int(space.n) if isinstance(space, spaces.Discrete) else int(np.prod(self.stored_shape)),)
        # Is an observation remembered as what the network is given?
        self.is_plain = len(self.stored_shape) == 1 and self.stored_type == np.float32 and not self.is_image
        if not self.is_image and self.shape[0] > MOST_NUMBERS:
            raise ValueError(f"dqn observes at most {MOST_NUMBERS:,} numbers, got {self.shape[0]:,}")

    def stored(self, observation: Any) -> NDArray[Any]:
        """One observation as it is remembered [stored_shape]."""
        if self.is_discrete:
            return np.asarray(observation - self.space.start)  # type: ignore[attr-defined]
        if isinstance(self.space, spaces.Box):
            return np.asarray(observation, dtype=self.stored_type)
        return np.asarray(spaces.flatten(self.space, observation), dtype=np.float32)

    def stored_rows(self, observations: Any, count: int) -> NDArray[Any]:
        """A batch of them [N, ...], as `gymnasium.vector` has batches."""
        if self.is_discrete:
            numbers: NDArray[Any] = np.asarray(observations) - self.space.start  # type: ignore[attr-defined]
            return numbers
        if isinstance(self.space, spaces.Box):
            return np.asarray(observations, dtype=self.stored_type)
        batch_space = gym.vector.utils.batch_space(self.space, count)
        return np.array([self.stored(one) for one in iterate(batch_space, observations)])

    def rows(self, stored: NDArray[Any]) -> FloatRows:
        """What the network is given [N, ...] for what is remembered [N, ...]."""
        if self.is_plain:
            return stored
        if self.is_discrete:
            one_hot = np.zeros((len(stored), self.shape[0]), dtype=np.float32)
            one_hot[np.arange(len(stored)), stored] = 1.0
            return one_hot
        if self.is_image:
            pixels = stored.reshape(len(stored), *self.stored_shape[:2], -1)
            return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(self.scale)
        rows = np.asarray(stored.reshape(len(stored), -1), dtype=np.float32)
        return rows if self.scale == 1.0 else rows / np.float32(self.scale)


def _is_grid(space: gym.Space[Any]) -> bool:
    """May these be a maze's walls, robot and exits, seen from above?"""
    if not isinstance(space, spaces.Box) or space.dtype != np.uint8 or len(space.shape) != 3:
        return False
    height, width, channels = space.shape
    return channels == 3 and height % 2 == width % 2 == 1 and min(height, width) >= 3
