"""Watching a trained agent: in a window, in the terminal, or as a file."""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agents.base import Agent
from agents.planning.trust import why_no_model
from envs.mazes.env import MazeEnv
from envs.mazes.text import GAP, smallest, terminal_room
from experiments.errors import InputError, located
from experiments.evaluation.environments import close, closing, make_evaluation_env
from experiments.evaluation.episode_seeds import episode_seeds
from experiments.rendering.overlays import check_kind
from experiments.rendering.video import Frame, check_video_path, frames_per_second, play, write_video
from experiments.runs.open_run import OpenRun, open_run
from experiments.runs.snapshots import nearest_snapshot, snapshot_steps
from experiments.specs.spec import EnvEntry
from rl_lab.show.recorded_page import check_page_path, write_page

HOME, CLEAR, HIDE_CURSOR, SHOW_CURSOR = "\x1b[H", "\x1b[2J", "\x1b[?25l", "\x1b[?25h"
SCENE_SECONDS = 6.0  # of an episode, when the whole training is shown: at first an agent wanders
CAPTION_LINES = 2  # below a picture in a terminal: what happens, and the cursor's
PLAIN_WIDTH = 80  # of pictures where standard output is no terminal


class Moments(NamedTuple):
    """Which of a run's agents are watched: that of its last checkpoint, if nothing else is asked for."""

    at: int | None = None  # that of the last snapshot at or before an env step
    through_training: bool = False  # those of all snapshots, one after the other


LAST = Moments()


def watch_runs(
    runs: Sequence[Path],
    episodes: int,
    record: Path | None,
    terminal: bool,
    overlay: str = "values",
    oracle: bool = False,
    moments: Moments = LAST,
    wall_moves: bool = False,
    trust_code: bool = False,
) -> dict[str, Any]:
    """Show greedy episodes of runs' agents; the first ones of their final evaluation."""
    if record is not None and record.suffix.lower() == ".html":
        if terminal or oracle:
            raise InputError(f"{record}: expected no --terminal or --oracle beside a page: the optimum is in it")
        check_page_path(record)
        opened = [open_run(run, trust_code=trust_code) for run in runs]
        return write_page(record, opened, episodes, moments.at)
    if len(runs) > 1:
        raise InputError(f"expected one run, or --record FILE.html beside several, got {len(runs)} runs")
    return watch_run(runs[0], episodes, record, terminal, overlay, oracle, moments, wall_moves, trust_code)


def watch_run(
    run: Path,
    episodes: int,
    record: Path | None,
    terminal: bool,
    overlay: str = "values",
    oracle: bool = False,
    moments: Moments = LAST,
    wall_moves: bool = False,
    trust_code: bool = False,
) -> dict[str, Any]:
    """Show greedy episodes of a run's agent; the first ones of its final evaluation."""
    check_kind(overlay)
    if episodes < 1:
        raise InputError(f"--episodes: expected at least 1, got {episodes}")
    if record is not None and terminal:
        raise InputError("expected --record or --terminal, got both")
    if oracle and record is None and not terminal:
        raise InputError("--oracle: expected --record or --terminal beside it, got neither")
    if moments.at is not None and moments.through_training:
        raise InputError("expected --at or --through-training, got both")
    opened = open_run(run, trust_code=trust_code)
    mode = _mode(opened, record, terminal)
    if mode != "human" and not has_display():
        _draw_without_screen()
    with located(f"{run}: envs: {opened.run_spec.env.id}"):
        _require_pictures(opened)
    agents = _agents(opened, moments)
    env = opened.make_env(mode)
    with closing(env), _told(run, opened.run_spec.env.id):
        _require_mode(env, mode, opened.run_spec.env.id)
        if oracle and not isinstance(env.unwrapped, MazeEnv):
            raise InputError(f"--oracle: expected a maze, whose optimum is known, got {opened.run_spec.env.id}")
        if oracle and (reason := why_no_model(env)):
            raise InputError(f"--oracle: expected a maze whose model is known, and {reason}")
        if oracle and terminal and isinstance(env.unwrapped, MazeEnv):
            _halve_room(env.unwrapped)
        seeds = episode_seeds(opened.run_spec.evaluation.seed, "final", episodes)
        fps = frames_per_second(env)
        max_frames = round(SCENE_SECONDS * fps) if moments.through_training else None
        frames = (
            frame._replace(caption=f"{when}   {frame.caption}" if len(agents) > 1 or moments != LAST else frame.caption)
            for when, agent in agents
            for frame in play(
                agent,
                env,
                seeds,
                overlay=overlay,
                oracle=oracle,
                wall_moves=wall_moves,
                title=f"{opened.whose}, {when}",
                max_frames=max_frames,
            )
        )
        played = episodes * len(agents)
        if record is not None:
            return {"episodes": played, "frames": write_video(record, frames, fps), "file": str(record)}
        if terminal:
            return {"episodes": played, "frames": show_in_terminal(frames, fps)}
        return {"episodes": played, "frames": sum(1 for _ in frames)}  # the environment draws into its own window


@contextlib.contextmanager
def _told(run: Path, env_id: str) -> Iterator[None]:
    """Say in a line what an environment makes of being played, drawn or closed; who reads our output may go."""
    try:
        with located(f"{run}: envs: {env_id}"):
            yield
    except InputError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            raise error.__cause__ from None
        raise


