"""Acting apart from learning, of tables and tiles: what is kept for acting, and frozen policies on batches."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from agents.base import Agent
from agents.budget import Budget
from agents.policy import Spaces
from agents.registry import find_agent, make_agent
from agents.tabular import discretiser
from agents.tabular.discretiser import Discretiser
from agents.tabular.q_learning import QLearning
from agents.tabular.sarsa import Sarsa
from agents.tabular.tile_coding import EvenTiles
from envs.registry import make_env
from tests.helpers import LINEAR, PREDICTORS, TABULAR
from tests.numerics.test_td import TwoStates, know

MAZE: dict[str, Any] = {"rows": 5, "cols": 5, "slip": 0.1}
CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    *((name, "RLLab/Maze-v0", MAZE, {}) for name in TABULAR if name not in LINEAR),
    *((name, "LunarLander-v3", {}, {}) for name in LINEAR),
    ("linear_q", "MountainCar-v0", {}, {"initial_values": 3.0}),
    ("q_learning", "RLLab/Maze-v0", MAZE, {"initial_values": "random"}),
    ("double_q_learning", "RLLab/Maze-v0", MAZE, {"initial_values": "random", "table": "sparse"}),
    ("q_learning", "RLLab/Maze-v0", MAZE, {"initial_values": 2.5, "table": "sparse"}),
    ("sarsa", "RLLab/Maze-v0", MAZE, {"exploration": "ucb"}),
    ("q_learning", "MountainCar-v0", {}, {}),
    ("q_learning", "MountainCar-v0", {}, {"bins": "quantile", "num_edges": 4, "initial_values": "random"}),
    ("q_learning", "LunarLander-v3", {}, {"initial_values": "random"}),
    ("dyna_q", "LunarLander-v3", {}, {"bins": "quantile", "num_edges": 3}),
    ("td", "RLLab/Maze-v0", MAZE, {"policy": [1] * 25}),
]


def trained(case: tuple[str, str, dict[str, Any], dict[str, Any]]) -> tuple[Agent, Any, Any]:
    """A trained agent, its environment, and a batch of observations [N, ...], half of which it has not met."""
    name, env_id, options, settings = case
    env = make_env(env_id, **options)
    env.reset(seed=1)
    agent = make_agent(name, env, seed=1, **settings)
    agent.train(env, Budget(steps=600))
    env.observation_space.seed(1)
    if isinstance(env.observation_space, spaces.Discrete):
        return agent, env, np.arange(env.observation_space.n)
    met = []
    observation, _ = env.reset(seed=1)
    for _ in range(30):
        met.append(observation)
        observation = env.step(env.action_space.sample())[0]
    return agent, env, np.array(met + [env.observation_space.sample() for _ in range(30)])


def plain(row: Any) -> Any:
    return row.item() if np.ndim(row) == 0 else row


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}-{case[3]}")
def test_policies_are_frozen_and_alike_on_batches_on_rows_and_from_their_state_alone(case: Any) -> None:
    agent, env, batch = trained(case)
    rows = [plain(row) for row in batch]
    masks = np.random.default_rng(0).random((len(batch), env.action_space.n)) < 0.5
    masks[np.arange(len(batch)), np.random.default_rng(1).integers(env.action_space.n, size=len(batch))] = True
    other = find_agent(case[0])(Spaces.of(env), seed=1, **case[3])  # reads the spaces alone
    other.set_policy_state(agent.policy_state())
    policy = agent.policy(5)
    random_policy = case[0] in PREDICTORS and "policy" not in case[3]
    expected = [agent.select_action(row, explore=False) for row in rows]
    legal = [agent.select_action(row, explore=False, mask=mask) for row, mask in zip(rows, masks, strict=True)]
    assert all(mask[action] for action, mask in zip(legal, masks, strict=True))
    values = [agent.action_values(row) for row in rows]
    agent.train(env, Budget(steps=200))  # changes nothing in what is frozen
    for one in (policy, other.policy(5)):
        drawn = one.act(batch, masks)
        assert masks[np.arange(len(batch)), drawn].all()
        if not random_policy:
            assert one.act(batch).tolist() == expected
            assert [one.action(row) for row in rows] == expected
        if case[0] not in PREDICTORS:  # a policy that is given may have nothing legal to do
            assert drawn.tolist() == legal
            assert [one.action(row, mask) for row, mask in zip(rows, masks, strict=True)] == legal
        of_batch = one.action_values(batch)
        assert (of_batch is None) == (values[0] is None)
        if of_batch is not None:
            assert of_batch.tobytes() == np.array(values).tobytes()
    assert [other.select_action(row, explore=False) for row in rows] == expected
    if values[0] is not None:
        assert np.array([other.action_values(row) for row in rows]).tobytes() == np.array(values).tobytes()
    agent.set_policy_state(other.policy_state())  # it has learned since: nothing of that is left
    assert repr(agent.policy_state()) == repr(other.policy_state())


def test_only_rows_that_differ_from_the_first_values_are_kept() -> None:
    agent = QLearning(TwoStates(states=1000), initial_values="random", learning_rate=0.5)
    know(agent, 7, [1.0, 2.0])
    state = agent.policy_state()["table"]
    assert state["changed"].tolist() == [7]
    assert state["q"].tolist() == [[1.0, 2.0]]
    assert set(state) == {"changed", "q", "entropy"}


def test_which_states_were_met_is_known_where_it_is_counted_or_the_table_is_sparse() -> None:
    env = make_env("RLLab/Maze-v0", **MAZE)
    cases: list[tuple[dict[str, Any], bool]] = [
        ({}, False),
        ({"table": "sparse"}, True),
        ({"exploration": "ucb"}, True),
    ]
    for settings, known in cases:
        agent: Any = make_agent("q_learning", env, **settings)
        env.reset(seed=0)
        start = int(env.unwrapped.s)  # type: ignore[attr-defined]
        agent.train(env, Budget(steps=1))
        agent.train(env, Budget(steps=1))
        other: Any = QLearning(Spaces.of(env), **settings)
        other.set_policy_state(agent.policy_state())
        for one in (agent, other):
            met = one.policy(0).met(np.arange(25))
            assert (met is not None) == known
            assert one.states_met() == (met.sum() if known else None)
            assert met is None or (met[start] and not met.all())


def test_quantile_bins_are_state_and_nothing_is_played_at_a_load(monkeypatch: pytest.MonkeyPatch) -> None:
    env = make_env("LunarLander-v3")
    agent: Any = make_agent("q_learning", env, seed=2, bins="quantile", num_edges=4)
    saved, acting = agent.get_state(), agent.policy_state()
    monkeypatch.setattr(discretiser, "random_play", None)
    for name, state in (("set_state", saved), ("set_policy_state", acting)):
        other: Any = QLearning(Spaces.of(env), seed=9, bins="quantile", num_edges=4)
        with pytest.raises(ValueError, match="q_learning has no bins yet: expected prepare"):
            other.select_action(np.zeros(8), explore=False)
        getattr(other, name)(state)
        assert other.discretiser.edges == agent.discretiser.edges
    with pytest.raises(ValueError, match="expected 8 lists, one a dimension, got 1"):
        other.set_state(saved | {"edges": [[0.0]]})


def test_true_values_are_prepared_and_state() -> None:
    env = make_env("RLLab/RandomWalk-v0", states=5)
    agent: Any = make_agent("td", env, discount=1.0)
    fresh: Any = find_agent("td")(Spaces.of(env), discount=1.0)
    assert fresh.true_values is None
    assert fresh.metrics() == {}
    fresh.set_state(agent.get_state())
    np.testing.assert_array_equal(fresh.true_values, agent.true_values)
    inside = agent.true_values[np.isfinite(agent.true_values)]
    np.testing.assert_allclose(sorted(inside)[-5:], np.arange(1, 6) / 6)  # the textbook's: 1/6 to 5/6
    assert fresh.metrics() == agent.metrics()


def test_states_of_0_4_0_are_taken_over() -> None:
    """They have neither bin edges nor true values, and linear agents' have the tiles of the last step."""
    lander, maze = make_env("LunarLander-v3"), make_env("RLLab/Maze-v0", **MAZE)
    for name, env, settings, old in (
        ("q_learning", lander, {"bins": "quantile", "num_edges": 4}, {}),
        ("linear_sarsa_lambda", lander, {}, {"states": np.zeros(8, int), "actions": np.zeros(8, int)}),
        ("td", maze, {}, {}),
    ):
        env.reset(seed=1)
        agent = make_agent(name, env, seed=1, **settings)
        agent.train(env, Budget(steps=300))
        state = agent.get_state()
        before = {key: value for key, value in state.items() if key not in ("edges", "true_values")}
        other = make_agent(name, env, seed=1, **settings)
        other.set_state(before | {"memory": state["memory"] | old})
        assert repr(other.get_state()) == repr(state)


