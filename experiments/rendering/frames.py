"""Episodes as frames: one agent's, or several in step."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from agents.base import Agent
from envs.mazes.env import MazeEnv
from envs.mazes.level import STEP
from envs.mazes.scene import Overlay
from envs.mazes.text import beside
from experiments.errors import InputError
from experiments.evaluation.rollout import rollout
from experiments.rendering.captions import Image, captioned, tiled
from experiments.rendering.overlays import maze_overlay, oracle_overlay, with_one_scale

DEFAULT_FPS = 30.0
LEAST_FPS, MOST_FPS = 0.1, 240.0
WIDEST = 480  # pixels of a picture beside others


class Frame(NamedTuple):
    """One moment of an episode."""

    picture: Any  # an image [H, W, 3], or text, as the environment's render mode gives it
    caption: str
    last: bool


def play(
    agent: Agent,
    env: gym.Env[Any, Any],
    seeds: Sequence[int],
    *,
    overlay: str | Callable[[], str] = "values",
    oracle: bool = False,
    wall_moves: bool = False,
    title: str = "",
    max_frames: int | None = None,
    first: int = 1,
    total: int | None = None,
) -> Iterator[Frame]:
    """The frames of greedy episodes, in an environment made with a render mode.

    Args:
        agent: who plays.
        env: where; an overlay needs a maze.
        seeds: of the episodes.
        overlay: what is drawn over a maze, one of `overlays.KINDS`; or what tells it, asked at every step.
        oracle: draw the optimum beside the agent, which needs a maze drawn as "rgb_array" or "ansi".
        wall_moves: of the overlay "q_values", draw those of moves into walls too.
        title: what a maze's caption begins with: whose values are drawn.
        first: the number of the first episode, for captions.
        total: of how many it is, for captions; None: of these.
        max_frames: at most so many of an episode, at least 1; the caption of the last one says so. None: all.
    """
    base = env.unwrapped
    maze = base if isinstance(base, MazeEnv) else None
    for number, seed in enumerate(seeds, start=first):
        visits = np.zeros(maze.num_cells if maze else 0, dtype=np.int64)
        drawn, theirs = None, None  # for which keys and kind there is an overlay
        for step in rollout(agent.policy(seed), env, seed):
            cut = step.length + 1 == max_frames and not step.over
            ended = "   terminated" if step.terminated else "   truncated" if step.truncated else ""
            ended = "   (and so on)" if cut else ended
            place = f"episode {number} of {total or len(seeds)}"
            caption = f"{place}   step {step.length}   return {step.total_reward:.4g}{ended}"
            if maze is not None and maze.source.recipe.keys:
                caption += f"   keys: {maze.held_keys or 'none'}"
            if maze is not None:
                visits[maze.s % maze.num_cells] += 1
                kind = overlay if isinstance(overlay, str) else overlay()
                if drawn != (maze.s // maze.num_cells, kind) or kind in ("visits", "path"):
                    drawn = (maze.s // maze.num_cells, kind)
                    maze.overlay = maze_overlay(agent, env, kind, visits, title=title, wall_moves=wall_moves)
                    if oracle:
                        discount = _discount(agent, maze)
                        theirs = oracle_overlay(maze, kind, discount, wall_moves=wall_moves)
                        maze.overlay, theirs = with_one_scale(maze.overlay, theirs)
            picture = env.render()  # nothing, where the environment has a window of its own
            picture = None if env.render_mode == "human" else as_picture(picture)
            if oracle and maze is not None:
                caption += f"   (right: the optimum at discount {_discount(agent, maze):g})"
                picture = _beside(picture, _drawn_with(maze, theirs))
            yield Frame(picture, caption, step.over or cut)
            if cut:
                break


def _discount(agent: Agent, maze: MazeEnv) -> float:
    """The agent's own, so that both sides mean the same; below 1 where every path is worth the same otherwise."""
    discount = float(getattr(agent.settings, "discount", 1.0))
    return min(discount, 0.99) if maze.source.recipe.reward != STEP else discount


