"""Watching trained agents: in a window, in the terminal, as a video, or as a page."""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym

from agents.base import Agent
from agents.planning.trust import why_no_model
from envs.mazes.env import MazeEnv
from envs.mazes.text import GAP, smallest, terminal_room
from experiments.errors import InputError, located
from experiments.evaluation.environments import close, closing
from experiments.evaluation.episode_seeds import seeds_of
from experiments.policies.open_policy import open_policy
from experiments.rendering.frames import Frame, frames_per_second, in_step, play
from experiments.rendering.overlays import KINDS, check_kind
from experiments.rendering.video import STRIP, check_video_path, write_video
from experiments.runs.open_run import OpenRun
from experiments.runs.snapshots import nearest_snapshot, snapshot_steps
from rl_lab.show.pace import Pace
from rl_lab.show.recorded_page import MOST_TRACKS, check_page_path, write_page
from rl_lab.show.screen import draw_without_screen, has_display
from rl_lab.show.terminal import CAPTION_LINES, show_in_terminal, terminal_mode
from rl_lab.show.window import show_in_window

SCENE_SECONDS = 6.0  # of an episode, when the whole training is shown: at first an agent wanders
MOST_IN_GRID = 16  # moments of a training that are shown at once
MOST_SEEDS = 10_000  # episodes that a film can go on to


@dataclass(frozen=True)
class Look:
    """What is watched, and how it is drawn.

    Args:
        episodes: the first ones of the final evaluation.
        overlay: what is drawn over a maze.
        oracle: the optimum beside the agent.
        wall_moves: with "q_values", those of moves into walls too.
        at: the agent of the last snapshot at or before an env step; None: that of the last checkpoint.
        through_training: the agents of all snapshots.
        race: several runs at once, in step. So it is with several runs in any case.
        grid: pictures in a grid, not in a row; of one run, with `through_training`, all moments at once.
    """

    episodes: int = 1
    overlay: str = "values"
    oracle: bool = False
    wall_moves: bool = False
    at: int | None = None
    through_training: bool = False
    race: bool = False
    grid: bool = False

    @property
    def says_when(self) -> bool:
        """Do captions tell how far an agent has trained?"""
        return self.at is not None or self.through_training


@dataclass(frozen=True)
class Track:
    """An agent at a moment of its training, in an environment of its own."""

    opened: OpenRun
    when: str
    agent: Agent
    env: gym.Env[Any, Any]


def watch_runs(
    runs: Sequence[Path], look: Look, record: Path | None = None, *, terminal: bool = False, trust_code: bool = False
) -> dict[str, Any]:
    """Show greedy episodes of runs' agents: the first ones of the first run's final evaluation, the same for all.

    Raises:
        InputError: there is nothing to watch, or no way to show it.
    """
    _check(runs, look, record, terminal)
    opened = [open_policy(run, trust_code=trust_code) for run in runs]
    if record is not None and record.suffix.lower() == ".html":
        return write_page(record, opened, look.episodes, look.at)
    mode = _mode(opened[0], record, terminal)
    if (record is not None or terminal) and not has_display():
        draw_without_screen()
    with contextlib.ExitStack() as stack:
        tracks = [track for one in opened for track in _tracks(one, look, mode, stack)]
        with _told(tracks):
            return _show(tracks, look, record, terminal)


def _check(runs: Sequence[Path], look: Look, record: Path | None, terminal: bool) -> None:
    """Raise where options do not go together."""
    check_kind(look.overlay)
    page = record is not None and record.suffix.lower() == ".html"
    if look.episodes < 1:
        raise InputError(f"--episodes: expected at least 1, got {look.episodes}")
    if record is not None and terminal:
        raise InputError("expected --record or --terminal, got both")
    if page and (look.oracle or look.grid):
        raise InputError(f"{record}: expected no --oracle or --grid beside a page: its reader chooses")
    if look.oracle and record is None and not terminal:
        raise InputError("--oracle: expected --record or --terminal beside it, got neither")
    if look.oracle and len(runs) > 1:
        raise InputError(f"--oracle: expected one run, got {len(runs)}")
    if look.at is not None and look.through_training:
        raise InputError("expected --at or --through-training, got both")
    if look.race and len(runs) == 1:
        raise InputError("--race: expected several runs, got one")
    if len(runs) > 1 and look.through_training and not page:
        raise InputError(f"--through-training: expected one run, or --record FILE.html, got {len(runs)} runs")
    if len(runs) > MOST_TRACKS:
        raise InputError(f"expected at most {MOST_TRACKS} runs at once, got {len(runs)}")
    if record is not None:
        check_page_path(record) if page else check_video_path(record)


