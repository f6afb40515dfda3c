"""The commands that show: watch, show, draw, play, speed."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rl_lab.cli.app import (
    EnvOptions,
    Json,
    RunArgument,
    RunArguments,
    TrustCode,
    app,
    assignments,
    environments,
    not_negative,
    overlays,
    positive,
)
from rl_lab.text.saying import say

MEASURED = ("envs", "tabular", "comparison", "dqn", "ui")
Overlay = Annotated[
    str,
    typer.Option(
        metavar="values|q_values|visits|path|none", help="What is drawn over a maze.", autocompletion=overlays
    ),
]


WallMoves = Annotated[bool, typer.Option("--wall-moves", help="With q_values: draw those of moves into walls too.")]


@app.command(epilog="Example: rl-lab watch runs/train/maze/q/seed-0 --record maze.gif")
def watch(
    runs: RunArguments,
    episodes: Annotated[int, typer.Option(parser=positive, metavar="N", help="Episodes.")] = 1,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page (.html), .mp4 or .gif instead of opening a window."),
    ] = None,
    terminal: Annotated[bool, typer.Option("--terminal", help="Draw in the terminal instead of a window.")] = False,
    overlay: Overlay = "values",
    wall_moves: WallMoves = False,
    oracle: Annotated[bool, typer.Option("--oracle", help="Draw the optimum of a maze beside the agent.")] = False,
    at: Annotated[
        int | None,
        typer.Option(parser=not_negative, metavar="STEP", help="The agent as it was at this env step of its training."),
    ] = None,
    through_training: Annotated[
        bool,
        typer.Option("--through-training", help="The agent at every snapshot of its training."),
    ] = False,
    race: Annotated[
        bool, typer.Option("--race", help="Several runs on the same episodes, in step (so it is with several RUNs).")
    ] = False,
    grid: Annotated[
        bool,
        typer.Option("--grid", help="Pictures in a grid; with --through-training, all moments at once."),
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print how the agent goes on learning, step by step: old value to new.")
    ] = False,
    trust_code: TrustCode = False,
) -> None:
    """Watch a run's trained agent.

    On a maze with its values and greedy arrows over the cells.
    """
    from experiments.errors import InputError
    from rl_lab.api import watch as watch_runs

    if explain:
        from rl_lab.show.explain import explain_run
        from rl_lab.text.values import print_explanation

        if record is not None or oracle or through_training:
            raise InputError("--explain: expected no --record, --oracle or --through-training beside it: it is text")
        if len(runs) > 1:
            raise InputError(f"--explain: expected one run, got {len(runs)}")
        print_explanation(explain_run(runs[0], episodes=episodes, at=at, trust_code=trust_code))
        return
    result = watch_runs(
        runs,
        episodes=episodes,
        record=record,
        terminal=terminal,
        overlay=overlay,
        wall_moves=wall_moves,
        oracle=oracle,
        at=at,
        through_training=through_training,
        race=race,
        grid=grid,
        trust_code=trust_code,
    )
    if record is not None:
        size = f", {result['bytes'] / 1000:,.0f} kB: open it in a browser" if "bytes" in result else ""
        say(f"{result['frames']} {'steps' if size else 'frames'}: {result['file']}{size}")


@app.command(epilog="Example: rl-lab show runs/train/maze/q/seed-0")
def show(
    run: RunArgument,
    at: Annotated[
        int | None,
        typer.Option(parser=not_negative, metavar="STEP", help="The agent as it was at this env step of its training."),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV: every row, every digit.")] = False,
    trust_code: TrustCode = False,
) -> None:
    """Show the table of values that a run's agent has learned.

    A row a state (a cell of a maze), a column an action.
    """
    from experiments.policies.open_policy import open_policy
    from rl_lab.show.value_table import value_table
    from rl_lab.text.values import print_values, print_values_as_csv

    values = value_table(open_policy(run, trust_code=trust_code), at)
    (print_values_as_csv if csv else print_values)(values)


@app.command(epilog="Example: rl-lab draw RLLab/Maze-Pits-v0 maze.svg")
def draw(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ENV|RUN", help="A maze's id, a run folder, or an exported policy.", autocompletion=environments
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An .svg, .png or .txt file.")],
    env_options: EnvOptions = None,
    overlay: Overlay = "values",
    wall_moves: WallMoves = False,
    level: Annotated[
        int | None, typer.Option(parser=not_negative, metavar="K", help="The level, of a pool of levels.")
    ] = None,
    seed: Annotated[int, typer.Option(parser=not_negative, metavar="N", help="Seed of the reset.")] = 0,
    size: Annotated[int, typer.Option(parser=positive, metavar="PIXELS", help="The longer side, about.")] = 480,
    trust_code: TrustCode = False,
) -> None:
    """Draw a maze into a file, with optimal or learned values."""
    from rl_lab.show.draw import check_file, drawn_maze, write

    check_file(file)
    options = assignments("--env", env_options)
    maze = drawn_maze(
        what,
        options,
        overlay=overlay,
        level=level,
        seed=seed,
        size=size,
        wall_moves=wall_moves,
        trust_code=trust_code,
    )
    write(maze, file, size)
    say(f"{file}: shortest path {int(maze.exit_distances[maze.s])} moves")


@app.command(epilog="Example: rl-lab play RLLab/Maze-v0 --terminal")
def play(
    env: Annotated[str, typer.Argument(metavar="ENV", help="An environment's id.", autocompletion=environments)],
    env_options: EnvOptions = None,
    seed: Annotated[int, typer.Option(parser=not_negative, metavar="N", help="Seed of the first reset.")] = 0,
    terminal: Annotated[bool, typer.Option("--terminal", help="Play in the terminal instead of a window.")] = False,
) -> None:
    """Play an environment yourself.

    With the arrow keys (or w a s d, or z q s d), others with digits. Esc quits.
    """
    from rl_lab.show.play import play as play_env

    result = play_env(env, assignments("--env", env_options), seed=seed, terminal=terminal)
    returns = ", ".join(f"{value:.4g}" for value in result["returns"])
    say(f"{result['episodes']} episodes finished" + (f", returns: {returns}" if returns else ""))


@app.command(epilog="Example: rl-lab speed tabular --rounds 3")
def speed(
    what: Annotated[
        str,
        typer.Argument(metavar="|".join(MEASURED), help="What to measure.", autocompletion=lambda: list(MEASURED)),
    ] = "envs",
    rounds: Annotated[
        int, typer.Option(parser=positive, metavar="N", help="Rounds; the median of their ratios counts.")
    ] = 5,
    json_: Json = False,
) -> None:
    """Measure speeds, each against another in the same run."""
    from experiments.errors import unknown
    from rl_lab.text.speeds import print_speeds

    if what == "envs":
        from experiments.speed.measuring import environment_speeds as speeds
    elif what == "tabular":
        from experiments.speed.tabular import tabular_speeds as speeds
    elif what == "comparison":
        from experiments.speed.comparison import comparison_speeds as speeds
    elif what == "dqn":
        from experiments.speed.deep import deep_speeds as speeds
    elif what == "ui":
        from rl_lab.viewer.speed import viewer_speeds as speeds
    else:
        raise unknown("speed", what, MEASURED)
    comparisons = speeds(rounds)
    if json_:
        listed = [comparison.as_dict() for comparison in comparisons]
        ratios = {comparison.key: comparison.ratio for comparison in comparisons if comparison.key}
        print(json.dumps(ratios | {"comparisons": listed} if ratios else listed))
    else:
        print_speeds(comparisons, rounds)