def _drawn_with(maze: MazeEnv, overlay: Overlay | None) -> Any:
    mine, maze.overlay = maze.overlay, overlay
    try:
        return maze.render()
    finally:
        maze.overlay = mine


def _beside(left: Any, right: Any) -> Any:
    """Two pictures, or two texts, side by side; the lower one is continued in the colour of its last corner."""
    if isinstance(left, str):
        return beside(left, right)
    height = max(len(left), len(right))
    sides = [np.concatenate([one, np.repeat(one[-1:], height - len(one), axis=0)]) for one in (left, right)]
    return np.concatenate(sides, axis=1)


def frames_per_second(env: gym.Env[Any, Any]) -> float:
    """The speed at which an environment is meant to be watched."""
    try:
        speed = float(env.metadata.get("render_fps") or DEFAULT_FPS)
    except (TypeError, ValueError):
        return DEFAULT_FPS
    return min(max(speed, LEAST_FPS), MOST_FPS) if math.isfinite(speed) else DEFAULT_FPS


def as_picture(frame: Any) -> Any:
    """What an environment drew, as an image [H, W, 3] of bytes; text stays text.

    A list of frames, as `rgb_array_list` gives it, stands for its last; a grey image [H, W] gets three channels.

    Raises:
        InputError: it is no picture.
    """
    if isinstance(frame, str):
        return frame
    if isinstance(frame, list | tuple) and frame and not isinstance(frame[0], int | float):
        return as_picture(frame[-1])
    image: Any = np.asarray(frame) if frame is not None else np.zeros(0)
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] not in (3, 4) or not image.size or image.dtype.kind not in "fiub":
        got = "nothing" if frame is None else f"{type(frame).__name__} of shape {list(image.shape)}"
        raise InputError(f"render: expected an image [height, width, 3], got {got}")
    image = image[:, :, :3]
    if image.dtype.kind == "f":  # shares of full brightness, unless there is a larger number
        image = np.nan_to_num(image)
        image = image * 255.0 if image.max() <= 1.0 else image
    return np.clip(image, 0, 255).astype(np.uint8)


def in_step(films: Sequence[Iterator[Frame]], names: Sequence[str], columns: int) -> Iterator[Frame]:
    """Several films as one, their pictures side by side with their captions: who is at an end waits for the others.

    Args:
        films: of as many episodes each.
        names: whose they are: what each caption begins with.
        columns: pictures in a row.
    """
    while True:
        held: list[Frame | None] = [None] * len(films)
        while not all(frame is not None and frame.last for frame in held):
            for number, film in enumerate(films):
                before = held[number]
                if before is None or not before.last:
                    held[number] = next(film, None)
            frames = [frame for frame in held if frame is not None]
            if len(frames) < len(films):
                return
            yield _together(frames, names, columns)


def _together(frames: Sequence[Frame], names: Sequence[str], columns: int) -> Frame:
    captions = [f"{name}{frame.caption}" for name, frame in zip(names, frames, strict=True)]
    last = all(frame.last for frame in frames)
    pictures = [frame.picture for frame in frames]
    if any(picture is None for picture in pictures):
        return Frame(None, "", last)
    if isinstance(pictures[0], str):
        rows = []
        for begin in range(0, len(pictures), columns):
            row = pictures[begin]
            for picture in pictures[begin + 1 : begin + columns]:
                row = beside(row, picture)
            rows.append(row)
        return Frame("\n".join(rows), "\n".join(captions), last)
    shrunk = [
        captioned(_at_most(picture, WIDEST), caption) for picture, caption in zip(pictures, captions, strict=True)
    ]
    return Frame(tiled(shrunk, columns), "", last)


def _at_most(picture: Image, width: int) -> Image:
    """A picture that is no wider."""
    from PIL import Image as PillowImage

    if picture.shape[1] <= width:
        return picture
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    return np.asarray(PillowImage.fromarray(picture).resize((width, height)))
