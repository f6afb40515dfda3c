"""A maze as a picture, with what an agent thinks of it or with what is true."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from envs.mazes.env import MazeEnv
from envs.mazes.svg import draw_svg
from envs.mazes.text import draw_box
from envs.registry import env_options
from experiments.errors import InputError, located
from experiments.evaluation.environments import make_evaluation_env
from experiments.evaluation.episode_seeds import seeds_of
from experiments.files import check_replaceable, replace_file
from experiments.policies.open_policy import is_policy_file, open_policy
from experiments.rendering.overlays import check_kind, maze_overlay, oracle_overlay
from experiments.runs.archive import unpacked
from experiments.specs.loading import check_env_entry
from experiments.specs.spec import EnvEntry

FORMATS = (".svg", ".png", ".txt")
DEFAULT_SIZE = 480  # pixels of the longer side, about


def check_file(file: Path) -> None:
    """Raise where a picture cannot be written.

    Raises:
        InputError: its ending is none of `FORMATS`, its folder is none, or something else is there.
    """
    if file.suffix.lower() not in FORMATS:
        raise InputError(
            f"{file}: expected a file that ends in {', '.join(FORMATS)}, got {file.suffix or 'no ending'!r}"
        )
    if not file.resolve().parent.is_dir():
        raise InputError(f"{file}: the folder {file.parent} does not exist")
    check_replaceable(file)


def drawn_maze(
    what: str,
    options: Mapping[str, Any],
    *,
    overlay: str = "values",
    level: int | None = None,
    seed: int = 0,
    size: int = DEFAULT_SIZE,
    wall_moves: bool = False,
    trust_code: bool = False,
) -> MazeEnv:
    """A maze with its overlay: of an environment's id with what is optimal, of a run's with what its agent has learned.

    Args:
        what: an environment's id, or a run's folder.
        options: of the environment.
        overlay: one of `overlays.KINDS` but "visits".
        level: of a pool of levels.
        seed: of the reset.
        size: of the picture's longer side, about, in pixels.
        wall_moves: with "q_values", those of moves into walls too.
        trust_code: import the run's `module:Class` although this user has not run that code here.

    Raises:
        InputError: it is no maze, or something that is asked for is not there.
    """
    check_kind(overlay)
    if overlay == "visits":
        raise InputError(
            "overlay: visits are counted while episodes are watched: expected rl-lab watch --overlay visits"
        )
    if not 32 <= size <= 4096:
        raise InputError(f"--size: expected 32 to 4096 pixels, got {size}")
    run = Path(what) if is_policy_file(Path(what)) else unpacked(Path(what))
    is_run = is_policy_file(run) or (run / "run.json").is_file()
    if is_run:
        if options:
            raise InputError("--env: a run has its environment; expected none beside a run's folder")
        opened = open_policy(run, trust_code=trust_code)
        run_spec = opened.run_spec
        entry, seed = run_spec.env, seeds_of(run_spec.evaluation, "final", 1)[0]
    else:
        if "render_size" in options:
            raise InputError("--env: render_size is --size here")
        entry = entry_of(what, dict(options))
    with located(f"envs: {entry.id}"):
        options_known = env_options(entry.id)
    if "render_size" not in options_known:
        raise InputError(f"draw: expected a maze, or a run in one, got {entry.id}")
    entry = entry.model_copy(update={"settings": entry.settings | {"render_size": size}})
    with located(f"envs: {entry.id}"):
        env = make_evaluation_env(entry, render_mode="rgb_array")
    maze = env.unwrapped
    if not isinstance(maze, MazeEnv):
        raise InputError(f"draw: expected a maze, or a run in one, got {entry.id}")
    with located("--level"):
        env.reset(seed=seed, options=None if level is None else {"level": level})
    if is_run:
        title = f"{opened.whose}, {opened.how_far()}"
        maze.overlay = maze_overlay(opened.agent(), env, overlay, title=title, wall_moves=wall_moves)
    else:
        discount = 1.0 if maze.source.recipe.reward == 0 else 0.99
        maze.overlay = oracle_overlay(maze, overlay, discount, wall_moves=wall_moves)
    return maze


def entry_of(env_id: str, options: dict[str, Any]) -> EnvEntry:
    """An environment that is no run's, checked.

    Raises:
        InputError: the id or an option is unknown, or is for runs only.
    """
    for key in ("name", "reset_seed"):
        if key in options:
            raise InputError(f"--env: {key!r} is for runs only")
    entry = EnvEntry(id=env_id, settings=options)
    check_env_entry(entry)
    return entry


def write(maze: MazeEnv, file: Path, size: int) -> None:
    """Write the picture of a maze, in the format of the file's ending."""
    from PIL import Image

    ending = file.suffix.lower()
    if ending == ".png":
        picture = io.BytesIO()
        Image.fromarray(np.asarray(maze.render())).save(picture, format="png", optimize=True)
        replace_file(file, picture.getvalue())
    else:
        text = draw_svg(maze.scene(), size) if ending == ".svg" else draw_box(maze.scene()) + "\n"
        replace_file(file, text.encode())
