"""`rl-lab ui`: the server, on this machine alone."""

import contextlib
import secrets
import socket
import sys
import threading
import webbrowser
from pathlib import Path

from experiments.errors import InputError

LOOPBACK = "127.0.0.1"
PORT = 8321  # where none is asked for and it is free


def serve(folder: Path, *, port: int | None = None, browser: bool = True, trust_code: bool = False) -> None:
    """Show the runs below a folder until Ctrl-C. Prints one line, the address with its token.

    Args:
        folder: whose runs are shown, and into which experiments are started.
        port: of the server; any that is free, where it is not given and 8321 is taken.
        browser: open one.
        trust_code: play runs whose agent or environment is `module:Class`, which executes their code.

    Raises:
        InputError: what it is made of is not installed, the folder is none, or the port is taken.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn
        import websockets  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(f"ui: {error.name} is not installed: pip install starlette uvicorn websockets") from error
    from rl_lab.viewer.app import Viewer
    from rl_lab.viewer.guard import Guard
    from rl_lab.viewer.protocol import Impatient

    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: expected a folder with runs, got a file")
    _allow_many_files()
    listening = _listen(port)
    number = listening.getsockname()[1]
    token = secrets.token_urlsafe(24)
    hosts = frozenset({f"{LOOPBACK}:{number}", f"localhost:{number}"})
    viewer = Viewer(folder.resolve(), Path.cwd(), trust_code=trust_code)
    app = Guard(viewer.app(), token, hosts, f"rl_lab_{number}")
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, ws="websockets-sansio", ws_max_size=100_000, server_header=False,
        timeout_graceful_shutdown=2, lifespan="on", h11_max_incomplete_event_size=100_000,
        http=Impatient,
    )  # fmt: skip
    address = f"http://{LOOPBACK}:{number}/?token={token}"
    print(address, flush=True)
    print("the viewer runs on this machine alone, until Ctrl-C; the address lets in whoever has it", file=sys.stderr)
    if browser:
        threading.Thread(target=_open_browser, args=(address,), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def _listen(port: int | None) -> socket.socket:
    """A socket on loopback."""
    for number in [port] if port is not None else [PORT, 0]:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if sys.platform != "win32":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((LOOPBACK, number))
            made.listen(64)
            return made
        except OSError as error:
            made.close()
            if port is not None:
                raise InputError(f"--port: expected a free port, got {port}: {error.strerror}") from error
    raise InputError("there is no free port on this machine")


def _allow_many_files() -> None:
    """As many sockets and files at once as the system lets this process have."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _open_browser(address: str) -> None:
    with contextlib.suppress(Exception):  # whatever a machine without one makes of it
        webbrowser.open(address)
