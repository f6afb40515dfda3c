"""The draw command: a maze as a file, with what an agent thinks of it or with what is true."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from envs.mazes.env import MazeEnv
from envs.mazes.svg import draw_svg
from envs.registry import env_options
from experiments.errors import InputError, located
from experiments.evaluation.environments import make_evaluation_env
from experiments.evaluation.episode_seeds import episode_seeds
from experiments.files import check_replaceable, replace_file
from experiments.rendering.overlays import check_kind, maze_overlay, oracle_overlay
from experiments.runs.open_run import open_run
from experiments.specs.loading import check_env_entry
from experiments.specs.spec import EnvEntry

FORMATS = (".svg", ".png", ".txt")


def draw(
    what: str,
    file: Path,
    options: dict[str, Any],
    *,
    overlay: str,
    level: int | None,
    seed: int,
    size: int,
    wall_moves: bool = False,
    trust_code: bool = False,
) -> dict[str, Any]:
    """Draw a maze: of an environment's id with what is optimal, of a run's folder with what its agent has learned.

    Raises:
        InputError: it is no maze, or the file cannot be written.
    """
    check_kind(overlay)
    if overlay == "visits":
        raise InputError(
            "overlay: visits are counted while episodes are watched: expected rl-lab watch --overlay visits"
        )
    if file.suffix.lower() not in FORMATS:
        raise InputError(
            f"{file}: expected a file that ends in {', '.join(FORMATS)}, got {file.suffix or 'no ending'!r}"
        )
    if not 32 <= size <= 4096:
        raise InputError(f"--size: expected 32 to 4096 pixels, got {size}")
    run = Path(what)
    is_run = (run / "run.json").is_file()
    if is_run:
        if options:
            raise InputError("--env: a run has its environment; expected none beside a run's folder")
        opened = open_run(run, trust_code=trust_code)
        run_spec = opened.run_spec
        entry, seed = run_spec.env, episode_seeds(run_spec.evaluation.seed, "final", 1)[0]
    else:
        if "render_size" in options:
            raise InputError("--env: render_size is --size here")
        entry = entry_of(what, options)
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
    _write(maze, file, size)
    return {"file": str(file), "shortest_path": int(maze.exit_distances[maze.s])}


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


def _write(maze: MazeEnv, file: Path, size: int) -> None:
    from PIL import Image

    from envs.mazes.text import draw_box

    if not file.resolve().parent.is_dir():
        raise InputError(f"{file}: the folder {file.parent} does not exist")
    check_replaceable(file)
    ending = file.suffix.lower()
    if ending == ".png":
        picture = io.BytesIO()
        Image.fromarray(np.asarray(maze.render())).save(picture, format="png", optimize=True)
        replace_file(file, picture.getvalue())
    else:
        text = draw_svg(maze.scene(), size) if ending == ".svg" else draw_box(maze.scene()) + "\n"
        replace_file(file, text.encode())
