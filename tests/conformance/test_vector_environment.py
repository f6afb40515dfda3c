"""The vector environment is the single one, many times: mazes, moves, rewards and infos, in every autoreset mode."""

import re
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envs.mazes.compiled import compiled_carver, compiled_draw, compiled_maze
from envs.mazes.env import MazeEnv
from envs.mazes.generators import GENERATORS
from envs.mazes.level import draw_level
from envs.mazes.vector import MazeVectorEnv
from envs.registry import OUR_MAZES
from machine_code.pcg64 import pack, unpack
from tests.helpers import CONTRADICTIONS, MAZES, maze_options

NUM_ENVS = 5


def assert_same(ours: Any, theirs: Any, place: str) -> None:
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), place
        for key in theirs:
            assert_same(ours[key], theirs[key], f"{place}, {key}")
    elif theirs.dtype == object:
        for our, their in zip(ours, theirs, strict=True):
            assert (our is None) == (their is None), place
            np.testing.assert_array_equal(our, their, place)
    else:
        assert ours.dtype == theirs.dtype, place
        np.testing.assert_array_equal(ours, theirs, place)


def assert_alike(options: dict[str, Any], mode: AutoresetMode, num_steps: int, seed: Any = 7) -> None:
    """Both live through the same steps: Gymnasium's vector of our single environments, and ours."""
    theirs = SyncVectorEnv([lambda: MazeEnv(**options)] * NUM_ENVS, autoreset_mode=mode)
    ours = MazeVectorEnv(NUM_ENVS, autoreset_mode=mode.value, **options)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.autoreset_mode == theirs.autoreset_mode
    rng = np.random.default_rng(1)
    results: list[tuple[Any, ...]] = [(ours.reset(seed=seed), theirs.reset(seed=seed))]
    for step in range(num_steps):
        actions = rng.integers(4, size=NUM_ENVS)
        our, their = ours.step(actions), theirs.step(actions)
        results.append((our, their))
        over = their[2] | their[3]
        if mode == AutoresetMode.DISABLED and over.any():
            results.append((ours.reset(options={"reset_mask": over}), theirs.reset(options={"reset_mask": over})))
        if step == num_steps // 2:
            results.append((ours.reset(), theirs.reset()))
    for number, (our, their) in enumerate(results):
        for part, (one, other) in enumerate(zip(our, their, strict=True)):
            assert_same(one, other, f"call {number}, part {part}")


