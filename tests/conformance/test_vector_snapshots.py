"""Vector environments in training: brought back from a snapshot, they go on as if they had never stopped."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import storage
from agents.env_snapshot import NotReplayedError
from agents.vector_envs import ReplayableEnvs, TrainingEnvs, begin_training, make_training_envs
from envs.mazes.env import MazeEnv
from envs.mazes.vector import MazeVectorEnv
from envs.registry import make_env
from envs.wrappers import ResetSeed
from tests.conformance.test_vector_environment import assert_same
from tests.helpers import MAZES

COUNT = 4
MODES = list(AutoresetMode)


def through_files(snapshot: storage.State, folder: Path) -> storage.State:
    storage.write(folder, snapshot)
    return storage.read(folder)


def advance(envs: TrainingEnvs, count: int, rng: np.random.Generator) -> list[tuple[Any, ...]]:
    """What so many steps give, and the resets that they ask for."""
    results: list[tuple[Any, ...]] = []
    over = np.zeros(envs.num_envs, dtype=bool)
    for _ in range(count):
        if envs.metadata["autoreset_mode"] == AutoresetMode.DISABLED and over.any():
            results.append(envs.reset(options={"reset_mask": over}))
        actions = rng.integers(envs.single_action_space.n, size=envs.num_envs)  # type: ignore[attr-defined]
        results.append(envs.step(actions))
        over = results[-1][2] | results[-1][3]
    if envs.metadata["autoreset_mode"] == AutoresetMode.DISABLED and over.any():
        results.append(envs.reset(options={"reset_mask": over}))
    results.append((np.array([envs.action_space.sample() for _ in range(3)]),))
    return results


def assert_goes_on(envs: TrainingEnvs, again: TrainingEnvs, before: int, after: int, folder: Path) -> None:
    """`envs` makes some steps; `again` comes to where they led, and both make the same ones from there."""
    rng = np.random.default_rng(before)
    seen = begin_training(envs, 5, None)[0]
    if before:
        results = advance(envs, before, rng)
        seen = results[-2][0]
    snapshot = through_files(envs.get_snapshot(), folder)
    assert_same(begin_training(again, 99, snapshot)[0], seen, "where it was")
    seed = int(rng.integers(1 << 30))
    expected, found = (advance(one, after, np.random.default_rng(seed)) for one in (envs, again))
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        for part, (got, wanted) in enumerate(zip(one, other, strict=True)):
            assert_same(got, wanted, f"call {number}, part {part}")
    assert_same_state(again.get_snapshot(), envs.get_snapshot())


def assert_same_state(one: Any, other: Any) -> None:
    if isinstance(other, dict):
        assert one.keys() == other.keys()
        for key in other:
            assert_same_state(one[key], other[key])
    elif isinstance(other, np.ndarray):
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(MAZES)),
    mode=st.sampled_from(MODES),
    before=st.integers(0, 90),
    after=st.integers(0, 60),
)
def test_mazes_go_on(
    name: str, mode: AutoresetMode, before: int, after: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    options = {"max_steps": 25} | MAZES[name]
    envs, again = (MazeVectorEnv(COUNT, autoreset_mode=mode, **options) for _ in range(2))
    again.reset(seed=0)  # wherever it was
    assert_goes_on(envs, again, before, after, tmp_path_factory.mktemp("snapshot"))


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", ["new maze, everything", "layout change", "levels, grid"])
def test_hard_mazes_go_on_in_every_mode(name: str, mode: AutoresetMode, tmp_path: Path) -> None:
    options = {"max_steps": 25} | MAZES[name]
    envs, again = (MazeVectorEnv(COUNT, autoreset_mode=mode, **options) for _ in range(2))
    assert_goes_on(envs, again, 70, 70, tmp_path)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize(
    ("env_id", "options"),
    [
        ("CliffWalking-v1", {"is_slippery": True}),
        ("Taxi-v4", {}),
        ("CartPole-v1", {}),
        ("LunarLander-v3", {"enable_wind": True}),
        ("RLLab/RandomWalk-v0", {"states": 5}),
    ],
)
def test_other_environments_go_on(env_id: str, options: dict[str, Any], mode: AutoresetMode, tmp_path: Path) -> None:
    env = make_env(env_id, **options)
    envs, again = make_training_envs(env, 3, mode), make_training_envs(env, 3, mode)
    assert isinstance(envs, ReplayableEnvs)
    assert_goes_on(envs, again, 60, 60, tmp_path)
    for one in (env, envs, again):
        one.close()


def test_our_mazes_are_stepped_in_machine_code_unless_something_is_put_around_them() -> None:
    options: dict[str, Any] = {"rows": 4, "cols": 4, "slip": 0.1}
    env = make_env("RLLab/Maze-v0", **options)
    envs = make_training_envs(env, 3)
    assert isinstance(envs, MazeVectorEnv)
    assert envs.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    in_turn = ReplayableEnvs([lambda: MazeEnv(**options)] * 3, AutoresetMode.SAME_STEP)
    one, other = (begin_training(each, 5, None) for each in (envs, in_turn))
    assert_same(one[0], other[0], "the first observations")
    for one_step, other_step in zip(
        advance(envs, 80, np.random.default_rng(0)), advance(in_turn, 80, np.random.default_rng(0)), strict=True
    ):
        for got, wanted in zip(one_step, other_step, strict=True):
            assert_same(got, wanted, "a step")
    wrapped = make_training_envs(ResetSeed(env, 3), 2)
    assert isinstance(wrapped, ReplayableEnvs)
    limited = make_training_envs(gym.make("envs:RLLab/Maze-v0", max_episode_steps=7, **options), 2)
    assert isinstance(limited, ReplayableEnvs)
    begin_training(limited, 0, None)
    steps = [limited.step(np.zeros(2, dtype=int)) for _ in range(7)]
    assert (steps[-1][2] | steps[-1][3]).any()
    with pytest.raises(ValueError, match=r"expected an environment that gymnasium.make can make again, got"):
        make_training_envs(MazeEnv(), 2)


def test_the_environment_that_is_copied_is_left_alone() -> None:
    env = make_env("CliffWalking-v1")
    env.reset(seed=1)
    before = env.unwrapped.np_random.bit_generator.state
    envs = make_training_envs(env, 2)
    begin_training(envs, 7, None)
    advance(envs, 20, np.random.default_rng(0))
    assert env.unwrapped.np_random.bit_generator.state == before


def test_snapshots_that_are_refused() -> None:
    env = MazeVectorEnv(2, rows=4, cols=4, maze_seed=None, keys=1)
    env.reset(seed=0)
    sound = env.get_snapshot()
    env.step(np.array([0, 1]))
    before = env.get_snapshot()
    bad: dict[str, Any] = {
        "states": np.array([0, 32]),
        "which": np.array([0, -1]),
        "rngs": np.zeros((3, 6), np.uint64),
        "over": np.zeros(2),
        "steps": [1, 2],
        "level_starts": sound["level_starts"] + 16,
        "level_num_starts": np.zeros(2, np.int64),
        "level_exits": sound["level_exits"] - 17,
        "level_doors": sound["level_doors"] + np.int8(9),
    }
    for name, value in bad.items():
        with pytest.raises(ValueError, match=f"snapshot: {name}: expected"):
            env.set_snapshot(sound | {name: value})
    for missing in ("rngs", "action_space", "level_pits"):
        with pytest.raises(ValueError, match=r"snapshot: expected .*lifetimes.*, got "):
            env.set_snapshot({name: value for name, value in sound.items() if name != missing})
    assert_same_state(env.get_snapshot(), before)
    with pytest.raises(
        ValueError, match=r"snapshot: rngs: expected uint64 of shape \(3, 6\), got uint64 of shape \(2, 6\)"
    ):
        MazeVectorEnv(3, rows=4, cols=4).set_snapshot(MazeVectorEnv(2, rows=4, cols=4).get_snapshot())
    out = sound | {"level_passages": np.ones_like(sound["level_passages"])}
    with pytest.raises(ValueError, match="snapshot: expected mazes, got passages that lead out of one"):
        env.set_snapshot(out)


def test_environments_in_turn_refuse_what_is_not_theirs() -> None:
    env = make_env("CliffWalking-v1")
    envs, more = make_training_envs(env, 2), make_training_envs(env, 3)
    begin_training(envs, 0, None)
    snapshot = envs.get_snapshot()
    with pytest.raises(ValueError, match="snapshot: expected 3 environments, got 2"):
        more.set_snapshot(snapshot)
    snapshot["envs"]["1"]["seen"] = snapshot["envs"]["1"]["seen"][::-1]
    with pytest.raises(NotReplayedError, match="does not do again what it did"):
        envs.set_snapshot(snapshot)
