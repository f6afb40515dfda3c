"""What stands in for Python in the tests does as Python does."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import atexit, json, os, signal, sys, threading, time
atexit.register(lambda: print("at exit"))
threading.Thread(target=lambda: (time.sleep(0.05), print("a thread"))).start()
argv = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
facts = [argv, sys.path, os.getcwd(), dict(os.environ), sys.stdin.read(), __name__, sys.stdout.isatty(), os.umask(0o22)]
print(json.dumps(facts))
print("an error", file=sys.stderr)
if "raise" in argv:
    raise ValueError("out of luck")
if "kill" in argv:
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit({"code": 3, "text": "some text", "none": None}[argv[-1]])
"""


@pytest.mark.parametrize("safe_path", [["-P"], []])
@pytest.mark.parametrize("end", ["code", "text", "none", "raise", "kill"])
def test_it_does_as_python_does(end: str, safe_path: list[str], warm_python: str, tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    environment = os.environ | {"MARK": "ü", "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    environment.pop("COLUMNS", None)
    expected, got = (
        subprocess.run(
            [python, *safe_path, "-m", "probe", "x y", "--", end],
            env=environment,
            cwd=tmp_path,
            input="some input",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        for python in (sys.executable, warm_python)
    )
    assert got.returncode == expected.returncode == {"code": 3, "none": 0, "kill": -signal.SIGKILL}.get(end, 1)
    assert got.stdout == expected.stdout
    if end == "raise":
        assert got.stderr.splitlines()[-1] == expected.stderr.splitlines()[-1] == "ValueError: out of luck"
    else:
        assert got.stderr == expected.stderr


def test_a_process_knows_nothing_of_those_before_it(warm_python: str, tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(
        "import json, os, numpy, rl_lab, sys\n"
        "print(json.dumps([os.getpid(), hasattr(rl_lab, 'mark'), numpy.random.random(), sys.executable]))\n"
        "rl_lab.mark = True\n"
    )
    told = []
    for _ in range(2):
        done = subprocess.run([warm_python, "-m", "probe"], cwd=tmp_path, capture_output=True, text=True, check=True)
        told.append(json.loads(done.stdout))
    assert [one[1] for one in told] == [False, False]
    assert told[0][0] != told[1][0]
    assert told[0][2] != told[1][2]
    assert {one[3] for one in told} == {warm_python}


def test_anything_but_a_module_is_the_real_pythons(warm_python: str) -> None:
    done = subprocess.run(
        [warm_python, "-c", "import sys; print(sys.executable, 'rl_lab' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{sys.executable} False\n"