@pytest.mark.parametrize("mode", AutoresetMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize("options", MAZES.values(), ids=MAZES)
def test_every_variant_is_the_single_environment(options: dict[str, Any], mode: AutoresetMode) -> None:
    assert_alike({"max_steps": 25} | options, mode, 120)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(options=maze_options(("backtracker",)), mode=st.sampled_from(list(AutoresetMode)), seed=st.integers(0, 2**31))
def test_random_options_are_the_single_environment(options: dict[str, Any], mode: AutoresetMode, seed: int) -> None:
    try:
        MazeEnv(**options)
    except ValueError as error:
        if not re.match(CONTRADICTIONS, str(error)):
            raise
        return
    assert_alike(options, mode, 40, seed=seed)


def test_a_list_gives_every_environment_its_seed() -> None:
    assert_alike({"maze_seed": None, "rows": 4, "cols": 4}, AutoresetMode.NEXT_STEP, 60, seed=[5, 5, 900, 1, 0])


@pytest.mark.parametrize("env_id", OUR_MAZES)
def test_make_vec_makes_the_whole_ladder(env_id: str) -> None:
    options: dict[str, Any] = {"levels": 3} if "Generalise" in env_id or "Partial" in env_id else {}
    env = gym.make_vec(f"envs:{env_id}", num_envs=3, vectorization_mode="vector_entry_point", **options)
    single = gym.make(f"envs:{env_id}", **options)
    observations, _ = env.reset(seed=4)
    for index in range(3):
        np.testing.assert_array_equal(observations[index], single.reset(seed=4 + index)[0])
    assert env.spec is not None
    env.close()


def test_a_level_is_put_up_everywhere() -> None:
    env = MazeVectorEnv(3, levels=4, rows=4, cols=4, observation="grid")
    observations, infos = env.reset(seed=0, options={"level": 2})
    assert infos["level"].tolist() == [2, 2, 2]
    single = MazeEnv(levels=4, rows=4, cols=4, observation="grid")
    np.testing.assert_array_equal(observations[1], single.reset(seed=1, options={"level": 2})[0])
    for bad in (4, -1, 1.5, True):
        with pytest.raises(ValueError, match="level: expected an integer from 0 to 3"):
            env.reset(options={"level": bad})
        with pytest.raises(ValueError, match="level: expected an integer from 0 to 3"):
            single.reset(options={"level": bad})
    with pytest.raises(ValueError, match="level: this maze has no levels to choose from"):
        MazeEnv().reset(options={"level": 0})


@pytest.mark.parametrize("mode", ["rgb_array", "ansi"])
def test_rendering_shows_each(mode: str) -> None:
    env = MazeVectorEnv(2, render_mode=mode, rows=3, cols=3, maze_seed=None)
    env.reset(seed=0)
    frames = env.render()
    assert frames is not None
    assert len(frames) == 2
    assert not np.array_equal(frames[0], frames[1])


def test_what_the_vector_refuses() -> None:
    env = MazeVectorEnv(2, autoreset_mode="Disabled", max_steps=1)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.array([0, 0]))
    env.reset(seed=0)
    for bad in ([0, 4], [-1, 0]):
        with pytest.raises(ValueError, match="action: expected 0"):
            env.step(np.array(bad))
    for bad_actions in (np.array([0]), np.array([0.0, 1.0])):
        with pytest.raises(ValueError, match="actions: expected 2 integers"):
            env.step(bad_actions)
    env.step(np.array([0, 0]))
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.array([0, 0]))
    for mask in ([True, False], np.zeros(2), np.zeros(2, dtype=bool), np.ones(3, dtype=bool)):
        with pytest.raises(ValueError, match="reset_mask: expected"):
            env.reset(options={"reset_mask": mask})
    with pytest.raises(ValueError, match="seed: expected one for each of the 2"):
        env.reset(seed=[1, 2, 3])
    with pytest.raises(ValueError, match="autoreset_mode: expected 'NextStep'"):
        MazeVectorEnv(2, autoreset_mode="never")
    with pytest.raises(ValueError, match="num_envs: expected an integer"):
        MazeVectorEnv(0)


# -- the compiled functions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_compiled_generators_are_the_readable_ones(name: str) -> None:
    for rows, cols in ((2, 2), (5, 7), (15, 15), (2, 40), (31, 6)):
        for seed in range(5):
            readable = GENERATORS[name](rows, cols, np.random.default_rng(seed))
            np.testing.assert_array_equal(compiled_maze(name, rows, cols, seed).passages, readable.passages)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**64), rows=st.integers(2, 20), cols=st.integers(2, 20))
def test_a_compiled_generator_leaves_the_random_numbers_where_the_readable_one_does(
    seed: int, rows: int, cols: int
) -> None:
    rng = np.random.default_rng(seed)
    rng.integers(3)  # leaves half of a draw for the next one
    words = pack(rng)
    passages = np.zeros((rows * cols, 4), dtype=bool)
    compiled_carver("backtracker")(passages, rows, cols, 0.0, words)
    np.testing.assert_array_equal(passages, GENERATORS["backtracker"](rows, cols, rng).passages)
    np.testing.assert_array_equal(words, pack(rng))
    assert unpack(words).integers(1000, size=5).tolist() == rng.integers(1000, size=5).tolist()


def test_a_compiled_level_is_the_readable_one() -> None:
    env = MazeEnv(rows=6, cols=5, maze_seed=None, braid=0.5, one_way=0.2, pits=2, keys=2, split="train")
    for seed in range(10):
        one, other = np.random.default_rng(seed), np.random.default_rng(seed)
        readable = draw_level(env.source.recipe, one)
        compiled = compiled_draw("backtracker")(env.source.recipe, other)
        for field, expected, got in zip(readable._fields, readable, compiled, strict=True):
            np.testing.assert_array_equal(got, expected, field)
        assert one.bit_generator.state == other.bit_generator.state
