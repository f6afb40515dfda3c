"""Films in a terminal: in place, in the colours that it has, with keys; elsewhere the first and the last frame."""

import os
import shutil
import sys
from typing import Any

import numpy as np

from envs.mazes.env import MazeEnv
from envs.mazes.text import smallest
from experiments.errors import located
from experiments.evaluation.environments import close, make_evaluation_env
from experiments.rendering.frames import Frame
from experiments.specs.spec import EnvEntry
from rl_lab.show.keys import CLEAR, HIDE_CURSOR, RIGHT, SHOW_CURSOR, polled_keys
from rl_lab.show.pace import Film, Pace, play_film

HOME = "\x1b[H"
CAPTION_LINES = 2  # below a picture in a terminal: what happens, and the cursor's
PLAIN_WIDTH = 80  # of pictures where standard output is no terminal
NAMES = {" ": "space", RIGHT: "right", ">": "right", ".": "right", "=": "+", "\x1b": "q", "\x04": "q"}
RAMP = " .:-=+*#%@"  # from dark to bright, where there are no colours


def terminal_mode(entry: EnvEntry) -> str:
    """How an environment is best drawn in this terminal: as text where it has any that fits, else as a picture."""
    with located(f"envs: {entry.id}"):
        env = make_evaluation_env(entry)
    modes, base = env.metadata.get("render_modes", []), env.unwrapped
    close(env)
    fits = True
    if isinstance(base, MazeEnv):
        columns, lines = smallest(base.rows, base.cols)
        room = shutil.get_terminal_size((PLAIN_WIDTH, 10_000))
        fits = columns <= room.columns and (not sys.stdout.isatty() or lines + CAPTION_LINES <= room.lines)
    return "ansi" if "ansi" in modes and fits else "rgb_array"


def show_in_terminal(film: Film, episodes: int, pace: Pace) -> int:
    """Play a film in place in a terminal; elsewhere print the first and last frame of each episode."""
    if not sys.stdout.isatty():
        return _print(film, episodes, pace)

    def show(frame: Frame) -> None:
        size = shutil.get_terminal_size()
        captions = [*frame.caption.split("\n"), *[line for line in [pace.line()] if line]]
        text = as_text(frame.picture, size.columns, size.lines - len(captions) - 1)
        lines = [line + "\x1b[K" for line in [*text.split("\n"), *captions]]
        sys.stdout.write(HOME + "\n".join(lines) + "\x1b[J")
        sys.stdout.flush()

    try:
        with polled_keys() as poll:
            sys.stdout.write(HIDE_CURSOR + CLEAR)
            return play_film(film, episodes, pace, show, lambda seconds: _named(poll(seconds)))
    finally:
        sys.stdout.write(SHOW_CURSOR + "\n")
        sys.stdout.flush()


def _named(key: str | None) -> str | None:
    """A key as `Pace.press` takes it."""
    return None if key is None else NAMES.get(key, key.lower())


def _print(film: Film, episodes: int, pace: Pace) -> int:
    count = 0
    for number in range(episodes):
        first = True
        for frame in film(number, lambda: pace.overlay):
            count += 1
            if first or frame.last:
                print(f"{as_text(frame.picture, PLAIN_WIDTH, 48)}\n{frame.caption}\n")
            first = False
    return count


def as_text(picture: Any, max_columns: int, max_lines: int) -> str:
    """A frame as text: as it is, or a picture in half blocks."""
    if isinstance(picture, str):
        return picture.rstrip("\n")
    return _half_blocks(picture, max_columns, max_lines)


def _half_blocks(picture: np.ndarray[Any, Any], max_columns: int, max_lines: int) -> str:
    """A picture as text: a character shows two pixels, one above the other, in the colours that the terminal has."""
    from PIL import Image

    colours = num_colours()
    height, width = picture.shape[:2]
    scale = min(max_columns / width, 2 * max_lines / height)
    size = (max(1, int(width * scale)), max(2, int(height * scale) // 2 * 2))
    pixels = np.asarray(Image.fromarray(picture).resize(size))
    if colours == 0:
        return _plain(pixels)
    paint = _true_colour if colours > 256 else _one_of_256
    lines = []
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        cells = (f"\x1b[38;{paint(top)}m\x1b[48;{paint(bottom)}m▀" for top, bottom in zip(upper, lower, strict=True))
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines)


def num_colours() -> int:
    """How many colours standard output shows: 16 million, 256 or none. A file gets the most."""
    if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return 0
    if not sys.stdout.isatty() or os.environ.get("COLORTERM", "") in ("truecolor", "24bit"):
        return 1 << 24
    terminal = os.environ.get("TERM", "")
    if any(word in terminal for word in ("direct", "kitty", "alacritty", "ghostty", "wezterm")):
        return 1 << 24
    if "256" in terminal or sys.platform == "win32":
        return 1 << 24 if sys.platform == "win32" else 256
    return 0


def _true_colour(pixel: Any) -> str:
    return f"2;{pixel[0]};{pixel[1]};{pixel[2]}"


def _one_of_256(pixel: Any) -> str:
    """The nearest of the 6 x 6 x 6 colours, or of the greys between them."""
    red, green, blue = (int(part) for part in pixel)
    if max(red, green, blue) - min(red, green, blue) < 12:
        return f"5;{232 + min(23, max(0, round((red - 8) / 10)))}"
    cube = [0 if part < 48 else 1 if part < 115 else (part - 35) // 40 for part in (red, green, blue)]
    return f"5;{16 + 36 * cube[0] + 6 * cube[1] + cube[2]}"


def _plain(pixels: np.ndarray[Any, Any]) -> str:
    """A picture in letters that are more or less dark."""
    bright = pixels[::2].astype(float) @ np.array([0.299, 0.587, 0.114])
    places = (bright / 256 * len(RAMP)).astype(int)
    return "\n".join("".join(RAMP[place] for place in row).rstrip() for row in places)
