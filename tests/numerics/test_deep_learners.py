"""DQN's updates: numbers worked by hand, gradients against autograd, one way of computing against the other."""

from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from agents import td
from agents.budget import Budget
from agents.deep import equations, kernels
from agents.deep.batch import Batch
from agents.deep.compiled_learner import EPSILON, NEGLIGIBLE, CompiledLearner, kernel
from agents.deep.settings import DQNSettings
from agents.deep.torch_learner import TorchLearner
from agents.registry import make_agent
from envs.registry import make_env

VARIANTS: list[dict[str, Any]] = [
    {"target": "copy", "target_every": 10},
    {"double": False, "loss": "squared"},
    {"dueling": True, "average_rate": 0.01, "hidden_sizes": [32, 16, 8], "max_gradient_norm": 0.5},
    {"max_gradient_norm": None, "hidden_sizes": [8], "dueling": True, "loss": "squared", "target": "copy"},
]
STATES = ("online", "target", "average", "first_moment", "second_moment")


def random_batch(rng: np.random.Generator, size: int, number: Any, legal: bool = False) -> Batch:
    masks = rng.random((size, 4)) < 0.5
    masks[~masks.any(axis=1)] = True
    return Batch(
        observations=rng.normal(size=(size, 6)).astype(number),
        actions=rng.integers(0, 4, size),
        rewards=(3 * rng.normal(size=size)).astype(number),
        next_observations=rng.normal(size=(size, 6)).astype(number),
        terminated=rng.random(size) < 0.2,
        discounts=rng.choice([0.99, 0.9801], size).astype(number),
        next_legal=masks if legal else None,
        weights=rng.random(size).astype(number),
    )


# -- equations ----------------------------------------------------------------------------------------------------


def test_the_target_is_the_tables() -> None:
    rng = np.random.default_rng(0)
    rewards, values, discounts = rng.normal(size=(3, 50))
    ends = rng.random(50) < 0.5
    ours = equations.td_targets(*(torch.from_numpy(one) for one in (rewards, ends, values, discounts)))
    assert ours.tolist() == [td.td_target(*one) for one in zip(rewards, ends, values, discounts, strict=True)]


def test_double_chooses_by_one_network_and_values_by_the_other() -> None:
    values = torch.tensor([[1.0, 5.0, 3.0], [7.0, 2.0, 4.0]])
    scores = torch.tensor([[9.0, 0.0, 1.0], [0.0, 1.0, 2.0]])
    assert equations.values_of_best(values, scores, None).tolist() == [1.0, 4.0]
    assert equations.values_of_best(values, values, None).tolist() == [5.0, 7.0]
    legal = torch.tensor([[False, True, True], [False, True, False]])
    assert equations.values_of_best(values, scores, legal).tolist() == [3.0, 2.0]


def test_duelling_values_and_losses_by_hand() -> None:
    assert equations.dueling_values(torch.tensor([[10.0, 1.0, 2.0, 6.0]])).tolist() == [[8.0, 9.0, 13.0]]
    errors = torch.tensor([-3.0, -0.5, 0.0, 1.0, 2.0])
    assert equations.huber(errors).tolist() == [2.5, 0.125, 0.0, 0.5, 1.5]
    assert equations.half_squared(errors).tolist() == [4.5, 0.125, 0.0, 0.5, 2.0]


# -- the two learners ---------------------------------------------------------------------------------------------


def largest_difference(one: Any, other: Any) -> float:
    pairs = ((one[part][name], other[part][name]) for part in STATES for name in one[part])
    return max(float(np.abs(mine - its).max()) for mine, its in pairs)


