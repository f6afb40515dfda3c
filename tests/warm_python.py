"""A Python that has imported everything, and forks a process for each command that it is handed.

`tests.conftest.warm_python` starts one for each worker of pytest, and writes a program that stands in for `python`:
`tests/stand_in.py` hands over its arguments, folder, environment and standard streams, and ends as the forked process
does. That is a process like any other, with an exit code of its own; it only needs no seconds for its imports.

What a fork cannot tell is tested with `sys.executable`: signals, what is imported when, and what of the environment is
read at an import.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
from typing import Any, NoReturn

ROOMS = ("rl_lab", "experiments", "agents", "envs", "machine_code")
HEAVY = (
    *("torch", "torch._dynamo", "numba", "scipy.stats", "pandas", "jinja2", "imageio_ffmpeg", "PIL.ImageFont"),
    *("matplotlib.pyplot", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"),
    *("gymnasium.envs.box2d", "gymnasium.envs.classic_control", "gymnasium.envs.toy_text"),
)
RUN_AS_PROGRAMS = ("rl_lab.__main__", "experiments.execution.worker", "rl_lab.viewer.worker")


def main() -> None:
    """Import, serve, and, in a forked process, run what was asked for."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    own_path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = [folder for folder in sys.path if folder not in own_path]
    for name in [*HEAVY, *modules()]:
        importlib.import_module(name)
    assert threading.active_count() == 1, "expected no threads before a fork"
    gc.collect()
    gc.freeze()
    request = serve(listener)
    become(request, path)
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        end(ended.code)
    end(None)


def modules() -> list[str]:
    """Every module of the rooms but the programs."""
    packages = [importlib.import_module(room) for room in ROOMS]
    found = [one.name for room in packages for one in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")]
    return [name for name in found if name not in RUN_AS_PROGRAMS]


def serve(listener: socket.socket) -> dict[str, Any]:
    """Fork for each request; returns in the forked processes only. When standard input closes, all of them end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for a command
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if listener not in ready:
            os.killpg(0, signal.SIGKILL)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return answer(connection)
        connection.close()


def answer(connection: socket.socket) -> dict[str, Any]:
    """Fork the command, which returns from here; wait for it, and say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile() as lines:
        request: dict[str, Any] = json.loads(lines.read())
    child = os.fork()
    if child == 0:
        connection.close()
        return request | {"streams": streams}
    for stream in (0, 1, 2, *streams):
        os.close(stream)
    _, status = os.waitpid(child, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def become(request: dict[str, Any], path: list[str]) -> None:
    """Take over the streams, the folder, the environment and the arguments."""
    import numpy as np

    for number, stream in enumerate(request["streams"]):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    own_path = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.path[:] = [*([] if request["safe_path"] else [request["folder"]]), *dict.fromkeys([*own_path, *path])]
    sys.argv[1:] = request["arguments"]
    sys.executable = request["executable"]
    np.random.seed()  # noqa: NPY002  a process of its own would have begun elsewhere


def end(code: int | str | None) -> NoReturn:
    """As Python ends, but for a third of a second in which it would clear away all that was imported."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    for thread in threading.enumerate():
        if not (thread.daemon or thread is threading.main_thread()):
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()
