"""Makes the pictures of the README and the docs: `make figures`. Real runs, of the bundled suites, into docs/images."""

import shutil
import sys
from pathlib import Path

from PIL import Image

from experiments.evaluation.episode_seeds import seeds_of
from experiments.figures import time_curves
from experiments.figures.learning_curves import FILE_NAME
from experiments.rendering.captions import captioned
from experiments.rendering.frames import play
from experiments.runs.open_run import open_run
from rl_lab.report.folder import compare_folders
from rl_lab.run import run_suite

IMAGES = Path(__file__).parent / "images"
CURVES = (
    ("book-maze", "maze-15x15"),
    ("lander-table", "LunarLander-v3"),
    ("lander-ablation", "LunarLander-v3"),
    ("mazes", "maze-4-slippery"),
)
COMPARED = (  # of a suite's comparison, and what the picture is called
    ("mazes", "profiles", "mazes-profiles"),
    ("lander", "improvement", "lander-improvement"),
    ("lander", f"LunarLander-v3/{time_curves.FILE_NAME}", "lander-time"),
    ("generalise", f"maze-7x7/{FILE_NAME}", "generalise"),
)
FRAMES = {  # picture -> run, and how far into its first episode
    "maze-frame.png": ("book-maze/maze-15x15/q_learning/seed-0", 0.6),
    "lander-frame.png": ("lander/LunarLander-v3/heuristic/seed-0", 0.55),
}


def main(runs: Path) -> None:
    """Run the suites (finished ones are skipped) and draw."""
    for suite in dict.fromkeys(suite for suite, _ in CURVES):
        run_suite(suite, out=runs, jobs=2)
    for suite, env in CURVES:
        shutil.copy(runs / suite / env / f"{FILE_NAME}.png", IMAGES / f"{suite}-{env}.png")
    for suite, figure, name in COMPARED:
        run_suite(suite, out=runs, jobs=2)
        compare_folders([runs / suite], report=False)
        shutil.copy(runs / suite / "comparison" / f"{figure}.png", IMAGES / f"{name}.png")
    for name, (run, share) in FRAMES.items():
        opened = open_run(runs / run)
        env = opened.make_env("rgb_array")
        seeds = seeds_of(opened.run_spec.evaluation, "final", 1)
        frames = list(play(opened.agent(), env, seeds, title=f"{opened.whose}, {opened.how_far()}"))
        frame = frames[round(share * (len(frames) - 1))]
        Image.fromarray(captioned(frame.picture, frame.caption)).save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs"))
