"""The command line's frame: the program, the kinds of its options, and how it ends."""

import math
import os
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from rl_lab.cli.hints import option_hint
from rl_lab.text.printable import make_printable

ORDER = (
    *("demo", "list", "run", "train", "check", "tune", "watch", "show", "draw", "play", "ui", "compare", "evaluate"),
    *("status", "verify", "archive", "export", "serve", "speed"),
)


class _Commands(typer.core.TyperGroup):
    """In the order in which people meet them, whichever file they stand in."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        return sorted(super().list_commands(ctx), key=ORDER.index)


app = typer.Typer(
    name="rl-lab",
    cls=_Commands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ENGINES = ("auto", "python", "compiled")
FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
LONGEST = 2_000  # characters of an error: a file may have put a book into it


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
        raise typer.BadParameter(f"expected a whole number of at least {least}, got {str(value)!r}")
    return int(number)


Out = Annotated[Path, typer.Option("--out", help="Folder that the run folders go into.")]
EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="auto|python|compiled",
        help="Tabular agents: the loop in Python, or machine code; the result is the same.",
        show_default="auto, or the spec's",
        autocompletion=lambda: list(ENGINES),
    ),
]
Tensorboard = Annotated[
    bool, typer.Option("--tensorboard", help="Write TensorBoard's event files too (it must be installed).")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else there.")]
EnvOptions = Annotated[
    list[str] | None, typer.Option("--env", metavar="KEY=VALUE", help="An option of the environment.")
]
TrustCode = Annotated[
    bool, typer.Option("--trust-code", help="Import the run's module:Class, though you have not run that code here.")
]
RunArguments = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Run folders (each holds run.json), or exported policies.")
]
RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run folder (it holds run.json), or an exported policy.")
]


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


def suites() -> list[str]:
    """What completes a suite."""
    from experiments.specs.loading import suite_names

    return suite_names()


def environments() -> list[str]:
    """What completes an environment."""
    from envs.registry import ENVIRONMENTS

    return list(ENVIRONMENTS)


def agents() -> list[str]:
    """What completes an agent."""
    from agents.registry import AGENTS

    return list(AGENTS)


def overlays() -> list[str]:
    """What completes an overlay."""
    from experiments.rendering.overlays import KINDS

    return list(KINDS)


def assignments(option: str, texts: list[str] | None) -> dict[str, Any]:
    """KEY=VALUE texts as a dictionary; a value is read as TOML, and as plain text where it is none."""
    from experiments.errors import InputError

    result: dict[str, Any] = {}
    for text in texts or []:
        key, equals, value = text.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key:
            raise InputError(f"{option}: expected KEY=VALUE, got {text!r}")
        if key in ("id", "settings"):
            raise InputError(f"{option}: {key!r} cannot be set here")
        try:
            result[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            result[key] = value
    return result


def run_app() -> int:
    """Run the command line; the exit code: 0 good, 1 a run failed, 2 bad input, 130 interrupted."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")  # before numpy and torch read it; see experiments.execution.executor
    make_printable()
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
        return _complain(message + option_hint(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone: `rl-lab list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (MemoryError, RecursionError) as error:
        return _complain(f"{type(error).__name__}: {error}: it asks for more than this machine has")
    except Exception as error:
        from experiments.errors import InputError

        if not isinstance(error, InputError | OSError):
            raise
        if isinstance(error, OSError) and error.filename and error.strerror:
            return _complain(f"{error.filename}: {error.strerror}")
        return _complain(str(error))


def _complain(message: str) -> int:
    from experiments.errors import shown

    label = "\x1b[31merror:\x1b[0m" if sys.stderr.isatty() and "NO_COLOR" not in os.environ else "error:"
    text = shown(" ".join(message.split()))
    print(f"{label} {text if len(text) <= LONGEST else text[:LONGEST] + ' ...'}", file=sys.stderr)
    return BAD_INPUT
