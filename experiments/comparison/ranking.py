"""The order in which agents stand in every table and figure."""

import math
from collections.abc import Iterable
from typing import Protocol, TypeVar

from experiments.comparison.bootstrap import Estimate, Interval


class HasIqm(Protocol):
    """What can be ranked: a summary in one environment, an aggregate over all."""

    @property
    def iqm(self) -> Estimate | Interval | None:
        """The interquartile mean of the scores; None where no run has finished."""

    @property
    def mean(self) -> float | Estimate | Interval | None:
        """Their mean."""


Row = TypeVar("Row", bound=HasIqm)


def ranked(rows: Iterable[Row]) -> list[Row]:
    """The rows by their IQM, the best first, those without one last; of equal ones by their mean."""
    return sorted(rows, key=lambda row: (math.inf, 0.0) if row.iqm is None else (-row.iqm.value, -_mean(row)))


def _mean(row: HasIqm) -> float:
    mean = row.mean
    return mean if isinstance(mean, float) else 0.0 if mean is None else mean.value
