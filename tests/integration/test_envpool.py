"""EnvPool's landers: the same moon as Gymnasium's, and trainings in them that are stopped and end byte for byte."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import ClipReward
from numpy.typing import NDArray
from scipy import stats

from agents.budget import Budget
from agents.pooled_envs import PooledEnvs, check_pooled
from agents.registry import make_agent
from agents.vector_envs import TrainingEnvs, make_training_envs
from experiments.specs.spec import EnvEntry
from experiments.training.verification import verify_run
from tests.conftest import Command
from tests.exact import run, run_spec, stopped_and_whole
from tests.helpers import FAST_SETTINGS

MOON = "LunarLander-v3"
EPISODES = 100
SETTINGS = FAST_SETTINGS["dqn"] | {"backend": "envpool", "num_envs": 3, "n": 3}

pytestmark = pytest.mark.skipif(importlib.util.find_spec("envpool") is None, reason="EnvPool has no wheel here")


def returns(envs: TrainingEnvs) -> NDArray[np.float64]:
    """Of one episode in each environment, under Gymnasium's controller."""
    pilot = make_agent("heuristic_lander", gym.make(MOON))
    totals, over = np.zeros(envs.num_envs), np.zeros(envs.num_envs, dtype=bool)
    observations, _ = envs.reset(seed=7)
    while not over.all():
        pairs = zip(observations, over, strict=True)
        actions = np.array([0 if done else pilot.select_action(one, explore=False) for one, done in pairs])
        observations, rewards, terminations, truncations, _ = envs.step(actions)
        totals += np.where(over, 0.0, rewards)
        over |= terminations | truncations
    envs.close()
    return totals


def test_it_is_the_same_moon() -> None:
    """The returns have one distribution; with less gravity, they have not."""
    pooled = returns(PooledEnvs(gym.make(MOON), EPISODES))
    ours = returns(make_training_envs(gym.make(MOON), EPISODES))
    lighter = returns(make_training_envs(gym.make(MOON, gravity=-7.0), EPISODES))
    assert stats.ks_2samp(pooled, ours).pvalue > 0.05
    assert abs(pooled.mean() - ours.mean()) < 3 * np.hypot(pooled.std(), ours.std()) / np.sqrt(EPISODES)
    assert stats.ks_2samp(pooled, lighter).pvalue < 1e-3


def test_an_episode_that_is_over_is_followed_by_the_next_in_the_same_step() -> None:
    envs = PooledEnvs(gym.make(MOON, max_episode_steps=40), 3)
    observations, infos = envs.reset(seed=1)
    assert observations.shape == (3, 8)
    assert infos == {}
    for _ in range(39):
        following, _, terminations, truncations, infos = envs.step(np.array([0, 2, 2]))
        assert not (terminations | truncations).any()
    following, _, terminations, truncations, infos = envs.step(np.array([0, 2, 2]))
    assert truncations.all()
    assert not terminations.any()
    assert (infos["final_obs"][:, 1] < 1.3).any()
    assert following[:, 1] == pytest.approx(1.4, abs=0.05)  # the height at which all begin
    again, _, terminations, truncations, _ = envs.step(np.array([0, 0, 0]))
    assert not (terminations | truncations).any()
    assert np.abs(again - following).max() < 0.1
    envs.close()


def test_they_are_saved_only_where_they_are_new() -> None:
    envs = PooledEnvs(gym.make(MOON), 2)
    first, _ = envs.reset(seed=5)
    snapshot = envs.get_snapshot()
    envs.step(np.array([0, 0]))
    with pytest.raises(RuntimeError, match="expected them to be new"):
        envs.get_snapshot()
    again, _ = envs.set_snapshot(snapshot)
    assert (again == first).all()
    with pytest.raises(ValueError, match="expected the seed"):
        envs.set_snapshot({"envs": {}})
    envs.close()


def test_a_training_is_stopped_and_ends_byte_for_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environments are made anew after 100 steps each, and in the end: from there a longer budget goes on."""
    monkeypatch.setattr("agents.deep.vector_loop.RENEWED_AFTER", 100)
    env = EnvEntry(id=MOON, name="m")
    once = stopped_and_whole(run_spec(1_000, "dqn", settings=SETTINGS, env=env), tmp_path)
    assert verify_run(once.path, full=True, on_progress=lambda progress: None).reproduced
    longer = run(run_spec(1_700, "dqn", settings=SETTINGS, env=env), tmp_path / "once")
    assert longer.read_manifest().budgets[0].steps == 1_000
    assert verify_run(longer.path, full=True, on_progress=lambda progress: None).reproduced


def test_episodes_that_are_cut_are_remembered_and_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ten steps from one making to the next no episode ends; what was done is remembered to the last step."""
    monkeypatch.setattr("agents.deep.vector_loop.RENEWED_AFTER", 10)
    env = gym.make(MOON)
    agent: Any = make_agent("dqn", env, **SETTINGS | {"learning_starts": 10_000, "discount": 0.5})
    monitor = Budget(steps=75)
    agent.train(env, monitor)
    assert monitor.episodes == []
    assert agent.replay.written == 75
    held = agent.replay.batch(np.arange(75), np.ones(75, np.float32))
    assert not held.terminated.any()
    lengths, counts = np.unique(held.discounts, return_counts=True)  # discount ** steps of reward
    assert dict(zip(lengths.tolist(), counts.tolist(), strict=True)) == {0.5: 9, 0.25: 9, 0.125: 57}


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            lambda: gym.make(MOON, gravity=-9.0),
            "expected plain LunarLander-v3 with 'envpool', got LunarLander-v3 with gravity",
        ),
        (lambda: ClipReward(gym.make(MOON), -1, 1), "got LunarLander-v3 in ClipReward"),
        (lambda: gym.make("CartPole-v1"), "expected plain LunarLander-v3 with 'envpool', got CartPole-v1"),
    ],
)
def test_other_environments_are_refused(make: Callable[[], gym.Env[Any, Any]], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        make_agent("dqn", make(), **SETTINGS)


def test_where_it_is_not_installed_a_line_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"not installed: pip install 'rl-lab\[fast\]'"):
        check_pooled(gym.make(MOON))


def test_from_the_command_line(rl_lab: Command, tmp_path: Path) -> None:
    options = ["--steps", "600", "--final-episodes", "1", "--set", "learning_starts=50", "--set", "hidden_sizes=[8]"]
    done = rl_lab("train", MOON, "dqn", *options, "--set", "num_envs=4", "--set", "backend=envpool")
    assert done.returncode == 0, done.stderr
    assert '"backend": "envpool"' in next(tmp_path.rglob("run.json")).read_text()
    wrong = rl_lab("train", "CartPole-v1", "dqn", *options, "--set", "num_envs=4", "--set", "backend=envpool")
    assert wrong.returncode == 2
    assert "expected plain LunarLander-v3 with 'envpool', got CartPole-v1" in wrong.stderr
    idle = rl_lab("train", MOON, "dqn", *options, "--set", "backend=envpool")
    assert idle.returncode == 2
    assert "backend has no effect: num_envs is 1" in idle.stderr
