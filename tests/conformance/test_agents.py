"""Every agent keeps the contract of `agents.base`, in mazes and on the moon."""

import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from agents.base import Agent, Spaces
from agents.budget import Budget
from agents.registry import AGENTS, make_agent
from envs.registry import make_env
from tests.helpers import ENVS, FAST_SETTINGS, PAIRS, files, train

pairs = pytest.mark.parametrize(("name", "env_id"), PAIRS)


def fresh(name: str, env_id: str, seed: int = 3, **settings: Any) -> Agent:
    return make_agent(name, make_env(env_id, **ENVS[env_id]), seed=seed, **FAST_SETTINGS.get(name, {}) | settings)


def observations(env_id: str) -> list[Any]:
    env = make_env(env_id, **ENVS[env_id])
    seen = [env.reset(seed=9)[0]]
    env.action_space.seed(9)
    for _ in range(20):
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        seen.append(observation)
        if terminated or truncated:
            env.reset()
    return seen


def test_every_agent_is_tested() -> None:
    assert {name for name, _ in PAIRS} == set(AGENTS)


@pairs
def test_same_seed_same_training(name: str, env_id: str, tmp_path: Path) -> None:
    episodes = []
    for run in ("first", "second"):
        agent = fresh(name, env_id)
        episodes.append(train(agent, env_id, ENVS[env_id], Budget(steps=300)).episodes)
        agent.save(tmp_path / run)
    assert episodes[0] == episodes[1]
    assert episodes[0]
    assert files(tmp_path / "first") == files(tmp_path / "second")


@pairs
def test_save_and_load_keep_everything(name: str, env_id: str, tmp_path: Path) -> None:
    trained = fresh(name, env_id)
    train(trained, env_id, ENVS[env_id], Budget(steps=300))
    trained.save(tmp_path / "saved")
    loaded = fresh(name, env_id)
    loaded.load(tmp_path / "saved")
    loaded.save(tmp_path / "again")
    assert files(tmp_path / "saved") == files(tmp_path / "again")
    for observation in observations(env_id):
        policy, loaded_policy = trained.policy(7), loaded.policy(7)
        np.testing.assert_array_equal(policy.action(observation), loaded_policy.action(observation))
        values, loaded_values = trained.action_values(observation), loaded.action_values(observation)
        assert (values is None) == (loaded_values is None)
        if values is not None and loaded_values is not None:
            assert values.shape == (4,)
            np.testing.assert_array_equal(values, loaded_values)


@pytest.mark.parametrize(("name", "env_id"), [pair for pair in PAIRS if not pair[0].startswith("sb3")])
def test_ten_and_ten_episodes_are_twenty(name: str, env_id: str, tmp_path: Path) -> None:
    whole, first, second = (fresh(name, env_id) for _ in range(3))
    env = make_env(env_id, **ENVS[env_id])
    env.reset(seed=0)
    uninterrupted = Budget(episodes=20)
    whole.train(env, uninterrupted)

    env = make_env(env_id, **ENVS[env_id])
    env.reset(seed=0)
    one, two = Budget(episodes=10), Budget(episodes=10)
    first.train(env, one)
    first.save(tmp_path / "half")
    second.load(tmp_path / "half")
    second.train(env, two)
    assert one.episodes + two.episodes == uninterrupted.episodes
    whole.save(tmp_path / "whole")
    second.save(tmp_path / "second")
    assert files(tmp_path / "whole") == files(tmp_path / "second")


@pairs
def test_greedy_actions_change_nothing(name: str, env_id: str, tmp_path: Path) -> None:
    agent = fresh(name, env_id)
    train(agent, env_id, ENVS[env_id], Budget(steps=150))
    agent.save(tmp_path / "before")
    for observation in observations(env_id):
        agent.select_action(observation, explore=False)
        agent.policy(1).action(observation)
        agent.action_values(observation)
        agent.predict(observation, deterministic=True)
    agent.save(tmp_path / "after")
    assert files(tmp_path / "before") == files(tmp_path / "after")


