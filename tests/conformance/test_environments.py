"""Every way to set up the maze is a correct Gymnasium environment."""

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

from envs.mazes.env import MazeEnv
from envs.registry import env_options, make_env
from envs.wrappers import ResetSeed

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "wilson": {"generator": "wilson", "rows": 5, "cols": 7},
    "new maze each episode": {"maze_seed": None, "rows": 5, "cols": 4},
    "loops": {"braid": 0.5},
    "distance": {"reward": "distance"},
    "goal": {"reward": "goal"},
    "slip": {"slip": 0.3, "rows": 4, "cols": 4},
    "random start, farthest exit": {"start": "bottom-left", "exit": "farthest"},
    "random start": {"start": "random", "exit": "random"},
    "position": {"observation": "position"},
    "grid": {"observation": "grid"},
    "layout": {"layout": "#######\n#S   E#\n#######"},
}


def make_maze(**options: Any) -> MazeEnv:
    env = make_env("RLLab/Maze-v0", **options).unwrapped
    assert isinstance(env, MazeEnv)
    return env


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_gymnasium_accepts_it(options: dict[str, Any]) -> None:
    check_env(gym.make("envs:RLLab/Maze-v0", **options).unwrapped)


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_stable_baselines3_accepts_it(options: dict[str, Any]) -> None:
    from stable_baselines3.common.env_checker import check_env as check_env_sb3

    with warnings.catch_warnings():
        if options.get("observation") == "grid":
            warnings.filterwarnings("ignore", message="The minimal resolution for an image")
        check_env_sb3(make_maze(**options))


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_copies_and_pickles_go_on_alike(options: dict[str, Any]) -> None:
    env = make_maze(**options)
    env.reset(seed=5)
    twins = [env, copy.deepcopy(env), pickle.loads(pickle.dumps(env))]
    histories = []
    for twin in twins:
        history = []
        for action in [1, 2, 2, 1, 0, 3, 1, 2] * 5:
            observation, reward, terminated, truncated, _ = twin.step(action)
            history.append((np.asarray(observation).tolist(), reward, terminated, truncated))
            if terminated or truncated:
                history.append((np.asarray(twin.reset()[0]).tolist(), 0.0, False, False))
        histories.append(history)
    assert histories[0] == histories[1] == histories[2]


def places() -> st.SearchStrategy[Any]:
    return st.sampled_from(["top-left", "top-right", "bottom-left", "bottom-right", "random", "farthest"])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_random_options_run(data: st.DataObject) -> None:
    draw = data.draw
    options: dict[str, Any] = {
        "rows": draw(st.integers(2, 8)),
        "cols": draw(st.integers(2, 8)),
        "generator": draw(st.sampled_from(["backtracker", "wilson"])),
        "braid": draw(st.sampled_from([0.0, 0.4, 1.0])),
        "maze_seed": draw(st.none() | st.integers(0, 50)),
        "reward": draw(st.sampled_from(["step", "distance", "goal"])),
        "slip": draw(st.sampled_from([0.0, 0.2, 1.0])),
        "start": draw(places()),
        "exit": draw(places()),
        "observation": draw(st.sampled_from(["state", "position", "grid"])),
    }
    try:
        env = make_maze(**options)
    except ValueError as error:
        if not re.match(r"start: the start is the exit|exit: (start and exit|'farthest')", str(error)):
            raise
        return
    observation, info = env.reset(seed=draw(st.integers(0, 1000)))
    assert env.observation_space.contains(observation)
    assert info == {"success": False, "steps": 0}
    total_change = 0.0
    for steps in range(1, 10_000):
        before = env.exit_distances[env.s]
        observation, reward, terminated, truncated, info = env.step(
            draw(st.integers(0, 3)) if steps < 20 else steps % 4
        )
        assert env.observation_space.contains(observation)
        assert terminated == (env.s == env.exit_state) == info["success"]
        assert truncated == (steps == env.max_steps and not terminated)
        assert info["steps"] == steps
        total_change += before - env.exit_distances[env.s]
        expected = {"step": -1.0, "goal": float(terminated), "distance": before - env.exit_distances[env.s]}
        assert reward == expected[options["reward"]]
        if terminated or truncated:
            break
    assert terminated or truncated


def test_step_frequencies_agree_with_the_model() -> None:
    env = make_maze(rows=3, cols=3, slip=0.3, start=(1, 1))
    num_steps = 20_000
    env.reset(seed=1)
    for action in range(4):
        seen: Counter[int] = Counter()
        for _ in range(num_steps // 4):
            env.reset()
            env.step(action)
            seen[env.s] += 1
        for probability, next_state, _, _ in env.P[env.start_states[0]][action]:
            error = abs(seen[next_state] / (num_steps / 4) - probability)
            assert error < 4 * np.sqrt(probability * (1 - probability) / (num_steps / 4)) + 1e-12


def test_the_datasheet_agrees_with_the_options() -> None:
    assert MazeEnv.__doc__ is not None
    documented = dict(re.findall(r"`(\w+)=([^`]+)`", MazeEnv.__doc__.split("## Arguments")[1]))
    signature = inspect.signature(MazeEnv.__init__).parameters
    assert set(documented) == set(signature) - {"self"}
    for name, text in documented.items():
        assert ast_equal(text, signature[name].default), name
    assert set(env_options("RLLab/Maze-v0")) == set(documented) - {"render_mode"}


def ast_equal(text: str, value: object) -> bool:
    import ast

    return bool(ast.literal_eval(text) == value)


def test_a_step_says_what_it_expected() -> None:
    env = make_maze()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"action: expected 0 \(up\), 1 \(right\), 2 \(down\) or 3 \(left\), came 4"):
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
