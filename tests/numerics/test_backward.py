"""Backward Q(lambda), learning rates that fade and mirrors: numbers worked by hand."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from agents.base import Transition
from agents.budget import Budget
from agents.policy import batch_of
from agents.tabular.mirror import Mirror, MirroredView
from envs.registry import make_env
from rl_lab import make_agent
from tests.helpers import LINEAR

LANDER: dict[str, Any] = {"negated": [0, 2, 4, 5], "swapped": [[6, 7]], "actions": [0, 3, 2, 1]}


class Three(gym.Env[Any, Any]):
    """Three numbered states and two actions, of which nothing need be known."""

    observation_space, action_space = spaces.Discrete(3), spaces.Discrete(2)


def learner(**settings: Any) -> Any:
    known = {"learning_rate": 0.5, "discount": 0.8, "trace_decay": 0.5, "initial_values": 1.0}
    return make_agent("backward_q_lambda", Three(), **(known | settings))


def play(agent: Any, *steps: tuple[Any, int, float, Any], truncated: bool = False) -> list[Any]:
    agent.begin_episode()
    told = []
    for number, (state, action, reward, next_state) in enumerate(steps):
        last = number == len(steps) - 1
        told.append(
            agent.update(Transition(state, action, reward, next_state, last and not truncated, last and truncated))
        )
    return told


def test_an_episode_is_learned_backwards() -> None:
    """Q(1, 1): G = 10, 1 + 0.5 * 9 = 5.5. Q(0, 0): G = 2 + 0.8 * (0.5 * 5.5 + 0.5 * 10) = 8.2, 1 + 0.5 * 7.2 = 4.6."""
    agent = learner()
    errors = play(agent, (0, 0, 2.0, 1), (1, 1, 10.0, 2))
    assert agent.action_values(1).tolist() == pytest.approx([1.0, 5.5])
    assert agent.action_values(0).tolist() == pytest.approx([4.6, 1.0])
    assert agent.action_values(2).tolist() == [1.0, 1.0]
    assert errors == [None, pytest.approx((9.0 + 7.2) / 2)]


def test_where_a_limit_cuts_the_value_stands_in() -> None:
    """G = 10 + 0.8 * (0.5 * 1 + 0.5 * 1) = 10.8; nothing but termination is worth nothing."""
    agent = learner()
    play(agent, (1, 1, 10.0, 2), truncated=True)
    assert agent.action_values(1).tolist() == pytest.approx([1.0, 1.0 + 0.5 * 9.8])


def test_lambda_one_is_monte_carlo_and_lambda_zero_q_learning_in_reverse() -> None:
    steps = ((0, 0, 2.0, 1), (1, 1, 10.0, 0), (0, 1, 1.0, 2))
    agent = learner(trace_decay=1.0, learning_rate=1.0)
    play(agent, *steps)
    assert agent.action_values(0).tolist() == pytest.approx([2 + 0.8 * (10 + 0.8), 1.0])
    backwards = learner(trace_decay=0.0)
    play(backwards, *steps)
    one_step: Any = make_agent("q_learning", Three(), learning_rate=0.5, discount=0.8, initial_values=1.0)
    for number, (state, action, reward, next_state) in reversed(list(enumerate(steps))):
        one_step.update(Transition(state, action, reward, next_state, number == 2, False))
    for state in range(3):
        assert backwards.action_values(state).tolist() == pytest.approx(one_step.action_values(state).tolist())


def test_a_learning_rate_fades_with_the_steps() -> None:
    """From 0.5 to 0.1 over 4 steps: 0.4 at the first update (a step was made), then 0.3, 0.2, 0.1, 0.1."""
    settings: dict[str, Any] = {
        "learning_rate_schedule": "linear",
        "learning_rate_min": 0.1,
        "learning_rate_decay_steps": 4,
    }
    agent: Any = make_agent("q_learning", Three(), learning_rate=0.5, discount=0.0, **settings)
    expected = 0.0
    for rate in (0.4, 0.3, 0.2, 0.1, 0.1):
        agent.update(Transition(0, 0, 10.0, 1, False, False))
        expected += rate * (10.0 - expected)
        assert agent.action_values(0)[0] == pytest.approx(expected)
    again: Any = make_agent("q_learning", Three(), learning_rate=0.5, discount=0.0, **settings)
    again.set_state(agent.get_state())
    again.update(Transition(0, 1, 10.0, 1, False, False))
    assert again.action_values(0)[1] == pytest.approx(1.0)


def test_schedules_go_over_a_share_of_the_budget() -> None:
    """Half of 400 steps: epsilon is 0.5 after 100 of them, and 0 after 200; so is the learning rate."""
    found = []
    for budget in (100, 200, 400):
        env = make_env("CartPole-v1")
        env.reset(seed=0)
        agent: Any = make_agent(
            "q_learning",
            env,
            epsilon_schedule="linear",
            epsilon_min=0.0,
            learning_rate_schedule="linear",
            decay_share=0.5,
        )
        monitor = Budget(steps=400)
        monitor.count = 400 - budget  # so many are left
        agent.train(env, monitor)
        found.append((round(float(agent.table.memory.rates[0]), 6), agent.parameters.learning_rate_decay_length))
    assert found == [(0.5, 200), (0.0, 200), (0.0, 200)]


def test_the_landers_preset_is_taken_and_what_is_set_beside_it_wins() -> None:
    agent: Any = make_agent("backward_q_lambda", make_env("LunarLander-v3"), preset="lander", discount=0.9)
    settings = agent.settings
    assert (settings.discount, settings.trace_decay, settings.decay_share) == (0.9, 0.95, 0.8)
    assert agent.table.num_states == 5 * 4 * 5 * 6 * 5 * 3 * 2 * 2
    assert agent.mirrored is not None


# -- tiles ------------------------------------------------------------------------------------------------------

CART = {"learning_rate": 0.5, "epsilon": 0.3, "epsilon_schedule": "constant", "discount": 0.9, "trace_decay": 0.7}
CART_EDGES = [[-0.5, 0.5], [-0.3, 0.3], [-0.05, 0.0, 0.05], [-0.5, 0.5]]


def trained_on_cart_pole(name: str, steps: int = 2_000, engine: Any = "python", **settings: Any) -> Any:
    env = make_env("CartPole-v1")
    env.reset(seed=0)
    agent: Any = make_agent(name, env, seed=1, edges=CART_EDGES, **(CART | settings))
    agent.choose_engine(engine, env, 10**6)
    agent.train(env, Budget(steps=steps))
    return agent


@pytest.mark.parametrize("settings", [{}, {"learning_rate_schedule": "linear", "learning_rate_decay_steps": 900}])
def test_one_tiling_is_a_table(settings: dict[str, Any]) -> None:
    """The independent method: with one tiling each tile is a bin, and its weight the bin's value."""
    table = trained_on_cart_pole("backward_q_lambda", table="dense", **settings)
    tiles = trained_on_cart_pole("linear_backward_q_lambda", num_tilings=1, **settings)
    np.testing.assert_allclose(tiles.weights, table.table.memory.q, rtol=1e-9)
    assert np.count_nonzero(tiles.weights) > 20


