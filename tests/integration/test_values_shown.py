"""Values in rows and one learning step at a time: show, watch --explain, load_agent."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from envs.action_names import action_names
from experiments.errors import InputError
from rl_lab import evaluate, load_agent, make_agent, make_env, train
from rl_lab.show.explain import explain_run
from tests.conftest import Command

MAZE = {"layout": "#######\n#S   E#\n#######"}


def trained(out: Path, agent: str = "q_learning", env: str = "RLLab/Maze-v0", steps: int = 400, **settings: Any) -> str:

    made = make_env(env, **(MAZE if "Maze-v0" in env else {}))
    result = train(made, make_agent(agent, made, **settings), steps=steps, out=out)
    assert result["status"] == "finished", result
    return str(result["run"])


def test_show_prints_a_row_a_cell(rl_lab: Command, tmp_path: Path) -> None:
    run = trained(tmp_path, learning_rate=1.0, discount=1.0)
    done = rl_lab("show", run)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][1:] == ["seed", "0,", "after", "400", "env", "steps:", "Q(s,", "a)"]
    assert lines[1] == ["row", "col", "up", "right", "down", "left", "best"]
    # Exact after a while, at learning rate 1: a bump costs a step more than the way on.
    assert lines[2] == ["0", "0", "-3.000", "-2.000", "-3.000", "-3.000", "right"]
    assert lines[3] == ["0", "1", "-2.000", "-1.000", "-2.000", "-3.000", "right"]
    assert done.stdout.splitlines()[-1] == "1 states are as before a first visit: they have no row"


def test_show_as_csv_has_every_digit(rl_lab: Command, tmp_path: Path) -> None:
    run = trained(tmp_path)
    rows = list(csv.DictReader(io.StringIO(rl_lab("show", run, "--csv").stdout)))
    agent = load_agent(run)
    for row in rows:
        values = agent.action_values(int(row["col"]))
        assert values is not None
        assert [float(row[name]) for name in ("up", "right", "down", "left")] == values.tolist()
    before = list(csv.DictReader(io.StringIO(rl_lab("show", run, "--csv", "--at", "0").stdout)))
    assert before == []  # nothing was known then


def test_show_of_bins_values_of_states_and_networks(rl_lab: Command, tmp_path: Path) -> None:
    pole = trained(tmp_path, env="CartPole-v1", edges=[-0.1, 0.0, 0.1])
    rows = list(csv.DictReader(io.StringIO(rl_lab("show", pole, "--csv").stdout)))
    assert list(rows[0]) == [f"observation {index}" for index in range(4)] + ["left", "right", "best"]
    assert {row["observation 2"] for row in rows} >= {"below -0.1", "[-0.1, 0)", "[0, 0.1)", "at least 0.1"}
    printed = rl_lab("show", pole).stdout
    assert re.search(r"^[0-3]\.[0-3]\.[0-3]\.[0-3] ", printed, re.M)
    assert "bins: the number of the bin in each dimension" in printed
    walk = trained(tmp_path, agent="td", env="RLLab/RandomWalk-v0")
    assert "V(s)" in rl_lab("show", walk).stdout.splitlines()[1]
    plan = trained(tmp_path, agent="value_iteration")
    assert len(rl_lab("show", plan, "--csv").stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("agent", "env", "expected"),
    [
        ("random", "RLLab/Maze-v0", "expected an agent with values of actions, got random"),
        ("linear_q", "CartPole-v1", "expected an agent with a table of values"),
    ],
)
def test_show_says_what_it_cannot_show(agent: str, env: str, expected: str, rl_lab: Command, tmp_path: Path) -> None:
    done = rl_lab("show", trained(tmp_path, agent=agent, env=env, steps=50))
    assert done.returncode == 2
    assert expected in done.stderr


# -- learning explained ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["q_learning", "sarsa", "expected_sarsa"])
def test_every_step_is_the_bellman_update(agent: str, tmp_path: Path) -> None:
    run = trained(tmp_path, agent=agent, steps=60, learning_rate=0.25, discount=0.9)
    q_values = np.array([load_agent(run).action_values(state) for state in range(3)])
    digests = {path: path.read_bytes() for path in Path(run).rglob("*") if path.is_file()}
    told = explain_run(Path(run))
    (lessons,) = told.episodes
    assert lessons[-1].ended == "terminated"
    names = ["up", "right", "down", "left"]
    for lesson, following in zip(lessons, [*lessons[1:], None], strict=True):
        state, action = int(lesson.state[4]), names.index(lesson.action)
        # By hand: epsilon is 0, so that all three rules reckon with the best action, which SARSA then takes.
        next_state = int(following.state[4]) if following else 2
        best = 0.0 if following is None else q_values[next_state].max()
        assert lesson.old == q_values[state, action]
        assert lesson.target == pytest.approx(-1 + 0.9 * best)
        assert lesson.next_value is None if following is None else lesson.next_value == pytest.approx(best)
        assert lesson.new == pytest.approx(lesson.old + 0.25 * (lesson.target - lesson.old))
        q_values[state, action] = lesson.new
    assert digests == {path: path.read_bytes() for path in Path(run).rglob("*") if path.is_file()}


def test_explain_from_the_command_line(rl_lab: Command, tmp_path: Path) -> None:
    run = trained(tmp_path, learning_rate=0.5, discount=1.0)
    done = rl_lab("watch", run, "--explain", "--at", "0")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1] == "target = reward + 1 x max Q(S',.);   new = old + 0.5 x (target - old)"
    assert lines[4].split()[0:3] == ["1", "(0,", "0)"]
    assert lines[4].split()[4:] == ["0.000", "-1", "0.000", "-1.000", "-0.500"]
    assert lines[-2].startswith("episode terminated: ")
    assert all(len(line) <= 80 for line in lines)
    refused = rl_lab("watch", run, "--explain", "--record", "x.gif")
    assert refused.returncode == 2
    assert "--explain: expected no --record" in refused.stderr
    other = rl_lab("watch", trained(tmp_path, agent="dyna_q"), "--explain")
    assert other.returncode == 2
    assert "--explain: expected a run of q_learning, sarsa or expected_sarsa, got dyna_q" in other.stderr


# -- a trained agent in Python --------------------------------------------------------------------------------


def test_a_loaded_agent_acts_and_is_judged_by_stable_baselines3(tmp_path: Path) -> None:
    from stable_baselines3.common.evaluation import evaluate_policy

    run = trained(tmp_path, learning_rate=1.0, discount=1.0)
    agent = load_agent(run)
    assert agent.select_action(0, explore=False) == 1
    mean, deviation = evaluate_policy(agent, make_env("RLLab/Maze-v0", **MAZE), n_eval_episodes=3, warn=False)
    assert (mean, deviation) == (-2.0, 0.0) == (evaluate(run, episodes=3)["mean_return"], 0.0)
    untrained: Any = load_agent(run, at=0)
    assert untrained.action_values(0).tolist() == [0.0] * 4
    with pytest.raises(InputError, match=r"no/such/run: "):
        load_agent("no/such/run")


def test_a_loaded_network_acts(tmp_path: Path) -> None:
    from stable_baselines3.common.evaluation import evaluate_policy

    run = trained(tmp_path, agent="sb3_dqn", env="CartPole-v1", steps=200)
    mean: Any
    mean, _ = evaluate_policy(load_agent(run), make_env("CartPole-v1"), n_eval_episodes=2, warn=False)
    assert mean > 0


class Named(gym.Env[Any, Any]):
    observation_space, action_space = spaces.Discrete(2), spaces.Discrete(2)
    action_names = ("wait", "go on")


class Raising(Named):
    def __getattribute__(self, name: str) -> Any:
        if name == "action_names":
            raise RuntimeError("no names")
        return super().__getattribute__(name)


def test_actions_have_names() -> None:
    assert action_names(make_env("LunarLander-v3")) == ["nothing", "left engine", "main engine", "right engine"]
    assert action_names(make_env("Taxi-v4"))[4:] == ["pick up", "drop off"]
    assert action_names(Named()) == ["wait", "go on"]
    unnamed = Named()
    unnamed.action_space = spaces.Discrete(3)
    assert action_names(unnamed) == ["0", "1", "2"]
    for odd in (("\x1b[31mred", "b"), ("\ud800", "b"), ("a", "a"), ("", "b"), (1, 2)):
        unnamed = Named()
        unnamed.action_names = odd  # type: ignore[assignment]
        assert action_names(unnamed) == ["0", "1"]
    assert action_names(Raising()) == ["0", "1"]
    assert json.dumps(action_names(make_env("RLLab/RandomWalk-v0")))
