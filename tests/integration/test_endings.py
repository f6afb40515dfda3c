"""Why did it fail? How episodes ended, and how often a table was asked of what it had never met."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from envs.endings import ending, ending_words, success_of
from envs.registry import make_env
from experiments.evaluation.environments import make_evaluation_env
from experiments.evaluation.rollout import evaluate_agent, rollout
from experiments.results.endings import Endings, together
from experiments.specs.spec import EnvEntry
from rl_lab import make_agent
from tests.conftest import Command

PIT = "#######\n#O S E#\n#######"


def test_landing_is_told_from_crashing_as_the_environment_pays_for_it() -> None:
    env = make_evaluation_env(EnvEntry(id="LunarLander-v3"))
    seen = set()
    for agent in (make_agent("heuristic_lander", env), make_agent("random", env)):
        for seed in range(8):
            *_, step = rollout(agent.policy(seed), env, seed)
            if step.terminated:  # Gymnasium pays 100 for coming to rest, -100 for a crash or for flying out of sight
                assert {True: 100, False: -100}[bool(success_of(env))] == step.reward
                seen.add(success_of(env))
    assert seen == {True, False}


def test_the_goal_of_a_frozen_lake_is_success_and_a_hole_is_none() -> None:
    env = make_env("FrozenLake-v1", is_slippery=False)
    for actions, succeeded in (((1, 1, 2, 1, 2, 2), True), ((2, 1), False)):
        env.reset(seed=0)
        for action in actions:
            _, reward, terminated, _, _ = env.step(action)
        assert terminated
        assert (success_of(env), reward) == (succeeded, float(succeeded))


@pytest.mark.parametrize(
    ("env_id", "terminated", "success", "word"),
    [
        ("LunarLander-v3", True, True, "landed"),
        ("LunarLander-v3", True, False, "crashed"),
        ("LunarLander-v3", False, None, "timed out"),
        ("RLLab/Maze-v0", True, True, "reached the exit"),
        ("RLLab/Maze-Pits-v0", True, False, "fell into a pit"),
        ("CartPole-v1", False, None, "stayed up"),
        ("CartPole-v1", True, None, "fell"),
        ("my_envs:Grid", True, None, "terminated"),
        ("my_envs:Grid", True, True, "succeeded"),
        ("my_envs:Grid", False, True, "succeeded"),
    ],
)
def test_words_for_ends(env_id: str, terminated: bool, success: bool | None, word: str) -> None:
    assert ending(ending_words(env_id), terminated=terminated, success=success) == word


def test_ends_in_words() -> None:
    one = Endings({"crashed": 199, "landed": 1}, unmet_share=0.25, states_met=1234, states_possible=161_051)
    assert one.in_words() == (
        "crashed over 99%, landed under 1%; 25% of decisions in states never met (met 1,234 of 161,051)"
    )
    other = Endings({"landed": 200}, unmet_share=0.0, states_met=2000, states_possible=161_051)
    both = together([one, other])
    assert both is not None
    assert both.to_json() == {
        "counts": {"crashed": 199, "landed": 201},
        "unmet_share": 0.125,
        "states_met": 1234,
        "states_possible": 161_051,
    }
    assert together([one, None]) is None is together([])


def test_a_table_counts_decisions_in_states_that_it_has_never_met() -> None:
    env = make_evaluation_env(EnvEntry(id="CartPole-v1"))
    agent: Any = make_agent("q_learning", env, edges=[0.0], table="sparse")
    seeds = [3, 5]
    met: set[int] = set()
    (first,) = evaluate_agent(agent, env, seeds[:1])
    assert first.unmet_share == 1.0
    observation, _ = env.reset(seed=3)
    agent.row(observation)  # met
    met.add(agent.state(observation))
    shares = []
    for seed in seeds:  # by hand
        states = [agent.state(step.observation) for step in rollout(agent.policy(0), env, seed) if not step.over]
        shares.append(sum(state not in met for state in states) / len(states))
    assert [one.unmet_share for one in evaluate_agent(agent, env, seeds)] == shares
    assert 0 < sum(shares) < 2


def test_every_command_tells_how_episodes_ended(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "pit.toml").write_text(
        'name = "pit"\nseeds = 2\nsteps = 300\n[evaluation]\nepisodes = 1\nfinal_episodes = 4\n[[envs]]\n'
        f'id = "RLLab/Maze-v0"\nname = "pit"\nlayout = """{PIT}"""\npit_reward = -9.0\n'
        '[[agents]]\nid = "random"\n[[agents]]\nid = "value_iteration"\n'
    )
    done = rl_lab("run", "pit.toml")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "pit" / "pit" / "random" / "seed-0"
    with (run / "evaluations.csv").open() as file:
        final = [row for row in csv.DictReader(file) if row["phase"] == "final"]
    pits = sum(row["success"] == "false" for row in final)
    assert pits > 0
    lines = done.stdout.splitlines()
    at = lines.index("how the final episodes ended:")
    assert lines[at + 1].startswith("  random on pit: fell into a pit ")
    assert lines[at + 2].startswith("  value_iteration on pit: ")
    evaluated = json.loads(rl_lab("evaluate", str(run), "--json").stdout)
    assert evaluated["endings"]["counts"]["fell into a pit"] == pits
    assert sum(evaluated["endings"]["counts"].values()) == 4
    assert [one["success"] for one in evaluated["episodes"]].count(False) == pits
    assert "its episodes: fell into a pit" in rl_lab("evaluate", str(run)).stdout
    compared = rl_lab("compare", "runs/pit", "--no-videos")
    assert re.search("random: .*fell into a pit", " ".join(compared.stdout.split()))
    assert "fell into a pit" in (tmp_path / "runs" / "pit" / "comparison" / "report.html").read_text()
    records = json.loads((tmp_path / "runs" / "pit" / "comparison" / "results.json").read_text())["records"]
    assert {record["agent"] for record in records if "fell into a pit" in record["endings"]["counts"]} >= {"random"}


def test_runs_of_earlier_versions_tell_what_they_know(rl_lab: Command) -> None:
    from tests.conftest import ROOT

    data = ROOT / "tests" / "data" / "runs-of-0.4.0"
    done = rl_lab("compare", str(data), "--json", "--out", "comparison", "--no-report")
    assert done.returncode == 0, done.stderr
    endings = {record["env"]: record["endings"]["counts"] for record in json.loads(done.stdout)}
    assert set(endings["pole"]) <= {"fell", "stayed up"}
    assert set(endings["maze"]) <= {"terminated", "timed out"}