def test_each_tile_takes_its_share_worked_by_hand() -> None:
    """Two tilings, two steps, one tile in common. Rate 0.5, discount 0.8, lambda 0.5, all values 0 at first.

    The last step, in tiles B and C: G = 10, both go up by 0.25 * 10 = 2.5. The first, in tiles A and C: its next state
    is worth 5, so that G = 2 + 0.8 * (0.5 * 5 + 0.5 * 10) = 8; it is worth 2.5 (by C), so that A and C go up by
    0.25 * 5.5 = 1.375.
    """
    agent: Any = make_agent(
        "linear_backward_q_lambda", make_env("CartPole-v1"), edges=[[0.0, 1.0], [9.0], [9.0], [9.0]], num_tilings=2,
        learning_rate=0.5, discount=0.8, trace_decay=0.5,
    )  # fmt: skip
    first, last = (np.array([x, 0.0, 0.0, 0.0], np.float32) for x in (0.1, 0.5))
    (c, a), (c_too, b) = agent.coder(first), agent.coder(last)
    assert (a != b, c) == (True, c_too)
    errors = play(agent, (first, 0, 2.0, last), (last, 0, 10.0, last))
    assert agent.weights[[a, b, c], 0].tolist() == pytest.approx([1.375, 2.5, 3.875])
    assert agent.action_values(first).tolist() == pytest.approx([5.25, 0.0])
    assert errors == [None, pytest.approx((10 + 5.5) / 2)]


