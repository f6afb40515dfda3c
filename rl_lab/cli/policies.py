"""The commands that put a trained policy to work: export, serve."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rl_lab.cli.app import Json, TrustCode, app, not_negative, positive
from rl_lab.text.saying import say


@app.command(epilog="Example: rl-lab export runs/train/maze/q/seed-0 maze.npz")
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder (it holds run.json).")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="FILE.npz of tables and rules, FILE.onnx of networks.")],
    at: Annotated[
        int | None,
        typer.Option(parser=not_negative, metavar="ENV_STEP", help="As it was then.", show_default="as it is"),
    ] = None,
    trust_code: TrustCode = False,
    json_: Json = False,
) -> None:
    """Put a run's policy into one file, which acts without its training.

    What was written is compared with the run on 10,000 observations first. A model card is written beside it.
    """
    from experiments.policies.export import export_policy

    made = export_policy(run, file, at=at, trust_code=trust_code)
    if json_:
        print(json.dumps({"file": str(made.file), "card": str(made.card_file), "bytes": made.num_bytes}))
        return
    parity = made.card.parity
    assert parity is not None
    equal = "equal" if parity.largest_difference == 0 else f"equal within {parity.largest_difference:.1g}"
    say(f"{made.file}: {made.num_bytes:,} bytes, {equal} to its run on {parity.observations:,} observations")
    if made.card.at is not None:
        say(f"the policy after {made.card.at:,} env steps: the last snapshot by then")
    if made.replaced:
        say("it has taken the place of another policy, and its model card that of the other's")
    say(f"model card: {made.card_file}")
    say(f"next: rl-lab serve {made.file}")


@app.command(epilog="Example: rl-lab serve maze.npz --port 8080")
def serve(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="What rl-lab export wrote, or folders.")],
    port: Annotated[
        int, typer.Option(parser=not_negative, metavar="N", help="Port to listen on; 0 takes a free one.")
    ] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to listen on; another than this machine's own only with a token.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            help="What requests must bring (Authorization: Bearer TOKEN).", show_default="that in RL_LAB_TOKEN, if any"
        ),
    ] = None,
    max_in_flight: Annotated[
        int, typer.Option(parser=positive, metavar="N", help="Requests answered at once; more are sent away (503).")
    ] = 64,
    trust_code: TrustCode = False,
) -> None:
    """Put policies behind HTTP: POST /v1/act.

    GET /v1/policy, /health, /metrics (Prometheus), /openapi.json. A file that is replaced is served anew within a
    second, without a request lost. Ctrl-C ends it.
    """
    from experiments.errors import InputError
    from rl_lab.serving.serve import serve as serve_policies

    if port > 65535:
        raise InputError(f"--port: expected at most 65535, got {port}")
    serve_policies(files, host=host, port=port, token=token, most_in_flight=max_in_flight, trust_code=trust_code)