def _agents(opened: OpenRun, moments: Moments) -> list[tuple[str, Agent]]:
    """The agents to be watched, each with how far it has trained."""
    if moments == LAST:
        return [(opened.how_far(), opened.agent())]
    steps = snapshot_steps(opened.path)
    if moments.at is not None:
        steps = [nearest_snapshot(opened.path, moments.at)]
    if not steps:
        raise InputError(f"{opened.path}: there are no snapshots: its agent learns nothing, or they were removed")
    return [(opened.how_far(step), opened.agent(step)) for step in steps]


def _halve_room(maze: MazeEnv) -> None:
    """Let the maze's text leave room for another beside it.

    Raises:
        InputError: there is not enough for two.
    """
    room = terminal_room()
    columns, lines = smallest(maze.rows, maze.cols)
    if room.columns is not None and room.columns < 2 * columns + GAP:
        where = f"a terminal of at least {2 * columns + GAP} columns for two mazes of {maze.cols}"
        raise InputError(f"--oracle: expected {where}, got {room.columns}; --record FILE.mp4 needs none")
    if room.lines is not None and room.lines < lines:
        where = f"a terminal of at least {lines + CAPTION_LINES} lines for a maze of {maze.rows} rows"
        raise InputError(f"--oracle: expected {where}, got {room.lines + CAPTION_LINES}; --record FILE.mp4 needs none")
    maze.room = room._replace(columns=None if room.columns is None else (room.columns - GAP) // 2)


def _mode(opened: OpenRun, record: Path | None, terminal: bool) -> str:
    """The render mode that what is asked for needs."""
    if record is not None:
        check_video_path(record)
        return "rgb_array"
    if terminal:
        return terminal_mode(opened.run_spec.env)
    if not has_display():
        raise InputError(
            "there is no display for a window: expected --record FILE.mp4, --record FILE.gif or --terminal"
        )
    return "human"


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


def can_be_drawn(opened: OpenRun) -> bool:
    """Has the run's environment any pictures?"""
    env = opened.make_env()
    close(env)
    return bool(env.metadata.get("render_modes"))


def _require_pictures(opened: OpenRun) -> None:
    if not can_be_drawn(opened):
        raise InputError("there is nothing to watch: the environment draws no pictures (no render modes)")


def _require_mode(env: Any, mode: str, env_id: str) -> None:
    modes = env.metadata.get("render_modes", [])
    if mode not in modes:
        raise InputError(f"{env_id} cannot be drawn as {mode!r}: it has {', '.join(modes) or 'no render modes'}")


def has_display() -> bool:
    """Could a window open?"""
    if sys.platform in ("darwin", "win32"):
        return True
    names = ("DISPLAY", "WAYLAND_DISPLAY") if _drawn_without_screen else ("DISPLAY", "WAYLAND_DISPLAY", SDL_DRIVER)
    return any(os.environ.get(name) for name in names)


SDL_DRIVER = "SDL_VIDEODRIVER"
_drawn_without_screen: list[bool] = []  # has SDL been told, by us, that there is no screen?


def _draw_without_screen() -> None:
    """Have SDL draw pictures where there is no screen, without complaint: that is no window."""
    os.environ.setdefault(SDL_DRIVER, "dummy")
    _drawn_without_screen.append(True)


def show_in_terminal(frames: Iterator[Frame], fps: float) -> int:
    """Animate frames in place in a terminal; elsewhere print the first and last frame of each episode."""
    animate = sys.stdout.isatty()
    count, first = 0, True
    if animate:
        sys.stdout.write(HIDE_CURSOR + CLEAR)
    try:
        for frame in frames:
            count += 1
            if animate:
                size = shutil.get_terminal_size()
                text = as_text(frame.picture, size.columns, size.lines - CAPTION_LINES)
                lines = [line + "\x1b[K" for line in [*text.split("\n"), frame.caption]]
                sys.stdout.write(HOME + "\n".join(lines) + "\x1b[J")
                sys.stdout.flush()
                time.sleep(1.0 if frame.last else 1 / fps)
            elif first or frame.last:
                print(f"{as_text(frame.picture, PLAIN_WIDTH, 48)}\n{frame.caption}\n")
            first = frame.last
    finally:
        if animate:
            sys.stdout.write(SHOW_CURSOR + "\n")
            sys.stdout.flush()
    return count


def as_text(picture: Any, max_columns: int, max_lines: int) -> str:
    """A frame as text: as it is, or a picture in half blocks."""
    if isinstance(picture, str):
        return picture.rstrip("\n")
    return _half_blocks(picture, max_columns, max_lines)


def _half_blocks(picture: np.ndarray[Any, Any], max_columns: int, max_lines: int) -> str:
    """A picture as text: a character shows two pixels, one above the other, in 24-bit colour."""
    from PIL import Image

    height, width = picture.shape[:2]
    scale = min(max_columns / width, 2 * max_lines / height)
    size = (max(1, int(width * scale)), max(2, int(height * scale) // 2 * 2))
    pixels = np.asarray(Image.fromarray(picture).resize(size))
    lines = []
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        cells = (
            f"\x1b[38;2;{top[0]};{top[1]};{top[2]}m\x1b[48;2;{bottom[0]};{bottom[1]};{bottom[2]}m▀"
            for top, bottom in zip(upper, lower, strict=True)
        )
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines)
