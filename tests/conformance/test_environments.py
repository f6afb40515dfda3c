"""Every way to set up the maze is a correct Gymnasium environment."""

import ast
import copy
import inspect
import pickle
import re
import warnings
from collections import Counter
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from envs.mazes.env import MazeEnv
from envs.mazes.generators import GENERATORS
from envs.registry import env_options, make_env
from envs.small import MaximizationBiasEnv, RandomWalkEnv
from envs.wrappers import ResetSeed
from tests.helpers import CONTRADICTIONS, MAZES, OURS, maze_options


def make_maze(**options: Any) -> MazeEnv:
    env = make_env("RLLab/Maze-v0", **options).unwrapped
    assert isinstance(env, MazeEnv)
    return env


@pytest.mark.parametrize("options", MAZES.values(), ids=MAZES)
def test_gymnasium_accepts_every_variant(options: dict[str, Any]) -> None:
    check_env(gym.make("envs:RLLab/Maze-v0", **options).unwrapped)


@pytest.mark.parametrize("env_id", OURS)
def test_gymnasium_and_stable_baselines3_accept_every_environment(env_id: str) -> None:
    env = gym.make(f"envs:{env_id}").unwrapped
    check_env(env)
    check_with_sb3(env)


@pytest.mark.parametrize("options", MAZES.values(), ids=MAZES)
def test_stable_baselines3_accepts_every_variant(options: dict[str, Any]) -> None:
    check_with_sb3(make_maze(**options))


def check_with_sb3(env: gym.Env[Any, Any]) -> None:
    from stable_baselines3.common.env_checker import check_env as check_env_sb3

    with warnings.catch_warnings():
        if isinstance(env, MazeEnv) and env.observer.needs_pictures:
            warnings.filterwarnings("ignore", message="The minimal resolution for an image")
        check_env_sb3(env)


def history(env: gym.Env[Any, Any], num_steps: int, seed: int | None = None) -> list[Any]:
    """What happens in some steps of drawn actions, across the ends of episodes."""
    rng = np.random.default_rng(9)
    seen: list[Any] = []
    if seed is not None:
        observation, info = env.reset(seed=seed)
        seen.append((np.asarray(observation).tolist(), str(info)))
    for action in rng.integers(env.action_space.n, size=num_steps):  # type: ignore[attr-defined]
        observation, reward, terminated, truncated, info = env.step(int(action))
        seen.append((np.asarray(observation).tolist(), reward, terminated, truncated, str(info)))
        if terminated or truncated:
            observation, info = env.reset()
            seen.append((np.asarray(observation).tolist(), str(info)))
    return seen


@pytest.mark.parametrize("options", MAZES.values(), ids=MAZES)
def test_copies_and_pickles_go_on_alike(options: dict[str, Any]) -> None:
    env = make_maze(**options)
    history(env, 30, seed=5)
    copied, pickled = copy.deepcopy(env), pickle.loads(pickle.dumps(env))
    expected = history(env, 80)
    assert history(copied, 80) == expected
    assert history(pickled, 80) == expected


@pytest.mark.parametrize("options", MAZES.values(), ids=MAZES)
def test_twins_live_alike(options: dict[str, Any]) -> None:
    assert history(make_maze(**options), 150, seed=3) == history(make_maze(**options), 150, seed=3)


@pytest.mark.parametrize("env_id", OURS)
def test_twins_of_every_environment_live_alike_also_copied_and_pickled(env_id: str) -> None:
    env, twin = make_env(env_id), make_env(env_id)
    assert history(env, 100, seed=3) == history(twin, 100, seed=3)
    copied, pickled = copy.deepcopy(env), pickle.loads(pickle.dumps(env))
    assert history(env, 50) == history(copied, 50) == history(pickled, 50)


@settings(max_examples=100, deadline=None)
@given(options=maze_options(tuple(GENERATORS)), seed=st.integers(0, 1000), data=st.data())
def test_random_options_run(options: dict[str, Any], seed: int, data: st.DataObject) -> None:
    try:
        env = make_maze(**options)
    except ValueError as error:
        if not re.match(CONTRADICTIONS, str(error)):
            raise
        return
    observation, info = env.reset(seed=seed)
    assert env.observation_space.contains(observation)
    assert (info["success"], info["steps"]) == (False, 0)
    assert (env.exit_distances[env.start_states] > 0).all()  # it can be solved from wherever it starts
    for steps in range(1, 200):
        state = env.s
        action = data.draw(st.integers(0, 3)) if steps < 20 else steps % 4
        outcomes = {outcome[1:] for outcome in env.P[state][action]}
        observation, reward, terminated, truncated, info = env.step(action)
        assert env.observation_space.contains(observation)
        assert (env.s, reward, terminated) in outcomes
        cell = env.s % env.num_cells
        assert info["success"] == (cell in env.level.exits)
        assert terminated == (info["success"] or bool(env.level.pits[cell] and options["pit_terminates"]))
        assert truncated == (steps == env.max_steps and not terminated)
        assert info["steps"] == steps
        if terminated or truncated:
            break


