"""The Python face does what the commands do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rl_lab
from experiments.errors import InputError
from experiments.specs.loading import load_spec, suite_names
from experiments.training.train_run import check_run_spec
from rl_lab import compare, evaluate, make_agent, make_env, train, watch


def test_run_watch_compare(tmp_path: Path) -> None:
    env = make_env("RLLab/Maze-v0", rows=4, cols=5)
    agent = make_agent("q_learning", env, learning_rate=0.5, epsilon_decay=0.9, discount=1.0)
    result = train(env, agent, steps=6_000, seed=3, out=tmp_path)
    assert result["status"] == "finished"
    assert result["run"].startswith(str(tmp_path / "train" / "RLLab-Maze-v0-"))
    values = agent.action_values(0)  # the object holds what was learned
    assert values is not None
    assert values.max() == pytest.approx(-env.unwrapped.exit_distances[0])  # type: ignore[attr-defined]
    scores = evaluate(result["run"], episodes=3)
    assert scores["mean_return"] == -env.unwrapped.exit_distances[0]  # type: ignore[attr-defined]
    recorded = watch(result["run"], record=tmp_path / "maze.gif")
    assert Path(recorded["file"]).exists()
    comparison = compare(tmp_path / "train")
    (record,) = comparison["records"]
    assert record["normalised"]["iqm"] == 1.0
    assert record["interval"] is None  # one run has none


def test_names_alone_will_do(tmp_path: Path) -> None:
    result = train("FrozenLake-v1", "value_iteration", episodes=5, out=tmp_path, name="lake")
    assert result["episodes"] == 5
    assert result["run"].startswith(str(tmp_path / "lake" / "FrozenLake-v1" / "value_iteration"))


def test_a_deep_agent_trains_in_a_process_of_its_own_and_comes_back(tmp_path: Path) -> None:
    env = make_env("RLLab/Maze-v0", rows=3, cols=3)
    agent = make_agent("sb3_dqn", env, seed=2, policy_kwargs={"net_arch": [8]}, buffer_size=200, learning_starts=10)
    result = train(env, agent, steps=100, seed=2, out=tmp_path)
    assert result["status"] == "finished"
    assert agent.get_state()["counters"]["num_timesteps"] == 100


def test_bad_input_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"unknown option 'row' \(did you mean 'rows'\?\)"):
        make_env("RLLab/Maze-v0", row=3)
    with pytest.raises(InputError, match="rows: expected greater than or equal to 2, got 1"):
        make_env("RLLab/Maze-v0", rows=1)
    with pytest.raises(InputError, match="learning_rate: expected less than or equal to 1, got 7"):
        make_agent("q_learning", make_env("RLLab/Maze-v0"), learning_rate=7)
    with pytest.raises(InputError, match="needs an exact model"):
        make_agent("value_iteration", make_env("LunarLander-v3"))
    with pytest.raises(InputError, match="expected at least 1, got 0"):
        evaluate("nowhere", episodes=0)


def test_the_public_names_are_there() -> None:
    assert set(rl_lab.__all__) <= set(dir(rl_lab))
    with pytest.raises(AttributeError, match="has no attribute 'tarin'"):
        _ = rl_lab.tarin


def test_wrapped_environments_are_refused(tmp_path: Path) -> None:
    import gymnasium as gym

    wrapped = gym.wrappers.TimeLimit(make_env("RLLab/Maze-v0"), 5)
    with pytest.raises(InputError, match="cannot repeat wrappers"):
        train(wrapped, "random", steps=10, out=tmp_path)


@pytest.mark.parametrize("name", suite_names())
def test_every_bundled_suite_is_sound(name: str) -> None:
    spec = load_spec(name)
    assert spec.name == name
    assert spec.description
    for run_spec in spec.run_specs():
        if run_spec.seed == 0:
            check_run_spec(run_spec)


def test_the_books_lander_has_the_books_settings() -> None:
    spec = load_spec("book-lander")
    run_spec = spec.run_specs()[0]
    settings: dict[str, Any] = check_run_spec(run_spec).settings
    assert (run_spec.budget.episodes, run_spec.env.reset_seed) == (1000, 42)
    assert settings["edges"] == np.linspace(-1, 1, 10).tolist()
    book = {"learning_rate": 0.1, "discount": 0.99, "epsilon": 1.0, "epsilon_decay": 0.995, "epsilon_min": 0.01}
    assert {key: settings[key] for key in book} == book
    assert (settings["epsilon_schedule"], settings["initial_values"]) == ("exponential", "zero")
