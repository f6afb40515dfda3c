"""How the values of cells are written: short enough to stand in one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_CHARACTERS = 5  # of a written value


def known_values(*several: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """The finite numbers in some arrays, in a row."""
    found = [numbers[np.isfinite(numbers)] for numbers in several if numbers is not None]
    return np.concatenate(found) if found else np.empty(0)


def decimals(values: Sequence[float] | NDArray[np.float64]) -> int:
    """How many decimals values get that are to be read together: as many as let them differ, and no more."""
    largest = max((abs(value) for value in values), default=0.0)
    if all(float(value).is_integer() for value in values) or largest >= 100:
        return 0
    return 1 if largest >= 10 else 2


def written(value: float, num_decimals: int) -> str:
    """Such as "-9.5"; at most `MOST_CHARACTERS` long."""
    text = f"{value:.{num_decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text if len(text) <= MOST_CHARACTERS else f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-")
