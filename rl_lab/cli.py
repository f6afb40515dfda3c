"""The command line. Nothing heavy is imported before a command needs it."""

import json
import math
import os
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="rl-lab",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130


def positive(text: str) -> int:
    """A whole number of at least 1."""
    return _whole_number(text, 1)


def not_negative(text: str) -> int:
    """A whole number of at least 0."""
    return _whole_number(text, 0)


def _whole_number(value: str | int, least: int) -> int:
    try:
        number = float(value)  # also 100_000 and 1e5
    except ValueError:
        number = math.nan
    if not number >= least or number != int(min(number, 1e15)):
        raise typer.BadParameter(f"expected a whole number of at least {least}, came {str(value)!r}")
    return int(number)


def _suites() -> list[str]:
    from experiments.loading import suite_names

    return suite_names()


def _environments() -> list[str]:
    from envs.registry import ENVIRONMENTS

    return list(ENVIRONMENTS)


def _agents() -> list[str]:
    from agents.registry import AGENTS

    return list(AGENTS)


def _lists() -> list[str]:
    return ["envs", "agents", "suites", "runs"]


Out = Annotated[Path, typer.Option("--out", help="Folder that the run folders go into.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder (it holds run.json).")]


def _print_version(wanted: bool) -> None:
    if wanted:
        from rl_lab import __version__

        print(f"rl-lab {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Run, watch and compare reinforcement-learning agents on mazes whose optimum is known, and on LunarLander."""


@app.command(epilog="Example: rl-lab demo")
def demo(out: Out = Path("runs")) -> None:
    """The quick tour: a maze is solved, a lander begins to learn, the heuristic lands, a comparison closes."""
    from rl_lab.demo import run_demo

    run_demo(out)


@app.command("list", epilog="Example: rl-lab list agents")
def list_(
    what: Annotated[
        str,
        typer.Argument(
            metavar="envs|agents|suites|runs", help="What to list; all if not given.", autocompletion=_lists
        ),
    ] = "",
    out: Out = Path("runs"),
) -> None:
    """List environments, agents, suites and runs."""
    from rl_lab.listing import print_listing

    print_listing(what, out)


@app.command(epilog="Example: rl-lab run book-maze --jobs 2")
def run(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC.toml|SUITE", help="A spec file, or a bundled suite's name.", autocompletion=_suites
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
) -> None:
    """Run an experiment: every agent in every environment with every seed. Finished trials are skipped."""
    from experiments.executor import available_cores
    from rl_lab.api import run_suite

    trials, outcome = run_suite(spec, out=out, jobs=jobs or available_cores(), seeds=seeds, steps=steps)
    folder = out / trials[0].experiment
    done, failed = len(outcome.manifests) - len(outcome.failed), len(outcome.failed)
    print(f"{done} trials finished, {failed} failed, {len(outcome.skipped)} were finished before: {folder}")
    for figure in outcome.figures:
        if figure.suffix == ".png":
            print(f"learning curves: {figure}")
    print(f"next: rl-lab compare {folder}")
    if failed:
        raise typer.Exit(FAILED)


@app.command(epilog="Example: rl-lab train RLLab/Maze-v0 q_learning --env rows=6 --env name=maze --set name=q")
def train(
    env: Annotated[
        str, typer.Argument(metavar="ENV", help="An environment's id, or module:Class.", autocompletion=_environments)
    ],
    agent: Annotated[
        str, typer.Argument(metavar="AGENT", help="An agent's name, or module:Class.", autocompletion=_agents)
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
    env_options: Annotated[
        list[str] | None, typer.Option("--env", metavar="KEY=VALUE", help="An option of the environment.")
    ] = None,
    out: Out = Path("runs"),
    json_: Json = False,
) -> None:
    """Train one agent in one environment with one seed."""
    from rl_lab.api import train_entries
    from rl_lab.outcomes import print_outcome

    result = train_entries(
        {"id": env} | _assignments("--env", env_options),
        {"id": agent} | _assignments("--set", set_),
        steps=steps,
        episodes=episodes,
        seed=seed,
        out=out,
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


@app.command(epilog="Example: rl-lab evaluate runs/train/maze/q/seed-0 --episodes 20")
def evaluate(
    run: Run,
    episodes: Annotated[
        int | None,
        typer.Option(parser=positive, metavar="N", help="Episodes.", show_default="those of the final score"),
    ] = None,
    json_: Json = False,
) -> None:
    """Evaluate a run's trained agent, greedily, on the shared episodes of the final score."""
    from rl_lab.api import evaluate as evaluate_run

    result = evaluate_run(run, episodes=episodes)
    if json_:
        print(json.dumps(result))
        return
    returns = sorted(episode["return"] for episode in result["episodes"])
    terminated = sum(episode["terminated"] for episode in result["episodes"])
    print(f"{result['agent']} on {result['env']}, {len(returns)} greedy episode{'s' if len(returns) > 1 else ''}")
    spread = f"min {returns[0]:.2f}, median {returns[len(returns) // 2]:.2f}, max {returns[-1]:.2f}"
    print(f"mean return {result['mean_return']:.2f} ({spread})")
    print(f"terminated {terminated}, truncated {len(returns) - terminated}")


@app.command(epilog="Example: rl-lab watch runs/train/maze/q/seed-0 --record maze.gif")
def watch(
    run: Run,
    episodes: Annotated[int, typer.Option(parser=positive, metavar="N", help="Episodes.")] = 1,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an .mp4 or .gif instead of opening a window.")
    ] = None,
    terminal: Annotated[bool, typer.Option("--terminal", help="Draw in the terminal instead of a window.")] = False,
) -> None:
    """Watch a run's trained agent; on a maze with its values and greedy arrows over the cells."""
    from rl_lab.api import watch as watch_run

    result = watch_run(run, episodes=episodes, record=record, terminal=terminal)
    if record is not None:
        print(f"{result['frames']} frames: {result['file']}")


@app.command(epilog="Example: rl-lab compare runs/first-benchmark")
def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Folders with runs, such as an experiment's.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where results.json and the curves go.", show_default="comparison/, in the folder if it is one"
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Compare agents: scores with intervals, verdicts in words, learning curves, results.json."""
    from rl_lab.comparing import compare_folders
    from rl_lab.tables import print_comparison

    comparison, written = compare_folders(folders, out)
    if json_:
        print(json.dumps(comparison["records"]))
        return
    print_comparison(comparison)
    print("\n".join(f"written: {path}" for path in written))


def _assignments(option: str, texts: list[str] | None) -> dict[str, Any]:
    """KEY=VALUE texts as a dictionary; a value is read as TOML, and as plain text where it is none."""
    from experiments.errors import InputError

    result: dict[str, Any] = {}
    for text in texts or []:
        key, equals, value = text.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key:
            raise InputError(f"{option}: expected KEY=VALUE, came {text!r}")
        if key in ("id", "settings"):
            raise InputError(f"{option}: {key!r} cannot be set here")
        try:
            result[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            result[key] = value
    return result


def main() -> int:
    """Run the command line; the exit code: 0 good, 1 a trial failed, 2 bad input, 130 interrupted."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # before numpy and torch read it; see experiments.executor
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # `module:Class` of the user's own; last, so that it shadows nothing
    try:
        result = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        code = result if isinstance(result, int) else 0
        if code == INTERRUPTED:
            print("interrupted", file=sys.stderr)
        return code
    except typer.TyperException as error:
        message = " ".join(str(getattr(error, "format_message", lambda error=error: error)()).split())
        return _complain(message)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone: `rl-lab list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        from experiments.errors import InputError

        if not isinstance(error, InputError | OSError):
            raise
        if isinstance(error, OSError) and error.filename and error.strerror:
            return _complain(f"{error.filename}: {error.strerror}")
        return _complain(str(error))


def _complain(message: str) -> int:
    label = "\x1b[31merror:\x1b[0m" if sys.stderr.isatty() and "NO_COLOR" not in os.environ else "error:"
    print(f"{label} {' '.join(message.split())}", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
