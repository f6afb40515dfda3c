"""Races, grids and strips decoded again; films in a window and in a terminal, with keys."""

import json
import os
import pty
import select
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from experiments.errors import InputError
from experiments.rendering.frames import Frame, in_step
from experiments.rendering.video import write_video
from rl_lab import watch
from rl_lab.run import train_entries
from rl_lab.show.pace import HELP, Pace, play_film
from rl_lab.show.terminal import _one_of_256, as_text, num_colours
from rl_lab.show.window import show_in_window
from tests.conftest import Command, StartProcess
from tests.integration.test_watching import decode

MAZE = {"id": "RLLab/Maze-v0", "name": "maze", "rows": 4, "cols": 4}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Of an agent that knows the way out, and one that never learns it."""
    out = tmp_path_factory.mktemp("films")
    found = []
    for agent in ({"id": "value_iteration"}, {"id": "q_learning", "learning_rate": 0.0}):
        result = train_entries(
            MAZE, agent, steps=1000, episodes=None, seed=0, out=out, evaluation={"final_episodes": 2}, progress=False
        )
        found.append(Path(result["run"]))
    return found


def lengths(rl_lab: Command, run: Path) -> list[int]:
    told = json.loads(rl_lab("evaluate", str(run), "--episodes", "2", "--json").stdout)["episodes"]
    return [episode["length"] for episode in told]


def test_a_race_is_filmed_in_step(rl_lab: Command, runs: list[Path], tmp_path: Path) -> None:
    done = rl_lab("watch", *map(str, runs), "--race", "--episodes", "2", "--record", "race.mp4")
    assert done.returncode == 0, done.stderr
    frames, facts = decode(tmp_path / "race.mp4")
    slowest = [max(pair) for pair in zip(*(lengths(rl_lab, run) for run in runs), strict=True)]
    assert len(frames) == sum(slowest) + 2 * 8  # who is out waits; both ends are held for a second
    assert facts["codec"] == "h264"
    one, other = np.split(np.asarray(frames[-10], float), 2, axis=1)
    assert np.abs(one - other).max() > 50


def test_a_training_at_one_glance(rl_lab: Command, runs: list[Path], tmp_path: Path) -> None:
    done = rl_lab("watch", str(runs[0]), "--through-training", "--grid", "--record", "grid.gif")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "grid.gif") as image:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
    assert frames[0].shape[0] > 3 * 300  # eleven moments in three rows


def test_a_strip_of_pictures(rl_lab: Command, runs: list[Path], tmp_path: Path) -> None:
    done = rl_lab("watch", str(runs[0]), "--record", "strip.png")
    assert done.returncode == 0, done.stderr
    length = lengths(rl_lab, runs[0])[0]
    with Image.open(tmp_path / "strip.png") as image:
        assert image.size[0] == 4 * 624
    assert f"{min(12, length + 1)} frames: strip.png" in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--race"], "--race: expected several runs, got one"),
        (["SECOND", "--through-training", "--record", "x.mp4"], "--through-training: expected one run"),
        (["SECOND", "--oracle", "--terminal"], "--oracle: expected one run, got 2"),
        (["--grid", "--record", "x.html"], "expected no --oracle or --grid beside a page"),
        (["SECOND"] * 6, "expected at most 6 runs at once, got 7"),
        (["SECOND", "--explain"], "--explain: expected one run, got 2"),
    ],
)
def test_options_that_do_not_go_together(rl_lab: Command, runs: list[Path], options: list[str], message: str) -> None:
    done = rl_lab("watch", str(runs[0]), *[option.replace("SECOND", str(runs[1])) for option in options])
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def film_of(count: int, shade: int = 0) -> Iterator[Frame]:
    for number in range(count):
        yield Frame(np.full((8, 8, 3), shade + number, np.uint8), f"step {number}", number == count - 1)


def test_who_is_at_an_end_waits() -> None:
    both = list(in_step([film_of(2), film_of(4)], ["a ", "b "], 2))
    assert [frame.last for frame in both] == [False, False, False, True]
    assert both[0].picture.shape[1] == 2 * 400
    texts = [Frame(text, text, last) for text, last in (("x", False), ("y", True))]
    lines = list(in_step([iter(texts), iter(texts)], ["a ", "b "], 1))
    assert (lines[1].picture, lines[1].caption) == ("y\ny", "a y\nb y")
    assert list(in_step([film_of(2), iter([])], ["a", "b"], 2)) == []


@pytest.mark.parametrize("ending", [".mp4", ".gif", ".png"])
def test_an_hour_takes_no_more_memory_than_a_minute(ending: str, tmp_path: Path) -> None:
    """Pictures are made one after the other, and none but a strip's few are kept."""
    alive: set[int] = set()
    most = 0

    class Picture(np.ndarray[Any, Any]):
        def __array_finalize__(self, other: Any) -> None:
            if other is None or type(other) is np.ndarray:
                alive.add(id(self))

        def __del__(self) -> None:
            alive.discard(id(self))

    def frames() -> Iterator[Frame]:
        nonlocal most
        for number in range(400):
            picture = np.full((24, 400, 3), number % 250, np.uint8).view(Picture)
            yield Frame(picture, "", number == 399)
            most = max(most, len(alive))

    write_video(tmp_path / f"long{ending}", frames(), 30.0)
    assert most <= (30 if ending == ".png" else 4)


