"""Bad input: one line that says where, what was expected and what came; exit code 2; nothing written."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Command
from tests.helpers import files

GOOD = 'name = "x"\nsteps = 50\n[[envs]]\nid = "RLLab/Maze-v0"\n[[agents]]\nid = "q_learning"\n'

TRAIN = {
    "unknown environment": (("RLLab/Mase-v0", "random"), "envs: unknown environment 'RLLab/Mase-v0' (did you mean 'RLLab/Maze-v0'?)"),
    "old version": (("LunarLander-v2", "random"), "LunarLander-v3"),
    "unknown agent": (("RLLab/Maze-v0", "q_lerning"), "agents: unknown agent 'q_lerning' (did you mean 'q_learning'?)"),
    "agent by its short name": (("RLLab/Maze-v0", "ppo"), "did you mean 'sb3_ppo'?"),
    "unknown setting": (("RLLab/Maze-v0", "q_learning", "--set", "learning_rat=1"), "unknown key 'learning_rat' (did you mean 'learning_rate'?)"),
    "unknown option": (("RLLab/Maze-v0", "random", "--env", "row=4"), "unknown option 'row' (did you mean 'rows'?)"),
    "unknown generator": (("RLLab/Maze-v0", "random", "--env", "generator=wilsn"), "'sidewinder', 'wilson', got 'wilsn' (did you mean 'wilson'?)"),
    "learning rate": (("RLLab/Maze-v0", "q_learning", "--set", "learning_rate=7"), "learning_rate: expected less than or equal to 1, got 7"),
    "not a number": (("RLLab/Maze-v0", "q_learning", "--set", "initial_values=nan"), "initial_values"),
    "epsilon": (("RLLab/Maze-v0", "q_learning", "--set", "epsilon=-1"), "epsilon: expected greater than or equal to 0, got -1"),
    "type": (("RLLab/Maze-v0", "q_learning", "--set", "discount=high"), "discount: expected a valid number, got 'high'"),
    "schedule": (("RLLab/Maze-v0", "q_learning", "--set", "epsilon_schedule=linaer"), "did you mean 'linear'?"),
    "rows": (("RLLab/Maze-v0", "random", "--env", "rows=1"), "rows: expected greater than or equal to 2, got 1"),
    "slip": (("RLLab/Maze-v0", "random", "--env", "slip=1.5"), "slip: expected less than or equal to 1, got 1.5"),
    "start": (("RLLab/Maze-v0", "random", "--env", "start=[9, 9]"), "start: expected a cell in rows 0 to 8 and columns 0 to 8, got [9, 9]"),
    "no exit": (("RLLab/Maze-v0", "random", "--env", 'layout="#####\\n#S  #\\n#####"'), "the layout has no exit"),
    "unreachable exit": (("RLLab/Maze-v0", "random", "--env", 'layout="#####\\n#S#E#\\n#####"'), "the exit [0, 1] cannot be reached from the start [0, 0]"),
    "images in a table": (("RLLab/Maze-v0", "q_learning", "--env", "observation=grid"), "a table needs at most 32 observed numbers in a row"),
    "planning on the moon": (("LunarLander-v3", "value_iteration"), "value_iteration needs an exact model"),
    "planning without one model": (("RLLab/Maze-v0", "value_iteration", "--env", "maze_seed=new"), "value_iteration needs one model"),
    "undiscounted goal": (("RLLab/Maze-v0", "value_iteration", "--env", "reward=goal"), "expected a discount below 1, got 1"),
    "continuous actions": (("LunarLander-v3", "q_learning", "--env", "continuous=true"), "q_learning needs discrete actions, got Box"),
    "deep on continuous actions": (("LunarLander-v3", "sb3_dqn", "--env", "continuous=true"), "sb3_dqn needs discrete actions"),
    "no value": (("RLLab/Maze-v0", "random", "--set", "epsilon"), "--set: expected KEY=VALUE, got 'epsilon'"),
    "steps and episodes": (("RLLab/Maze-v0", "random", "--steps", "5", "--episodes", "5"), "expected steps or episodes, got both"),
    "steps": (("RLLab/Maze-v0", "random", "--steps", "0"), "'--steps': expected a whole number of at least 1, got '0'"),
    "negative seed": (("RLLab/Maze-v0", "random", "--seed", "-1"), "'--seed': expected a whole number of at least 0, got '-1'"),
    "steps in words": (("RLLab/Maze-v0", "random", "--steps", "many"), "'--steps': expected a whole number of at least 1, got 'many'"),
    "another id": (("RLLab/Maze-v0", "random", "--set", "id=q_learning"), "--set: 'id' cannot be set here"),
    "truth value": (("FrozenLake-v1", "random", "--env", "is_slippery=False"), "is_slippery: expected true or false, got 'False'"),
    "images for CnnPolicy": (("LunarLander-v3", "sb3_dqn", "--set", "policy=CnnPolicy"), "policy CnnPolicy observes images of bytes"),
    "policy_kwargs": (("LunarLander-v3", "sb3_dqn", "--set", "policy_kwargs={net=[8]}"), "policy_kwargs: unknown key 'net'"),
    "undiscounted goal with slip": (("RLLab/Maze-v0", "value_iteration", "--env", "reward=goal", "--env", "slip=0.2"), "expected a discount below 1, got 1"),
    "no edges": (("LunarLander-v3", "q_learning", "--set", "edges=[]"), "edges: expected at least one, got none"),
    "unknown flag": (("RLLab/Maze-v0", "random", "--stepz", "5"), "No such option: --stepz"),
    "no such module": (("RLLab/Maze-v0", "nowhere:Agent"), "cannot import 'nowhere:Agent': No module named 'nowhere'"),
    "no agent": (("RLLab/Maze-v0", "pathlib:Path"), "'pathlib:Path' is no agent"),
    "name is a path": (("RLLab/Maze-v0", "random", "--set", "name=../x"), "name: expected a plain name"),
}  # fmt: skip

SPECS = {
    "unknown key": (GOOD + "[evaluation]\nepisode = 3\n", "unknown key 'evaluation.episode' (did you mean 'episodes'?)"),
    "unknown top-level key": ("step = 5\n" + GOOD, "unknown key 'step' (did you mean 'steps'?)"),
    "broken TOML": ("name = \n", "broken TOML: Invalid value (at line 1, column 8)"),
    "path as a name": (GOOD.replace('"x"', '"../x"'), "name: expected a plain name (letters, digits"),
    "absolute path as a name": (GOOD.replace('"x"', '"/tmp/x"'), "no path, got '/tmp/x'"),
    "dots as a name": (GOOD.replace('"x"', '".."'), "no path, got '..'"),
    "same label": (GOOD + '[[agents]]\nid = "q_learning"\n', "two entries have the label 'q_learning'"),
    "same environment": (GOOD + '[[envs]]\nid = "RLLab/Maze-v0"\n', "two entries have the label 'RLLab-Maze-v0'"),
    "no agents": (GOOD.split("[[agents]]")[0], "agents: expected a value, got nothing"),
    "wrong type": (GOOD.replace("steps = 50", 'steps = "many"'), "steps: expected a valid integer, got 'many'"),
    "both budgets": ("episodes = 5\n" + GOOD, "expected steps or episodes, got both"),
    "seeds of another kind": ("seeds = -3\n" + GOOD, "seeds: expected a count of at least 1 or a list of different seeds of at least 0, got -3"),
    "seeds twice": ("seeds = [1, 1]\n" + GOOD, "seeds: expected a count of at least 1 or a list of different seeds of at least 0, got [1, 1]"),
    "setting": (GOOD + "learning_rate = 7\n", "agents: q_learning: learning_rate: expected less than or equal to 1, got 7"),
    "agent elsewhere": (GOOD + 'envs = ["maze"]\n', "agents: q_learning: envs: unknown environment 'maze'"),
}  # fmt: skip


def check(done: "object", expected: str) -> None:
    import subprocess

    assert isinstance(done, subprocess.CompletedProcess)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert expected in done.stderr


@pytest.mark.parametrize(("arguments", "expected"), TRAIN.values(), ids=TRAIN)
def test_train(arguments: tuple[str, ...], expected: str, rl_lab: Command, tmp_path: Path) -> None:
    check(rl_lab("train", *arguments), expected)
    assert files(tmp_path) == {}


@pytest.mark.parametrize(("text", "expected"), SPECS.values(), ids=SPECS)
def test_specs(text: str, expected: str, rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(text)
    done = rl_lab("run", "spec.toml")
    check(done, expected)
    assert "spec.toml: " in done.stderr
    assert set(files(tmp_path)) == {"spec.toml"}


def test_missing_specs_and_suites(rl_lab: Command) -> None:
    check(rl_lab("run", "nowhere.toml"), "nowhere.toml: cannot read the spec: No such file or directory")
    check(rl_lab("run", "book-mase"), "unknown suite 'book-mase' (did you mean 'book-maze'?)")
    check(rl_lab("list", "agent"), "did you mean 'agents'?")
    check(rl_lab("frobnicate"), "No such command 'frobnicate'")


def test_output_folders(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    for out in ("file", "file/below"):
        check(rl_lab("train", "RLLab/Maze-v0", "random", "--steps", "50", "--out", out), "--out file")
    assert files(tmp_path) == {"file": b"precious"}

    options = ("--steps", "50", "--env", "name=maze", "--set", "name=agent")
    assert rl_lab("train", "RLLab/Maze-v0", "q_learning", *options).returncode == 0
    before = files(tmp_path)
    other = rl_lab("train", "RLLab/Maze-v0", "q_learning", *options, "--set", "learning_rate=0.5")
    check(other, "holds the same trial with other settings: settings {} there, {'learning_rate': 0.5} asked for")
    other_env = rl_lab("train", "RLLab/Maze-v0", "q_learning", *options, "--env", "rows=5")
    check(other_env, "settings {} there, {'rows': 5} asked for")
    assert files(tmp_path) == before


def test_runs_that_are_none(rl_lab: Command, tmp_path: Path) -> None:
    result = json.loads(rl_lab("train", "RLLab/Maze-v0", "q_learning", "--steps", "200", "--json").stdout)
    run = tmp_path / result["run"]
    for command in ("evaluate", "watch"):
        rest = ("--terminal",) if command == "watch" else ()
        check(rl_lab(command, "nowhere", *rest), "nowhere: expected a run folder, got nothing")
        check(
            rl_lab(command, "runs", *rest),
            "no run folder: it has no run.json; there are runs below it, such as runs/train",
        )
        check(rl_lab(command, f"{result['run']}/run.json", *rest), "expected a run folder, got a file")
    check(rl_lab("compare", "nowhere"), "nowhere: expected a folder with runs, got nothing")
    (tmp_path / "empty").mkdir()
    check(rl_lab("compare", "empty"), "no run is in it")

    check(rl_lab("watch", result["run"]), "there is no display for a window")
    check(
        rl_lab("watch", result["run"], "--record", "video.avi"),
        "expected a file that ends in .html, .mp4, .gif or .png, got '.avi'",
    )
    check(rl_lab("watch", result["run"], "--record", "no/video.gif"), "the folder no does not exist")
    check(rl_lab("watch", result["run"], "--record", "video.gif", "--terminal"), "got both")

    (run / "checkpoint" / "agent" / "state.npz").write_bytes(b"PK not a zip")
    check(rl_lab("evaluate", result["run"]), "checkpoint/agent/state.npz: damaged: not what the run wrote")
    evaluations = (run / "evaluations.csv").read_text()
    (run / "evaluations.csv").write_text(evaluations[:-300])
    check(rl_lab("compare", "runs"), "evaluations.csv: damaged: expected 100 final episodes, got 9")
    (run / "evaluations.csv").write_text(evaluations.replace(",-324.0,", ",much,"))
    check(rl_lab("compare", "runs"), "could not convert string to float: 'much'")
    (run / "evaluations.csv").write_text("env_step,phase\n1,2\n")
    check(rl_lab("compare", "runs"), "evaluations.csv: damaged: expected columns env_step, phase, set")
    manifest = (run / "run.json").read_text()
    (run / "run.json").write_text(manifest[: len(manifest) // 2])
    check(rl_lab("evaluate", result["run"]), "run.json: damaged")
    (run / "run.json").write_text('{"status": "finished", "trial": {"experiment": 3}}')
    check(rl_lab("evaluate", result["run"]), "run.json: damaged")
    (run / "run.json").write_text(manifest.replace('"finished"', '"running"'))
    shutil.rmtree(run / "checkpoint")
    check(rl_lab("evaluate", result["run"]), "the run is running and has no checkpoint yet")


def test_a_run_folders_code_is_not_run(rl_lab: Command, tmp_path: Path) -> None:
    result = json.loads(rl_lab("train", "RLLab/Maze-v0", "random", "--steps", "50", "--json").stdout)
    manifest = tmp_path / result["run"] / "run.json"
    text = manifest.read_text()
    (tmp_path / "evil.py").write_text("raise SystemExit('code from the folder was run')")  # beside us, as in `cd RUN`
    refused = "is code that you have not run here"
    for known, evil, expected in (
        ('"id": "random"', '"id": "evil:Agent"', refused),
        ('"id": "random"', '"id": "evil:Agent:x"', "no agent is called 'evil:Agent:x'"),
        ('"id": "RLLab/Maze-v0"', '"id": "evil:Env"', refused),
    ):
        manifest.write_text(text.replace(known, evil))
        shutil.copytree(manifest.parent, tmp_path, dirs_exist_ok=True)
        assert rl_lab("compare", "runs", "--json").returncode == 0  # reads labels and numbers, imports nothing
        check(rl_lab("evaluate", "."), expected)
        check(rl_lab("watch", ".", "--terminal"), expected)


def test_labels_cannot_lead_out_of_the_output_folder(rl_lab: Command, tmp_path: Path) -> None:
    result = json.loads(rl_lab("train", "RLLab/Maze-v0", "random", "--steps", "50", "--json").stdout)
    manifest = tmp_path / result["run"] / "run.json"
    text = manifest.read_text()
    for label in ("../../escaped", "/tmp/escaped", "[/x]"):
        manifest.write_text(text.replace('"name": "RLLab-Maze-v0"', f'"name": "{label}"'))
        check(rl_lab("compare", "runs", "--out", "deep/er"), "expected a plain name")
    assert not (tmp_path / "deep").exists()


def test_a_finished_run_is_kept_when_the_budget_is_of_another_kind(rl_lab: Command, tmp_path: Path) -> None:
    train = ("train", "RLLab/Maze-v0", "random")
    assert rl_lab(*train, "--steps", "500").returncode == 0
    before = files(tmp_path)
    check(rl_lab(*train, "--episodes", "1"), "a budget of 500 env steps there, of 1 episode asked for")
    assert files(tmp_path) == before


def test_a_damaged_neighbour_does_not_spoil_a_run(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "runs/train/RLLab-Maze-v0/old/seed-0").mkdir(parents=True)
    (tmp_path / "runs/train/RLLab-Maze-v0/old/seed-0/run.json").write_text("[" * 100_000)
    done = rl_lab("train", "RLLab/Maze-v0", "random", "--steps", "50", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "finished"
    check(rl_lab("compare", "runs"), "run.json: damaged")


def test_a_video_that_cannot_be_written_leaves_the_old_one(rl_lab: Command, tmp_path: Path) -> None:
    result = json.loads(rl_lab("train", "RLLab/Maze-v0", "random", "--steps", "50", "--json").stdout)
    check(rl_lab("watch", result["run"], "--record", "/proc/x.mp4"), "/proc/x.mp4: cannot write the video")


def test_runs_evaluated_on_other_episodes_are_not_compared(rl_lab: Command, tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("two", 1)):
        (tmp_path / f"{name}.toml").write_text(GOOD.replace('"x"', f'"{name}"') + f"[evaluation]\nseed = {seed}\n")
        assert rl_lab("run", f"{name}.toml").returncode == 0
    check(rl_lab("compare", "runs/one", "runs/two"), "another evaluation under the label 'RLLab-Maze-v0'")
