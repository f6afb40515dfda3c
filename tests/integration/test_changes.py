"""One setting changed, the others kept: --change, the resolved spec beside the runs, and lists of what there is."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from experiments.errors import InputError
from experiments.specs.changes import change_spec
from experiments.specs.loading import load_spec, parse_spec, suite_names
from experiments.specs.spec import Spec
from experiments.specs.writing import spec_text
from tests.conftest import Command

SPEC = """
name = "two"
seeds = 1
steps = 200
[evaluation]
episodes = 1
final_episodes = 2
[[envs]]
id = "RLLab/Maze-v0"
name = "maze"
rows = 3
cols = 3
[[envs]]
id = "CartPole-v1"
steps = 100
[[agents]]
id = "q_learning"
name = "q_learning"
learning_rate = 0.25
envs = ["maze"]
[[agents]]
id = "random"
"""


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    (tmp_path / "two.toml").write_text(SPEC)
    return load_spec(str(tmp_path / "two.toml"))


def changed(spec: Spec, **changes: Any) -> Spec:
    return change_spec(spec, {key.replace("__", "."): value for key, value in changes.items()}, "two.toml")


def test_a_setting_by_its_name_changes_every_agent_that_has_it(spec: Spec) -> None:
    after = changed(spec, learning_rate=0.5)
    assert [agent.label for agent in after.agents] == ["q_learning-learning_rate=0.5", "random"]
    assert after.agents[0].settings == {"learning_rate": 0.5}
    assert after.agents[0].envs == ["maze"]
    assert after.envs == spec.envs
    both = changed(spec, learning_rate=0.5, epsilon_decay=0.9)
    assert both.agents[0].label == "q_learning-learning_rate=0.5-epsilon_decay=0.9"
    assert both.agents[0].settings == {"learning_rate": 0.5, "epsilon_decay": 0.9}


def test_a_setting_of_environments_keeps_agents_in_them(spec: Spec) -> None:
    after = changed(spec, rows=4)
    assert [env.label for env in after.envs] == ["maze-rows=4", "CartPole-v1"]
    assert after.envs[0].settings == {"rows": 4, "cols": 3}
    assert after.agents[0].envs == ["maze-rows=4"]


def test_paths(spec: Spec) -> None:
    assert changed(spec, **{"agents.q_learning.discount": 0.5}).agents[0].settings == {
        "learning_rate": 0.25,
        "discount": 0.5,
    }
    assert changed(spec, evaluation__final_episodes=7).evaluation.final_episodes == 7
    assert changed(spec, evaluation__final_episodes=7).evaluation.episodes == 1
    assert changed(spec, **{"envs.CartPole-v1.max_episode_steps": 9}).envs[1].label == "CartPole-v1-max_episode_steps=9"
    assert changed(spec, **{"envs.CartPole-v1.steps": 9}).envs[1].label == "CartPole-v1"
    assert {run.seed for run in changed(spec, seeds=3).run_specs()} == {0, 1, 2}
    assert {str(run.budget) for run in changed(spec, episodes=5).run_specs()} == {"5 episodes"}
    assert changed(spec, **{"agents.random.name": "hasard été"}).agents[1].label == "hasard été"


def test_budgets_and_seeds_of_an_agent(spec: Spec) -> None:
    """An agent's own come before the environment's, those before the experiment's; a change for all is for all."""
    values = spec.model_dump(exclude_unset=True)
    values["agents"][1] |= {"episodes": 7, "seeds": [4, 9]}
    own = parse_spec(values, "two.toml")

    def runs(one: Spec) -> list[tuple[str, str, int, str]]:
        return [(run.env.label, run.agent.label, run.seed, str(run.budget)) for run in one.run_specs()]

    learner = ("maze", "q_learning", 0, "200 env steps")
    assert runs(own) == [
        learner,
        *((env, "random", seed, "7 episodes") for seed in (4, 9) for env in ("maze", "CartPole-v1")),
    ]
    assert runs(parse_spec(tomllib.loads(spec_text(own)), "two.toml")) == runs(own)
    assert {run[3] for run in runs(changed(own, steps=50))} == {"50 env steps"}
    assert {run[2] for run in runs(changed(own, seeds=1))} == {0}
    after = changed(own, **{"agents.random.steps": 30, "agents.random.seeds": 1})
    assert runs(after) == [learner, ("maze", "random", 0, "30 env steps"), ("CartPole-v1", "random", 0, "30 env steps")]
    assert all(run.agent.seeds is run.agent.episodes is None for run in own.run_specs())  # a run has its own of both


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"steps": 5, "episodes": 5}, "agents: random: expected steps or episodes, got both"),
        ({"steps": 0}, "agents.1.steps: expected greater than or equal to 1, got 0"),
        ({"step": 5}, "random: unknown key 'step' (did you mean 'steps'?)"),
        ({"seeds": []}, "a count of at least 1 or a list of different seeds of at least 0, got []"),
    ],
)
def test_wrong_budgets_and_seeds_of_an_agent(spec: Spec, wrong: dict[str, Any], expected: str) -> None:
    values = spec.model_dump(exclude_unset=True)
    values["agents"][1] |= wrong
    with pytest.raises(InputError) as raised:
        parse_spec(values, "two.toml")
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"learning_rat": 0.5}, "--change: unknown setting 'learning_rat' (did you mean 'learning_rate'?)"),
        ({"agents.q_learnin.discount": 0.5}, "--change: unknown agent 'q_learnin'"),
        ({"envs.maze.row": 0.5}, "unknown option 'row'"),
        ({"evaluation.sead": 1}, "--change: unknown setting of the evaluation 'sead' (did you mean 'seed'?)"),
        ({"agent.q_learning.discount": 1}, "--change: expected a setting's name, evaluation.KEY, agents.LABEL.KEY or"),
        ({"agents.discount": 1}, "--change: expected a setting's name"),
        ({"agents.q_learning.id": "sarsa"}, "--change: 'id' cannot be changed"),
        ({"learning_rate": "high"}, "q_learning: learning_rate: expected a valid number, got 'high'"),
        ({"learning_rate": 3.0}, "learning_rate: expected less than or equal to 1, got 3.0"),
    ],
)
def test_wrong_changes_say_what_was_expected(change: dict[str, Any], expected: str, spec: Spec) -> None:
    with pytest.raises(InputError) as raised:
        change_spec(spec, change, "two.toml")
    assert expected in str(raised.value)


