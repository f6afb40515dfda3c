"""Makes the pictures and tables of docs/mazes.md, between its markers: `make figures`. Half a minute."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from envs.mazes.difficulty import measure
from envs.mazes.env import MazeEnv
from envs.mazes.generators import GENERATORS
from envs.registry import ENVIRONMENTS, LADDER, make_env
from experiments.evaluation.episode_seeds import episode_seeds
from experiments.evaluation.score_scale import score_scale_for
from experiments.rendering.overlays import oracle_overlay
from experiments.specs.spec import EnvEntry

DOCS = Path(__file__).parent
NUM_MAZES = 200  # behind every row of the fingerprints
NUM_EPISODES = 100  # behind every score of the ladder: the final evaluation's


def main() -> None:
    """Draw, measure, and write both into the page."""
    pictures = {name: _picture(generator=name, rows=12, cols=12, render_size=240) for name in GENERATORS}
    _sheet(pictures, 5).save(DOCS / "images" / "generators.png", optimize=True)
    rungs = {env_id.removeprefix("RLLab/"): _rung(env_id) for env_id in LADDER}
    _sheet(rungs, 4).save(DOCS / "images" / "ladder.png", optimize=True)
    page = DOCS / "mazes.md"
    text = page.read_text()
    for name, table in (("fingerprints", _fingerprints()), ("ladder", _ladder())):
        begin = text.index(f"<!-- {name} -->\n") + len(f"<!-- {name} -->\n")
        text = text[:begin] + table + text[text.index("<!-- end -->", begin) :]
    page.write_text(text)


def _picture(**options: Any) -> Image.Image:
    env = MazeEnv(render_mode="rgb_array", **options)
    env.reset(seed=0)
    return Image.fromarray(env.render())


def _rung(env_id: str) -> Image.Image:
    env: Any = make_env(env_id, render_mode="rgb_array", render_size=300).unwrapped
    env.reset(seed=0, options={"level": 2} if env.source.num_levels else None)
    env.overlay = oracle_overlay(env)
    return Image.fromarray(env.render())


def _sheet(pictures: dict[str, Image.Image], columns: int) -> Image.Image:
    """Pictures in rows, each with its name above."""
    width = max(picture.width for picture in pictures.values())
    height = max(picture.height for picture in pictures.values()) + 26
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), (250, 248, 243))
    write, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=16)
    for index, (name, picture) in enumerate(pictures.items()):
        left, top = index % columns * width, index // columns * height
        write.text((left + 10, top + 4), name, fill=(38, 50, 56), font=font)
        sheet.paste(picture, (left, top + 26))
    return sheet


def _fingerprints() -> str:
    lines = [
        "| generator | dead ends | straights | junctions | loops | shortest path | random walk's moves |",
        "|---|" + "---:|" * 6,
    ]
    for name in GENERATORS:
        env = MazeEnv(generator=name, rows=15, cols=15, maze_seed=None)
        env.reset(seed=0)
        facts = []
        for _ in range(NUM_MAZES):
            env.reset()
            one = measure(env.source.recipe, env.level)
            shares = [one.dead_ends / 225, one.straights / 225, one.junctions / 225]
            facts.append([*shares, one.loops, one.shortest_path, one.hitting_time])
        dead, straight, junction, loops, path, time = np.mean(facts, axis=0)
        row = f"| `{name}` | {dead:.1%} | {straight:.1%} | {junction:.1%} | {loops:.1f} | {path:.0f} | {time:,.0f} |"
        lines.append(row)
    return "\n".join(lines) + "\n"


def _ladder() -> str:
    lines = ["| id | what it is | random policy | exact optimum |", "|---|---|---:|---:|"]
    seeds = episode_seeds(0, "final", NUM_EPISODES)
    for env_id in LADDER:
        scale = score_scale_for(EnvEntry(id=env_id), seeds)
        assert scale is not None
        description = ENVIRONMENTS[env_id].partition(": ")[2]
        lines.append(f"| `{env_id}` | {description} | {scale.floor:.1f} | {scale.ceiling:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
