"""A search that several machines share, kept by a real PostgreSQL server; and Optuna's own dashboard."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from experiments.tuning import study as study_module
from experiments.tuning.searched import Searched
from experiments.tuning.storage import open_storage
from experiments.tuning.study import TuningStudy
from tests.conftest import StartProcess
from tests.searches import spec

PLACES = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, PLACES)]))
    if found is None:
        assert not os.environ.get("RL_LAB_NEEDS_POSTGRES"), f"{name} is missing"
        pytest.skip(f"PostgreSQL's {name} is not installed")
    return str(Path(found).resolve())


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server of this test's own, which listens on a socket in a folder alone."""
    initdb, postgres = _program("initdb"), _program("postgres")
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        data.mkdir()
        user = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            nobody = pwd.getpwnam("nobody")
            user = {"user": nobody.pw_uid, "group": nobody.pw_gid}
            for folder in (Path(name), data):
                os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        options = [
            "-D",
            str(data),
            "-U",
            "lab",
            "--auth=trust",
            "--no-sync",
            "--locale=C",
            "--encoding=UTF8",
        ]
        subprocess.run([initdb, *options], check=True, capture_output=True, cwd=name, **user)  # type: ignore[call-overload]
        command = [postgres, "-D", str(data), "-c", "listen_addresses=", "-k", name, "-c", "fsync=off"]
        with (Path(name) / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=name, **user)  # type: ignore[call-overload]
        try:
            deadline = time.monotonic() + 60
            while not (Path(name) / ".s.PGSQL.5432").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            time.sleep(0.2)
            yield f"postgresql+psycopg://lab@/postgres?host={name}"
        finally:
            process.send_signal(signal.SIGINT)  # does not wait for those that are connected
            process.wait(30)


def test_two_machines_share_a_search(server: str, tmp_path: Path, start_process: StartProcess) -> None:
    (tmp_path / "s.toml").write_text(
        'name = "s"\nsteps = 300\nseeds = 2\nevaluation = { episodes = 1, final_episodes = 2 }\n'
        'envs = [{ id = "RLLab/Maze-v0", name = "m", rows = 3, cols = 3 }]\n'
        'agents = [{ id = "q_learning", name = "q", learning_rate = { low = 0.1, high = 1.0 } }]\n'
        "tuning = { candidates = 12, seeds = 1 }\n"
    )
    command = [sys.executable, "-P", "-m", "rl_lab", "tune", "s.toml", "--jobs", "1", "--json", "--storage", server]
    both = [
        start_process([*command, "--out", out], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for out in ("one", "two")
    ]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    last = subprocess.run([*command, "--out", "one"], cwd=tmp_path, capture_output=True, text=True, check=True)
    (found,) = json.loads(last.stdout)["agents"]
    assert [one["number"] for one in found["candidates"]] == [*range(12)]  # together, and none twice
    assert {one["state"] for one in found["candidates"]} <= {"finished", "pruned"}
    folders = [sorted(path.name for path in (tmp_path / out / "s-tuning/m").iterdir()) for out in ("one", "two")]
    assert sorted(folders[0] + folders[1]) == [f"q-c{number:03d}" for number in range(12)]
    assert all(folders)
    assert found["fresh"]["runs"] == 2


def test_what_a_lost_machine_had_begun_is_tried_again_by_another(
    server: str, monkeypatch: pytest.MonkeyPatch, stack: ExitStack
) -> None:
    one = spec(name="lost", tuning={"candidates": 2, "seeds": 1})
    searched = Searched.of(one, one.agents[0])
    lost = TuningStudy(stack.enter_context(open_storage(server)), searched, "lost", shared=True)
    asked = lost.ask()
    with lost.alive():
        pass
    mine = TuningStudy(stack.enter_context(open_storage(server)), searched, "mine", shared=True)
    second = mine.ask()
    assert asked is not None
    assert second is not None
    assert mine.ask() is None  # both are being tried
    monkeypatch.setattr(study_module, "SILENCE", -1.0)  # seconds: as if they had passed
    again = mine.ask()
    monkeypatch.undo()
    assert again is not None
    assert again[1] == asked[1]
    assert mine.ask() is None
    assert [one.number for one in mine.mine()] == [second[0], again[0]]


def test_optunas_dashboard_opens_the_study(tmp_path: Path, stack: ExitStack) -> None:
    from optuna_dashboard import wsgi

    one = spec()
    url = f"sqlite:///{tmp_path}/study.db"
    storage = stack.enter_context(open_storage(url))
    TuningStudy(storage, Searched.of(one, one.agents[0]), "here", shared=False)
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/api/studies",
        "SERVER_NAME": "here",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }
    answer = b"".join(wsgi(storage)(environ, lambda status, headers, *_: statuses.append(status)))
    assert statuses == ["200 OK"]
    assert [study["study_name"] for study in json.loads(answer)["study_summaries"]] == ["s/q"]
