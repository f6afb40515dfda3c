"""What the textbook's figures say comes out of the bundled suites, with fewer runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.budget import Budget
from agents.registry import make_agent
from envs.registry import make_env
from experiments.figures.spec_figure import figure_lines
from experiments.results.stored_run import read_runs
from experiments.specs.loading import load_spec
from experiments.specs.spec import AgentEntry, Spec
from rl_lab.run import run_suite


def trained(spec: Spec, agent: AgentEntry, seed: int) -> tuple[Any, Budget]:
    """One run of a suite, without its run folder."""
    (entry,) = spec.envs
    env = make_env(entry.id, **entry.settings)
    env.reset(seed=seed)
    made = make_agent(agent.id, env, seed=seed, **agent.settings)
    budget = Budget(steps=spec.steps) if spec.steps else Budget(episodes=spec.episodes)
    made.train(env, budget)
    return made, budget


def column(spec: Spec, name: str, num_seeds: int, of_episode: Any) -> np.ndarray[Any, Any]:
    """A number of every episode [seeds, episodes] of a suite's agent."""
    (agent,) = (agent for agent in spec.agents if agent.name == name)
    runs = [trained(spec, agent, seed)[1].episodes for seed in range(num_seeds)]
    fewest = min(map(len, runs))
    return np.array([[of_episode(episode) for episode in run[:fewest]] for run in runs])


def test_figure_6_5_double_q_learning_is_misled_less() -> None:
    spec = load_spec("figure-6.5")
    single, double = (
        column(spec, name, 60, lambda episode: episode.info["left"]).mean(axis=0)
        for name in ("Q-learning", "Double-Q-learning")
    )
    assert single[10:40].mean() > 0.8  # the book: up to about 90%
    assert double[10:40].mean() < 0.65
    assert double[-100:].mean() < 0.12 < single[:200].mean()  # 5% is optimal


def test_figure_8_2_planning_finds_the_way_in_a_few_episodes() -> None:
    spec = load_spec("figure-8.2")
    lengths = {
        steps: np.median(column(spec, f"{steps}-planning-steps", 10, lambda episode: episode.length), axis=0)
        for steps in (0, 50)
    }
    assert lengths[50][3:].mean() < 20  # 14 steps and what epsilon adds: after about three episodes
    assert lengths[0][3:15].mean() > 50  # without planning not before about 25
    assert lengths[0][27:].mean() < 25


@pytest.mark.parametrize(("figure", "least"), [("figure-8.4", 20), ("figure-8.5", 30)])
def test_figures_8_4_and_8_5_dyna_plus_notices_that_the_maze_changed(figure: str, least: int) -> None:
    spec = load_spec(figure)
    totals = {}
    for agent in spec.agents:
        runs = [trained(spec, agent, seed)[1].episodes for seed in range(4)]
        totals[agent.name] = np.mean([sum(episode.total_reward for episode in run) for run in runs])
    assert totals["Dyna-Q-plus"] > totals["Dyna-Q"] + least


def errors(spec: Spec, name: str, num_seeds: int) -> float:
    """The root mean squared error over the first ten episodes, mean over seeds."""
    (agent,) = (agent for agent in spec.agents if agent.name == name)
    (entry,) = spec.envs
    total = 0.0
    for seed in range(num_seeds):
        env = make_env(entry.id, **entry.settings)
        env.reset(seed=seed)
        made = make_agent(agent.id, env, seed=seed, **agent.settings)
        for _ in range(10):
            made.train(env, Budget(episodes=1))
            total += made.metrics()["value_error"]
    return total / num_seeds / 10


def test_figure_7_2_an_intermediate_n_is_best() -> None:
    spec = load_spec("figure-7.2")
    best = {1: 0.8, 4: 0.4, 64: 0.05}  # n -> its best learning rate of the grid
    found = {n: errors(spec, f"n_step_td-n={n}-learning_rate={rate}", 20) for n, rate in best.items()}
    assert found[4] == pytest.approx(0.27, abs=0.03)  # the book's figure: about 0.27, 0.34 and 0.42
    assert found[1] == pytest.approx(0.35, abs=0.03)
    assert found[64] > 0.4


def test_figure_12_3_an_intermediate_lambda_is_best() -> None:
    spec = load_spec("figure-12.3")
    best = {0.0: 0.8, 0.8: 0.4, 1.0: 0.05}
    found = {
        decay: errors(spec, f"lambda_return-trace_decay={decay}-learning_rate={rate}", 20)
        for decay, rate in best.items()
    }
    assert found[0.8] == pytest.approx(0.28, abs=0.03)
    assert found[0.0] > found[0.8] + 0.04
    assert found[1.0] > 0.45


def test_td_lambda_is_the_lambda_return_where_steps_are_small() -> None:
    """Off-line and on-line agree to first order in the learning rate (section 12.2)."""
    values = []
    for name, settings in (("lambda_return", {}), ("td_lambda", {"traces": "accumulating"})):
        env = make_env("RLLab/RandomWalk-v0", states=19, left_reward=-1.0)
        env.reset(seed=1)
        agent: Any = make_agent(name, env, seed=1, discount=1.0, learning_rate=1e-4, trace_decay=0.8, **settings)
        agent.train(env, Budget(episodes=20))
        values.append(agent.state_values)
    assert np.abs(values[0]).max() > 1e-3
    np.testing.assert_allclose(values[0], values[1], rtol=0.01, atol=1e-6)


def test_a_suite_draws_its_figure_with_its_numbers(tmp_path: Path) -> None:
    run_specs, outcome = run_suite("figure-8.2", out=tmp_path, jobs=1, seeds=2, progress=False)
    assert len(run_specs) == 6
    assert [path.name for path in outcome.figures] == ["figure.png", "figure.svg", "figure.csv"]
    text = (tmp_path / "figure-8.2" / "figure.csv").read_text().splitlines()
    assert text[0] == "line,episode,mean,low,high,runs"
    assert len(text) == 1 + 3 * 50
    spec = load_spec("figure-8.2")
    assert spec.figure is not None
    lines = figure_lines(spec.figure, read_runs([tmp_path / "figure-8.2"]))
    for line in lines:
        assert line.num_runs == 2
        assert (line.low <= line.mean).all()
        assert (line.mean <= line.high).all()
        steps = int(line.label.split("-")[0])
        both = column(spec, f"{steps}-planning-steps", 2, lambda episode: episode.length)
        np.testing.assert_array_equal(line.mean, both.mean(axis=0))


def test_linear_sarsa_lambda_drives_up_the_mountain() -> None:
    """Sutton & Barto, Example 10.1: with 8 tilings of 8 x 8 about 120 steps after a few hundred episodes."""
    env = make_env("MountainCar-v0")
    env.reset(seed=0)
    agent = make_agent(
        "linear_sarsa_lambda", env, discount=1.0, learning_rate=0.5, epsilon=0.0, epsilon_schedule="constant"
    )
    agent.train(env, budget := Budget(episodes=150))
    assert np.mean([episode.length for episode in budget.episodes[-50:]]) < 130