def test_tiles_of_an_episode_that_is_cut_off() -> None:
    """G = 10 + 0.8 * 3, where the next state's two tiles are worth 3 together; from nothing, with rate 1, half each."""
    agent: Any = make_agent(
        "linear_backward_q_lambda", make_env("CartPole-v1"), edges=[[0.0], [9.0], [9.0], [9.0]], num_tilings=2,
        learning_rate=1.0, discount=0.8,
    )  # fmt: skip
    here, there = (np.array([x, 0.0, 0.0, 0.0], np.float32) for x in (-0.1, 0.5))
    agent.weights[agent.coder(there), 1] = [1.0, 2.0]
    play(agent, (here, 0, 10.0, there), truncated=True)
    assert agent.weights[agent.coder(here), 0].tolist() == pytest.approx([6.2, 6.2])


@pytest.mark.parametrize("name", ["backward_q_lambda", "linear_backward_q_lambda"])
@pytest.mark.parametrize(
    "settings",
    [
        {"mirror": {"negated": [0, 1, 2, 3], "actions": [1, 0]}},
        {"learning_rate_schedule": "linear", "learning_rate_decay_steps": 900},
        {"exploration": "ucb", "confidence": 1.0},
        {"count_bonus": 0.5},
    ],
)
def test_compiled_parts_change_nothing(name: str, settings: dict[str, Any]) -> None:
    plain = {key: value for key, value in CART.items() if "epsilon" not in key or "exploration" not in settings}
    found = []
    for engine in ("python", "auto"):
        env = make_env("CartPole-v1")
        env.reset(seed=0)
        agent: Any = make_agent(name, env, seed=1, edges=CART_EDGES, **(plain | settings))
        chosen = agent.choose_engine(engine, env, 10**6)
        assert chosen == {"python": "python", "auto": "python, with compiled parts"}[engine]
        budget = Budget(steps=3_000)
        agent.train(env, budget)
        first = agent.get_state()
        agent.set_state(first)  # into where the compiled parts look
        agent.train(env, Budget(steps=500))
        found.append([str(budget.episodes), _bytes(first), _bytes(agent.get_state())])
    assert found[0] == found[1]


def _bytes(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _bytes(value) for key, value in state.items()}
    return state.tobytes() if isinstance(state, np.ndarray) else state


def test_an_episode_longer_than_there_is_room_for() -> None:
    """More than 1,024 steps, with room for the tiles of each."""
    env = make_env("CartPole-v1")
    rng = np.random.default_rng(0)
    seen = rng.uniform(-0.5, 0.5, (2_501, 4)).astype(np.float32)
    steps = [(seen[time], time % 2, float(time % 7), seen[time + 1]) for time in range(2_500)]
    ends: dict[str, Any] = {}
    for engine in ("python", "auto"):
        agent: Any = make_agent("linear_backward_q_lambda", env, edges=CART_EDGES, num_tilings=3)
        agent.choose_engine(engine, env, 10**6)
        play(agent, *steps, truncated=True)
        again: Any = make_agent("linear_backward_q_lambda", env, edges=CART_EDGES, num_tilings=3)
        again.set_state(agent.get_state())
        tiles = [tile for observation in seen[:-1] for tile in agent.coder.places(observation)]
        assert again.table.memory.own.episode_tiles[: 3 * 2_500].tolist() == tiles
        ends[engine] = agent.weights.tolist()
    assert ends["python"] == ends["auto"]
    assert np.any(ends["python"])


# -- mirrors ----------------------------------------------------------------------------------------------------


def test_what_a_mirror_shows() -> None:
    view = MirroredView(Mirror(**LANDER), 8, 4)
    right = np.array([0.5, 1.0, 0.1, -0.2, 0.3, -0.4, 1.0, 0.0], np.float32)
    left = np.array([-0.5, 1.0, -0.1, -0.2, -0.3, 0.4, 0.0, 1.0], np.float32)
    assert (view.turns(right), view.turns(left)) == (False, True)
    assert view.seen(left).tolist() == view.seen(right).tolist() == right.tolist()
    assert view.image(right).tolist() == left.tolist()
    assert view.image(right).dtype == np.float32
    assert [view.action(left, action) for action in range(4)] == [0, 3, 2, 1]
    assert [view.action(right, action) for action in range(4)] == [0, 1, 2, 3]
    straight = np.array([0.0, 1.0, 0.0, -0.2, -0.3, 0.4, 0.0, 1.0])
    assert view.turns(straight)  # the angle decides, where x and the speed sideways are 0
    assert not view.turns(np.zeros(8))
    many, turned = view.many(np.stack([right, left]))
    assert (many == right).all()
    assert turned.tolist() == [False, True]


