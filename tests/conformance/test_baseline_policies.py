"""What the baselines' policies promise: batches as single observations, masks, no generator touched, no buffer made."""

import random
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, iterate

from agents import storage
from agents.base import Agent, Spaces
from agents.budget import Budget
from agents.registry import make_agent
from agents.ring import Ring
from envs.registry import make_env
from tests.helpers import files

SMALL: dict[str, Any] = {"policy_kwargs": {"net_arch": [16]}}
BOX, IMAGE = spaces.Box(-1, 1, (8,), np.float32), spaces.Box(0, 255, (40, 36, 3), np.uint8)
HAND = spaces.Box(np.array([-2, 0], np.float32), np.array([1, 4], np.float32))
PARTS = spaces.Dict({"seen": spaces.Box(-3, 3, (2, 2), np.float32), "held": spaces.Discrete(3)})
GRID = make_env("RLLab/Maze-v0", observation="grid", rows=4, cols=4).observation_space
CASES: dict[str, tuple[str, Spaces, dict[str, Any]]] = {
    "states": ("sb3_dqn", Spaces(spaces.Discrete(9), spaces.Discrete(4)), SMALL),
    "numbers": ("sb3_dqn", Spaces(BOX, spaces.Discrete(4)), SMALL),
    "grid": ("sb3_dqn", Spaces(GRID, spaces.Discrete(4)), SMALL),
    "image": ("sb3_dqn", Spaces(IMAGE, spaces.Discrete(3)), {"policy": "CnnPolicy"}),
    "parts": ("sb3_dqn", Spaces(PARTS, spaces.Discrete(3)), {"policy": "MultiInputPolicy"}),
    "several states": ("sb3_dqn", Spaces(spaces.MultiDiscrete([3, 4]), spaces.Discrete(3)), SMALL),
    "states, drawn": ("sb3_ppo", Spaces(spaces.Discrete(9), spaces.Discrete(4)), SMALL),
    "parts, drawn": ("sb3_ppo", Spaces(PARTS, spaces.Discrete(3)), {"policy": "MultiInputPolicy"}),
    "image, drawn": ("sb3_ppo", Spaces(IMAGE, spaces.Discrete(3)), {"policy": "CnnPolicy"}),
    "hand": ("sb3_ppo", Spaces(BOX, HAND), SMALL),
    "hand, squashed": ("sb3_ppo", Spaces(BOX, HAND), {"use_sde": True, "policy_kwargs": {"squash_output": True}}),
    "several actions": ("sb3_ppo", Spaces(BOX, spaces.MultiDiscrete([2, 3])), SMALL),
}
cases = pytest.mark.parametrize(("name", "of", "settings"), CASES.values(), ids=CASES)


def made(name: str, of: Spaces, settings: dict[str, Any]) -> Agent:
    """An agent whose opinions are not all alike."""
    agent = make_agent(name, of, seed=3, **settings)
    state = agent.policy_state()
    rng = np.random.default_rng(0)
    for array in state["networks"].values():
        array += (rng.normal(size=array.shape) / 4 / max(1, array[0].size) ** 0.5).astype(array.dtype)
    agent.set_policy_state(state)
    return agent


def generators() -> str:
    import torch

    return repr((np.random.get_state(), random.getstate(), torch.get_rng_state().tolist()))  # noqa: NPY002


def observed(of: Spaces, count: int = 12) -> tuple[Any, list[Any]]:
    """A batch of observations, and its rows."""
    space = batch_space(of.observation_space, count)
    space.seed(1)
    batch = space.sample()
    rows = list(iterate(space, batch))
    return batch, rows


def first(batch: Any) -> Any:
    return {key: value[:1] for key, value in batch.items()} if isinstance(batch, dict) else batch[:1]


