"""The commands that run: demo, list, run, train, check."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from rl_lab.cli.app import (
    FAILED,
    EngineOption,
    EnvOptions,
    Json,
    Out,
    Tensorboard,
    agents,
    app,
    assignments,
    environments,
    not_negative,
    positive,
    suites,
)
from rl_lab.text.saying import say


def _lists() -> list[str]:
    return ["envs", "agents", "suites", "runs"]


@app.command(epilog="Example: rl-lab demo")
def demo(
    out: Out = Path("runs"),
    ui: Annotated[bool, typer.Option("--ui", help="Open the viewer in the end.")] = False,
) -> None:
    """The quick tour, in two minutes.

    A maze is solved, a lander begins to learn, the heuristic lands, a comparison closes.
    """
    from rl_lab.demo import run_demo

    run_demo(out, ui=ui)


@app.command("list", epilog="Example: rl-lab list agents")
def list_(
    what: Annotated[
        str,
        typer.Argument(
            metavar="envs|agents|suites|runs|ENV|AGENT|SUITE",
            help="What to list, all by name if not given; an environment's options, an agent's settings, what is in "
            "a suite (or in a spec, FILE.toml).",
            autocompletion=_lists,
        ),
    ] = "",
    out: Out = Path("runs"),
) -> None:
    """List environments, agents, suites and runs."""
    from rl_lab.text.listing import print_listing

    print_listing(what, out)


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
    executor: Annotated[
        str, typer.Option(metavar="local|ray", help="Where trials run: here, or on a Ray cluster (extra ray).")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="The Ray cluster's, such as auto or host:6379.", show_default="one is started here"
        ),
    ] = None,
    tensorboard: Tensorboard = False,
) -> None:
    """Run an experiment: a spec file, or a bundled suite.

    Every agent in every environment with every seed.

    Finished runs are skipped; a run that was stopped goes on, and ends as if it had never stopped.
    """
    from experiments.errors import InputError
    from experiments.execution.executor import available_cores
    from experiments.specs.labels import folder_name
    from rl_lab.run import run_suite
    from rl_lab.text.endings import ending_lines

    if set_ and not agent:
        raise InputError(
            f"--set: expected --agent beside it, got none; to change a setting of the spec's agents: --change {set_[0]}"
        )
    if executor not in ("local", "ray"):
        raise InputError(f"--executor: expected local or ray, got {executor!r}")
    if executor == "local" and address is not None:
        raise InputError("--address: expected --executor ray beside it")
    if executor == "ray" and (until_decided or tensorboard):
        raise InputError("--executor ray: expected neither --until-decided nor --tensorboard beside it")
    others: dict[str, Any] = {} if executor == "local" else {"make_executor": _on_ray(address, jobs)}
    chosen = [{"id": name} | assignments("--set", set_) for name in agent or []]
    if until_decided:
        if seeds is not None or tensorboard:
            raise InputError("--until-decided: expected --max-seeds beside it, not --seeds or --tensorboard")
        _run_until_decided(
            spec,
            out,
            jobs or available_cores(),
            batch=batch,
            most_seeds=max_seeds,
            steps=steps,
            engine=engine,
            retries=retries,
            agents=chosen,
            only=only or (),
            changes=assignments("--change", change),
        )
        return
    if batch is not None or max_seeds is not None:
        raise InputError("--batch and --max-seeds: expected --until-decided beside them")
    run_specs, outcome = run_suite(
        spec,
        out=out,
        jobs=jobs or available_cores(),
        seeds=seeds,
        steps=steps,
        engine=engine,
        retries=retries,
        tensorboard=tensorboard,
        agents=chosen,
        only=only or (),
        changes=assignments("--change", change),
        **others,
    )
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


def _on_ray(address: str | None, jobs: int | None) -> Callable[[Path, int], Any]:
    """What makes the executor of a Ray cluster, once all else was checked."""
    from experiments.execution.ray_executor import RayExecutor, check_cluster

    check_cluster(address)
    return lambda out, num_jobs: RayExecutor(out, jobs, address)


def _run_until_decided(
    spec: str, out: Path, jobs: int, *, batch: int | None, most_seeds: int | None, **others: Any
) -> None:
    """Run batches of seeds, and say after each what is decided."""
    from experiments.execution.until_decided import BATCH, MOST_SEEDS
    from experiments.specs.labels import folder_name
    from rl_lab.run import run_suite_until_decided

    size = batch or BATCH
    failed = False
    for look in run_suite_until_decided(
        spec, out=out, jobs=jobs, batch=size, most_seeds=most_seeds or max(size, MOST_SEEDS // size * size), **others
    ):
        failed |= bool(look.outcome.failed)
        seeds = look.number * look.rule.batch
        say(f"look {look.number} of {look.rule.looks}, {seeds} seeds: {len(look.comparison.undecided)} pairs undecided")
        if look.is_last:
            for sentence in look.comparison.sentences:
                say(f"  {sentence}")
            most = len(look.comparison.summaries) * look.rule.batch * look.rule.looks
            say(f"{len(look.run_specs)} runs, of {most} that all agents with all seeds would have taken")
            say(f"next: rl-lab compare {out / folder_name(look.run_specs[0].experiment)}")
    if failed:
        raise typer.Exit(FAILED)


@app.command(epilog="Example: rl-lab train RLLab/Maze-v0 q_learning --env rows=6 --env name=maze --set name=q")
def train(
    env: Annotated[
        str, typer.Argument(metavar="ENV", help="An environment's id, or module:Class.", autocompletion=environments)
    ],
    agent: Annotated[
        str, typer.Argument(metavar="AGENT", help="An agent's name, or module:Class.", autocompletion=agents)
    ],
    steps: Annotated[
        int | None, typer.Option(parser=positive, metavar="N", help="Budget in env steps.", show_default="100000")
    ] = None,
    episodes: Annotated[
        int | None, typer.Option(parser=positive, metavar="N", help="Budget in episodes, instead of steps.")
    ] = None,
    seed: Annotated[int, typer.Option(parser=not_negative, metavar="N", help="Seed of the run.")] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the agent.")
    ] = None,
    env_options: EnvOptions = None,
    eval_every: Annotated[
        int | None,
        typer.Option(parser=positive, metavar="N", help="Env steps between evaluations.", show_default="a tenth"),
    ] = None,
    eval_episodes: Annotated[
        int | None, typer.Option(parser=positive, metavar="N", help="Episodes an evaluation.", show_default="10")
    ] = None,
    final_episodes: Annotated[
        int | None, typer.Option(parser=positive, metavar="N", help="Episodes of the final score.", show_default="100")
    ] = None,
    eval_seed: Annotated[
        int | None, typer.Option(parser=not_negative, metavar="N", help="Which episodes these are.", show_default="0")
    ] = None,
    engine: EngineOption = None,
    out: Out = Path("runs"),
    tensorboard: Tensorboard = False,
    json_: Json = False,
) -> None:
    """Train one agent in one environment with one seed."""
    from rl_lab.run import train_entries
    from rl_lab.text.outcome import print_outcome

    evaluation = {"every": eval_every, "episodes": eval_episodes, "final_episodes": final_episodes, "seed": eval_seed}
    result = train_entries(
        {"id": env} | assignments("--env", env_options),
        {"id": agent} | assignments("--set", set_),
        steps=steps,
        episodes=episodes,
        seed=seed,
        evaluation=evaluation,
        engine=engine or "auto",
        out=out,
        tensorboard=tensorboard,
        progress=not json_,
    )
    if json_:
        print(json.dumps(result))
    else:
        print_outcome(result)
    if result["status"] != "finished":
        message = result.get("error", result["status"])
        print(f"error: the trial failed: {message} (more in {result['run']}/error.txt)", file=sys.stderr)
        raise typer.Exit(FAILED)


@app.command(epilog="Example: rl-lab check my_agents:Sarsa")
def check(
    agent: Annotated[
        str,
        typer.Argument(metavar="AGENT", help="module:Class, or an agent's name.", autocompletion=agents),
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the agent.")
    ] = None,
    env: Annotated[
        str | None,
        typer.Option(
            metavar="ENV",
            help="An environment to check it in.",
            show_default="a corridor with two arms",
            autocompletion=environments,
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Check that an agent of yours keeps the contract.

    Seeds, saving, going on, targets, learning, errors.
    """
    from rl_lab.text.checks import check_agent_by_name, print_checks

    results = check_agent_by_name(agent, assignments("--set", set_), env)
    if json_:
        print(json.dumps(results))
    else:
        print_checks(agent, results)
    if any(result["outcome"] == "failed" for result in results):
        raise typer.Exit(FAILED)