# -- keys -------------------------------------------------------------------------------------------------------


def played(keys: dict[int, str], episodes: int = 1) -> tuple[list[str], Pace]:
    """What is shown of a film of three frames an episode, where keys are typed after frames, by number."""
    shown: list[str] = []
    pace = Pace(1e6, ("values", "visits"))
    waits = 0

    def film(number: int, overlay: Callable[[], str]) -> Iterator[Frame]:
        for step in range(3):
            yield Frame(None, f"{number}.{step} {overlay()}", False)

    def wait(seconds: float) -> str | None:
        nonlocal waits
        waits += 1
        assert waits < 200
        return keys.pop(len(shown), None)

    play_film(film, episodes, pace, lambda frame: shown.append(frame.caption), wait)
    return shown, pace


def test_a_film_that_nobody_touches_ends() -> None:
    assert played({})[0] == ["0.0 values", "0.1 values", "0.2 values"]


def test_keys_change_how_a_film_is_played() -> None:
    pace = Pace(8.0, ("values", "q_values"))
    for key, told in (("space", "paused"), ("+", "paused   speed 2"), ("h", HELP), ("h", "paused   speed 2")):
        pace.press(key)
        assert pace.line() == told
    for _ in range(20):
        pace.press("-")
    assert pace.speed == 0.125
    pace.press("v")
    assert pace.overlay == "q_values"
    pace.press("right")
    assert (pace.paused, pace.steps) == (True, 1)
    pace.press("x")
    assert not pace.touched


def test_a_film_goes_on_until_it_is_left() -> None:
    pace = Pace(0.001)  # nothing is due before a key is pressed
    typed = iter(["right", "n", "v", "right", "q"])
    shown: list[str] = []

    def film(number: int, overlay: Callable[[], str]) -> Iterator[Frame]:
        for step in range(3):
            yield Frame(None, f"{number}.{step}", False)

    play_film(film, 1, pace, lambda frame: shown.append(frame.caption), lambda seconds: next(typed))
    assert list(dict.fromkeys(shown)) == ["0.0", "0.1", "1.0", "1.1"]


def test_a_window_takes_keys() -> None:
    import pygame

    keys = [pygame.K_SPACE, pygame.K_RIGHT, pygame.K_h, pygame.K_n, pygame.K_ESCAPE]
    sizes, number = [], 0

    def film(episode: int, overlay: Callable[[], str]) -> Iterator[Frame]:
        nonlocal number
        for step in range(5):
            number = episode
            yield Frame(np.full((20, 400, 3), 50, np.uint8), f"step {step}", step == 4)
            sizes.append(pygame.display.get_window_size())
            while keys:  # typed once the window is there
                key = keys.pop(0)
                pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=chr(key) if key < 128 else ""))

    pace = Pace(1000.0)
    show_in_window(film, 1, pace, "a film")
    assert pace.quits
    assert pace.helps
    assert number == 1  # the next episode had begun
    assert set(sizes) == {(400, 20 + 28 + 28)}
    assert not pygame.display.get_init()


def test_a_terminal_takes_keys(runs: list[Path], tmp_path: Path, start_process: StartProcess) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-P", "-m", "rl_lab", "watch", *map(str, runs), "--terminal"]
    process = start_process(command, cwd=tmp_path, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    output = b""

    def until(text: bytes, seconds: float = 60.0) -> None:
        nonlocal output
        deadline = time.monotonic() + seconds
        while text not in output:
            assert time.monotonic() < deadline, output[-500:]
            if select.select([leader], [], [], 0.2)[0]:
                output += os.read(leader, 65536)

    until(b"step 1")
    os.write(leader, b" ")
    until(b"paused")
    os.write(leader, b"h")
    until(HELP.encode())
    os.write(leader, b"hn")
    until(b"episode 2")
    os.write(leader, b"q")
    until(b"\x1b[?25h")
    assert process.wait(10) == 0
    os.close(leader)
    text = output.decode()
    assert "value_iteration, seed 0   episode 1" in text
    assert "q_learning" in text


def test_colours_are_those_that_the_terminal_has(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:2] = (255, 0, 0)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[38;2;255;0;0m" in as_text(picture, 4, 4)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    for terminal, depth, colours in (
        ("xterm", "truecolor", 1 << 24),
        ("xterm-256color", "", 256),
        ("xterm-kitty", "", 1 << 24),
        ("vt100", "", 0),
        ("dumb", "truecolor", 0),
    ):
        monkeypatch.setenv("TERM", terminal)
        monkeypatch.setenv("COLORTERM", depth)
        assert num_colours() == colours
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "")
    assert "\x1b[38;5;196m" in as_text(picture, 4, 4)  # xterm's red
    assert [_one_of_256(pixel) for pixel in ((0, 0, 0), (255, 255, 255), (0, 0, 255))] == ["5;232", "5;255", "5;21"]
    monkeypatch.setenv("NO_COLOR", "1")
    picture[:] = 255
    assert as_text(picture, 4, 4) == "@@@@\n@@@@"


def test_python_takes_several_runs(runs: list[Path], tmp_path: Path) -> None:
    assert watch(runs, record=tmp_path / "a.png")["frames"] > 1
    with pytest.raises(InputError, match="expected several runs"):
        watch(runs[0], race=True, record=tmp_path / "a.png")
