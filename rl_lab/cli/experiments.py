"""The commands around single trials: demo, list, train, check."""

import json
import sys
from pathlib import Path
from typing import Annotated

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
)


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