def finite_environments() -> dict[str, gym.Env[Any, Any]]:
    envs: dict[str, gym.Env[Any, Any]] = {
        name: make_maze(**options) for name, options in MAZES.items() if "layout_change" not in options
    }
    return envs | {env_id: make_env(env_id).unwrapped for env_id in OURS}


@pytest.mark.parametrize("name", finite_environments())
def test_step_frequencies_agree_with_the_model(name: str) -> None:
    """From the states of a random walk: what happens, against what `P` says, over all of them together (chi-square)."""
    env: Any = finite_environments()[name]
    rng = np.random.default_rng(0)
    env.reset(seed=1)
    model, statistic, freedom = env.P, 0.0, 0
    for _ in range(30):  # some places that a walk comes to, each left 200 times by one action
        action = int(rng.integers(env.action_space.n))
        for _ in range(int(rng.integers(15))):
            if any(env.step(int(rng.integers(env.action_space.n)))[2:4]):
                env.reset()
                model = env.P
        expected: dict[Any, float] = {}
        state = env.s
        for probability, *outcome in model[state][action]:
            expected[tuple(outcome)] = expected.get(tuple(outcome), 0.0) + probability
        seen: Counter[Any] = Counter()
        for _ in range(200):
            twin = at(env, state)
            _, reward, terminated, _, _ = twin.step(action)
            seen[twin.s, reward, terminated] += 1
        assert seen.keys() <= expected.keys()
        statistic += sum((seen[key] - 200 * share) ** 2 / (200 * share) for key, share in expected.items())
        freedom += len(expected) - 1
    assert statistic == 0 if freedom == 0 else chi2.sf(statistic, freedom) > 1e-4


def at(env: Any, state: int) -> Any:
    """The environment, put back into a state."""
    if isinstance(env, MazeEnv):
        env._state, env._steps = state, 0
    else:
        env.s = state
    return env


def test_the_datasheet_agrees_with_the_options() -> None:
    assert MazeEnv.__doc__ is not None
    documented = dict(re.findall(r"`(\w+)=([^`]+)`", MazeEnv.__doc__.split("## Arguments")[1]))
    signature = inspect.signature(MazeEnv.__init__).parameters
    assert set(documented) == set(signature) - {"self"}
    for name, text in documented.items():
        assert ast_equal(text, signature[name].default), name
    assert set(env_options("RLLab/Maze-v0")) == set(documented) - {"render_mode"}
    for env_class in (RandomWalkEnv, MaximizationBiasEnv):
        documented = dict(re.findall(r"`(\w+)=([^`]+)`", str(env_class.__doc__).split("## Arguments")[1]))
        parameters = inspect.signature(env_class.__init__).parameters
        assert {name: ast.literal_eval(text) for name, text in documented.items()} == {
            name: parameter.default for name, parameter in parameters.items() if name != "self"
        }


def ast_equal(text: str, value: object) -> bool:
    return bool(ast.literal_eval(text) == value)


def test_a_step_says_what_it_expected() -> None:
    env = make_maze()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"action: expected 0 \(up\), 1 \(right\), 2 \(down\) or 3 \(left\), got 4"):
        env.step(4)


def test_truncation_comes_after_max_steps_and_is_no_termination() -> None:
    env = make_maze(rows=3, cols=3, max_steps=2)
    env.reset(seed=0)
    assert env.step(0)[2:4] == (False, False)
    assert env.step(0)[2:4] == (False, True)


def test_reset_seed_begins_every_episode_alike() -> None:
    env = ResetSeed(make_env("LunarLander-v3"), 42)
    first, _ = env.reset(seed=1)
    second, _ = env.reset()
    expected, _ = make_env("LunarLander-v3").reset(seed=42)
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(second, expected)


@pytest.mark.parametrize("mode", ["rgb_array", "ansi", "human"])
def test_render_modes(mode: str) -> None:
    env = make_env("RLLab/Maze-v0", render_mode=mode, rows=4, cols=6)
    env.reset(seed=0)
    env.step(1)
    frame: Any = env.render()
    if mode == "rgb_array":
        assert frame.shape == (4 * 80 + 2 * 26, 6 * 80 + 2 * 26, 3)
        assert frame.dtype == np.uint8
        assert len(np.unique(frame.reshape(-1, 3), axis=0)) > 10
    elif mode == "ansi":
        lines = frame.split("\n")
        assert [len(line) for line in lines] == [4 * 6 + 1] * (2 * 4 + 1)
        assert (lines[0][0], lines[-1][-1]) == ("┌", "┘")
        assert frame.count("●") == frame.count("★") == 1
    else:
        assert frame is None
    env.close()
