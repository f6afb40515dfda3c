"""The sequential test: its boundaries by hand and by enumeration, its error and its saving by simulation."""

import itertools
from math import comb

import numpy as np
import pytest

from experiments.comparison.sequential import repeated_p, simulate
from experiments.results.run_result import StoppingRule


def test_of_one_look_it_is_the_permutation_test() -> None:
    x, y = np.array([4.0, 5.0, 6.0, 7.0]), np.array([0.0, 1.0, 2.0, 3.0])
    found = repeated_p([[x]], [[y]], StoppingRule(4, 1))
    assert found == pytest.approx(2 / comb(8, 4), rel=0.12)  # 2 of 70 arrangements; drawn, and rounded up to a level
    assert repeated_p([[x]], [[x]], StoppingRule(4, 1)) == 1.0


def test_looks_that_may_come_cost_what_they_spend() -> None:
    x, y = np.array([4.0, 5.0, 6.0, 7.0]), np.array([0.0, 1.0, 2.0, 3.0])
    one, four = (repeated_p([[x]], [[y]], StoppingRule(4, looks)) for looks in (1, 4))
    assert four == pytest.approx(4 * one, rel=0.12)  # at the first of four looks a quarter of the level is spent


def test_two_looks_by_enumeration() -> None:
    """All 6 x 6 arrangements of two batches of 2 + 2 runs, of which the observed one is the most different."""
    x, y = [np.array([2.0, 3.0]), np.array([6.0, 7.0])], [np.array([0.0, 1.0]), np.array([4.0, 5.0])]
    pools = [np.concatenate(batch) for batch in zip(x, y, strict=True)]
    choices = [*itertools.combinations(range(4), 2)]

    def statistic(looks: int, chosen: tuple[tuple[int, ...], ...]) -> float:
        mine = np.concatenate([pool[list(one)] for pool, one in zip(pools[:looks], chosen, strict=False)])
        others = np.concatenate([np.delete(pool, list(one)) for pool, one in zip(pools[:looks], chosen, strict=False)])
        return abs(float((mine[:, None] > others[None, :]).mean()) - 0.5)

    pairs = [*itertools.product(choices, choices)]
    first = [statistic(1, pair) for pair in pairs]
    second = [statistic(2, pair) for pair in pairs]
    observed = pairs.index(((2, 3), (2, 3)))
    # At a level a, look 1 may call a / 2 of the 36 different: its most different ones are 2 of 6 batches, 12 of 36.
    assert sum(one >= first[observed] for one in first) == 12
    # So below a = 2 / 3 nothing is called at look 1, and look 2 calls the most different of all: the observed and its
    # mirror image, 2 of 36, and whatever ties with them.
    ties = sum(one >= second[observed] for one in second)
    found = repeated_p([x], [y], StoppingRule(2, 2))
    assert found == pytest.approx(ties / 36, rel=0.12)


def test_environments_are_looked_at_together() -> None:
    x, y = np.array([2.0, 3.0]), np.array([0.0, 1.0])
    alone = repeated_p([[x]], [[y]], StoppingRule(2, 1))
    both = repeated_p([[x], [x]], [[y], [y]], StoppingRule(2, 1))
    assert alone == pytest.approx(2 / 6, rel=0.12)
    assert both == pytest.approx(2 / 36, rel=0.12)


def test_equal_agents_are_called_different_as_rarely_as_is_said() -> None:
    found = simulate(0.0, StoppingRule(4, 5), experiments=400, draws=1_000)
    assert found.decided <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_clear_differences_are_decided_with_fewer_runs() -> None:
    rule = StoppingRule(4, 5)
    found = simulate(3.0, rule, experiments=60, draws=1_000)
    assert found.decided >= 0.95
    assert found.runs < 0.6 * rule.batch * rule.looks


def test_fixed_p_values_after_every_look_would_be_wrong() -> None:
    """What the sequential boundaries are for: the same looks with a fixed-n test find twice as much by chance."""
    from experiments.comparison.permutation import permutation_p

    rng, wrong = np.random.default_rng(2), 0
    for _ in range(400):
        x, y = rng.normal(size=(2, 5, 4))
        wrong += any(permutation_p([x[:look].ravel()], [y[:look].ravel()]) < 0.05 for look in range(1, 6))
    assert wrong / 400 > 0.1
