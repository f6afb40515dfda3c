"""Arrays of numbers as short texts: base64 of little-endian integers."""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNKNOWN = 65535  # the code of a value that is none
HUNDREDTHS = 100  # lengths and angles are told in hundredths


def packed_counts(numbers: Any) -> str:
    """Whole numbers from 0 to 65,535, two bytes each."""
    return _text(np.asarray(numbers).astype("<u2"))


def packed_hundredths(numbers: Any) -> str:
    """Numbers from -327 to 327 in hundredths, two bytes each."""
    return _text(np.clip(np.round(np.asarray(numbers) * HUNDREDTHS), -32767, 32767).astype("<i2"))


def packed_values(values: NDArray[np.float64]) -> dict[str, Any]:
    """Values in 65,534 steps between the lowest and the highest; what is not finite is unknown.

    Returns:
        `low` and `high`, the ends; `codes`, two bytes each.
    """
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 0.0)
    width = high - low or 1.0
    codes = np.full(values.shape, UNKNOWN)
    codes[known] = np.round((values[known] - low) / width * (UNKNOWN - 1))
    return {"low": low, "high": high, "codes": packed_counts(codes)}


def packed_levels(values: NDArray[np.float64]) -> dict[str, Any]:
    """Values of which there are few different ones, exactly.

    Returns:
        `levels`, the different values; `codes`, the place of each among them, two bytes each.
    """
    levels, codes = np.unique(values, return_inverse=True)
    return {"levels": levels.tolist(), "codes": packed_counts(codes)}


def _text(array: NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()
