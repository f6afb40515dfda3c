"""The command that opens the viewer."""

from pathlib import Path
from typing import Annotated

import typer

from rl_lab.cli.app import app, not_negative


@app.command(epilog="Example: rl-lab ui runs")
def ui(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Whose runs are shown.")] = Path("runs"),
    port: Annotated[
        int | None,
        typer.Option(
            parser=not_negative, metavar="N", help="Port on this machine.", show_default="8321, or a free one"
        ),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no browser: print the address alone.")] = False,
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="Play runs of module:Class too, which executes their code.")
    ] = False,
) -> None:
    """Watch runs in a browser, live and past.

    Curves, any moment of any training, races, comparisons. Ctrl-C ends it.
    """
    from experiments.errors import InputError
    from rl_lab.viewer.serve import serve

    if port is not None and port > 65535:
        raise InputError(f"--port: expected at most 65535, got {port}")
    serve(folder, port=port, browser=not no_browser, trust_code=trust_code)
