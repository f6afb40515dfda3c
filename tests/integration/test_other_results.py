"""Results of other libraries, made by these where they are at hand, and scores saved to compare with later."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.comparison.comparison import compare_runs
from experiments.errors import InputError
from experiments.evaluation.score_scale import ScoreScale
from experiments.results.bundled_results import bundled_names, bundled_results
from experiments.results.reading import read_results
from experiments.results.run_result import RunResult
from experiments.specs.spec import EnvEntry
from tests.conftest import Command


def one(results: list[RunResult]) -> RunResult:
    (result,) = results
    return result


def test_what_stable_baselines3_itself_writes(tmp_path: Path) -> None:
    """Its Monitor and EvalCallback, in a training of its own, in the Zoo's folders."""
    import gymnasium as gym
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import EvalCallback
    from stable_baselines3.common.monitor import Monitor

    folder = tmp_path / "logs" / "ppo" / "CartPole-v1_3"
    folder.mkdir(parents=True)
    (folder / "CartPole-v1").mkdir()
    (folder / "CartPole-v1" / "args.yml").write_text(
        "!!python/object/apply:collections.OrderedDict\n- - - algo\n    - ppo\n  - - seed\n    - 77\n"
        "- !!python/object/apply:os.system ['touch executed']\n"
    )
    env = Monitor(gym.make("CartPole-v1"), str(folder / "0"))
    evaluation: Any = EvalCallback(
        Monitor(gym.make("CartPole-v1")), n_eval_episodes=3, eval_freq=64, log_path=str(folder), verbose=0
    )
    PPO("MlpPolicy", env, n_steps=64, n_epochs=1, device="cpu").learn(256, callback=evaluation)
    env.close()
    result = one(read_results([tmp_path / "logs"]))
    assert (result.agent, result.env, result.seed) == ("ppo", "CartPole-v1", 77)
    saved = np.load(folder / "evaluations.npz")
    assert result.curve[0].tolist() == saved["timesteps"].tolist() == [64, 128, 192, 256]
    assert result.curve[1].tolist() == saved["results"].mean(axis=1).tolist()
    assert result.scores.tolist() == saved["results"][-1].tolist()
    rows = (folder / "0.monitor.csv").read_text().splitlines()[2:]
    assert result.training[1].tolist() == [float(row.split(",")[0]) for row in rows]
    assert result.training[0].tolist() == np.cumsum([int(row.split(",")[1]) for row in rows]).tolist()
    assert "its score is the last evaluation of its learning curve" in result.notes


