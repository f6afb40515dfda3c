"""Stands in for `python`: hands `-P -m MODULE ...` to a warm Python, and anything else to the real one.

See `tests/warm_python.py`. It imports little, since it is started for every command.
"""

import json
import os
import socket
import sys


def main(address: str, executable: str, *arguments: str) -> int:
    """The exit code of the command; where a signal ended it, this process ends by the same."""
    safe_path = arguments[:1] == ("-P",)
    flag, *rest = arguments[safe_path:] or ("",)
    if flag != "-m":
        os.execv(sys.executable, [sys.executable, *arguments])
    module, *rest = rest
    request = {"executable": executable, "safe_path": safe_path, "module": module, "arguments": rest}
    request |= {"folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109  as quick as can be
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [b"."], [0, 1, 2])
        connection.sendall(json.dumps(request).encode())
        connection.shutdown(socket.SHUT_WR)
        for stream in (0, 1):
            os.close(stream)
        code = int(connection.recv(16))
    if code < 0:
        os.kill(os.getpid(), -code)
    return code
