"""Draw, play, speed; the optimum beside an agent; evaluation on the other side of a split."""

import json
import os
import pty
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from envs.mazes.cell_values import decimals, written
from envs.mazes.env import MazeEnv
from envs.mazes.scene import Overlay
from envs.mazes.svg import draw_svg
from envs.mazes.text import draw_box
from envs.registry import make_env
from experiments.rendering.overlays import MEANINGS, maze_overlay
from rl_lab import make_agent
from rl_lab.show.keys import raw_keys
from rl_lab.show.play import QUIT, action_keys
from tests.conftest import Command, StartProcess
from tests.helpers import LOCKED, MAZES

SVG = "{http://www.w3.org/2000/svg}"


def trained(rl_lab: Command, *options: str) -> str:
    done = rl_lab("train", "RLLab/Maze-v0", "value_iteration", "--steps", "50", *options, "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["run"])


@pytest.mark.parametrize("overlay", ["values", "q_values", "path", "none"])
def test_draw_writes_every_overlay_in_every_format(overlay: str, rl_lab: Command, tmp_path: Path) -> None:
    run = trained(rl_lab, "--env", "rows=4", "--env", "cols=4")
    for ending in ("svg", "png", "txt"):
        for what in (run, "RLLab/Maze-Keys-v0"):
            done = rl_lab("draw", what, f"maze.{ending}", "--overlay", overlay, "--size", "300")
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith(f"maze.{ending}: shortest path ")
    with Image.open(tmp_path / "maze.png") as picture:
        assert 300 <= max(picture.size) <= 380
    root = xml.etree.ElementTree.parse(tmp_path / "maze.svg").getroot()
    assert root.tag == f"{SVG}svg"
    assert len(root.findall(f"{SVG}rect")) > 81
    assert (tmp_path / "maze.txt").read_text().startswith("┌")


def test_draw_knows_a_level_and_says_what_is_wrong(rl_lab: Command, tmp_path: Path) -> None:
    done = rl_lab("draw", "RLLab/Maze-Generalise-v0", "level.txt", "--level", "7", "--overlay", "none")
    assert done.returncode == 0, done.stderr
    env: Any = MazeEnv(levels=500, split="train", observation="grid")
    env.reset(options={"level": 7})
    assert (tmp_path / "level.txt").read_text() == draw_box(env.scene()) + "\n"
    for arguments, message in (
        (("RLLab/Maze-v0", "maze.jpg"), "maze.jpg: expected a file that ends in .svg, .png, .txt, got '.jpg'"),
        (("LunarLander-v3", "maze.svg"), "draw: expected a maze, or a run in one, got LunarLander-v3"),
        (("NoMaze-v0", "maze.svg"), "unknown environment 'NoMaze-v0'"),
        (("RLLab/Maze-v0", "no/maze.svg"), "no/maze.svg: the folder no does not exist"),
        (("RLLab/Maze-v0", "maze.svg", "--overlay", "heat"), "unknown overlay 'heat'"),
        (("RLLab/Maze-v0", "maze.svg", "--overlay", "visits"), "visits are counted while episodes are watched"),
        (("RLLab/Maze-v0", "maze.svg", "--level", "1"), "level: this maze has no levels"),
        (("RLLab/Maze-v0", "maze.svg", "--size", "9000"), "--size: expected 32 to 4096 pixels, got 9000"),
    ):
        done = rl_lab("draw", *arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stderr.count("\n") == 1


def test_the_optimum_is_drawn_beside_the_agent(rl_lab: Command, tmp_path: Path) -> None:
    run = trained(rl_lab, "--env", "rows=3", "--env", "cols=3")
    done = rl_lab("watch", run, "--terminal", "--oracle")
    assert done.returncode == 0, done.stderr
    picture = done.stdout.split("\n\n")[0].split("\n")
    width = 3 * 8 + 1  # of a cell with its value, and a wall
    assert len({len(line) for line in picture[:7]}) == 1
    assert all(line[:width] == line[-width:] for line in picture[:7])  # a planner is the optimum
    assert "what is optimal at discount 1" in done.stdout
    assert "(right: the optimum at discount 1)" in done.stdout
    assert rl_lab("watch", run, "--record", "both.gif", "--oracle").returncode == 0
    with Image.open(tmp_path / "both.gif") as movie:
        assert movie.size[0] > 1.9 * movie.size[1]
    refused = rl_lab("watch", run, "--oracle", environment={"SDL_VIDEODRIVER": "dummy"})
    assert refused.returncode == 2
    assert "--oracle: expected --record or --terminal beside it" in refused.stderr


def test_keys_are_played_from_a_pipe(rl_lab: Command, tmp_path: Path) -> None:
    drawing = tmp_path / "corridor.txt"
    drawing.write_text("#######\n#S   E#\n#######")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "rl_lab", "play", "RLLab/Maze-v0", "--terminal", "--env", "layout=corridor.txt"],
        input="wxd\x1b[CDq",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "step 1   return -1   2 moves from the exit" in done.stdout  # a bump; x is no key
    assert "step 3   return -3   terminated" in done.stdout
    assert "step 1   return -1   1 moves from the exit" in done.stdout  # a new episode
    assert done.stdout.endswith("1 episodes finished, returns: -3\n")


def test_play_in_a_terminal_reads_arrow_keys_and_leaves_it_clean(tmp_path: Path, start_process: StartProcess) -> None:
    (tmp_path / "corridor.txt").write_text("#######\n#S   E#\n#######")
    leader, follower = pty.openpty()
    process = start_process(
        [sys.executable, "-P", "-m", "rl_lab", "play", "RLLab/Maze-v0", "--terminal", "--env", "layout=corridor.txt"],
        cwd=tmp_path,
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    output = b""
    for expected, typed in ((b"step 0", b"\x1b[C"), (b"step 1", b"\x1b[C"), (b"terminated", b"\x1b")):
        while expected not in output:
            output += os.read(leader, 65536)
        os.write(leader, typed)
    assert process.wait(30) == 0
    output += os.read(leader, 65536)
    os.close(leader)
    text = output.decode()
    assert "\x1b[?25l" in text
    assert "\x1b[?25h" in text.split("terminated")[-1]
    assert "returns: -2" in text


def test_play_in_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """On SDL's dummy screen, with keys that another thread presses."""
    import pygame

    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)  # Gymnasium's player asks it for a window

    from rl_lab.show.play import play

    def press() -> None:
        for key in (pygame.K_RIGHT, pygame.K_d, pygame.K_ESCAPE):
            time.sleep(1.0)
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
            if key != pygame.K_ESCAPE:
                time.sleep(0.3)
                pygame.event.post(pygame.event.Event(pygame.KEYUP, key=key))

    thread = threading.Thread(target=press)
    thread.start()
    result = play("RLLab/Maze-v0", {"layout": "#######\n#S   E#\n#######", "max_steps": 2}, seed=0, terminal=False)
    thread.join()
    assert result["episodes"] >= 1
    assert result["returns"][0] == -2


def test_keys_of_both_keyboards_and_names_of_actions() -> None:
    maze = action_keys(make_env("RLLab/Maze-v0"))
    moves = {"up": 0, "right": 1, "down": 2, "left": 3}
    for qwerty, azerty, way in (("w", "z", "up"), ("a", "q", "left"), ("s", "s", "down"), ("d", "d", "right")):
        assert maze.actions[qwerty] == maze.actions[azerty] == moves[way]
    assert not {"q", "z"} & set(QUIT)
    lander = action_keys(make_env("LunarLander-v3"))
    assert lander.legend == "0 nothing, 1 left engine, 2 main engine, 3 right engine; or the arrows"
    assert [lander.actions[key] for key in ("0", "à", "3", '"', "\x1b[A", "\x1b[D")] == [0, 0, 3, 3, 2, 1]
    assert action_keys(make_env("CartPole-v1")).actions["\x1b[C"] == 1


def test_keys_where_there_is_no_termios(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: its own module reads keys, and arrows come as two characters."""
    import types

    typed = iter(["d", "\xe0", "M", "\x00", "K", "\xe0", "S", "\x1b"])
    module = types.ModuleType("msvcrt")
    module.getwch = lambda: next(typed)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "msvcrt", module)
    monkeypatch.setitem(sys.modules, "termios", None)
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(isatty=lambda: True))
    with raw_keys() as read_key:
        assert [read_key() for _ in range(5)] == ["d", "\x1b[C", "\x1b[D", "?", "\x1b"]


def test_a_window_after_a_recording_is_no_dummy(tmp_path: Path) -> None:
    """In one Python process without a screen: a recording leaves no screen behind that nobody sees."""
    script = (
        "from rl_lab import train, watch\n"
        "run = train('RLLab/Maze-v0', 'value_iteration', steps=20, env_options={'rows': 2, 'cols': 2})['run']\n"
        "watch(run, record='maze.gif')\n"
        "try:\n    watch(run)\nexcept ValueError as error:\n    print(error)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("SDL_VIDEODRIVER", "DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "there is no display for a window" in done.stdout


def test_what_cannot_be_played(rl_lab: Command) -> None:
    for arguments, message in (
        (("RLLab/Maze-v0",), "there is no display for a window: expected --terminal"),
        (("Pendulum-v1", "--terminal"), "play: expected an environment with at most 10 actions, got Box"),
        (("RLLab/Maze-v0", "--terminal", "--env", "pits=-1"), "pits"),
        (("RLLab/Maz-v0", "--terminal"), "unknown environment"),
    ):
        done = rl_lab("play", *arguments)
        assert done.returncode == 2, done.stderr
        assert message in done.stderr


def test_speed_compares_and_says_so(rl_lab: Command) -> None:
    done = rl_lab("speed", "envs", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert [result["baseline_name"] for result in results][2] == "FrozenLake8x8-v1"
    assert all(result["ratio"] > 1 and result["lowest"] <= result["ratio"] <= result["highest"] for result in results)
    assert rl_lab("speed", "cars").returncode == 2


def test_an_agent_of_one_side_is_evaluated_on_the_other(rl_lab: Command) -> None:
    env_options = [part for option in ("rows=3", "cols=3", "levels=5") for part in ("--env", option)]
    settings = [part for setting in ("learning_starts=20", "buffer_size=200") for part in ("--set", setting)]
    done = rl_lab("train", "RLLab/Maze-Generalise-v0", "sb3_dqn", "--steps", "200", *env_options, *settings, "--json")
    run = json.loads(done.stdout)["run"]
    train, test = (
        json.loads(rl_lab("evaluate", run, "--env", f"split={split}", "--episodes", "3", "--json").stdout)
        for split in ("train", "test")
    )
    assert train["env_options"] == {"split": "train"}
    assert [episode["seed"] for episode in train["episodes"]] == [episode["seed"] for episode in test["episodes"]]
    refused = rl_lab("evaluate", run, "--env", "rows=4")
    assert refused.returncode == 2
    assert "the agent does not fit: expected the observation space Box" in refused.stderr
    assert rl_lab("evaluate", run, "--env", "row=4").returncode == 2


# -- pictures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", MAZES.values(), ids=MAZES)
def test_every_variant_is_drawn_in_every_way(options: dict[str, Any]) -> None:
    env = MazeEnv(**(options | {"render_mode": "rgb_array", "render_size": 200}))
    env.reset(seed=0)
    for action in (1, 2, 3, 0, 1):
        env.step(action)
    rng = np.random.default_rng(0)
    cells = env.num_cells
    env.overlay = Overlay(
        values=rng.normal(size=cells),
        arrows=rng.random((cells, 4)) < 0.3,
        q_values=rng.normal(size=(cells, 4)),
        visits=rng.integers(50, size=cells),
        path=(0, 1),
    )
    picture = env.render()
    assert picture.dtype == np.uint8
    assert 180 < max(picture.shape) < 330
    root = xml.etree.ElementTree.fromstring(draw_svg(env.scene()))
    assert root.get("viewBox")
    small = max(env.rows, env.cols) <= 10
    valued, wide = draw_box(env.scene()), draw_box(env.scene(), 8 * env.cols)
    narrow, low = draw_box(env.scene(), 2 * env.cols + 1), draw_box(env.scene(), 2 * env.cols + 1, env.rows + 1)
    assert {len(line) for line in valued.split("\n")} == {(12 if small else 4) * env.cols + 1}
    assert {len(line) for line in wide.split("\n")} == {4 * env.cols + 1}
    assert {len(line) for line in narrow.split("\n")} == {2 * env.cols + 1} == {len(line) for line in low.split("\n")}
    assert len(low.split("\n")) == env.rows + 1
    assert valued.count("●") == wide.count("●") == narrow.count("●") == low.count("●") == 1
    coloured = draw_box(env.scene(), colours=True)
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured).replace("•", " ") == valued


def test_text_shows_what_stands_in_the_maze() -> None:
    env = MazeEnv(layout=LOCKED, render_mode="ansi")
    env.reset(seed=0)
    text = env.render()
    assert [text.count(mark) for mark in "AabB★○▸●"] == [1, 1, 1, 1, 2, 1, 1, 1]
    env.step(2)
    assert [env.render().count(mark) for mark in "AabB"] == [0, 0, 1, 1]  # the key opens its door


@pytest.mark.parametrize("size", [64, 480, 1500])
def test_pictures_have_the_size_that_is_asked_for(size: int) -> None:
    env = MazeEnv(rows=6, cols=9, render_mode="rgb_array", render_size=size)
    env.reset(seed=0)
    assert env.render().shape[1] == pytest.approx(size, rel=0.25)


def test_the_colour_scale_runs_from_the_lowest_to_the_highest() -> None:
    env = MazeEnv(layout="#######\n#S   E#\n#######", render_mode="rgb_array")
    env.reset(seed=0)
    plain = env.render()
    env.overlay = Overlay(values=np.array([-3.0, 7.5, np.nan]))
    assert env.render().shape[1] > plain.shape[1]
    texts = [element.text for element in xml.etree.ElementTree.fromstring(draw_svg(env.scene())).findall(f"{SVG}text")]
    assert texts == ["7.5", "-3", "-3.00", "7.50"]  # the scale's ends, and the cells' own


def test_values_are_written_in_small_mazes_but_none_of_moves_into_walls() -> None:
    env = make_env("RLLab/Maze-v0", layout="#######\n#S   E#\n#######", render_mode="rgb_array")
    maze = env.unwrapped
    assert isinstance(maze, MazeEnv)
    env.reset(seed=0)
    agent: Any = make_agent("q_learning", env)
    for state, values in enumerate([(-1.5, 12.25, -2.0, -3.0), (-4.0, 1e6, -5.0, -0.001)]):
        agent.table.memory.q[state] = values
    overlay = maze_overlay(agent, env, "q_values", title="mine, seed 7")
    assert overlay is not None
    assert overlay.q_values is not None
    assert overlay.arrows is not None
    shown = [[None if np.isnan(value) else value for value in row] for row in overlay.q_values.tolist()]
    assert shown == [[None, 12.25, None, None], [None, 1e6, None, -0.001], [None] * 4]
    assert np.argwhere(overlay.arrows).tolist() == [[0, 1], [1, 1]]
    maze.overlay = overlay
    text = draw_box(maze.scene())
    assert text.split("\n")[2] == "│     ●   12 0    →  1e6      ★     │"
    assert text.endswith("mine, seed 7\n" + MEANINGS["q_values"].replace(" on the", "\non the"))
    elements = xml.etree.ElementTree.fromstring(draw_svg(maze.scene())).findall(f"{SVG}text")
    texts = [element.text for element in elements]
    assert [text for text in texts if text in ("12", "1e6", "0")] == ["12", "1e6", "0"]
    assert "mine, seed 7" in texts
    every = maze_overlay(agent, env, "q_values", wall_moves=True)
    assert every is not None
    assert every.q_values is not None
    assert every.q_values[0].tolist() == [-1.5, 12.25, -2.0, -3.0]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([-3.0, 7.0], ["-3", "7"]),
        ([-3.25, 7.5], ["-3.25", "7.50"]),
        ([-11.26, 3.04], ["-11.3", "3.0"]),
        ([-200.4, 0.2], ["-200", "0"]),
        ([-12345.6, 0.0], ["-1e4", "0"]),
        ([-0.001, 0.5], ["0.00", "0.50"]),
    ],
)
def test_values_are_written_short(values: list[float], texts: list[str]) -> None:
    assert [written(value, decimals(values)) for value in values] == texts


def test_what_does_not_fit_a_low_terminal_is_drawn_in_half_blocks() -> None:
    env = MazeEnv(rows=15, cols=15, render_mode="ansi")
    env.reset(seed=0)
    assert len(draw_box(env.scene(), 80, 40).split("\n")) == 31
    plain, coloured = draw_box(env.scene(), 80, 22), draw_box(env.scene(), 80, 22, colours=True)
    assert [len(line) for line in plain.split("\n")] == [31] * 16
    assert coloured.count("\x1b[48;2;213;94;0m") == 1  # the robot
    assert [line.count("▀") for line in coloured.split("\n")] == [31] * 16