def test_monitors_alone_and_pickles_in_disguise(tmp_path: Path) -> None:
    folder = tmp_path / "dqn" / "run-2"
    folder.mkdir(parents=True)
    head = '#{"t_start": 100.0, "env_id": "Acrobot-v1"}\nr,l,t\n'
    (folder / "0.monitor.csv").write_text(head + "-10.0,10,1.0\n-30.0,30,5.0\n")
    (folder / "1.monitor.csv").write_text(head + "-20.0,20,3.0\n")
    result = one(read_results([tmp_path]))
    assert (result.agent, result.env, result.seed) == ("dqn", "Acrobot-v1", 2)
    assert result.training[1].tolist() == [-10, -20, -30]  # by time
    assert result.training[0].tolist() == [10, 30, 60]
    assert result.scores.mean() == -20
    np.savez(folder / "evaluations.npz", timesteps=np.array([1]), results=np.array([[{"a": 1}]]))
    with pytest.raises(InputError, match=r"evaluations.npz: damaged: .*allow_pickle=False"):
        read_results([tmp_path])
    (folder / "evaluations.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"evaluations.npz: damaged"):
        read_results([tmp_path])


def test_plain_csv(tmp_path: Path, rl_lab: Command) -> None:
    rows = ["agent,env,seed,step,return,extra"]
    for agent, base in (("mine", 10.0), ("theirs", 0.0)):
        for seed in range(6):
            rows += [f"{agent},Task/1,{seed},{step},{base + seed + step / 100},x" for step in (0, 100)]
    (tmp_path / "results.csv").write_text("\n".join(rows) + "\n")
    comparison = compare_runs([tmp_path / "results.csv"])
    mine, theirs = comparison.summaries
    assert (mine.env, mine.agent, mine.scores) == ("Task-1", "mine", [11.0, 12, 13, 14, 15, 16])
    assert theirs.curve is not None
    assert theirs.curve.iqm == [2.5, 3.5]
    assert comparison.pairs[0].verdict.word == "better"
    assert comparison.pairs[0].evidence.paired_difference is None  # nothing is known of their episodes
    done = rl_lab("compare", "results.csv")
    assert done.returncode == 0, done.stderr
    assert "mine is better than theirs on Task-1" in done.stdout
    assert (tmp_path / "results-comparison" / "report.html").exists()
    for text, message in (
        ("agent,env\n", "expected columns agent, env, seed, step, return, got agent, env"),
        ("agent,env,seed,step,return\na,e,1,2,nan\n", "line 2: expected a finite number, got 'nan'"),
        ("agent,env,seed,step,return\n", "there is no row in it"),
    ):
        (tmp_path / "bad.csv").write_text(text)
        bad = rl_lab("compare", "bad.csv")
        assert (bad.returncode, bad.stdout) == (2, "")
        assert message in bad.stderr
        assert bad.stderr.count("\n") == 1


def test_marl_evals_json(tmp_path: Path) -> None:
    run = {
        "step_0": {"step_count": 0, "elapsed_time": 1, "return": [1.0, 3.0]},
        "step_1": {"step_count": 50, "elapsed_time": 2, "return": [5.0, 7.0]},
        "absolute_metrics": {"return": [8.0, 10.0]},
    }
    values = {"Warehouse": {"tiny": {"IPPO": {"seed_4": run, "seed_5": run}}}}
    (tmp_path / "m.json").write_text(json.dumps(values))
    first, _ = read_results([tmp_path / "m.json"])
    assert (first.agent, first.env, first.seed) == ("IPPO", "tiny", 4)
    assert (first.curve[0].tolist(), first.curve[1].tolist()) == ([0, 50], [2, 6])
    assert first.score == 9
    (tmp_path / "m.json").write_text(json.dumps({"Warehouse": {"tiny": {"IPPO": {"seed_4": {}}}}}))
    with pytest.raises(InputError, match="expected the lab's scores or marl-eval's JSON"):
        read_results([tmp_path / "m.json"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nan.csv", "agent,env,seed,step,return\na,e,1,nan,2\n", "line 2: expected a finite number, got 'nan'"),
        ("huge.csv", "agent,env,seed,step,return\na,e,1,1,1e308\n", "line 2: expected a finite number, got '1e308'"),
        ("two.csv", "agent,env,seed,step,return\nD,e,1,1,1\nD*,e,2,1,1\n", "another agent, or other settings"),
        ("m.json", '{"e": {"t": {"A": {"s_1": {"step_0": {"step_count": 0, "return": ["1"]}}}}}}', "expected numbers"),
        ("n.json", '{"e": {"t": {"A": {"s_1": {"step_0": {"step_count": 0, "return": []}}}}}}', "expected numbers"),
        ("0.monitor.csv", '#{"t_start": 1}\nr,l,t\nnan,1,1\n', "damaged: expected finite numbers"),
    ],
)
def test_numbers_that_are_none_are_one_line(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        compare_runs([tmp_path / name])


def test_only_the_last_hundred_training_episodes_score(tmp_path: Path) -> None:
    rows = [f"{number},5,{number}" for number in range(150)]
    (tmp_path / "0.monitor.csv").write_text("\n".join(['#{"t_start": 1, "env_id": "E-v0"}', "r,l,t", *rows]) + "\n")
    assert one(read_results([tmp_path])).score == np.mean(range(50, 150))


def test_monitors_with_names_are_runs_of_their_own(tmp_path: Path) -> None:
    """As `Monitor(env, "logs/seed3")` writes them; the copies of one run's environment have numbers for names."""
    folder = tmp_path / "logs"
    folder.mkdir()
    for seed in range(4):
        text = f'#{{"t_start": 1, "env_id": "E-v0"}}\nr,l,t\n{10 * seed},5,1\n'
        (folder / f"seed{seed}.monitor.csv").write_text(text)
    together, one_by_one = read_results([tmp_path]), read_results(sorted(folder.iterdir()))
    for results in (together, one_by_one):
        assert [(run.seed, run.score) for run in results] == [(0, 0), (1, 10), (2, 20), (3, 30)]


def test_runs_of_unequal_length_are_all_there(tmp_path: Path) -> None:
    rows = ["agent,env,seed,step,return"]
    rows += [f"a,e,{seed},{step},{step}" for seed in (0, 1) for step in ((0, 100) if seed else (200, 300))]
    (tmp_path / "gap.csv").write_text("\n".join(rows) + "\n")
    (summary,) = compare_runs([tmp_path / "gap.csv"]).summaries
    assert summary.scores == [300, 100]
    assert summary.curve is not None
    assert None in summary.curve.iqm  # between 100 and 200 there is no run
    assert "1 of 2 runs are shorter than 300 env steps" in summary.notes


def test_scores_are_written_over_nothing_else_and_nothing_is_lost(rl_lab: Command, tmp_path: Path) -> None:
    rows = [f"{agent},e,{seed},1,{seed}" for agent in ("a", "b") for seed in range(3)]
    (tmp_path / "x.csv").write_text("\n".join(["agent,env,seed,step,return", *rows]) + "\n")
    (tmp_path / "precious.json").write_text('{"status": "finished"}')
    refused = rl_lab("compare", "x.csv", "--save-scores", "precious.json", "--no-report")
    assert refused.returncode == 2
    assert "precious.json: is there, and holds no scores" in refused.stderr
    for _ in range(2):  # scores may be written over scores
        assert rl_lab("compare", "x.csv", "--save-scores", "s.json", "--no-report").returncode == 0
    again = read_results([tmp_path / "s.json"])
    assert sorted((run.agent, run.seed, run.score) for run in again) == [(a, n, n) for a in "ab" for n in range(3)]
    assert all("its evaluation episodes are its own, not the lab's shared ones" in run.notes for run in again)
    text = (tmp_path / "s.json").read_text()
    for label in ("../../escaped", "/tmp/absolute", "red\\u001b[31m"):
        (tmp_path / "evil.json").write_text(text.replace('"e"', f'"{label}"').replace("e/", f"{label}/"))
        with pytest.raises(InputError, match="expected a plain name"):
            read_results([tmp_path / "evil.json"])


def test_returns_and_steps_are_not_compared(tmp_path: Path) -> None:
    from experiments.results.groups import group_runs

    one = RunResult(env="e", agent="a", seed=0, place="one", scores=np.ones(1))
    other = RunResult(env="e", agent="b", seed=0, place="other", scores=-np.ones(1), measure="-steps")
    with pytest.raises(InputError, match="another measure under the label 'e'"):
        group_runs([one, other])


SPEC = """
name = "mine"
seeds = 3
steps = 500
[evaluation]
episodes = 2
final_episodes = 50
[[envs]]
id = "RLLab/Maze-Small-v0"
name = "maze-1-small"
[[agents]]
id = "random"
name = "random"
[[agents]]
id = "sarsa"
name = "newcomer"
"""


def test_saved_scores_are_read_as_the_runs_they_are_of(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SPEC)
    assert rl_lab("run", "mine.toml").returncode == 0
    saved = rl_lab("compare", "runs/mine", "--save-scores", "scores.json", "--no-report", "--json")
    assert saved.returncode == 0, saved.stderr
    again = rl_lab("compare", "scores.json", "--no-report", "--json")
    assert again.returncode == 0, again.stderr
    known = {"evaluation", "notes", "steps_per_second", "simulated_coverage", "book_seed"}
    records = []
    for done in (saved, again):
        ordered = sorted(json.loads(done.stdout), key=lambda record: str(record["agent"]))
        records.append([{key: value for key, value in one.items() if key not in known} for one in ordered])
    assert records[0] == records[1]
    text = (tmp_path / "scores.json").read_text()
    assert '"command": ' in text
    first = json.loads(text)["runs"][0]
    assert len(first["curve_seconds"]) == len(first["curve"][0]) > 1
    assert first["curve_seconds"] == sorted(first["curve_seconds"])
    (tmp_path / "scores.json").write_text(text.replace('"seed": 1', '"sead": 1'))
    bad = rl_lab("compare", "scores.json")
    assert bad.returncode == 2
    assert "scores.json: damaged: runs.1.seed: expected a value, got nothing" in bad.stderr
    (tmp_path / "scores.json").write_text(text.replace('"curve_seconds": [0.0, ', '"curve_seconds": ['))
    short = rl_lab("compare", "scores.json")
    assert short.returncode == 2
    assert "curve_seconds: expected as many as env steps" in short.stderr


def test_a_new_agent_against_a_suites_references(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SPEC)
    assert rl_lab("run", "mine.toml").returncode == 0
    done = rl_lab("compare", "runs/mine", "--against", "all-small", "--no-report")
    assert done.returncode == 0, done.stderr
    assert "newcomer" in done.stdout
    assert "reference:random" in done.stdout  # two of one name are told apart
    assert "sb3_dqn" in done.stdout
    (tmp_path / "other.toml").write_text(SPEC.replace("final_episodes = 50", "final_episodes = 40"))
    assert rl_lab("run", "other.toml", "--out", "other").returncode == 0
    refused = rl_lab("compare", "other", "--against", "all-small")
    assert refused.returncode == 2
    assert "another evaluation under the label 'maze-1-small'" in refused.stderr
    for name, message in (("no", "unknown reference 'no'"), ("all-small", "it has results in CartPole-v1, ")):
        (tmp_path / "x.csv").write_text("agent,env,seed,step,return\na,e,1,2,3\n")
        bad = rl_lab("compare", "x.csv", "--against", name)
        assert bad.returncode == 2
        assert message in bad.stderr


@pytest.mark.parametrize("suite", bundled_names())
def test_references_are_of_their_suites(suite: str) -> None:
    """Every run of the suite is there, finished, with its seed; environments and settings are today's."""
    from experiments.results.run_result import Identity, Task
    from experiments.specs.loading import load_spec

    results = {(run.env, run.agent, run.seed): run for run in bundled_results(suite)}
    run_specs = load_spec(suite).run_specs()
    assert set(results) == {(run_spec.env.label, run_spec.agent.label, run_spec.seed) for run_spec in run_specs}
    for run_spec in run_specs:
        run = results[run_spec.env.label, run_spec.agent.label, run_spec.seed]
        assert run.finished
        assert run.task == Task.of(run_spec)
        assert run.identity == Identity(run_spec.agent.id, run_spec.agent.settings)
        assert run.budget == run_spec.budget.model_dump(exclude_none=True)
        assert np.isfinite(run.score)
        assert run.made_with.git is not None
        assert run.made_with.git.dirty is None


def test_a_reference_comes_out_again(tmp_path: Path) -> None:
    """One cheap run of them, trained anew, has the very score that is bundled."""
    from experiments.specs.loading import load_spec
    from experiments.training.train_run import train_run

    run_spec = next(
        t for t in load_spec("all-small").run_specs() if (t.env.name, t.agent.name) == ("maze-1-small", "sarsa")
    )
    train_run(run_spec, tmp_path)
    known = {(run.env, run.agent, run.seed): run for run in bundled_results("all-small")}
    mine = one(read_results([tmp_path]))
    reference = known[mine.env, mine.agent, mine.seed]
    assert mine.score == reference.score
    assert mine.curve[1].tolist() == reference.curve[1].tolist()


def test_references_of_unknown_optima_are_gymnasiums_own() -> None:
    import gymnasium as gym

    from experiments.evaluation.score_scale import MEASURED, score_scale_for

    for env_id, (random, _, solved) in MEASURED.items():
        assert gym.spec(env_id).reward_threshold == solved
        scale = score_scale_for(EnvEntry(id=env_id), [0])
        assert scale is not None
        assert (scale.floor, scale.ceiling, scale.kind) == (random, solved, "solved")


def test_scales_normalise_and_keep_their_keys_on_disk() -> None:
    values = {"random": -10.0, "random_error": 0.5, "reference": 30.0, "kind": "solved", "measure": "return"}
    scale = ScoreScale.from_json(values)
    assert (scale.floor, scale.floor_error, scale.ceiling) == (-10, 0.5, 30)
    assert list(scale.to_json().items()) == list(values.items())
    assert scale.normalise(np.array([-10.0, 0.0, 30.0])).tolist() == [0, 0.25, 1]
    assert scale.score_at(0.9) == 26
    assert not scale.is_negligible
    assert ScoreScale.from_json(values | {"reference": -10.0}).is_negligible
    for damaged in (values | {"ceiling": 1.0}, {"random": 1.0}):
        with pytest.raises((LookupError, TypeError)):
            ScoreScale.from_json(damaged)


def test_event_files_open_in_the_real_tensorboard(rl_lab: Command, tmp_path: Path) -> None:
    arguments = ("train", "RLLab/Maze-v0", "q_learning", "--env", "rows=3", "--set", "name=q", "--env", "name=m")
    done = rl_lab(*arguments, "--steps", "1000", "--tensorboard")
    assert done.returncode == 0, done.stderr
    assert rl_lab(*arguments, "--steps", "1500", "--tensorboard").returncode == 0  # a second file, from step 1,000 on
    assert rl_lab("compare", "runs", "--tensorboard", "--no-report").returncode == 0
    run = tmp_path / "runs" / "train" / "m" / "q" / "seed-0"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tensorboard.main", "--logdir", str(tmp_path / "runs"), "--load_fast", "false"),
            *("--host", "127.0.0.1", "--port", "0"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        address = next(line.split(" at ")[1].split()[0] for line in process.stderr if " at http" in line)
        deadline = time.monotonic() + 60
        tags: dict[str, dict[str, Any]] = {}
        while len(tags) < 2 and time.monotonic() < deadline:
            time.sleep(0.5)
            tags = json.loads(urllib.request.urlopen(f"{address}data/plugin/scalars/tags").read())
        live, compared = (next(name for name in tags if name.startswith(part)) for part in ("train", "comparison"))
        assert {"train/return", "train/epsilon", "evaluation/return", "final/return"} <= set(tags[live])
        query = f"{address}data/plugin/scalars/scalars?run={live}&tag=train/return".replace(" ", "%20")
        points = json.loads(urllib.request.urlopen(query).read())
        rows = (run / "episodes.csv").read_text().splitlines()[1:]
        assert [point[1] for point in points] == [int(row.split(",")[1]) for row in rows]
        assert [point[2] for point in points] == [float(row.split(",")[2]) for row in rows]
        assert {"train/return", "evaluation/return", "final/return"} <= set(tags[compared])
    finally:
        process.kill()
        process.communicate()
