"""Videos are decoded again, terminals are real ones, the window is SDL's."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image, ImageSequence

from agents.budget import Budget
from envs.registry import make_env
from experiments.rendering.overlays import maze_overlay
from rl_lab import make_agent
from tests.conftest import Command, StartProcess
from tests.helpers import train


def run_folder(rl_lab: Command, env: str, agent: str, *options: str) -> str:
    done = rl_lab("train", env, agent, "--json", *options)
    assert done.returncode == 0, done.stderr
    run: str = json.loads(done.stdout)["run"]
    return run


def decode(path: Path) -> tuple[list[Any], dict[str, Any]]:
    """The frames of a video, by ffmpeg itself, and what it says of the file."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    told = re.search(r"Video: (\w+).*?, (\d+)x(\d+).*?, ([\d.]+) fps", done.stderr.decode())
    assert told is not None
    width, height = int(told[2]), int(told[3])
    frames = np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)
    return list(frames), {"codec": told[1], "size": (width, height), "fps": float(told[4])}


def num_colours(frame: Any) -> int:
    """Of an image [H, W, 3]."""
    return len(np.unique(frame.astype(np.int32) @ np.array([65536, 256, 1], np.int32)))


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_maze_recorded_and_decoded(ending: str, rl_lab: Command, tmp_path: Path) -> None:
    run = run_folder(rl_lab, "RLLab/Maze-v0", "q_learning", "--steps", "4000", "--env", "rows=4", "--env", "cols=4",
                     "--set", "learning_rate=0.5", "--set", "epsilon_decay=0.9")  # fmt: skip
    lengths = [
        episode["length"]
        for episode in json.loads(rl_lab("evaluate", run, "--episodes", "2", "--json").stdout)["episodes"]
    ]
    done = rl_lab("watch", run, "--record", f"maze.{ending}", "--episodes", "2")
    assert done.returncode == 0, done.stderr
    fps = 8
    expected = sum(lengths) + 2 * fps  # a frame before each step, and each end held for a second
    if ending == "mp4":
        frames, facts = decode(tmp_path / "maze.mp4")
        assert facts["codec"] == "h264"
        assert facts["fps"] == fps
        size = facts["size"]
        assert len(frames) == expected
    else:
        with Image.open(tmp_path / "maze.gif") as image:
            frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
            durations = [frame.info["duration"] for frame in ImageSequence.Iterator(image)]
            size = image.size
        assert sum(durations) == pytest.approx(expected * 1000 / fps, rel=0.05)  # equal frames are joined
    # 64: the colour scale; 48: whose values these are, and what they mean; 28: the caption
    assert size == (4 * 120 + 2 * 40 + 64, 4 * 120 + 2 * 40 + 48 + 28)
    assert all(num_colours(frame) > 20 for frame in frames)  # not blank
    assert any(not np.array_equal(frames[0], frame) for frame in frames)  # and not still
    assert f"maze.{ending}" in done.stdout


def test_a_lander_recorded_and_decoded(rl_lab: Command, tmp_path: Path) -> None:
    run = run_folder(rl_lab, "LunarLander-v3", "heuristic_lander", "--steps", "100")
    (episode,) = json.loads(rl_lab("evaluate", run, "--episodes", "1", "--json").stdout)["episodes"]
    assert rl_lab("watch", run, "--record", "lander.mp4").returncode == 0
    frames, facts = decode(tmp_path / "lander.mp4")
    assert facts["size"] == (600, 428)
    assert len(frames) == episode["length"] + 50
    assert num_colours(frames[20]) > 20
    assert rl_lab("watch", run, "--terminal").stdout.count("▀") > 1000


def test_a_window_opens_where_there_is_a_display(rl_lab: Command) -> None:
    run = run_folder(rl_lab, "RLLab/Maze-v0", "value_iteration", "--steps", "50", "--env", "rows=3", "--env", "cols=3")
    done = rl_lab("watch", run, environment={"SDL_VIDEODRIVER": "dummy"})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_the_terminal_is_animated_in_place_and_left_clean(
    rl_lab: Command, tmp_path: Path, start_process: StartProcess
) -> None:
    run = run_folder(rl_lab, "RLLab/Maze-v0", "value_iteration", "--steps", "50", "--env", "rows=3", "--env", "cols=3")
    leader, follower = pty.openpty()
    process = start_process(
        [sys.executable, "-P", "-m", "rl_lab", "watch", run, "--terminal"],
        cwd=tmp_path,
        stdout=follower,
        stderr=follower,
        stdin=follower,
        env=dict(os.environ),
    )
    os.close(follower)
    output, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([leader], [], [], 0.2)[0]:
            try:
                output += os.read(leader, 65536)
            except OSError:
                break
        elif process.poll() is not None:
            break
    assert process.wait(10) == 0
    os.close(leader)
    text = output.decode()
    assert text.startswith("\x1b[?25l\x1b[2J")  # cursor hidden, screen cleared
    assert text.rstrip().endswith("\x1b[?25h")  # cursor back
    assert text.count("\x1b[H┌") == int(text.split("step ")[-1].split()[0]) + 1


def test_the_overlay_shows_what_the_agent_knows_and_only_that() -> None:
    options = {"rows": 4, "cols": 4}
    env = make_env("RLLab/Maze-v0", rows=4, cols=4)
    agent = make_agent("q_learning", env, discount=1.0, learning_rate=0.5)
    blank = maze_overlay(agent, env)
    assert blank is not None
    assert blank.arrows is not None
    assert blank.values is not None
    assert not blank.arrows.any()
    assert np.isnan(blank.values).all()
    train(agent, "RLLab/Maze-v0", options, Budget(steps=20_000))
    planner = maze_overlay(make_agent("value_iteration", env), env)
    learned = maze_overlay(agent, env)
    assert planner is not None
    assert learned is not None
    assert planner.arrows is not None
    assert learned.arrows is not None
    assert planner.values is not None
    base: Any = env.unwrapped
    assert planner.arrows.sum() == 15  # one arrow a cell, none at the exit
    assert np.nanmin(planner.values) == -base.exit_distances.max()
    assert learned.arrows[0].tolist() == planner.arrows[0].tolist()
    assert maze_overlay(make_agent("random", env), env) is None
    assert maze_overlay(agent, make_env("LunarLander-v3")) is None
