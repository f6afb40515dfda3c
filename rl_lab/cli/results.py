"""The commands that judge: status, verify, evaluate, compare."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rl_lab.cli.app import FAILED, EnvOptions, Json, RunArgument, Tensorboard, TrustCode, app, assignments, positive
from rl_lab.text.saying import say


def bundled_suites() -> list[str]:
    """What completes a suite with bundled results."""
    from experiments.results.bundled_results import bundled_names

    return bundled_names()


@app.command(epilog="Example: rl-lab status runs/book-maze")
def status(
    experiment: Annotated[Path, typer.Argument(metavar="FOLDER", help="An experiment's folder.")],
    json_: Json = False,
) -> None:
    """How an experiment stands, and the time left."""
    from experiments.results.status import experiment_status
    from rl_lab.text.status import print_status, status_values

    found = experiment_status(experiment)
    if json_:
        print(json.dumps(status_values(found)))
    else:
        print_status(found)


@app.command(epilog="Example: rl-lab verify runs/train/maze/q/seed-0")
def verify(
    run: Annotated[Path, typer.Argument(metavar="RUN|FOLDER", help="A run folder, or a folder with some.")],
    full: Annotated[
        bool, typer.Option("--full", help="Train all of it again, and compare the weights too; else its first tenth.")
    ] = False,
    trust_code: TrustCode = False,
    json_: Json = False,
) -> None:
    """Train a run again: does the same come out, to the byte?

    Its first tenth, from its manifest; with --full all of it, weights included.
    """
    from rl_lab.text.status import print_verification, runs_to_verify, verify_with_progress

    runs = runs_to_verify(run)
    found = []
    for one in runs:
        found.append(verify_with_progress(one, full=full, progress=not json_, trust_code=trust_code))
        if not json_:
            print_verification(found[-1], name=len(runs) > 1)
    if json_:
        print(json.dumps(found[0].__dict__ if runs == [run] else [one.__dict__ for one in found]))
    elif len(runs) > 1:
        say(f"{sum(one.reproduced for one in found)} of {len(runs)} runs are reproduced")
    if not all(one.reproduced for one in found):
        raise typer.Exit(FAILED)


@app.command(epilog="Example: rl-lab evaluate runs/train/maze/q/seed-0 --episodes 20")
def evaluate(
    run: RunArgument,
    episodes: Annotated[
        int | None,
        typer.Option(parser=positive, metavar="N", help="Episodes.", show_default="those of the final score"),
    ] = None,
    env_options: EnvOptions = None,
    trust_code: TrustCode = False,
    json_: Json = False,
) -> None:
    """Evaluate a run's trained agent.

    Greedily, on the shared episodes of the final score.

    With --env, in its environment with other options, such as split=test.
    """
    from experiments.results.endings import Endings
    from rl_lab.api import evaluate as evaluate_run

    result = evaluate_run(run, episodes=episodes, env_options=assignments("--env", env_options), trust_code=trust_code)
    if json_:
        print(json.dumps(result))
        return
    returns = sorted(episode["return"] for episode in result["episodes"])
    terminated = sum(episode["terminated"] for episode in result["episodes"])
    other = "".join(f", {key} = {value}" for key, value in result.get("env_options", {}).items())
    print(
        f"{result['agent']} on {result['env']}{other}, {len(returns)} greedy episode{'s' if len(returns) > 1 else ''}"
    )
    spread = f"min {returns[0]:.2f}, median {returns[len(returns) // 2]:.2f}, max {returns[-1]:.2f}"
    say(f"mean return {result['mean_return']:.2f} ({spread})")
    if "return_from_its_start" in result:
        start = f"{result['return_from_its_start']:.2f}"
        say(f"from the one start that it trained on: {start}; the episodes above have other starts")
    say(f"terminated {terminated}, truncated {len(returns) - terminated}")
    say(f"its episodes: {Endings(**result['endings']).in_words()}")


@app.command(epilog="Example: rl-lab archive runs/first-benchmark first-benchmark.zip")
def archive(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A run's, an experiment's or an output folder.")],
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="The archive.")],
    with_checkpoints: Annotated[
        bool, typer.Option("--with-checkpoints", help="The agents' states too, so that they can be watched.")
    ] = False,
    json_: Json = False,
) -> None:
    """Put runs into one checked file, which opens elsewhere.

    Manifests, logs, results, specs: compare and verify open it again, and with --with-checkpoints watch and the rest.

    A run in it is FILE.zip/ENV/AGENT/seed-N, wherever a run's folder is asked for.
    """
    from experiments.runs.archive import write_archive

    made = write_archive(folder, file, with_checkpoints=with_checkpoints)
    if json_:
        print(json.dumps({"file": str(file), **made._asdict()}))
        return
    say(f"{file}: {made.runs} runs, {made.files} files, {made.num_bytes:,} bytes")
    say(f"SHA-256 {made.sha256}")
    if not with_checkpoints:
        say("without checkpoints: it can be compared and verified; --with-checkpoints lets its agents be watched too")


@app.command(epilog="Example: rl-lab compare runs/first-benchmark")
def compare(
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER|FILE...",
            help="Folders with runs, such as an experiment's, or with logs of stable-baselines3 or its Zoo; files: "
            "saved scores, CSV (agent, env, seed, step, return), marl-eval's JSON.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where report.html, the figures and the tables go.",
            show_default="comparison/, in the folder if it is one; FILE-comparison/",
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SUITE",
            help="Compare with the suite's bundled reference results too.",
            autocompletion=bundled_suites,
        ),
    ] = None,
    pairs: Annotated[
        str,
        typer.Option(
            metavar="auto|all|best|AGENT",
            help="Which pairs of agents are tested: all, the best against each, or this agent against each.",
            show_default="all where these are at most 300, else the best's",
        ),
    ] = "auto",
    scale: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="Scales of scores: a table an environment, with floor (a score of 0) and ceiling (a score of 1).",
        ),
    ] = None,
    normalised: Annotated[
        bool, typer.Option("--normalised", help="The scores are normalised already: 0 is their floor, 1 their ceiling.")
    ] = False,
    save_scores: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write every run's score and curve, to compare with later.")
    ] = None,
    videos: Annotated[
        bool | None,
        typer.Option(
            "--videos/--no-videos",
            help="Videos of the agents' median runs in the report.",
            show_default="all but those of module:Class, which would be imported",
        ),
    ] = None,
    report: Annotated[bool, typer.Option(help="Write report.html.")] = True,
    tensorboard: Tensorboard = False,
    formats: Annotated[
        str, typer.Option(metavar="LIST", help="Formats of the figures: png, svg and pdf, separated by commas.")
    ] = "png,svg",
    full: Annotated[
        bool, typer.Option("--full", help="Print everything: intervals, aggregates, tests, effect sizes.")
    ] = False,
    trust_code: TrustCode = False,
    json_: Json = False,
    json_full: Annotated[
        bool, typer.Option("--json-full", help="Print the whole comparison as JSON: verdicts and aggregates too.")
    ] = False,
) -> None:
    """Compare agents: scores, verdicts in words, a report.

    With intervals, tests, figures, tables and videos.
    """
    from functools import partial

    from experiments.figures.style import check_formats
    from experiments.results.given_scales import read_scales
    from rl_lab.report.folder import compare_folders
    from rl_lab.text.comparison import print_comparison, written_lines

    comparison, written = compare_folders(
        places,
        out,
        against=against or (),
        pairs=pairs,
        scales=None if scale is None else read_scales(scale),
        normalised=normalised,
        save_scores=save_scores,
        report=report,
        videos=videos,
        tensorboard=tensorboard,
        formats=check_formats(formats),
        trust_code=trust_code,
        on_compared=(lambda comparison: None) if json_ or json_full else partial(print_comparison, full=full),
    )
    if json_full:
        print(json.dumps(comparison.to_json()))
        return
    if json_:
        print(json.dumps([summary.to_json() for summary in comparison.summaries]))
        return
    for line in written_lines(written, full=full):
        say(line)
