"""Runs that are killed, stopped, or have no room: they go on to the bytes of one that was not."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from experiments.evaluation.environments import make_training_env
from experiments.runs.digests import result_digests
from experiments.runs.open_run import open_run
from experiments.runs.run_folder import RunFolder
from experiments.specs.spec import AgentEntry, Budget, EnvEntry, Evaluation, RunSpec
from experiments.training.train_run import train_run
from experiments.training.verification import verify_run
from tests.conftest import Command, StartProcess
from tests.exact import MAZE, RUN, SMALL_MAZE, run, run_spec, stopped_and_whole
from tests.helpers import FAST_SETTINGS


def test_a_killed_command_goes_on_to_the_same_bytes(
    rl_lab: Command, tmp_path: Path, start_process: StartProcess
) -> None:
    arguments = ["train", *MAZE, "--steps", "500000", "--engine", "python"]
    process = start_process([sys.executable, "-P", "-m", "rl_lab", *arguments], cwd=tmp_path, stderr=subprocess.PIPE)
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


def test_sigterm_is_a_stop_like_any_other(tmp_path: Path, start_process: StartProcess) -> None:
    command = [sys.executable, "-P", "-m", "rl_lab", "train", *MAZE, "--steps", "3000000", "--engine", "python"]
    process = start_process(command, cwd=tmp_path, stderr=subprocess.PIPE, env=dict(os.environ))
    while not (tmp_path / RUN / "checkpoint").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    RunFolder(tmp_path / RUN).checkpoint.check()
    assert not RunFolder(tmp_path / RUN).is_written()