@pytest.mark.parametrize("settings", VARIANTS)
@pytest.mark.parametrize("legal", [False, True])
def test_the_learners_agree_along_whole_trajectories(settings: dict[str, Any], legal: bool) -> None:
    """In float64, to nine digits, by gradients derived by hand and by autograd's."""
    made = DQNSettings(**settings)
    one = TorchLearner(made, (6,), 4, np.random.default_rng(0), torch.float64)
    other = CompiledLearner(made, 6, 4, np.random.default_rng(0), np.float64)
    rng = np.random.default_rng(1)
    for number in range(200):
        batch = random_batch(rng, 24, np.float64, legal)
        mine, its = one.update(batch, 1e-3), other.update(batch, 1e-3)
        assert mine[:4] == pytest.approx(its[:4], rel=1e-9, abs=1e-9), number
        np.testing.assert_allclose(mine.errors, its.errors, rtol=1e-9, atol=1e-9)
    assert largest_difference(one.get_state(), other.get_state()) < 1e-9
    seen = rng.normal(size=(10, 6))
    np.testing.assert_allclose(one.values_of_many(seen), other.values_of_many(seen), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("settings", VARIANTS[:3])
def test_the_learners_agree_to_rounding_at_each_of_a_thousand_updates(settings: dict[str, Any]) -> None:
    """In float32, each update from the same state."""
    made = DQNSettings(**settings)
    one = TorchLearner(made, (6,), 4, np.random.default_rng(0))
    other = CompiledLearner(made, 6, 4, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    for _ in range(1_000):
        other.set_state(one.get_state())
        batch = random_batch(rng, 32, np.float32)
        mine, its = one.update(batch, 1e-3), other.update(batch, 1e-3)
        assert mine[:4] == pytest.approx(its[:4], rel=2e-4, abs=2e-5)
    after, its_after = one.get_state(), other.get_state()
    assert largest_difference(after, its_after) < 1e-4
    assert largest_difference({**after, **{STATES[3]: {}, STATES[4]: {}}}, its_after) < 2e-5


@pytest.mark.parametrize("make", [TorchLearner, CompiledLearner])
def test_a_step_of_adam_by_hand(make: Any) -> None:
    """The first step of Adam moves by the learning rate, whatever the size of the gradient; and no zero one."""
    settings = DQNSettings(hidden_sizes=[1], max_gradient_norm=None, target="copy")
    learner = make(settings, (1,) if make is TorchLearner else 1, 2, np.random.default_rng(0))
    before = learner.get_state()
    batch = Batch(
        np.ones((1, 1), np.float32), np.array([1]), np.array([5.0], np.float32), np.ones((1, 1), np.float32),
        np.array([True]), np.array([0.9], np.float32), None, np.ones(1, np.float32),
    )  # fmt: skip
    done = learner.update(batch, 0.01)
    after = learner.get_state()
    value = float(done.mean_q)
    assert done.errors.tolist() == pytest.approx([5.0 - value])
    assert done.loss == pytest.approx(abs(5.0 - value) - 0.5)
    moved = after["online"]["head.bias"] - before["online"]["head.bias"]
    assert moved.tolist() == pytest.approx([0.0, 0.01], abs=1e-6)
    assert after["target"]["head.bias"].tolist() == before["target"]["head.bias"].tolist()


def test_weights_that_learn_no_more_leave_no_numbers_that_slow_a_processor_down() -> None:
    """Moments fade by a tenth and a thousandth an update: below the smallest normal number they would stay for long."""
    number, least = np.float32, np.finfo(np.float32).tiny
    parameters, first, second = (np.full(3, value, number) for value in (0.25, 1e-3, 1e-30))
    constants = np.array([*(0.9, 0.1, 0.999, 0.001), EPSILON, NEGLIGIBLE, NEGLIGIBLE**2], number)
    for count in range(20_000):
        gradient = np.array([0.0, 1e-20 if count % 2 else -1e-30, np.nan if count == 19_999 else 1e-3], number)
        kernel(kernels.adam)(parameters, gradient, first, second, number(1), number(1e-3), number(1), constants)
        for moments in (first[:2], second[:2]):
            assert ((moments == 0) | (np.abs(moments) >= least)).all()
    assert first[:2].tolist() == second[:2].tolist() == [0, 0]
    assert np.isnan(first[2])  # what is no number stays none
    assert np.isnan(parameters[2])
    assert parameters[0] == parameters[1] < 0.25  # the last steps of what had been learned before


@pytest.mark.parametrize("name", ["torch", "compiled"])
def test_rows_of_a_batch_are_what_they_are_alone(name: str) -> None:
    agent: Any = make_agent("dqn", make_env("LunarLander-v3"), learner=name, hidden_sizes=[48, 32], dueling=True)
    seen = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    policy = agent.policy(0)
    many = policy.action_values(seen)
    assert all(policy.action_values(seen[row : row + 1])[0].tolist() == many[row].tolist() for row in range(40))
    assert [agent.select_action(one, explore=False) for one in seen] == policy.act(seen).tolist()


@pytest.mark.parametrize("name", ["torch", "compiled"])
def test_updates_are_computed_on_one_thread(name: str) -> None:
    """Whatever the process was started with: sums in another order would be other bits."""
    env = make_env("CartPole-v1")
    env.reset(seed=0)
    agent: Any = make_agent("dqn", env, learner=name, batch_size=8)
    update, seen = agent.learner.update, set()

    def watched(*arguments: Any) -> Any:
        pools = {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}
        seen.add((max(pools), torch.get_num_threads() if name == "torch" else 1))
        return update(*arguments)

    agent.learner.update = watched
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with threadpool_limits(2, "blas"):
        agent.train(env, Budget(steps=210))
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
    assert {threads for _, threads in seen} == {1}
    assert name == "torch" or {pool for pool, _ in seen} == {1}