def test_the_moon_is_the_same_in_the_mirror() -> None:
    """Gymnasium's own physics: of two landers that begin as mirror images, falling, each stays the other's image."""
    view = MirroredView(Mirror(**LANDER), 8, 4)
    one, other = make_env("LunarLander-v3"), make_env("LunarLander-v3")
    for env in (one, other):
        env.reset(seed=3)
    base: Any = other.unwrapped
    for body in (base.lander, *base.legs):
        body.linearVelocity = (-body.linearVelocity[0], body.linearVelocity[1])
        body.angularVelocity = -body.angularVelocity
    for _ in range(30):
        seen, image = one.step(0)[0], other.step(0)[0]
    assert abs(seen[0]) > 0.01
    assert abs(seen[4]) > 0.01
    assert np.sign(image[[0, 2, 4, 5]]).tolist() == np.sign(-seen[[0, 2, 4, 5]]).tolist()
    assert view.image(seen) == pytest.approx(image, abs=0.012)  # but for the push that both got at the start


@pytest.mark.parametrize("agent", ["backward_q_lambda", "q_learning", "sarsa_lambda", "expected_sarsa", *LINEAR])
@pytest.mark.parametrize("table", ["dense", "sparse"])
def test_what_is_learned_on_one_side_is_known_on_the_other(agent: str, table: str) -> None:
    mirror: dict[str, Any] = {"negated": [0, 1, 2, 3], "actions": [1, 0]}
    env = make_env("CartPole-v1")
    env.reset(seed=0)
    if agent in LINEAR and table == "sparse":
        pytest.skip("tiles are always dense")
    settings: dict[str, Any] = {"num_tiles": 3} if agent in LINEAR else {"num_edges": 4, "table": table}
    made: Any = make_agent(agent, env, mirror=mirror, **settings)
    made.train(env, Budget(steps=500))
    policy = made.policy(0)
    rng = np.random.default_rng(0)
    seen = rng.uniform(-1, 1, (200, 4)).astype(np.float32)
    for observation in seen:
        values = made.action_values(observation)
        assert made.action_values(-observation).tolist() == values[::-1].tolist()
        action = made.select_action(observation, explore=False)
        assert made.select_action(-observation, explore=False) == 1 - action
        assert values[action] == values.max()
        assert policy.action(observation) == action
    batch = batch_of(list(seen))
    assert policy.act(batch).tolist() == [made.select_action(one, explore=False) for one in seen]
    values = policy.action_values(batch)
    assert values is not None
    assert values.tolist() == [made.action_values(one).tolist() for one in seen]
    mask = np.array([False, True])
    assert {made.select_action(one, explore=explore, mask=mask) for one in seen for explore in (True, False)} == {1}
    again: Any = make_agent(agent, env, mirror=mirror, **settings)
    again.set_policy_state(made.policy_state())
    assert all(again.action_values(one).tolist() == made.action_values(one).tolist() for one in seen)


@pytest.mark.parametrize(
    ("mirror", "message"),
    [
        ({"negated": [0], "actions": [1, 2, 0]}, "expected each action once, and the image of its image"),
        ({"negated": [0], "actions": [0, 0]}, "expected each action once"),
        ({"negated": [0, 0], "actions": [0, 1]}, "expected no number twice"),
        ({"negated": [0], "swapped": [[0, 1]], "actions": [0, 1]}, "expected no number twice"),
        ({"negated": [0], "swapped": [[1, 1]], "actions": [0, 1]}, "expected pairs of different numbers"),
        ({"negated": [4], "actions": [0, 1]}, "expected observed numbers from 0 to 3"),
        ({"negated": [0], "actions": [0, 1, 2]}, "actions: expected 2, got 3"),
        ({"negated": [], "actions": [0, 1]}, "at least 1 item"),
    ],
)
def test_mirrors_that_are_none(mirror: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_agent("q_learning", make_env("CartPole-v1"), mirror=mirror)
    with pytest.raises(ValueError, match="expected a Box of observed numbers in a row"):
        make_agent("q_learning", make_env("RLLab/Maze-v0"), mirror={"negated": [0], "actions": [0, 1, 2, 3]})
