"""The quick tour: run, watch and compare in two minutes."""

import sys
from pathlib import Path

from experiments.results.stored_run import StoredRun
from experiments.results.stored_run import read_runs as _read_runs
from rl_lab.api import watch
from rl_lab.report.folder import compare_folders
from rl_lab.run import run_suite
from rl_lab.text.comparison import print_comparison
from rl_lab.text.console import console

SUITE = "demo"


def run_demo(out: Path) -> None:
    """Run the bundled suite `demo`, record what it learned, and compare."""
    from experiments.execution.executor import available_cores

    screen = console()
    folder = out / SUITE
    screen.rule("1. Run: a robot in a maze, a lander on the moon", style="dim")
    screen.print(
        "Two seeds each of random actions, Q-learning and exact planning in the maze; of random actions,\n"
        "a deep Q-network and Gymnasium's hand-written controller on the moon. It takes a minute or so.\n"
    )
    _, outcome = run_suite(SUITE, out=out, jobs=available_cores())
    sys.stderr.flush()

    screen.rule("2. Watch: what they do now", style="dim")
    runs = {(run.run_spec.env.label, run.run_spec.agent.label, run.run_spec.seed): run for run in _read_runs([folder])}
    maze = runs["maze-9x9", "q_learning", 0]
    screen.print("The maze, and the policy that Q-learning found (arrows: the greedy action of each cell it met):\n")
    watch(maze.folder.path, terminal=True)
    _tell_optimum(maze)
    videos = []
    for key, episodes in (
        (("maze-9x9", "q_learning", 0), 1),
        (("lander", "sb3_dqn", 0), 1),
        (("lander", "heuristic_lander", 0), 1),
    ):
        video = folder / f"{key[0]}-{key[1]}.mp4"
        result = watch(runs[key].folder.path, record=video, episodes=episodes)
        videos.append(f"  {video} ({result['frames']} frames)")
    screen.print("\nRecorded:\n" + "\n".join(videos) + "\n", markup=False)

    screen.rule("3. Compare: same episodes for everybody, intervals, verdicts", style="dim")
    comparison, written = compare_folders([folder], None)
    print_comparison(comparison)
    screen.print("\nWritten:\n" + "\n".join(f"  {path}" for path in written), markup=False)
    if outcome.failed:
        screen.print(f"\n{len(outcome.failed)} trials failed: see error.txt in their folders.")
    screen.print(
        "\nNext:\n"
        "  rl-lab run book-maze                     the book's maze, five seeds, to the exact optimum\n"
        f"  rl-lab watch {maze.folder.path} --terminal\n"
        "  rl-lab list                              environments, agents, suites, runs\n",
        markup=False,
    )


def _tell_optimum(run: StoredRun) -> None:
    if run.scale is not None:
        mean = run.final_scores().mean()
        print(f"Its return is {mean:.0f}; the exact optimum is {run.scale.ceiling:.0f}.")