@pytest.mark.parametrize(("name", "env_id"), [pair for pair in PAIRS if not pair[0].startswith("sb3")])
def test_no_global_randomness(name: str, env_id: str) -> None:
    before = repr(np.random.get_state())  # noqa: NPY002
    train(fresh(name, env_id), env_id, ENVS[env_id], Budget(steps=100))
    assert repr(np.random.get_state()) == before  # noqa: NPY002


@pairs
def test_stable_baselines3_evaluates_it(name: str, env_id: str) -> None:
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.monitor import Monitor

    agent = fresh(name, env_id)
    env = Monitor(make_env(env_id, **ENVS[env_id]))
    tool: Any = evaluate_policy
    mean, spread = tool(agent, env, n_eval_episodes=2)
    assert np.isfinite([mean, spread]).all()


@pytest.mark.parametrize("name", ["q_learning", "sb3_dqn"])
def test_discrete_agents_refuse_continuous_actions(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} needs discrete actions, got Box"):
        make_agent(name, make_env("LunarLander-v3", continuous=True))


def test_planning_refuses_what_has_no_single_model() -> None:
    with pytest.raises(ValueError, match="needs an exact model"):
        make_agent("value_iteration", make_env("LunarLander-v3"))
    with pytest.raises(ValueError, match="needs one model"):
        make_agent("value_iteration", make_env("RLLab/Maze-v0", maze_seed="new"))
    for reward in ("goal", "distance"):
        with pytest.raises(ValueError, match="expected a discount below 1, got 1"):
            make_agent("value_iteration", make_env("RLLab/Maze-v0", reward=reward))
        make_agent("value_iteration", make_env("RLLab/Maze-v0", reward=reward), discount=0.9)


def test_tables_refuse_images_and_the_heuristic_flies_landers_only() -> None:
    with pytest.raises(ValueError, match="q_learning: a table needs at most 32 observed numbers in a row"):
        make_agent("q_learning", make_env("RLLab/Maze-v0", observation="grid"))
    with pytest.raises(ValueError, match="flies LunarLander only"):
        make_agent("heuristic_lander", make_env("RLLab/Maze-v0"))


def test_the_random_policy_is_the_same_for_an_episode_and_differs_between_episodes() -> None:
    agent = fresh("random", "RLLab/Maze-v0")
    draws = [[policy.action(0) for _ in range(50)] for policy in (agent.policy(1), agent.policy(1), agent.policy(2))]
    assert draws[0] == draws[1] != draws[2]


def test_baseline_defaults_are_stable_baselines3s_own() -> None:
    import inspect

    from sb3_contrib import QRDQN
    from stable_baselines3 import A2C, DQN, PPO, SAC, TD3

    from agents.sb3.settings import (
        A2CSettings,
        DQNSettings,
        PPOSettings,
        QRDQNSettings,
        SACSettings,
        TD3Settings,
    )

    ours = {"preset", "num_envs", "learning_rate_schedule", "train_freq_unit"}
    not_settings = {"self", "env", "seed", "device", "verbose", "tensorboard_log", "stats_window_size"}
    not_settings |= {"_init_setup_model", "replay_buffer_class", "rollout_buffer_class"}
    algorithms: list[tuple[Any, Any]] = [(DQNSettings, DQN), (PPOSettings, PPO), (A2CSettings, A2C),
                                         (QRDQNSettings, QRDQN), (SACSettings, SAC), (TD3Settings, TD3)]  # fmt: skip
    # State-dependent exploration keeps matrices that no state has: only the algorithms with rollouts, which draw them
    # anew for each, can go on exactly with it.
    of_sac = {"use_sde", "sde_sample_freq", "use_sde_at_warmup"}
    for settings, algorithm in algorithms:
        theirs = inspect.signature(algorithm.__init__).parameters
        fields = settings.model_fields
        assert set(fields) - ours == set(theirs) - not_settings - (of_sac if algorithm is SAC else set())
        for name in set(fields) - ours - {"policy"}:
            assert fields[name].default == theirs[name].default, name


