"""The quick tour: run, watch and compare in two minutes."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from experiments.comparison.comparison import compare_runs
from experiments.execution.executor import available_cores
from experiments.results.stored_run import StoredRun, read_runs
from rl_lab.api import watch
from rl_lab.report.folder import compare_folders
from rl_lab.run import run_suite
from rl_lab.text.comparison import print_comparison, written_lines
from rl_lab.text.console import console
from rl_lab.viewer.serve import serve

SUITE, MAZE, LANDER = "demo", "maze-9x9", "lander"
RECORDED = ((MAZE, "q_learning"), (LANDER, "sb3_dqn"), (LANDER, "heuristic_lander"))


def run_demo(out: Path, *, ui: bool = False) -> None:
    """Run the bundled suite `demo`, the maze first, which is learned in seconds; watch, record and compare.

    Args:
        out: the output folder.
        ui: open the viewer in the end.
    """
    screen = console()
    folder = out / SUITE
    screen.rule("1. A robot in a maze", style="dim")
    screen.print("Random moves, Q-learning and exact planning, two seeds each: it takes seconds.\n")
    failed = _run(out, MAZE)
    run = _run_of(folder, MAZE, "q_learning")
    screen.print("\nWhat Q-learning found: its way out, and what each cell is worth to it (● the robot, ★ the exit):\n")
    watch(run.folder.path, terminal=True)
    _compare(folder / MAZE)
    screen.print()

    has_lander = importlib.util.find_spec("Box2D") is not None
    if has_lander:
        screen.rule("2. A lander on the moon", style="dim")
        screen.print(
            "Random engines, a deep Q-network that begins to learn, a hand-written controller: a minute or so.\n"
        )
        failed += _run(out, LANDER)
        screen.rule("3. What came of it: the same episodes for everybody", style="dim")
        _compare(folder / LANDER)
    else:
        screen.print("There is no lander in this tour: Box2D is not installed (from Python 3.14 on, it is compiled).\n")
    _, written = compare_folders([folder])
    recorded = [(env, agent) for env, agent in RECORDED if env == MAZE or has_lander]
    for env, agent in recorded:
        watch(_run_of(folder, env, agent).folder.path, record=folder / f"{env}-{agent}.mp4")
    screen.print("\n".join(written_lines(written)), markup=False)
    screen.print(f"videos: {len(recorded)} in {folder}", markup=False)
    if failed:
        screen.print(f"{failed} trials failed: see error.txt in their folders.")
    screen.print(f"Next{_activation()}:", markup=False)
    screen.print(
        "  rl-lab run book-maze     the book's maze, five seeds, to the exact optimum\n"
        f"  rl-lab watch {run.folder.path} --explain\n"
        f"  rl-lab ui {out}{' ' * max(1, 15 - len(str(out)))}all of this in a browser: curves, any moment, races\n"
        "  rl-lab list              environments, agents, suites, runs",
        markup=False,
    )
    if ui:
        sys.stdout.flush()
        serve(out)


def _compare(folder: Path) -> None:
    """What the runs in one environment came to."""
    print_comparison(compare_runs([folder]))


def _run(out: Path, env: str) -> int:
    """Run the suite in one of its environments; how many runs failed."""
    _, outcome = run_suite(SUITE, out=out, jobs=available_cores(), only=[env])
    sys.stderr.flush()
    return len(outcome.failed)


def _run_of(folder: Path, env: str, agent: str) -> StoredRun:
    (run,) = read_runs([folder / env / agent / "seed-0"])
    return run


def _activation() -> str:
    """What must be typed first, where the command is not found by its name."""
    if shutil.which("rl-lab") is not None:
        return ""
    environment = os.path.relpath(sys.prefix)
    if sys.platform == "win32":
        return f", after {environment}\\Scripts\\activate"
    return f", after `source {environment}/bin/activate`"