def test_what_was_run_runs_again_by_itself(rl_lab: Command, spec: Spec, tmp_path: Path) -> None:
    command = ["run", "two.toml", "--change", "learning_rate=0.5", "--change", "evaluation.final_episodes=3"]
    done = rl_lab(*command, "--only", "maze")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / "two"
    assert (folder / "maze" / "q_learning-learning_rate=0.5" / "seed-0" / "run.json").exists()
    assert rl_lab(*command, "--only", "maze").returncode == 0
    assert [path.name for path in folder.glob("*.toml")] == ["spec.toml"]  # the same, once
    again = rl_lab("run", "runs/two/spec.toml", "--out", "again")
    assert again.returncode == 0, again.stderr
    assert "2 trials finished" in again.stdout
    for run in folder.rglob("run.json"):
        theirs = tmp_path / "again" / run.relative_to(tmp_path / "runs")
        assert json.loads(run.read_text())["trial"] == json.loads(theirs.read_text())["trial"]
        assert json.loads(run.read_text())["digests"] == json.loads(theirs.read_text())["digests"]
    more = rl_lab("run", "two.toml", "--change", "learning_rate=0.75", "--change", "evaluation.final_episodes=3")
    assert more.returncode == 0, more.stderr
    assert sorted(path.name for path in folder.glob("*.toml")) == ["spec-2.toml", "spec.toml"]
    assert rl_lab("compare", "runs/two", "--no-report").returncode == 0


@pytest.mark.parametrize("name", suite_names())
def test_every_suite_is_written_down_as_it_is(name: str) -> None:
    spec = load_spec(name)
    assert parse_spec(tomllib.loads(spec_text(spec)), name).run_specs() == spec.run_specs()


def test_numbers_that_no_record_can_hold_are_refused(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(SPEC.replace("rows = 3", "rows = 3\nslip = inf"))
    done = rl_lab("run", "x.toml")
    assert done.returncode == 2
    assert "RLLab/Maze-v0: slip: expected finite numbers, which a run's record can hold, got inf" in done.stderr
    assert not (tmp_path / "runs").exists()


# -- lists ----------------------------------------------------------------------------------------------------


def test_lists_fit_a_page(rl_lab: Command) -> None:
    lines = rl_lab("list").stdout.splitlines()
    assert len(lines) <= 24
    for what in ("envs", "agents", "suites", "first-benchmark", "RLLab/Maze-v0", "book-lander"):
        lines += rl_lab("list", what).stdout.splitlines()
    assert max(map(len, lines)) <= 80


def test_what_is_in_a_suite(rl_lab: Command, spec: Spec) -> None:
    lines = rl_lab("list", "two.toml").stdout.splitlines()
    assert lines == [
        "two",
        "  3 runs with 1 seed, each of 200 env steps or 100 env steps; judged on 2 final",
        "  episodes (evaluation seed 0)",
        "environments",
        "  maze: RLLab/Maze-v0 with rows=3, cols=3",
        "  CartPole-v1",
        "agents",
        "  q_learning in maze with learning_rate=0.25",
        "  random",
        "commands",
        "  rl-lab run two.toml",
        "  rl-lab run two.toml --change learning_rate=...",
    ]
    assert rl_lab("list", "no-such.toml").returncode == 2
    assert "did you mean 'book-maze'" in rl_lab("list", "book-mase").stderr
