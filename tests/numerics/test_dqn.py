"""DQN's parts: numbers worked by hand, gradients against autograd, one way of computing against the other."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from agents import td
from agents.budget import Budget
from agents.deep import equations
from agents.deep.batch import Batch
from agents.deep.compiled_learner import CompiledLearner
from agents.deep.features import Features
from agents.deep.priorities import Priorities
from agents.deep.replay import ReplayBuffer
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


# -- what is remembered -------------------------------------------------------------------------------------------


def buffer(**settings: Any) -> ReplayBuffer:
    made = DQNSettings(**({"batch_size": 1, "buffer_size": 8, "discount": 0.5} | settings))
    return ReplayBuffer(made, Features(spaces.Box(-9, 9, (1,)), "mlp"), 2)


def rows(held: ReplayBuffer) -> list[tuple[float, ...]]:
    batch = held.batch(np.arange(len(held)), np.ones(len(held), np.float32))
    columns = (
        batch.observations[:, 0],
        batch.rewards,
        batch.next_observations[:, 0],
        batch.terminated,
        batch.discounts,
    )
    return list(zip(*(column.tolist() for column in columns), strict=True))


def at(place: float) -> NDArray[Any]:
    return np.array([place], np.float32)


@pytest.mark.parametrize("truncated", [False, True])
def test_n_step_transitions_by_hand(truncated: bool) -> None:
    """Rewards 1, 2, 4, 8 at discount 1/2: 1 + 2/2 + 4/4 = 3 from the first, 2 + 4/2 + 8/4 = 6 from the second, and then
    what is left of the episode: 4 + 8/2 = 8, and 8. Where a limit cuts it off, what follows is worth something still.
    """
    held = buffer(n=3)
    for time, reward in enumerate((1.0, 2.0, 4.0, 8.0)):
        last = time == 3
        held.add(at(time), 0, reward, at(time + 1), last and not truncated, last and truncated)
    over = not truncated
    assert rows(held) == [
        (0.0, 3.0, 3.0, False, 0.125),
        (1.0, 6.0, 4.0, over, 0.125),
        (2.0, 8.0, 4.0, over, 0.25),
        (3.0, 8.0, 4.0, over, 0.5),
    ]


def test_an_episode_that_is_left_is_remembered_to_its_last_step() -> None:
    """Rewards 1, 2, 4 at discount 1/2, left at 3: 3 after three steps was there; 2 + 4/2 = 4, and 4, go on from it."""
    held = buffer(n=3)
    for time, reward in enumerate((1.0, 2.0, 4.0)):
        held.add(at(time), 0, reward, at(time + 1), False, False)
    held.leave(0, at(3))
    assert rows(held) == [(0.0, 3.0, 3.0, False, 0.125), (1.0, 4.0, 3.0, False, 0.25), (2.0, 4.0, 3.0, False, 0.5)]
    held.leave(0, at(9))
    assert held.written == 3


def test_n_steps_of_two_environments_do_not_mix() -> None:
    held = buffer(n=2, num_envs=2)
    for time in range(2):
        for env in range(2):
            held.add(at(10 * env + time), 0, 1.0 + env, at(10 * env + time + 1), False, False, None, env)
    assert rows(held) == [(0.0, 1.5, 2.0, False, 0.25), (10.0, 3.0, 12.0, False, 0.25)]


def test_the_oldest_is_written_over_and_the_state_is_whole() -> None:
    held = buffer(n=2, buffer_size=4)
    for time in range(7):
        held.add(at(time), time % 2, float(time), at(time + 1), False, False)
    assert (len(held), held.written) == (4, 6)
    assert [one[0] for one in rows(held)] == [4.0, 5.0, 2.0, 3.0]
    again = buffer(n=2, buffer_size=4)
    again.set_state(held.get_state())
    assert rows(again) == rows(held)
    for one in (held, again):
        one.add(at(7), 0, 7.0, at(8), True, False)
    assert rows(again) == rows(held)
    with pytest.raises(ValueError, match="expected room for 8 rows, got 4"):
        buffer(n=2).set_state(held.get_state())


def test_what_is_legal_is_remembered() -> None:
    held = buffer()
    held.add(at(0), 0, 1.0, at(1), False, False)
    held.mind_masks()
    held.add(at(1), 0, 1.0, at(2), False, False, np.array([False, True]))
    legal = held.batch(np.arange(2), np.ones(2, np.float32)).next_legal
    assert legal is not None
    assert legal.tolist() == [[True, True], [False, True]]


def test_even_draws_are_even() -> None:
    held = buffer()
    for time in range(5):
        held.add(at(time), 0, 0.0, at(0), False, False)
    rng = np.random.default_rng(0)
    places = np.concatenate([held.draw(rng, 100, 0.4)[0] for _ in range(500)])
    shares = np.bincount(places, minlength=5) / len(places)
    assert shares.tolist() == pytest.approx([0.2] * 5, abs=4 * np.sqrt(0.2 * 0.8 / 50_000))


def test_priorities_are_drawn_in_proportion_and_weighed_against_it() -> None:
    """Errors 1, 2, 4, 9 at alpha 1/2: shares 1, sqrt 2, 2, 3 of their sum. Weights at beta 1 are 1 / share."""
    held = Priorities(6, 0.5)
    for place in range(4):
        held.add(place)
    held.update(np.arange(4), np.array([-1.0, 2.0, -4.0, 9.0]))
    exact = np.sqrt([1.0, 2.0, 4.0, 9.0]) / np.sqrt([1.0, 2.0, 4.0, 9.0]).sum()
    rng = np.random.default_rng(0)
    drawn = np.concatenate([held.draw(rng, 7, 4, 0.4)[0] for _ in range(20_000)])
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    assert shares.tolist() == pytest.approx(exact.tolist(), abs=4 * np.sqrt(0.25 / len(drawn)))
    places, weights = held.draw(rng, 64, 4, 1.0)
    expected = (1 / exact[places]) / (1 / exact[places]).max()
    assert weights.tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert held.draw(rng, 64, 4, 0.0)[1].tolist() == [1.0] * 64


def test_a_tree_of_priorities_against_a_plain_sum() -> None:
    rng = np.random.default_rng(0)
    held, plain = Priorities(37, 1.0), np.zeros(37)
    for place in range(37):
        held.add(place)
        plain[place] = 1.0
    for _ in range(50):
        places, errors = rng.integers(0, 37, 8), rng.normal(size=8)
        held.update(places, errors)
        for place, error in zip(places, errors, strict=True):
            plain[place] = abs(error) + 1e-6
        assert held.get_state(37)["priorities"].tolist() == pytest.approx(plain.tolist())
        assert held._tree[1] == pytest.approx(plain.sum())
    again = Priorities(37, 1.0)
    again.set_state(held.get_state(37), 37)
    one, other = (of.draw(np.random.default_rng(3), 20, 37, 0.5) for of in (held, again))
    assert one[0].tolist() == other[0].tolist()


# -- what is observed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "observation", "expected"),
    [
        (spaces.Discrete(3, start=5), 6, [0.0, 1.0, 0.0]),
        (spaces.Box(0, 255, (2,), np.uint8), np.array([0, 255], np.uint8), [0.0, 1.0]),
        (spaces.Box(-1, 1, (2,), np.float64), np.array([0.5, -1.0]), [0.5, -1.0]),
        (spaces.MultiDiscrete([2, 3]), np.array([1, 2]), [0.0, 1.0, 0.0, 0.0, 1.0]),
        (spaces.Tuple((spaces.Discrete(2), spaces.Box(0, 1, (1,)))), (1, np.array([0.5], np.float32)), [0, 1, 0.5]),
        (spaces.Dict({"a": spaces.Discrete(2), "b": spaces.MultiBinary(2)}), {"a": 0, "b": [1, 0]}, [1, 0, 1, 0]),
    ],
)
def test_what_a_network_sees(space: Any, observation: Any, expected: list[float]) -> None:
    features = Features(space, "auto")
    assert features.shape == (len(expected),)
    row = features.rows(features.stored(observation)[None])
    assert row.dtype == np.float32
    assert row.tolist() == [expected]
    empty: Any = gym.vector.utils.create_empty_array(space, 3)
    batch = gym.vector.utils.concatenate(space, [observation] * 3, empty)
    assert features.rows(features.stored_rows(batch, 3)).tolist() == [expected] * 3


def test_images_have_their_channels_first() -> None:
    space = spaces.Box(0, 255, (4, 5, 3), np.uint8)
    picture = space.sample()
    features = Features(space, "auto")
    assert features.shape == (3, 4, 5)
    np.testing.assert_allclose(
        features.rows(features.stored(picture)[None])[0], picture.transpose(2, 0, 1) / 255, rtol=1e-6
    )
    assert Features(space, "mlp").shape == (60,)
    assert Features(spaces.Box(0, 1, (4, 5)), "cnn").shape == (1, 4, 5)


@pytest.mark.parametrize(
    ("space", "settings", "message"),
    [
        (spaces.Box(0, 1, (3,)), {"network": "cnn"}, "a 'cnn' observes images"),
        (spaces.Sequence(spaces.Discrete(2)), {}, "dqn cannot observe Sequence"),
        (spaces.Box(0, 1, (4, 4)), {"learner": "compiled"}, "expected 'torch' for images"),
        (spaces.Box(0, 1, (3,)), {"hidden_sizes": [0]}, "expected 1 to 4096 units each"),
        (spaces.Box(0, 1, (3,)), {"learner": "compiled", "network": "cnn"}, "expected 'torch' for a 'cnn'"),
        (spaces.Box(0, 1, (3,)), {"batch_size": 99, "buffer_size": 50}, "expected at most buffer_size"),
    ],
)
def test_what_does_not_fit_together(space: Any, settings: dict[str, Any], message: str) -> None:
    from agents.policy import Spaces

    with pytest.raises(ValueError, match=message):
        make_agent("dqn", Spaces(space, spaces.Discrete(2)), **settings)
