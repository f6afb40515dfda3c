"""A test for seeds that are added in batches until a pair is decided: looking again must not find more by chance.

After every batch, a look, the two agents' runs so far are compared. Under "both are alike" the runs of one batch could
be exchanged, batch by batch, which gives the joint distribution of what all looks see. A level alpha is spent evenly
over the looks that there may be: at look k of K at most alpha k / K of the arrangements have ever been called different
(Lan & DeMets 1983). AdaStop (Mathieu et al. 2023) is of this kind; there the family of pairs is held by the largest of
their statistics, here by Holm's correction of each pair's repeated p, which holds whichever pairs are alike.

The repeated p (Jennison & Turnbull 1984) is the least level at which the pair would have been called different by now:
it is below alpha with a chance of at most alpha, whenever one stops.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.comparison.bootstrap import FloatArray
from experiments.comparison.permutation import doubled_ranks
from experiments.results.run_result import StoppingRule

DRAWS = 20_000  # arrangements; the observed one is a further one
RATIO = 1.05  # of the levels that are tried
SEED = 0


def repeated_p(
    xs: Sequence[Sequence[FloatArray]], ys: Sequence[Sequence[FloatArray]], rule: StoppingRule, draws: int = DRAWS
) -> float:
    """The repeated p of two agents after so many looks, two-sided.

    Args:
        xs: scores of the one's runs, [environments][looks][runs].
        ys: of the other's, the same.
        rule: the looks that there may be.
        draws: arrangements.
    """
    if [one.tolist() for of in xs for one in of] > [one.tolist() for of in ys for one in of]:
        xs, ys = ys, xs  # the same draws, whichever is called x
    statistics = _statistics(xs, ys, draws)  # [looks, 1 + draws]
    orders = np.argsort(-statistics, axis=1, kind="stable")
    found = 1.0
    for level in _levels(draws):
        if not _rejects(statistics, orders, level, rule.looks):
            return found
        found = level
    return found


@lru_cache
def _levels(draws: int) -> list[float]:
    """From 1 down to what so few draws can tell."""
    count = int(np.ceil(np.log(draws + 1) / np.log(RATIO)))
    return [float(RATIO**-power) for power in range(count + 1)]


def _rejects(statistics: FloatArray, orders: NDArray[np.intp], level: float, looks: int) -> bool:
    """Is the observed arrangement, number 0, called different at this level by the last of the looks?"""
    count = statistics.shape[1]
    alive = np.ones(count, dtype=np.bool_)
    for look, (values, order) in enumerate(zip(statistics, orders, strict=True), start=1):
        allowed = int(level * look / looks * count + 1e-9) - int(count - alive.sum())
        if allowed <= 0:
            continue
        left = order[alive[order]]  # the most different first
        rejected = left if allowed >= len(left) else left[values[left] > values[left[allowed]]]  # of ties, none
        alive[rejected] = False
        if not alive[0]:
            return True
    return False


def _statistics(xs: Sequence[Sequence[FloatArray]], ys: Sequence[Sequence[FloatArray]], draws: int) -> FloatArray:
    """How far the probability of improvement is from one half at each look [looks, 1 + draws], the observed one first.

    Over the environments it is the mean; in each, runs are exchanged within their batch.
    """
    rng = np.random.default_rng(SEED)
    num_looks = len(xs[0])
    total: FloatArray = np.zeros((num_looks, 1 + draws), dtype=np.float64)
    for of_x, of_y in zip(xs, ys, strict=True):
        mine: list[NDArray[np.bool_]] = []  # [1 + draws, runs of the batch]: is a run x's?
        scores: list[FloatArray] = []
        for look, (x, y) in enumerate(zip(of_x, of_y, strict=True)):
            size = len(x) + len(y)
            drawn = np.argsort(rng.random((1 + draws, size)), axis=1) < len(x)
            drawn[0] = np.arange(size) < len(x)
            mine.append(drawn)
            scores.append(np.concatenate([x, y]))
            ranks = doubled_ranks(np.concatenate(scores))
            num_x, num_y = sum(map(len, of_x[: look + 1])), sum(map(len, of_y[: look + 1]))
            sums = np.concatenate(mine, axis=1) @ ranks.astype(np.float64)
            total[look] += (sums / 2 - num_x * (num_x + 1) / 2) / (num_x * num_y) - 0.5
    return np.asarray(np.round(np.abs(total / len(xs)), 12), dtype=np.float64)


class Simulated(NamedTuple):
    """What simulated pairs came to."""

    effect: float  # Cohen's d of two normal agents
    decided: float  # share of pairs that were called different
    runs: float  # a side, until the pair was decided or the looks were over, mean


def simulate(effect: float, rule: StoppingRule, experiments: int, draws: int = 2_000, seed: int = 1) -> Simulated:
    """Pairs of normal agents, looked at after every batch until they are decided."""
    rng = np.random.default_rng(seed)
    decided, runs = 0, 0
    for _ in range(experiments):
        x = rng.normal(effect, 1.0, (rule.looks, rule.batch))
        y = rng.normal(0.0, 1.0, (rule.looks, rule.batch))
        for look in range(1, rule.looks + 1):
            if repeated_p([list(x[:look])], [list(y[:look])], rule, draws) < 0.05:
                decided += 1
                break
        runs += look * rule.batch
    return Simulated(effect, decided / experiments, runs / experiments)


def main() -> None:
    """Print what the rule of `--until-decided` costs and saves: `python -m experiments.comparison.sequential`."""
    rule = StoppingRule(batch=5, looks=6)
    for effect in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0):
        one = simulate(effect, rule, 2_000)
        print(f"d = {one.effect}: decided {one.decided:.3f}, {one.runs:.1f} runs a side of {rule.batch * rule.looks}")


if __name__ == "__main__":
    main()
