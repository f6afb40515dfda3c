"""Runs that go on, runs that are extended, verified, locked, and met with full disks and damaged folders."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.errors import InputError
from experiments.evaluation.environments import make_training_env
from experiments.results.stored_run import read_runs
from experiments.runs.digests import result_digests
from experiments.runs.open_run import open_run
from experiments.runs.run_folder import RunFolder
from experiments.specs.spec import AgentEntry, Budget, EnvEntry, Evaluation, RunSpec
from experiments.training.observers import Observer
from experiments.training.train_run import train_run
from experiments.training.verification import verify_run
from tests.conftest import Command
from tests.helpers import FAST_SETTINGS, files

MAZE = ("RLLab/Maze-v0", "q_learning", "--env", "rows=4", "--env", "name=m", "--set", "name=q")
RUN = "runs/train/m/q/seed-0"


def run_spec(steps: int = 2_000, agent: str = "q_learning", **changes: Any) -> RunSpec:
    return RunSpec(
        experiment="x",
        env=changes.pop("env", EnvEntry(id="RLLab/Maze-v0", name="m", settings={"rows": 4, "cols": 4, "slip": 0.1})),
        agent=AgentEntry(id=agent, name="a", settings=changes.pop("settings", {})),
        seed=1,
        budget=changes.pop("budget", Budget(steps=steps)),
        evaluation=changes.pop("evaluation", Evaluation(every=200, episodes=1, final_episodes=2)),
    )


def run(one: RunSpec, out: Path, until: int | None = None) -> RunFolder:
    manifest = train_run(one, out, (), until)
    assert manifest.status == ("finished" if until is None else "interrupted"), manifest
    return RunFolder(out / one.folder)


def test_a_killed_command_goes_on_to_the_same_bytes(rl_lab: Command, tmp_path: Path) -> None:
    arguments = ["train", *MAZE, "--steps", "500000", "--engine", "python"]
    process = subprocess.Popen([sys.executable, "-P", "-m", "rl_lab", *arguments], cwd=tmp_path, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while _env_steps_known(tmp_path / RUN) < 50_000 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGSTOP)  # so that it does not end by itself meanwhile
    locked = rl_lab(*arguments)
    assert locked.returncode == 2
    assert locked.stderr == f"error: {RUN}: another process {process.pid} is writing this run\n"
    assert "1 running" in rl_lab("status", "runs").stdout
    process.kill()
    process.communicate()
    status = rl_lab("status", "runs").stdout
    assert "1 stopped" in status
    assert "time left" in status
    again = rl_lab(*arguments)
    assert again.returncode == 0, again.stderr
    attempts = json.loads((tmp_path / RUN / "run.json").read_text())["attempts"]
    assert len(attempts) == 2
    assert attempts[1]["from_step"] > 0
    whole = rl_lab(*arguments, "--out", "whole")
    assert whole.returncode == 0
    assert result_digests(tmp_path / RUN) == result_digests(tmp_path / "whole" / "train" / "m" / "q" / "seed-0")


def _env_steps_known(folder: Path) -> int:
    """How far a run has come, as its folder tells; 0 as long as that tells nothing."""
    try:
        return int((folder / "timing.csv").read_text().splitlines()[-1].split(",")[0])
    except (OSError, LookupError, ValueError):
        return 0


@pytest.mark.parametrize("agent", ["q_learning", "n_step_sarsa", "random"])
def test_extended_by_episodes_is_trained_at_once(agent: str, tmp_path: Path) -> None:
    """Where the points of the curve do not depend on the budget, and no episode is cut off."""
    evaluation = Evaluation(every=200, episodes=1, final_episodes=2)
    short, long = (run_spec(agent=agent, budget=Budget(episodes=n), evaluation=evaluation) for n in (20, 45))
    run(short, tmp_path / "twice")
    extended, whole = run(long, tmp_path / "twice"), run(long, tmp_path / "once")
    assert result_digests(extended.path) == result_digests(whole.path)
    assert extended.read_manifest().budgets == [Budget(episodes=20), Budget(episodes=45)]


class Stop(Observer):
    """Interrupts a run at its first checkpoint from a step on."""

    def checkpointed(self, env_step: int) -> None:
        if env_step >= 350:
            raise KeyboardInterrupt


def stopped_and_whole(run_spec: RunSpec, folder: Path) -> RunFolder:
    """A run that was stopped and goes on ends as one that was not; that one."""
    with pytest.raises(KeyboardInterrupt):
        train_run(run_spec, folder / "stopped", [Stop()])
    stopped, once = run(run_spec, folder / "stopped"), run(run_spec, folder / "once")
    first, second = stopped.read_manifest().attempts
    assert first.from_step == 0 < second.from_step
    assert result_digests(stopped.path) == result_digests(once.path)
    return once


@pytest.mark.parametrize(
    ("agent", "env"),
    [
        ("sb3_a2c", EnvEntry(id="RLLab/Maze-v0", name="m", settings={"rows": 3, "cols": 3})),
        ("sb3_qrdqn", EnvEntry(id="RLLab/Maze-v0", name="m", settings={"rows": 3, "cols": 3})),
        ("sb3_sac", EnvEntry(id="Pendulum-v1", name="m")),
        ("sb3_td3", EnvEntry(id="LunarLander-v3", name="m", settings={"continuous": True})),
    ],
)
def test_other_algorithms_go_on_exactly(agent: str, env: EnvEntry, tmp_path: Path) -> None:
    """Optimisers, entropy, target networks, noise and buffers: stopped and resumed, every byte is the same."""
    settings = FAST_SETTINGS[agent] | ({"num_envs": 2} if agent in ("sb3_a2c", "sb3_sac") else {})
    whole = run_spec(700, agent, settings=settings, env=env)
    stopped_and_whole(whole, tmp_path)


SMALL_MAZE = EnvEntry(id="RLLab/Maze-v0", name="m", settings={"rows": 3, "cols": 3})
SMALL_GRIDS = EnvEntry(
    id="RLLab/Maze-v0", name="m", settings={"rows": 3, "cols": 3, "maze_seed": "new", "observation": "grid"}
)


@pytest.mark.parametrize(
    ("settings", "env"),
    [
        ({"num_envs": 3, "n": 3, "prioritized": True, "average_rate": 0.01}, EnvEntry(id="LunarLander-v3", name="m")),
        ({"num_envs": 2, "learner": "torch", "dueling": True, "target": "polyak"}, SMALL_MAZE),
        ({"num_envs": 2, "network": "vin", "num_sweeps": 6}, SMALL_GRIDS),
        ({"buffer_size": 100, "epsilon_decay_share": 0.5, "learning_rate_schedule": "linear"}, SMALL_MAZE),
    ],
)
def test_a_dqn_goes_on_exactly(settings: dict[str, Any], env: EnvEntry, tmp_path: Path) -> None:
    """Stopped and resumed, every byte is the same; many environments in the midst of their episodes."""
    fast = dict(FAST_SETTINGS["dqn"])
    if settings.get("network") == "vin":
        del fast["hidden_sizes"]
    whole = run_spec(900, "dqn", settings=fast | settings, env=env)
    once = stopped_and_whole(whole, tmp_path)
    rows = (once.path / "learning.csv").read_text().splitlines()
    assert rows[0] == "env_step,loss,mean_q,gradient_norm,buffer_size"
    assert len(rows) > 3
    assert verify_run(once.path, full=True, on_progress=lambda progress: None).reproduced


def test_a_loss_that_is_no_number_stops_the_run_and_leaves_what_was_good(tmp_path: Path) -> None:
    """The exit is worth so much that its square is no float32 any more."""
    maze = EnvEntry(
        id="RLLab/Maze-v0", name="m", settings={"rows": 4, "cols": 4, "exit_rewards": [1e30], "max_steps": 100}
    )
    settings = FAST_SETTINGS["dqn"] | {"loss": "squared"}
    manifest = train_run(run_spec(20_000, "dqn", settings=settings, env=maze), tmp_path, [])
    assert manifest.status == "failed"
    words = r"ArithmeticError: dqn: the loss is .*(inf|nan) .* a smaller learning_rate may help"
    assert re.match(words, manifest.error or "")
    path = next(tmp_path.rglob("run.json")).parent
    assert open_run(path).agent().action_values(0).shape == (4,)  # type: ignore[union-attr]


@pytest.mark.parametrize("agent", ["q_learning", "sb3_dqn", "sb3_ppo"])
def test_an_extended_run_keeps_what_it_had_and_is_reproduced(agent: str, tmp_path: Path) -> None:
    more = {"sb3_dqn": {"learning_starts": 20, "buffer_size": 300}, "sb3_ppo": {"n_steps": 64, "num_envs": 2}}
    short, long = (run_spec(steps, agent, settings=more.get(agent, {})) for steps in (500, 1_100))
    before = run(short, tmp_path)
    episodes, curve = before.episodes(), [row for row in before.evaluations() if row["phase"] == "curve"]
    after = run(long, tmp_path)
    assert after.episodes()[: len(episodes)] == episodes
    assert len(after.episodes()) > len(episodes)
    rows = after.evaluations()
    assert rows[: len(curve)] == curve
    assert {row["env_step"] for row in rows if row["phase"] == "final"} == {rows[-1]["env_step"]}
    verification = verify_run(after.path, full=True, on_progress=lambda progress: None)
    assert verification.reproduced, verification


def test_a_run_verified_and_a_run_touched(rl_lab: Command, tmp_path: Path) -> None:
    assert rl_lab("train", *MAZE, "--steps", "2000").returncode == 0
    part, whole = rl_lab("verify", RUN), rl_lab("verify", RUN, "--full")
    assert (part.returncode, whole.returncode) == (0, 0), part.stderr
    assert part.stdout.startswith("reproduced: its first 200 env steps: ")
    assert "reproduced: all of it, weights included: " in whole.stdout
    assert "1 runs are reproduced" not in rl_lab("verify", "runs").stdout
    log = tmp_path / RUN / "episodes.csv"
    lines = log.read_text().splitlines()
    cells = lines[1].split(",")
    cells[2] = "-1.5"
    log.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n")
    manifest = json.loads((tmp_path / RUN / "run.json").read_text())
    manifest["versions"]["numpy"] = "1.0"
    (tmp_path / RUN / "run.json").write_text(json.dumps(manifest))
    touched = rl_lab("verify", RUN)
    assert touched.returncode == 1
    assert f"episodes.csv: row 1, column return: -1.5 there, {lines[1].split(',')[2]} now" in touched.stdout
    assert "episodes.csv: changed after the run had ended" in touched.stdout
    assert "versions: numpy: 1.0 then, " in touched.stdout
    assert json.loads(rl_lab("verify", RUN, "--json").stdout)["reproduced"] is False


def test_weights_that_would_come_out_otherwise_are_found(tmp_path: Path) -> None:
    folder = run(run_spec(), tmp_path)
    path = folder.path / "checkpoint" / "agent" / "state.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    digests = result_digests(folder.path)  # as another machine might have written it
    folder.write_manifest(folder.read_manifest().with_(digests=digests))
    verification = verify_run(folder.path, full=True, on_progress=lambda progress: None)
    assert verification.differences == ["checkpoint/agent/state.npz: other bytes"]


@pytest.mark.parametrize("limit", [30_000, 3_000, 1_500])
def test_a_full_disk_is_one_clear_error_and_the_run_goes_on_later(limit: int, rl_lab: Command, tmp_path: Path) -> None:
    """A limit of a file's size stands for the full disk: the log, or a checkpoint, or run.json itself hits it."""
    arguments = ["train", *MAZE, "--steps", "40000", "--engine", "python"]
    command = [sys.executable, "-P", "-m", "rl_lab", *arguments]

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    full = subprocess.run(
        command, cwd=tmp_path, preexec_fn=little_room, capture_output=True, text=True, check=False, timeout=100
    )
    assert full.returncode in (1, 2), full.stderr
    errors = [line for line in full.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, full.stderr
    assert "File too large" in errors[0]
    assert "Traceback" not in full.stderr
    folder = RunFolder(tmp_path / RUN)
    if limit == 30_000:
        folder.checkpoint.check()
        assert folder.read_manifest().status == "failed"
        assert "File too large" in (folder.path / "error.txt").read_text()
    assert not (folder.path / "checkpoint.new").exists()
    again = rl_lab(*arguments)
    assert again.returncode == 0, again.stderr
    assert rl_lab(*arguments, "--out", "whole").returncode == 0
    assert result_digests(tmp_path / RUN) == result_digests(tmp_path / "whole" / "train" / "m" / "q" / "seed-0")


@pytest.mark.parametrize("agent", ["q_learning", "sb3_dqn", "sb3_ppo"])
def test_stopped_during_the_final_evaluation(agent: str, tmp_path: Path) -> None:
    settings = {"sb3_dqn": {"learning_starts": 20, "buffer_size": 300}, "sb3_ppo": {"n_steps": 64}}.get(agent, {})
    one = run_spec(300, agent, settings=settings)
    folder = run(one, tmp_path)
    whole = result_digests(folder.path)
    folder.write_manifest(folder.read_manifest().with_(status="running"))
    log = folder.path / "evaluations.csv"
    log.write_bytes(log.read_bytes()[:-20])
    assert result_digests(run(one, tmp_path).path) == whole


REMEMBERS = """
import gymnasium as gym, numpy as np
class Remembers(gym.Env):
    observation_space, action_space = gym.spaces.Box(0, 1e6, (1,)), gym.spaces.Discrete(2)
    resets = 0
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.resets, self.steps = self.resets + 1, 0
        return np.array([self.resets], np.float32), {}
    def step(self, action):
        self.steps += 1
        return np.array([self.resets], np.float32), 0.0, self.steps == 30, False, {}
"""


def test_a_run_whose_environment_remembers_begins_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As BipedalWalker, whose physics outlive a reset: it cannot be brought back to where it was."""
    (tmp_path / "remembers.py").write_text(REMEMBERS)
    monkeypatch.syspath_prepend(tmp_path)
    one = RunSpec(
        experiment="x",
        env=EnvEntry(id="remembers:Remembers", name="r"),
        agent=AgentEntry(id="sb3_ppo", name="a", settings={"n_steps": 64, "n_epochs": 1}),
        seed=1,
        budget=Budget(steps=600),
        evaluation=Evaluation(every=100, episodes=1, final_episodes=1),
    )
    run(one, tmp_path / "out", until=400)
    folder = run(one, tmp_path / "out")
    assert "the run begins anew" in caplog.text
    assert folder.read_manifest().attempts[-1].from_step == 0
    assert result_digests(folder.path) == result_digests(run(one, tmp_path / "whole").path)


def test_what_was_touched_is_not_gone_on_with(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A run that never finished begins anew; one that has is left alone, to the byte."""
    whole = result_digests(run(run_spec(), tmp_path / "whole").path)
    folder = run(run_spec(), tmp_path / "touched", until=1_000)
    log = folder.path / "episodes.csv"
    log.write_text(log.read_text().replace("0", "1", 1))
    assert result_digests(run(run_spec(), tmp_path / "touched").path) == whole
    assert "episodes.csv: damaged: its first" in caplog.text
    log.write_text(log.read_text().replace("0", "1", 1))
    before = files(folder.path)
    manifest = train_run(run_spec(3_000), tmp_path / "touched")
    assert manifest.status == "failed"
    assert "the run has finished before, and is left as it is" in str(manifest.error)
    assert files(folder.path) == before
    weights = run(run_spec(), tmp_path / "weights", until=1_000)
    path = weights.checkpoint.path / "agent" / "state.npz"
    path.write_bytes(path.read_bytes()[:-1])
    assert run(run_spec(), tmp_path / "weights").read_manifest().attempts[-1].from_step == 0
    assert "the run begins anew" in caplog.text


def test_wall_clock_times_that_are_gone_lose_nothing(tmp_path: Path) -> None:
    folder = run(run_spec(1_000), tmp_path)
    (folder.path / "timing.csv").unlink()
    assert run(run_spec(2_000), tmp_path).read_manifest().attempts[-1].from_step == 1_000


def test_a_stopped_extension_is_neither_thrown_away_nor_mixed(tmp_path: Path) -> None:
    run(run_spec(1_000), tmp_path)
    folder = run(run_spec(3_000), tmp_path, until=2_500)
    before = files(folder.path)
    for steps in (1_000, 5_000):
        manifest = train_run(run_spec(steps), tmp_path)
        assert manifest.status == "failed"
        assert "an extension to 3,000 env steps was stopped at" in str(manifest.error)
        assert files(folder.path) == before
    done = run(run_spec(3_000), tmp_path)
    done.write_manifest(done.read_manifest().with_(status="running"))  # as if killed in its final evaluation
    refused = train_run(run_spec(1_000), tmp_path)
    assert "an extension to 3,000 env steps was stopped at" in str(refused.error)
    done = run(run_spec(3_000), tmp_path)
    run(run_spec(1_000), tmp_path / "other")
    assert result_digests(done.path) == result_digests(run(run_spec(3_000), tmp_path / "other").path)
    assert done.read_manifest().budgets == [Budget(steps=1_000), Budget(steps=3_000)]


def test_another_budget_of_an_unfinished_run_begins_anew(tmp_path: Path) -> None:
    evaluation = Evaluation(episodes=1, final_episodes=2)  # the points of the curve depend on the budget
    short, long = (run_spec(steps, evaluation=evaluation) for steps in (2_000, 4_000))
    run(short, tmp_path / "twice", until=1_500)
    run(long, tmp_path / "twice", until=1)  # stopped at once: nothing of the first budget may be left
    twice, once = run(long, tmp_path / "twice"), run(long, tmp_path / "once")
    assert result_digests(twice.path) == result_digests(once.path)
    assert twice.read_manifest().budgets == [Budget(steps=4_000)]


def test_a_checkpoint_that_names_no_files_is_none(tmp_path: Path) -> None:
    folder = run(run_spec(400), tmp_path)
    (folder.path / "checkpoint" / "digests.json").write_text("[]")
    with pytest.raises(InputError, match=r"digests.json does not name it"):
        folder.checkpoint.check()


def test_an_environment_that_cannot_be_replayed_says_so() -> None:
    from agents.env_snapshot import Replayable

    env = Replayable(make_training_env(run_spec().env))
    env.reset(seed=3)
    for _ in range(5):
        env.step(1)
    snapshot = env.snapshot()
    snapshot["seen"] = snapshot["seen"] + 1
    with pytest.raises(ValueError, match="does not do again what it did"):
        Replayable(make_training_env(run_spec().env), snapshot).reset(seed=0)


def test_retries_take_up_the_run_and_are_counted(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "unlucky.py").write_text(
        "import pathlib\n"
        "from agents.random_agent import RandomAgent\n"
        "class Unlucky(RandomAgent):\n"
        "    def update(self, transition):\n"
        "        mark = pathlib.Path('met')\n"
        "        if self.num_steps == 500 and len(mark.read_text() if mark.exists() else '') < 2:\n"
        "            with mark.open('a') as file: file.write('x')\n"
        "            raise RuntimeError('out of luck')\n"
    )
    (tmp_path / "x.toml").write_text(
        'name = "x"\nsteps = 1000\n[evaluation]\nevery = 100\nepisodes = 1\nfinal_episodes = 2\n'
        '[[envs]]\nid = "RLLab/Maze-v0"\nrows = 3\n[[agents]]\nid = "unlucky:Unlucky"\n'
    )
    for jobs, retries, code in (("1", "1", 1), ("1", "0", 0)):
        done = rl_lab("run", "x.toml", "--jobs", jobs, "--retries", retries)
        assert done.returncode == code, done.stderr
    (folder,) = (path.parent for path in tmp_path.glob("runs/**/run.json"))
    attempts = json.loads((folder / "run.json").read_text())["attempts"]
    assert [attempt.get("error") for attempt in attempts] == ["RuntimeError: out of luck"] * 2 + [None]
    assert attempts[-1]["from_step"] > 0
    assert (folder / "error.txt").read_text().count("Traceback") == 2
    assert json.loads(rl_lab("status", "runs", "--json").stdout)["trials"][0]["retries"] == 2
    (tmp_path / "met").unlink()
    done = rl_lab("run", "x.toml", "--jobs", "2", "--retries", "2", "--out", "other")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("trying again") == 2


def test_a_thousand_tiny_trials(rl_lab: Command, tmp_path: Path) -> None:
    """The overhead is for `rl-lab speed` to say; here they all end, in far less than they would with a process each."""
    (tmp_path / "tiny.toml").write_text(
        'name = "tiny"\nseeds = 1000\nepisodes = 1\n[evaluation]\nepisodes = 1\nfinal_episodes = 1\n'
        '[[envs]]\nid = "RLLab/Maze-v0"\nrows = 2\ncols = 2\nname = "m"\n[[agents]]\nid = "random"\n'
    )
    done = rl_lab("run", "tiny.toml", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "1000 trials finished" in done.stdout
    assert "1,000 trials: 1000 finished" in rl_lab("status", "runs/tiny").stdout


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(run_spec(400), tmp_path_factory.mktemp("sound")).path.parents[3]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_folders_are_reported_and_run_nothing(data: st.DataObject, sound: Path, tmp_path: Path) -> None:
    """Whatever a file holds: reading ends in an InputError, or in the same results."""
    out = tmp_path / "damaged"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(sound, out)
    folder = RunFolder(out / run_spec(400).folder)
    files = sorted(
        path for path in folder.path.rglob("*") if path.is_file() and path.suffix in (".csv", ".json", ".npz")
    )
    path = data.draw(st.sampled_from(files))
    content = path.read_bytes()
    at = data.draw(st.integers(0, max(0, len(content) - 1)))
    evil = b"cos\nsystem\n(S'touch " + str(tmp_path / "executed").encode() + b"'\ntR."
    kinds = {
        "cut": content[:at],
        "bytes": content[:at] + data.draw(st.binary(min_size=1, max_size=30)) + content[at + 1 :],
        "empty": b"",
        "pickle": evil,
        "deep": b"[" * 10_000,
        "not text": b"\xff\xfe" + content,
    }
    path.write_bytes(kinds[data.draw(st.sampled_from(sorted(kinds)))])
    try:
        for one in read_runs([out]):
            if one.finished:
                one.final_scores(), one.curve(), one.training()
                _ = one.scale, one.curve_scale
        open_run(folder.path).agent()
        verify_run(folder.path, full=False, on_progress=lambda progress: None)
    except InputError:
        pass
    assert not (tmp_path / "executed").exists()


def test_sigterm_is_a_stop_like_any_other(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "rl_lab", "train", *MAZE, "--steps", "3000000", "--engine", "python"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, env=dict(os.environ))
    while not (tmp_path / RUN / "checkpoint").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    RunFolder(tmp_path / RUN).checkpoint.check()
    assert not RunFolder(tmp_path / RUN).is_written()