def test_a_preset_gives_way_to_what_is_set() -> None:
    from agents.sb3.settings import DQNSettings

    settings = DQNSettings.model_validate({"preset": "lander", "batch_size": 64})
    assert (settings.learning_rate, settings.buffer_size, settings.batch_size) == (6.3e-4, 50_000, 64)
    assert DQNSettings().batch_size == 32
    with pytest.raises(ValueError, match="preset: expected 'lander', got 'pendulum'"):
        DQNSettings.model_validate({"preset": "pendulum"})


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("sb3_sac", {"ent_coef": "auto_0"}, "ent_coef: expected a number, 'auto' or such as 'auto_0.1'"),
        ("sb3_sac", {"ent_coef": "auto_٣"}, "ent_coef: expected a number, 'auto' or such as 'auto_0.1'"),
        ("sb3_sac", {"policy_kwargs": {"n_critics": 0}}, "n_critics: expected a whole number from 1 to 10000, got 0"),
        ("sb3_td3", {"policy_kwargs": {"n_critics": "a"}}, "n_critics: expected a whole number from 1 to 10000"),
        ("sb3_td3", {"action_noise": -1.0}, "greater than 0"),
        ("sb3_qrdqn", {"train_freq_unit": "episode", "num_envs": 2}, "num_envs: expected 1 with train_freq_unit"),
    ],
)
def test_settings_that_stable_baselines3_would_stumble_over(name: str, settings: dict[str, Any], message: str) -> None:
    env = make_env("Pendulum-v1" if name in ("sb3_sac", "sb3_td3") else "CartPole-v1")
    with pytest.raises(ValueError, match=re.escape(message)):
        make_agent(name, env, **settings)


def test_spaces_that_stable_baselines3_would_stumble_over() -> None:
    spaces, box = gym.spaces, gym.spaces.Box(-1, 1, (2,), np.float32)
    for actions in (spaces.Box(-np.inf, np.inf, (1,)), spaces.Box(-1, 1, (1,), np.int32), spaces.Box(-1, 1, (0,))):
        with pytest.raises(ValueError, match="needs actions that are numbers between finite bounds"):
            make_agent("sb3_td3", Spaces(box, actions))
    with pytest.raises(ValueError, match=r"sb3_sac needs continuous actions \(Box\), got Discrete"):
        make_agent("sb3_sac", Spaces(box, spaces.Discrete(2)))
    with pytest.raises(ValueError, match=r"use_sde: expected continuous actions \(Box\) with it"):
        make_agent("sb3_a2c", Spaces(box, spaces.Discrete(2)), use_sde=True)


def test_copies_of_the_environment_train_one_model() -> None:
    agent = fresh("sb3_ppo", "RLLab/Maze-v0", num_envs=4, n_steps=16)
    monitor = train(agent, "RLLab/Maze-v0", ENVS["RLLab/Maze-v0"], Budget(steps=640))
    assert monitor.count == 640
    assert agent.get_state()["counters"]["_n_updates"] == 20  # 10 rollouts of 64 steps, 2 epochs each
    assert isinstance(make_env("RLLab/Maze-v0"), gym.Env)


def test_a_baseline_goes_on_until_its_budget_of_episodes_is_spent() -> None:
    """Also when the episodes are longer than was expected: `max_steps` is only a schedule's length."""

    class Longer(Budget):
        @property
        def max_steps(self) -> int:
            return 40

    agent = fresh("sb3_dqn", "RLLab/Maze-v0")
    monitor = train(agent, "RLLab/Maze-v0", {"rows": 4, "cols": 4, "max_steps": 30}, Longer(episodes=4))
    assert len(monitor.episodes) == 4
    assert monitor.count == sum(episode.length for episode in monitor.episodes) > 40
