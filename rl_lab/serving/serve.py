"""`rl-lab serve`: the server's process."""

import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.errors import InputError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN_VARIABLE = "RL_LAB_TOKEN"
PORT = 8080
FEWEST_CHARACTERS = 16  # of a token
LONGEST_QUEUE = 2048  # connections that wait to be taken
KEEP_ALIVE = 30  # seconds


def serve(
    files: Sequence[Path],
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    token: str | None = None,
    most_in_flight: int = 64,
    trust_code: bool = False,
) -> None:
    """Serve exported policies until Ctrl-C or SIGTERM, which let requests under way end.

    Args:
        files: of the policies; the first is asked where no name is given.
        host: to listen on; another than this machine only with a token.
        port: to listen on; 0 takes a free one.
        token: which requests must bring; else that in the environment variable RL_LAB_TOKEN.
        most_in_flight: requests that are answered at once.
        trust_code: import the policies' `module:Class` although this user has not run that code here.

    Raises:
        InputError: what it is made of is not installed, a file is no policy, the port is taken, or a token is missing.
    """
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn
    except ModuleNotFoundError as error:
        raise InputError(f"serve: {error.name} is not installed: pip install 'rl-lab[serve]'") from error
    from rl_lab.serving.app import Server
    from rl_lab.serving.served import Policies

    token = token if token is not None else os.environ.get(TOKEN_VARIABLE) or None
    local = host in LOOPBACK
    if token is None and not local:
        raise InputError(
            f"--host {host}: expected a token beside it: whoever reaches it could ask (set {TOKEN_VARIABLE})"
        )
    if token is not None and (len(token) < FEWEST_CHARACTERS or not token.isascii() or not token.isprintable()):
        raise InputError(f"the token: expected at least {FEWEST_CHARACTERS} plain characters, got {len(token)}")
    policies = Policies(files, trust_code=trust_code)
    hosts = frozenset({"127.0.0.1", "localhost", "[::1]"}) if local else None
    server = Server(policies, token=token, most_in_flight=most_in_flight, hosts=hosts)
    listening = _listen(host, port)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    config = uvicorn.Config(
        server.app(), log_level="warning", access_log=False, server_header=False, lifespan="on", ws="none",
        timeout_graceful_shutdown=10, timeout_keep_alive=KEEP_ALIVE, backlog=LONGEST_QUEUE, log_config=None,
    )  # fmt: skip
    number = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    print(f"http://{shown}:{number}", flush=True)
    for one in policies.all():
        print(f"{one.name}, version {one.version}: POST /v1/act", file=sys.stderr)
    uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(f"--host: expected a host of this machine, got {host!r}: {error.strerror}") from error
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(address)
        made.listen(LONGEST_QUEUE)
    except OSError as error:
        made.close()
        raise InputError(f"--port: expected a free port of {host}, got {port}: {error.strerror}") from error
    return made
