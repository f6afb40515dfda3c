"""The command that runs experiments: run."""

import textwrap
from pathlib import Path
from typing import Annotated, Any

import typer

from rl_lab.cli.app import (
    FAILED,
    EngineOption,
    Out,
    Tensorboard,
    agents,
    app,
    assignments,
    not_negative,
    positive,
    suites,
)
from rl_lab.cli.executors import Address, ExecutorOption, place
from rl_lab.text.saying import say


@app.command(epilog="Example: rl-lab run book-maze --jobs 2")
def run(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC.toml|SUITE", help="A spec file, or a bundled suite's name.", autocompletion=suites
        ),
    ],
    out: Out = Path("runs"),
    jobs: Annotated[
        int | None, typer.Option(parser=positive, metavar="N", help="Trials at once.", show_default="one a core")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(parser=positive, metavar="N", help="Seeds 0 to N - 1 instead of the spec's.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(parser=positive, metavar="N", help="Env steps a run instead of the spec's budgets.")
    ] = None,
    engine: EngineOption = None,
    retries: Annotated[
        int, typer.Option(parser=not_negative, metavar="N", help="Times that a trial that fails is tried again.")
    ] = 0,
    agent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Run this agent instead of the spec's (several: again).", autocompletion=agents
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the --agent.")
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Change one setting, keep the spec's others: learning_rate=0.5, agents.LABEL.KEY=..., "
            "envs.LABEL.KEY=..., evaluation.KEY=... (several: again).",
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="ENV", help="Only in the environment of this label (several: again).")
    ] = None,
    until_decided: Annotated[
        bool,
        typer.Option("--until-decided", help="Add seeds in batches to agents that are undecided (a sequential test)."),
    ] = False,
    batch: Annotated[
        int | None, typer.Option(parser=positive, metavar="N", help="Seeds a batch.", show_default="5")
    ] = None,
    max_seeds: Annotated[
        int | None, typer.Option(parser=positive, metavar="N", help="Seeds an agent at most.", show_default="30")
    ] = None,
    executor: ExecutorOption = "local",
    address: Address = None,
    tensorboard: Tensorboard = False,
) -> None:
    """Run an experiment: a spec file, or a bundled suite.

    Every agent in every environment with every seed.

    Finished runs are skipped; a run that was stopped goes on, and ends as if it had never stopped.
    """
    from experiments.errors import InputError
    from experiments.specs.labels import folder_name
    from rl_lab.run import run_suite
    from rl_lab.text.endings import ending_lines

    if set_ and not agent:
        raise InputError(
            f"--set: expected --agent beside it, got none; to change a setting of the spec's agents: --change {set_[0]}"
        )
    if executor == "ray" and tensorboard:
        raise InputError("--executor ray: expected no --tensorboard beside it")
    asked: dict[str, Any] = {
        **place(executor, address, jobs)._asdict(),
        "steps": steps,
        "engine": engine,
        "retries": retries,
        "agents": [{"id": name} | assignments("--set", set_) for name in agent or []],
        "only": only or (),
        "changes": assignments("--change", change),
    }
    if until_decided:
        if seeds is not None or tensorboard:
            raise InputError("--until-decided: expected --max-seeds beside it, not --seeds or --tensorboard")
        _run_until_decided(spec, out, batch=batch, most_seeds=max_seeds, **asked)
        return
    if batch is not None or max_seeds is not None:
        raise InputError("--batch and --max-seeds: expected --until-decided beside them")
    run_specs, outcome = run_suite(spec, out=out, seeds=seeds, tensorboard=tensorboard, **asked)
    folder = out / folder_name(run_specs[0].experiment)
    done, failed = len(outcome.manifests) - len(outcome.failed), len(outcome.failed)
    say(f"{done} trials finished, {failed} failed, {len(outcome.skipped)} were finished before: {folder}")
    for line in ending_lines(run_specs, out):
        say(line)
    if outcome.longer:
        say(f"{outcome.longer} of these have trained for more than was asked for now, and stay as they are")
    for figure in outcome.figures:
        if figure.suffix == ".png":
            say(f"{'figure' if figure.stem == 'figure' else 'learning curves'}: {figure}")
    if not any(figure.stem == "figure" for figure in outcome.figures):
        say(f"next: rl-lab compare {folder}")
    if failed:
        raise typer.Exit(FAILED)


def _run_until_decided(spec: str, out: Path, *, batch: int | None, most_seeds: int | None, **others: Any) -> None:
    """Run batches of seeds, and say after each what is decided."""
    from experiments.execution.until_decided import BATCH, MOST_SEEDS
    from experiments.specs.labels import folder_name
    from rl_lab.run import run_suite_until_decided

    size = batch or BATCH
    failed = False
    for look in run_suite_until_decided(
        spec, out=out, batch=size, most_seeds=most_seeds or max(size, MOST_SEEDS // size * size), **others
    ):
        failed |= bool(look.outcome.failed)
        seeds = look.number * look.rule.batch
        undecided = len(look.comparison.undecided)
        pairs = f"{undecided} pair{'' if undecided == 1 else 's'} undecided"
        say(f"look {look.number} of {look.rule.looks}, {seeds} seeds: {pairs}")
        if look.is_last:
            for sentence in look.comparison.sentences:
                for line in textwrap.wrap(sentence, 78, initial_indent="  ", subsequent_indent="    "):
                    say(line)
            most = len(look.comparison.summaries) * look.rule.batch * look.rule.looks
            say(f"{len(look.run_specs)} runs, of {most} that all agents with all seeds would have taken")
            say(f"next: rl-lab compare {out / folder_name(look.run_specs[0].experiment)}")
    if failed:
        raise typer.Exit(FAILED)
