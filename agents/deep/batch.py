"""What an update learns from, and what it says."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Batch(NamedTuple):
    """B transitions of n steps, or fewer where an episode ended."""

    observations: NDArray[Any]  # [B, ...] features of S
    actions: NDArray[np.int64]  # [B]
    rewards: NDArray[np.float32]  # [B] discounted sum of the rewards of these steps
    next_observations: NDArray[Any]  # [B, ...] features of the state after them
    terminated: NDArray[np.bool_]  # [B] did the episode terminate within them?
    discounts: NDArray[np.float32]  # [B] discount to the power of how many they are
    next_legal: NDArray[np.bool_] | None  # [B, A] which actions are legal there; None: all
    weights: NDArray[np.float32]  # [B] of the errors; 1, or what undoes the bias of priorities


class Update(NamedTuple):
    """What an update says of itself."""

    loss: float  # weighted mean
    mean_q: float  # of the actions that were taken
    gradient_norm: float  # before it is cut
    mean_error: float  # of the sizes of the errors
    errors: NDArray[Any]  # [B] targets less values; the next update may overwrite them
