"""Episodes as pictures: frames of a trained agent, written as MP4 or GIF."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.base import Agent
from envs.mazes.env import MazeEnv
from envs.mazes.level import STEP
from envs.mazes.scene import Overlay
from envs.mazes.text import beside
from experiments.errors import InputError
from experiments.evaluation.rollout import rollout
from experiments.files import check_replaceable, coming_path
from experiments.rendering.overlays import maze_overlay, oracle_overlay, with_one_scale

FORMATS = (".mp4", ".gif")
DEFAULT_FPS = 30.0
LEAST_FPS, MOST_FPS = 0.1, 240.0
HOLD_SECONDS = 1.0  # the last frame of an episode stays this long
CAPTION_PIXELS = 28
BACKGROUND = (24, 28, 32)
CAPTION_WIDTH = 400  # pixels that a caption may take
GIF_MAX_FPS = 25  # a GIF's clock ticks in hundredths of a second

Image = NDArray[np.uint8]  # [H, W, 3]
FloatArray = NDArray[np.float64]


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
    overlay: str = "values",
    oracle: bool = False,
    wall_moves: bool = False,
    title: str = "",
    max_frames: int | None = None,
) -> Iterator[Frame]:
    """The frames of greedy episodes, in an environment made with a render mode.

    Args:
        agent: who plays.
        env: where; an overlay needs a maze.
        seeds: of the episodes.
        overlay: what is drawn over a maze, one of `overlays.KINDS`.
        oracle: draw the optimum beside the agent, which needs a maze drawn as "rgb_array" or "ansi".
        wall_moves: of the overlay "q_values", draw those of moves into walls too.
        title: what a maze's caption begins with: whose values are drawn.
        max_frames: at most so many of an episode, at least 1; the caption of the last one says so. None: all.
    """
    base = env.unwrapped
    maze = base if isinstance(base, MazeEnv) else None
    for number, seed in enumerate(seeds, start=1):
        visits = np.zeros(maze.num_cells if maze else 0, dtype=np.int64)
        held, theirs = -1, None
        for step in rollout(agent.policy(seed), env, seed):
            cut = step.length + 1 == max_frames and not step.over
            ended = "   terminated" if step.terminated else "   truncated" if step.truncated else ""
            ended = "   (and so on)" if cut else ended
            caption = f"episode {number} of {len(seeds)}   step {step.length}   return {step.total_reward:.4g}{ended}"
            if maze is not None and maze.source.recipe.keys:
                caption += f"   keys: {maze.held_keys or 'none'}"
            if maze is not None:
                visits[maze.s % maze.num_cells] += 1
                if maze.s // maze.num_cells != held or overlay in ("visits", "path"):
                    held = maze.s // maze.num_cells
                    maze.overlay = maze_overlay(agent, env, overlay, visits, title=title, wall_moves=wall_moves)
                    if oracle:
                        discount = _discount(agent, maze)
                        theirs = oracle_overlay(maze, overlay, discount, wall_moves=wall_moves)
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


def captioned(picture: Image, caption: str) -> Image:
    """The picture with a line of text below it; even sides, as video wants."""
    from PIL import Image as PillowImage
    from PIL import ImageDraw, ImageFont

    scale = -(-CAPTION_WIDTH // picture.shape[1])  # small pictures are enlarged until the text fits
    picture = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    canvas = PillowImage.new("RGB", (width, height + CAPTION_PIXELS), BACKGROUND)
    canvas.paste(PillowImage.fromarray(picture[:height, :width]), (0, 0))
    font = ImageFont.load_default(size=15)
    ImageDraw.Draw(canvas).text((10, height + 5), caption, fill=(235, 235, 235), font=font)
    return np.asarray(canvas)


def check_video_path(path: Path) -> None:
    """Raise where no video can be written.

    Raises:
        InputError: neither .mp4 nor .gif, or its folder is none.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"{path}: expected a file that ends in {' or '.join(FORMATS)}, got {path.suffix or 'no ending'!r}"
        )
    if path.is_dir():
        raise InputError(f"{path}: expected a file, got a folder")
    if not path.resolve().parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")
    check_replaceable(path)


def write_video(path: Path, frames: Iterator[Frame], fps: float) -> int:
    """Write frames as MP4 (H.264) or GIF, by the file's ending; the number of frames written."""
    pictures = _held(frames, max(1, round(HOLD_SECONDS * fps)))
    write = _write_gif if path.suffix.lower() == ".gif" else _write_mp4
    coming = coming_path(path).with_suffix(path.suffix)  # a video that is there stays until the new one is complete
    try:
        coming.unlink(missing_ok=True)
        coming.touch(exist_ok=False)
        count = write(coming, pictures, fps)
        coming.replace(path)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())[-200:]
        raise InputError(f"{path}: cannot write the video: {reason}") from error
    finally:
        with contextlib.suppress(OSError):
            coming.unlink(missing_ok=True)
    return count


def _held(frames: Iterator[Frame], hold: int) -> Iterator[Image]:
    """Pictures with their captions, all of one size: an environment may change its pictures', and a video's is one."""
    from PIL import Image as PillowImage

    size: tuple[int, int] | None = None  # width and height of the first
    for frame in frames:
        picture = frame.picture
        if isinstance(picture, str):
            raise InputError("render: expected an image [height, width, 3], got text")
        size = size or (picture.shape[1], picture.shape[0])
        if picture.shape[:2] != size[::-1]:
            picture = np.asarray(PillowImage.fromarray(picture).resize(size))
        picture = captioned(picture, frame.caption)
        for _ in range(hold if frame.last else 1):
            yield picture


def _write_mp4(path: Path, pictures: Iterator[Image], fps: float) -> int:
    import imageio_ffmpeg

    count, writer = 0, None
    try:
        for picture in pictures:
            if writer is None:
                size = (picture.shape[1], picture.shape[0])
                writer = imageio_ffmpeg.write_frames(str(path), size, fps=fps, macro_block_size=2, quality=8)
                writer.send(None)
            writer.send(np.ascontiguousarray(picture))
            count += 1
    finally:
        if writer is not None:
            writer.close()
    return count


def _write_gif(path: Path, pictures: Iterator[Image], fps: float) -> int:
    from PIL import Image as PillowImage

    step = max(1, round(fps / GIF_MAX_FPS))
    images = [PillowImage.fromarray(picture) for index, picture in enumerate(pictures) if index % step == 0]
    duration = max(10, round(1000 * step / fps))
    images[0].save(path, save_all=True, append_images=images[1:], duration=duration, loop=0, optimize=True)
    return len(images)
