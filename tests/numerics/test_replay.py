"""What DQN remembers: transitions of n steps, and how they are drawn; numbers worked by hand."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from numpy.typing import NDArray

from agents.deep.features import Features
from agents.deep.priorities import Priorities
from agents.deep.replay import ReplayBuffer
from agents.deep.settings import DQNSettings


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
