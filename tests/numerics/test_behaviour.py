"""Behaviour policies, schedules and step sizes, worked by hand; what is drawn against what is said of it."""

import math
from typing import Any

import numpy as np
import pytest

from agents.seeding import UniformDraws
from agents.tabular import behaviour, learning
from agents.tabular.memory import LAST, NOW, Memory, Parameters, Step
from agents.tabular.settings import TabularSettings
from agents.tabular.table import Table


def made(values: list[float], visits: list[int] | None = None, **settings: Any) -> tuple[Memory, Parameters]:
    """A table of one state with these values and visits."""
    parameters = TabularSettings(**settings).parameters(len(values))
    table = Table(1, parameters, "dense", tuple, len(values), "zero", 0)
    table.memory.q[0] = values
    if visits is not None:
        table.memory.visits[0] = visits
    return table.view, parameters


def shares(memory: Memory, parameters: Parameters, count: int = 40_000) -> list[float]:
    """How often each action is chosen."""
    rng = UniformDraws(np.random.default_rng(5))
    drawn = [behaviour.choose(memory, parameters, rng, 0) for _ in range(count)]
    return [drawn.count(action) / count for action in range(parameters.num_actions)]


EPSILON: dict[str, Any] = {"epsilon": 0.2, "epsilon_schedule": "constant"}
BOLTZMANN: dict[str, Any] = {"exploration": "boltzmann", "temperature": 2.0}


@pytest.mark.parametrize(
    ("values", "visits", "settings", "expected"),
    [
        ([1.0, 3.0, 2.0, 0.0], None, EPSILON, [0.05, 0.85, 0.05, 0.05]),
        ([3.0, 3.0, 0.0, 0.0], None, EPSILON, [0.45, 0.45, 0.05, 0.05]),
        ([1.0, 1.0], None, {"epsilon": 1.0}, [0.5, 0.5]),
        ([0.0, 2.0 * math.log(3.0)], None, BOLTZMANN, [0.25, 0.75]),
        ([-1000.0, 0.0], None, BOLTZMANN, [0.0, 1.0]),
        # N(s) = 4: with this visit 5, so epsilon is 0.2, half of which goes to each action
        ([1.0, 0.0], [3, 1], {"epsilon_schedule": "visits", "epsilon_min": 0.0}, [0.9, 0.1]),
        ([1.0, 0.0], [3, 1], {"epsilon_schedule": "visits", "epsilon_min": 0.4}, [0.8, 0.2]),
        ([9.0, 1.0, 1.0], [3, 0, 0], {"exploration": "ucb"}, [0.0, 0.5, 0.5]),  # untried ones first
        # N = 8: 1 + 2 sqrt(ln 8 / 6) = 2.18 against 0 + 2 sqrt(ln 8 / 2) = 2.04
        ([1.0, 0.0], [6, 2], {"exploration": "ucb", "confidence": 2.0}, [1.0, 0.0]),
        ([1.0, 0.0], [6, 2], {"exploration": "ucb", "confidence": 4.0}, [0.0, 1.0]),
    ],
)
def test_actions_are_drawn_as_the_policy_says(
    values: list[float], visits: list[int] | None, settings: dict[str, Any], expected: list[float]
) -> None:
    memory, parameters = made(values, visits, **settings)
    assert shares(memory, parameters) == pytest.approx(expected, abs=0.011)  # 4 standard errors
    mean = sum(share * value for share, value in zip(expected, values, strict=True))
    assert behaviour.expected_value(memory, parameters, 0) == pytest.approx(mean, abs=1e-9)


def test_temperature_and_epsilon_are_scheduled_alike() -> None:
    for kind in ("epsilon", "temperature"):
        settings: dict[str, Any] = {f"{kind}_schedule": "exponential", f"{kind}_decay": 0.5, f"{kind}_min": 0.1}
        if kind == "temperature":
            settings["exploration"] = "boltzmann"
        memory, parameters = made([0.0, 0.0], **settings)
        rates = []
        for _ in range(5):
            rates.append(memory.rates[NOW])
            learning.tick(memory, parameters)
        assert rates == [1.0, 0.5, 0.25, 0.125, 0.1]


def test_a_linear_schedule_reaches_its_end_and_stays() -> None:
    memory, parameters = made([0.0], epsilon_schedule="linear", epsilon_decay_steps=4, epsilon_min=0.2)
    assert parameters.every_step
    rates = []
    for _ in range(6):
        rates.append(memory.rates[NOW])
        learning.tick(memory, parameters)
    assert rates == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.2], abs=1e-15)


def learned(memory: Memory, parameters: Parameters, reward: float, over: bool = False) -> None:
    """One step of learning by a rule that moves Q(0, 0) towards the reward."""

    def update(memory: Memory, parameters: Parameters, rng: Any, step: Step) -> float:
        return learning.move(memory.q, memory, parameters, 0, 0, step.reward)

    from agents.tabular.rules import Algorithm

    Algorithm({"update": update}).in_python().learn(memory, parameters, None, Step(0, 0, reward, 0, over, False))


def test_step_sizes_by_visits() -> None:
    memory, parameters = made([0.0], learning_rate_schedule="visits")
    for reward in (4.0, 8.0, 3.0):
        learned(memory, parameters, reward)
    assert memory.q[0, 0] == 5.0  # the mean
    assert memory.visits[0, 0] == 3
    memory, parameters = made([0.0], learning_rate_schedule="polynomial", learning_rate_power=1.0)
    for reward in (4.0, 8.0):
        learned(memory, parameters, reward)
    assert memory.q[0, 0] == 6.0
    memory, parameters = made([0.0], learning_rate_schedule="polynomial", learning_rate_power=0.75)
    for reward in [0.0] * 15 + [8.0]:
        learned(memory, parameters, reward)
    assert memory.q[0, 0] == pytest.approx(8.0 / 16**0.75)


def test_the_bonus_for_rare_actions() -> None:
    memory, parameters = made([0.0], [3], count_bonus=6.0, learning_rate=1.0)
    learned(memory, parameters, 1.0)
    assert memory.q[0, 0] == 1.0 + 6.0 / math.sqrt(4)  # the fourth visit


def test_the_rate_that_is_logged_is_that_of_the_last_step() -> None:
    memory, parameters = made([0.0], epsilon_decay=0.5)
    learned(memory, parameters, 0.0, over=True)
    assert (memory.rates[LAST], memory.rates[NOW]) == (1.0, 0.5)


def test_draws_taken_ahead_are_the_generators_own() -> None:
    rng, plain = np.random.default_rng(3), np.random.default_rng(3)
    draws = UniformDraws(rng)
    for count in (1, 511, 2, 600, 0, 3):
        assert [draws.random() for _ in range(count)] == [plain.random() for _ in range(count)]
        draws.settle()
        assert rng.bit_generator.state == plain.bit_generator.state
