import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

os.environ["SDL_VIDEODRIVER"] = "dummy"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["RL_LAB_DATA"] = tempfile.mkdtemp(prefix="rl-lab-tests-")  # what is run here is nobody's code

ROOT = Path(__file__).resolve().parent.parent
Command = Callable[..., "subprocess.CompletedProcess[str]"]
StartProcess = Callable[..., "subprocess.Popen[Any]"]
ONE_COMPILES = (  # all of these want the same machine code: one worker compiles it, the others do not wait for it
    "tests/conformance/test_vector_environment.py",
    "tests/conformance/test_vector_snapshots.py",
    "tests/integration/test_showing.py::test_speed",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep `ONE_COMPILES` on one worker; xdist's own mark for that has no effect under this pytest."""
    from xdist.scheduler import LoadGroupScheduling

    class OneCompiles(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "machine code" if nodeid.startswith(ONE_COMPILES) else str(super()._split_scope(nodeid))

    return OneCompiles(config, log) if config.getvalue("dist") == "loadgroup" else None


@contextlib.contextmanager
def warm_pythons() -> Iterator[str]:
    """A program that runs `-m MODULE ...` as `python` does, in a process forked from a warm one."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        program, address = Path(folder) / "python", Path(folder) / "socket"
        program.write_text(
            f"#!{sys.executable} -IS\nimport sys\nsys.path.append({str(ROOT / 'tests')!r})\nfrom stand_in import main\n"
            f"sys.exit(main({str(address)!r}, *sys.argv))\n"
        )
        program.chmod(0o700)
        listener.bind(str(address))
        listener.listen()
        server = subprocess.Popen(
            [sys.executable, "-P", str(ROOT / "tests" / "warm_python.py"), str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
        listener.close()  # the server's alone: if it dies, its callers hear of it
        with server:  # at the end its standard input is closed, and it ends with all that it has forked
            yield str(program)


@pytest.fixture(scope="session")
def warm_python() -> Iterator[str]:
    """Stands in for `sys.executable` where the process is not what is tested."""
    with warm_pythons() as program:
        yield program


def command_line(python: str, folder: Path) -> Command:
    """`rl-lab` in a process of its own, in a folder."""

    def run(*arguments: str, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        clean = {key: value for key, value in os.environ.items() if key not in ("SDL_VIDEODRIVER", "DISPLAY")}
        return subprocess.run(
            [python, "-P", "-m", "rl_lab", *arguments],
            cwd=folder,
            env=clean | (environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run


@pytest.fixture
def rl_lab(warm_python: str, tmp_path: Path) -> Command:
    """The command line in an empty folder: a process of its own, forked from one that has imported everything."""
    return command_line(warm_python, tmp_path)


@pytest.fixture
def rl_lab_process(tmp_path: Path) -> Command:
    """The command line as a user runs it, with a Python that has imported nothing."""
    return command_line(sys.executable, tmp_path)


@pytest.fixture
def start_process() -> Iterator[StartProcess]:
    """`subprocess.Popen` of processes that end with the test, whatever it finds."""
    with contextlib.ExitStack() as stack:

        def start(command: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
            process = stack.enter_context(subprocess.Popen(command, **options))
            stack.callback(process.kill)
            return process

        yield start
