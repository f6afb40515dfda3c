"""CMA-ES (Hansen & Ostermeier 2001) on the numbers of a space, by the package cmaes.

Optuna's own keeps the optimiser as a pickle in the storage, by which whoever can write there could have code executed
here. This one keeps nothing: the optimiser is told of the candidates so far again, generation by generation.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

SPREAD = 1 / 6  # of the first generation, in the ranges' lengths
SEED = 0  # of the optimiser, which draws only what is asked for here


def cma_sampler(space: "Mapping[str, BaseDistribution]", trials: "Sequence[FrozenTrial]", seed: int) -> "BaseSampler":
    """Suggests the next point after these candidates; choices are drawn evenly."""
    from cmaes import CMA
    from optuna.samplers import RandomSampler

    numbers = sorted(name for name, one in space.items() if not hasattr(one, "choices"))
    chosen: dict[str, Any] = {}
    if numbers:
        bounds = np.array([[0.0, 1.0]] * len(numbers))
        optimizer = CMA(mean=np.full(len(numbers), 0.5), sigma=SPREAD, bounds=bounds, seed=seed)
        told = [
            (np.array([_to_unit(space[name], one.params[name]) for name in numbers]), -float(one.value))
            for one in trials
            if one.state.name == "COMPLETE" and one.value is not None
        ]
        size = optimizer.population_size
        for begin in range(0, len(told) - size + 1, size):
            optimizer.tell(told[begin : begin + size])
        point = optimizer.ask()
        chosen = {name: _from_unit(space[name], float(one)) for name, one in zip(numbers, point, strict=True)}

    class Cma(RandomSampler):
        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            if param_name in chosen:
                return chosen[param_name]
            return super().sample_independent(study, trial, param_name, param_distribution)

    return Cma(seed=seed)


def _to_unit(range_: Any, value: Any) -> float:
    """Where a value lies in its range, 0 to 1."""
    low, high, at = float(range_.low), float(range_.high), float(value)
    if range_.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low)


def _from_unit(range_: Any, share: float) -> Any:
    """The value there, one that the range has."""
    low, high = float(range_.low), float(range_.high)
    at = low * (high / low) ** share if range_.log else low + (high - low) * share
    if range_.step is not None:
        at = low + round((at - low) / range_.step) * range_.step
    at = min(max(at, low), high)
    return round(at) if isinstance(range_.low, int) and isinstance(range_.high, int) else at
