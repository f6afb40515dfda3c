"""The command that searches: tune."""

from pathlib import Path
from typing import Annotated

import typer

from rl_lab.cli.app import FAILED, Json, Out, agents, app, not_negative, positive, suites
from rl_lab.cli.executors import Address, ExecutorOption, place
from rl_lab.text.saying import say


@app.command(epilog="Example: rl-lab tune spec.toml --candidates 50 --jobs 2")
def tune(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC.toml|SUITE", help="A spec file, or a bundled suite's name.", autocompletion=suites
        ),
    ],
    candidates: Annotated[
        int | None,
        typer.Option(parser=positive, metavar="N", help="Settings to try.", show_default="30, or the spec's"),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            metavar="tpe|random|grid|cma",
            help="Where candidates come from.",
            show_default="tpe, or the spec's",
            autocompletion=lambda: ["tpe", "random", "grid", "cma"],
        ),
    ] = None,
    pruner: Annotated[
        str | None,
        typer.Option(
            metavar="median|halving|none",
            help="Which candidates are stopped early.",
            show_default="median, or the spec's",
            autocompletion=lambda: ["median", "halving", "none"],
        ),
    ] = None,
    candidate_seeds: Annotated[
        int | None,
        typer.Option(parser=positive, metavar="N", help="Runs of a candidate.", show_default="3, or the spec's"),
    ] = None,
    search_seed: Annotated[
        int | None,
        typer.Option(parser=not_negative, metavar="N", help="Seed of the search.", show_default="0, or the spec's"),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            parser=positive, metavar="N", help="Fresh seeds for the winner.", show_default="the spec's, or 10"
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(parser=positive, metavar="N", help="Env steps a run instead of the spec's budgets.")
    ] = None,
    agent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this agent of the spec; or another, in its own search space (several: again).",
            autocompletion=agents,
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="ENV", help="Only in the environment of this label (several: again).")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(parser=positive, metavar="N", help="Candidates at once.", show_default="one a core")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the search is kept, for several machines: postgresql+psycopg://user@host/database.",
            show_default="a file of SQLite's in the search's folder",
        ),
    ] = None,
    executor: ExecutorOption = "local",
    address: Address = None,
    out: Out = Path("runs"),
    json_: Json = False,
) -> None:
    """Search settings: ranges in a spec, or an agent's own search space.

    Candidates are judged on episodes that no comparison uses. The winner is trained again with fresh seeds, and its
    settings are written as a spec that run takes.

    A search that was stopped goes on when the same command is run again.
    """
    from experiments.specs.labels import folder_name
    from rl_lab.text.tuning import result_lines
    from rl_lab.tuning import tune_suite

    tuning = {"candidates": candidates, "sampler": sampler, "pruner": pruner, "seeds": candidate_seeds}
    tuned, files = tune_suite(
        spec,
        out=out,
        storage=storage,
        tuning={**tuning, "seed": search_seed},
        seeds=seeds,
        steps=steps,
        agents=agent or (),
        only=only or (),
        progress=not json_,
        **place(executor, address, jobs)._asdict(),
    )
    if json_:
        print((tuned.folder / "tuning.json").read_text(encoding="utf-8"), end="")
    else:
        for result in tuned.results:
            for line in result_lines(result):
                say(line)
        for error in tuned.errors:
            say(f"failed {error}")
        if tuned.elsewhere:
            say(f"{tuned.elsewhere} candidates are being tried elsewhere: once they have ended, run this command again")
        say(f"report: {files[-2]}")
        if tuned.spec is not None:
            say(f"settings: {tuned.folder / 'tuned.toml'}")
            say(f"next: rl-lab compare {out / folder_name(tuned.spec.name)}")
    if not any(result.best for result in tuned.results) or (tuned.outcome and tuned.outcome.failed):
        raise typer.Exit(FAILED)