# -- masks while exploring ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # of two legal actions the better one has 1 - epsilon / 2
        ({"epsilon": 0.4, "epsilon_schedule": "constant"}, [0.0, 0.8, 0.2]),
        # e^0 to e^-ln 3
        ({"exploration": "boltzmann", "temperature": 2.0 / np.log(3.0)}, [0.0, 0.75, 0.25]),
        ({"exploration": "ucb"}, [0.0, 0.5, 0.5]),  # untried ones first, and both are
    ],
)
def test_exploring_among_legal_actions(settings: dict[str, Any], expected: list[float]) -> None:
    agent = QLearning(TwoStates(actions=3), seed=3, **settings)
    know(agent, 0, [9.0, 3.0, 1.0])
    mask = np.array([False, True, True])
    drawn = [agent.select_action(0, explore=True, mask=mask) for _ in range(20_000)]
    shares = np.bincount(drawn, minlength=3) / 20_000
    assert shares == pytest.approx(expected, abs=4 * (0.25 / 20_000) ** 0.5)


def test_sarsa_takes_what_it_has_chosen_where_that_is_legal() -> None:
    from agents.base import Transition

    agent = Sarsa(TwoStates(actions=3), seed=3, epsilon=1.0, epsilon_schedule="constant")
    for _ in range(20):
        agent.update(Transition(0, 0, 0.0, 1, False, False))
        chosen = agent.select_action(1, explore=True)
        assert agent.select_action(1, explore=True, mask=np.arange(3) == chosen) == chosen
        assert agent.select_action(1, explore=True, mask=np.ones(3, dtype=bool)) == chosen
        assert agent.select_action(1, explore=True, mask=np.arange(3) != chosen) != chosen


