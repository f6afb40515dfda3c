"""What a search tries next, and when a candidate is given up."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.tuning.cma import cma_sampler
from experiments.tuning.searched import Searched

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

FIRST_REPORTS = 2  # of a candidate: it is not pruned before it has made more
FEWEST = 5  # candidates that must have ended before the median says anything
REDUCTION = 3  # of successive halving: one in three goes on


def pruner_of(searched: Searched) -> "BasePruner":
    """What tells a candidate that lags behind from one that does not."""
    from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner

    kind = searched.spec.tuning.pruner
    if kind == "median":
        return MedianPruner(n_startup_trials=FEWEST, n_warmup_steps=FIRST_REPORTS + 1)
    if kind == "halving":
        return SuccessiveHalvingPruner(min_resource=FIRST_REPORTS, reduction_factor=REDUCTION)
    return NopPruner()


def next_sampler(searched: Searched, trials: "Sequence[FrozenTrial]") -> "BaseSampler":
    """The sampler for the candidate after these: with a seed of its own."""
    from optuna.samplers import RandomSampler, TPESampler

    tuning, number = searched.spec.tuning, len(trials)
    seed = int(np.random.SeedSequence([tuning.seed, number]).generate_state(1)[0] >> 1)
    if tuning.sampler == "random":
        return RandomSampler(seed=seed)
    if tuning.sampler == "grid":
        return _grid_sampler(searched, number)
    if tuning.sampler == "cma":
        return cma_sampler(searched.distributions(), trials, seed)
    return TPESampler(seed=seed)


def _grid_sampler(searched: Searched, number: int) -> "BaseSampler":
    """Suggests the combination of this number; in which order they come, the search's seed decides."""
    from optuna.samplers import BaseSampler

    grid = searched.grid()
    sizes = [len(values) for values in grid.values()]
    order = np.random.default_rng(searched.spec.tuning.seed).permutation(math.prod(sizes))
    places = np.unravel_index(int(order[number % len(order)]), sizes)
    chosen = {name: values[int(place)] for (name, values), place in zip(grid.items(), places, strict=True)}

    class Grid(BaseSampler):
        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, "BaseDistribution"]:
            return {}

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            return {}

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            return chosen[param_name]

    return Grid()