@cases
def test_a_batch_is_its_rows(name: str, of: Spaces, settings: dict[str, Any]) -> None:
    agent, (batch, rows) = made(name, of, settings), observed(of)
    policy = agent.policy(0)
    expected = [agent.select_action(row, explore=False) for row in rows]
    actions = policy.act(batch)
    assert actions.shape == (len(rows), *(of.action_space.shape or ()))
    assert all(of.action_space.contains(action) for action in actions)
    np.testing.assert_allclose(actions, expected, rtol=1e-4, atol=1e-6)  # the same, if they are counted
    np.testing.assert_array_equal(policy.act(first(batch))[0], expected[0])
    for row, action in zip(rows, expected, strict=True):
        np.testing.assert_array_equal(policy.action(row), action)
    values = policy.action_values(batch)
    assert len({str(opinion) for opinion in (expected if values is None else values)}) > 1
    if not isinstance(of.action_space, spaces.Discrete):
        assert values is None
        with pytest.raises(ValueError, match="a mask needs discrete actions, got"):
            policy.act(batch, np.ones((len(rows), 2), np.bool_))
        return
    assert values is not None
    assert values.dtype == np.float64
    one_by_one: Any = [agent.action_values(row) for row in rows]
    np.testing.assert_allclose(values, one_by_one, rtol=1e-4, atol=1e-6)
    masks = np.random.default_rng(2).random(values.shape) < 0.5
    masks[np.arange(len(rows)), np.arange(len(rows)) % values.shape[1]] = True
    legal = policy.act(batch, masks)
    assert masks[np.arange(len(rows)), legal].all()
    assert legal.tolist() == np.where(masks, values, -np.inf).argmax(axis=1).tolist()
    masked = [agent.select_action(row, explore=False, mask=mask) for row, mask in zip(rows, masks, strict=True)]
    assert legal.tolist() == masked == [policy.action(row, mask) for row, mask in zip(rows, masks, strict=True)]


@cases
def test_opening_a_policy_touches_no_generator(name: str, of: Spaces, settings: dict[str, Any], tmp_path: Path) -> None:
    storage.write(tmp_path, made(name, of, settings).policy_state())
    expected = made(name, of, settings).policy(0).act(observed(of)[0])
    of.action_space.seed(5)
    before = generators(), of.action_space.np_random.bit_generator.state
    agent = make_agent(name, of, seed=7, **settings)
    agent.set_policy_state(storage.read(tmp_path))
    batch, rows = observed(of)
    np.testing.assert_array_equal(agent.policy(0).act(batch), expected)
    agent.select_action(rows[0], explore=False)
    agent.action_values(rows[0])
    assert (generators(), of.action_space.np_random.bit_generator.state) == before
    assert agent._model is None  # type: ignore[attr-defined]  # nor was a replay buffer made


@cases
def test_a_network_is_the_one_that_its_model_begins_with(name: str, of: Spaces, settings: dict[str, Any]) -> None:
    more = {"buffer_size": 10} if name == "sb3_dqn" else {}
    alone, whole = (make_agent(name, of, seed=3, **settings | more) for _ in range(2))
    networks = whole.get_state()["networks"]
    for key, array in alone.policy_state()["networks"].items():
        np.testing.assert_array_equal(array, networks[key])


def trained(name: str, **settings: Any) -> tuple[Agent, gym.Env[Any, Any]]:
    more: dict[str, Any] = {"sb3_dqn": {"learning_starts": 20, "buffer_size": 200}, "sb3_ppo": {"n_steps": 64}}[name]
    env = make_env("RLLab/Maze-v0", rows=4, cols=4)
    env.reset(seed=0)
    agent = make_agent(name, env, seed=3, **SMALL | more | settings)
    agent.train(env, Budget(steps=300))
    return agent, env


@pytest.mark.parametrize("name", ["sb3_dqn", "sb3_ppo"])
def test_a_policy_is_frozen_and_small(name: str) -> None:
    agent, env = trained(name)
    states = np.arange(16)
    policy = agent.policy(0)
    actions, small = policy.act(states), agent.policy_state()
    values: Any = policy.action_values(states)
    assert small.keys() == {"networks"}
    assert not any("target" in key for key in small["networks"])
    agent.train(env, Budget(steps=900))
    np.testing.assert_array_equal(policy.act(states), actions)
    later: list[Any] = [policy.action_values(states), agent.policy(0).action_values(states)]
    agent.set_policy_state(small)
    later.append(agent.policy(0).action_values(states))
    assert [np.array_equal(one, values) for one in later] == [True, False, True]