def test_a_given_policy_among_legal_actions() -> None:
    """1/2, 1/4, 1/4: without the first, the others are alike; where it would do nothing legal, all legal are."""
    given = [[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]
    agent = find_agent("td")(TwoStates(actions=3), seed=1, policy=given)
    mask = np.array([False, True, True])
    policy = agent.policy(3)
    for state in (0, 1):
        exploring = [agent.select_action(state, explore=True, mask=mask) for _ in range(10_000)]
        for drawn in (exploring, [policy.action(state, mask) for _ in range(10_000)]):
            assert np.bincount(drawn, minlength=3) / 10_000 == pytest.approx([0.0, 0.5, 0.5], abs=0.02)


# -- many observations at once --------------------------------------------------------------------------------

NUMBERS = st.floats(width=32, allow_nan=False)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.sampled_from([0.0, -0.0, 0.5, 1.0])), min_size=1, max_size=20))
def test_bins_of_many_observations(rows: list[Any]) -> None:
    batch = np.array(rows, dtype=np.float32)
    for more in (0, 20):  # with 20 more dimensions there are more cells than a word can count
        one = Discretiser([[-1.0, 0.0, 0.5], np.linspace(-1, 1, 10).tolist(), [0.0, 0.5], *([[0.1] * 1] * more)])
        wide = np.concatenate([batch, np.repeat(batch[:, :1], more, axis=1)], axis=1)
        assert one.many(wide) == [one(row) for row in wide]
    huge = Discretiser([np.linspace(-1, 1, 30).tolist()] * 15)
    wide = np.repeat(batch, 5, axis=1)
    assert huge.num_states > 2**63
    assert huge.many(wide) == [huge(row) for row in wide]
    assert huge.many(np.full((1, 15), np.nan)) == [huge(np.full(15, np.nan))]


@given(st.lists(st.tuples(*[st.floats(-2, 2, width=32)] * 3), min_size=1, max_size=10))
@pytest.mark.parametrize(("num_tilings", "num_tiles", "size"), [(8, 8, 4096), (3, 2, 10**6), (5, 10**7, 512)])
def test_tiles_of_many_observations(num_tilings: int, num_tiles: int, size: int, rows: list[Any]) -> None:
    coder = EvenTiles(spaces.Box(-1, 1, (3,)), num_tilings, num_tiles, size)
    batch = np.array(rows, dtype=np.float32)
    assert coder.many(batch).tolist() == [coder.places(row) for row in batch]