def _show(tracks: Sequence[Track], look: Look, record: Path | None, terminal: bool) -> dict[str, Any]:
    """Show the tracks: at once in step, or one after the other."""
    first = tracks[0]
    fps = frames_per_second(first.env)
    seeds = seeds_of(first.opened.run_spec.evaluation, "final", look.episodes)
    at_once = len(tracks) > 1 and (look.grid or len({track.opened.path for track in tracks}) > 1)
    columns = math.ceil(math.sqrt(len(tracks))) if look.grid else len(tracks)
    most = round(SCENE_SECONDS * fps) if look.through_training else None
    played = look.episodes * len(tracks)
    one_run = len({track.opened.path for track in tracks}) == 1
    names = ["" if one_run else f"{track.opened.whose}   " for track in tracks]
    if record is not None:
        films = [_film(track, look, seeds, look.overlay, most, len(tracks) > 1) for track in tracks]
        frames = in_step(films, names, columns) if at_once else itertools.chain.from_iterable(films)
        return {
            "episodes": played,
            "frames": write_video(record, frames, fps, strip=1 if look.grid else STRIP),
            "file": str(record),
        }

    def film(number: int, overlay: Callable[[], str]) -> Iterator[Frame]:
        """The frames of an episode: of all tracks at once, or of the one whose turn it is."""
        seed, track = number % MOST_SEEDS, None
        if not at_once:
            seed, track = number % look.episodes, tracks[min(number // look.episodes, len(tracks) - 1)]
            if number >= played:
                seed = (number - played + look.episodes) % MOST_SEEDS
        (wanted,) = seeds_of(first.opened.run_spec.evaluation, "final", seed + 1)[seed:]
        if track is not None:
            return _film(track, look, [wanted], overlay, most, len(tracks) > 1, (seed + 1, look.episodes))
        films = [_film(one, look, [wanted], overlay, most, True, (seed + 1, look.episodes)) for one in tracks]
        return in_step(films, names, columns)

    kinds = tuple(dict.fromkeys([look.overlay, *KINDS])) if isinstance(first.env.unwrapped, MazeEnv) else ("values",)
    pace = Pace(fps, kinds)
    episodes = look.episodes if at_once else played
    if terminal:
        return {"episodes": played, "frames": show_in_terminal(film, episodes, pace)}
    if first.env.render_mode == "human":  # it draws into a window of its own, and in no other way
        frames = itertools.chain.from_iterable(_film(track, look, seeds, look.overlay, most, True) for track in tracks)
        return {"episodes": played, "frames": sum(1 for _ in frames)}
    return {"episodes": played, "frames": show_in_window(film, episodes, pace, f"RL Lab: {first.opened.whose}")}


def _film(
    track: Track,
    look: Look,
    seeds: Sequence[int],
    overlay: str | Callable[[], str],
    most: int | None,
    several: bool,
    numbers: tuple[int, int] | None = None,
) -> Iterator[Frame]:
    """The frames of a track's episodes."""
    says_when = look.says_when or (several and look.through_training)
    frames = play(
        track.agent,
        track.env,
        seeds,
        overlay=overlay,
        oracle=look.oracle,
        wall_moves=look.wall_moves,
        title=f"{track.opened.whose}, {track.when}",
        max_frames=most,
        first=1 if numbers is None else numbers[0],
        total=len(seeds) if numbers is None else max(numbers),
    )
    for frame in frames:
        yield frame._replace(caption=f"{track.when}   {frame.caption}") if says_when else frame


def _tracks(opened: OpenRun, look: Look, mode: str, stack: contextlib.ExitStack) -> Iterator[Track]:
    """The agents to be watched, each with how far it has trained and, if they are watched at once, where."""
    run_spec = opened.run_spec
    with located(f"{opened.path}: envs: {run_spec.env.id}"):
        _require_pictures(opened)
    env: gym.Env[Any, Any] | None = None
    for when, agent in _agents(opened, look):
        if env is None or look.grid:
            env = opened.make_env(mode)
            stack.enter_context(closing(env))
            _require_mode(env, mode, run_spec.env.id)
            if look.oracle:
                _prepare_oracle(env, run_spec.env.id, mode)
        yield Track(opened, when, agent, env)


def _prepare_oracle(env: gym.Env[Any, Any], env_id: str, mode: str) -> None:
    """Check that there is an optimum to be drawn, and leave room for it.

    Raises:
        InputError: there is none.
    """
    maze = env.unwrapped
    if not isinstance(maze, MazeEnv):
        raise InputError(f"--oracle: expected a maze, whose optimum is known, got {env_id}")
    if reason := why_no_model(env):
        raise InputError(f"--oracle: expected a maze whose model is known, and {reason}")
    if mode == "ansi":
        _halve_room(maze)


@contextlib.contextmanager
def _told(tracks: Sequence[Track]) -> Iterator[None]:
    """Say in a line what an environment makes of being played or drawn; who reads our output may go."""
    opened = tracks[0].opened
    try:
        with located(f"{opened.path}: envs: {opened.run_spec.env.id}"):
            yield
    except InputError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            raise error.__cause__ from None
        raise


def _agents(opened: OpenRun, look: Look) -> list[tuple[str, Agent]]:
    """The agents to be watched, each with how far it has trained."""
    if not look.says_when:
        return [(opened.how_far(), opened.agent())]
    steps = snapshot_steps(opened.path)
    if look.at is not None:
        steps = [nearest_snapshot(opened.path, look.at)]
    if not steps:
        raise InputError(f"{opened.path}: there are no snapshots: its agent learns nothing, or they were removed")
    if look.grid and len(steps) > MOST_IN_GRID:
        steps = [steps[round(place * (len(steps) - 1) / (MOST_IN_GRID - 1))] for place in range(MOST_IN_GRID)]
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
        return "rgb_array"
    if terminal:
        return terminal_mode(opened.run_spec.env)
    if not has_display():
        raise InputError(
            "there is no display for a window: expected --record FILE.html, --record FILE.mp4 or --terminal"
        )
    with closing(opened.make_env()) as env:
        return "human" if "rgb_array" not in (env.metadata.get("render_modes") or []) else "rgb_array"


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