@pytest.mark.parametrize("use_sde", [False, True])
def test_a_continuous_policy_is_frozen(use_sde: bool) -> None:
    env = make_env("LunarLander-v3", continuous=True)
    observation, _ = env.reset(seed=0)
    agent = make_agent("sb3_ppo", env, seed=3, n_steps=64, n_epochs=2, use_sde=use_sde, **SMALL)
    agent.train(env, Budget(steps=64))
    policy = agent.policy(0)
    action = policy.action(observation)
    np.testing.assert_array_equal(action, agent.select_action(observation, explore=False))
    agent.train(env, Budget(steps=128))
    np.testing.assert_array_equal(policy.action(observation), action)
    assert not np.array_equal(agent.select_action(observation, explore=False), action)
    env.close()


@pytest.mark.parametrize("name", ["sb3_dqn", "sb3_ppo"])
def test_exploring_draws_among_legal_actions(name: str) -> None:
    agent, _ = trained(name)
    mask = np.array([True, False, True, True])
    if name == "sb3_dqn":
        agent.model.exploration_rate = 1.0  # type: ignore[attr-defined]
    drawn = np.bincount([agent.select_action(3, explore=True, mask=mask) for _ in range(600)], minlength=4)
    assert drawn[1] == 0
    values = agent.action_values(3)
    assert values is not None
    expected = np.array([1, 0, 1, 1]) / 3 if name == "sb3_dqn" else values * mask / (values * mask).sum()
    np.testing.assert_allclose(drawn / 600, expected, atol=0.08)
    if name == "sb3_dqn":
        agent.model.exploration_rate = 0.0  # type: ignore[attr-defined]
        greedy = agent.select_action(3, explore=False, mask=mask)
        assert {agent.select_action(3, explore=True, mask=mask) for _ in range(20)} == {greedy}


def test_a_state_waits_until_the_model_is_needed(tmp_path: Path) -> None:
    """Loaded for watching, an agent makes no model; asked to save, the whole state is there."""
    agent, _ = trained("sb3_dqn")
    agent.save(tmp_path / "saved")
    other = make_agent("sb3_dqn", Spaces(spaces.Discrete(16), spaces.Discrete(4)), seed=3, **agent.given_settings)
    before = generators()
    other.load(tmp_path / "saved")
    assert other.policy(0).act(np.arange(16)).tolist() == agent.policy(0).act(np.arange(16)).tolist()
    assert generators() == before
    other.save(tmp_path / "again")
    assert files(tmp_path / "saved") == files(tmp_path / "again")


def test_states_of_version_0_4_0_load() -> None:
    """Their replay buffer's arrays lay beside its position."""
    agent, env = trained("sb3_dqn")
    state = agent.get_state()
    rows: Ring = state["replay"].pop("rows")
    other = make_agent("sb3_dqn", env, seed=3, **agent.given_settings)
    other.set_state(state | {"replay": state["replay"] | rows.arrays})
    assert other.policy(0).act(np.arange(16)).tolist() == agent.policy(0).act(np.arange(16)).tolist()
    for key, array in other.get_state()["replay"]["rows"].arrays.items():
        np.testing.assert_array_equal(array, rows.arrays[key])


def test_a_ring_counts_what_was_ever_written() -> None:
    agent, env = trained("sb3_dqn", buffer_size=64)
    ring: Ring = agent.get_state()["replay"]["rows"]
    assert (ring.capacity, ring.num_rows) == (64, 64)
    assert 64 <= ring.written <= 300
    pos = agent.get_state()["replay"]["pos"]
    agent.train(env, Budget(steps=400))
    later: Ring = agent.get_state()["replay"]["rows"]
    moved = (agent.get_state()["replay"]["pos"] - pos) % 64
    assert later.written > ring.written
    assert (later.written - ring.written) % 64 == moved
