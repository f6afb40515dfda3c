"""Attacks: what is not the viewer's own page on this machine, with the token, gets nothing."""

import contextlib
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from rl_lab import train
from tests.conftest import Command
from tests.viewer.conftest import Served, viewer_of

Headers = dict[str, Any]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),  # DNS rebinding names a host of its own; the port is ours alone
        ({"Cookie": None}, 403),
        ({"Cookie": "rl_lab_1=x"}, 403),
        ({"Cookie": "PORT=wrong"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/runs", "/static/viewer.js", "/api/compare?ids=x", "/nothing"])
def test_strangers_are_refused(served: Served, headers: Headers, status: int, path: str) -> None:
    if headers.get("Cookie") == "PORT=wrong":
        headers = {"Cookie": f"rl_lab_{served.port}=wrong"}
    got, answered, content = served.ask(path, headers=headers)
    assert got == status
    assert content.startswith(b"refused: ")
    assert "default-src 'none'" in answered["content-security-policy"]


def test_the_token_opens_once_and_is_kept_in_a_cookie(served: Served) -> None:
    status, headers, _ = served.ask(f"/?token={served.token}", headers={"Cookie": None})
    assert (status, headers["location"]) == (303, "/")
    assert "HttpOnly" in headers["set-cookie"]
    assert "SameSite=strict" in headers["set-cookie"]
    assert served.ask("/?token=wrong", headers={"Cookie": None})[0] == 403
    assert served.ask(f"/api/runs?token={served.token}", headers={"Cookie": None})[0] == 403  # at the door only
    assert len(served.token) >= 32


def test_every_answer_is_hardened(served: Served) -> None:
    for path in ("/", "/static/style.css", "/api/runs", "/nothing"):
        _, headers, _ = served.ask(path)
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "script-src 'self'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "headers",
    [{"X-RL-Lab": None}, {"Origin": "http://evil.example"}, {"Cookie": None}, {"Host": "evil.example"}],
)
@pytest.mark.parametrize("path", ["/api/start", "/api/stop", "/api/trash"])
def test_other_sites_cannot_post(served: Served, headers: Headers, path: str) -> None:
    assert served.ask(path, "POST", {"source": "book-maze", "ids": ["x"], "yes": True}, headers)[0] in (403, 421)
    assert served.get("/api/start")["started"] == []


def test_bodies_are_bounded_and_checked(served: Served) -> None:
    assert served.ask("/api/start", "POST", b"x", {"Content-Length": "999999999"})[0] == 413
    for body in (b"", b"[]", b"{", b'{"source": 1}', b"[" * 50_000):
        status, _, content = served.ask("/api/start", "POST", body)
        assert (status, set(json.loads(content))) == (400, {"error"})
    for path in ("/api/start", "/api/trash"):
        assert served.ask(path, "PUT", {})[0] == 405


@pytest.mark.parametrize(
    "origin", [None, "http://evil.example", "null", "https://127.0.0.1:PORT", "http://127.0.0.1:1"]
)
def test_sockets_of_other_sites_are_refused(served: Served, origin: str | None) -> None:
    given = origin.replace("PORT", str(served.port)) if origin else None
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            f"ws://127.0.0.1:{served.port}/live",
            origin=given,  # type: ignore[arg-type]
            additional_headers={"Cookie": served.cookie},
            proxy=None,
        ),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_a_socket_needs_the_cookie_and_the_host(served: Served) -> None:
    origin: Any = f"http://127.0.0.1:{served.port}"
    address = f"ws://127.0.0.1:{served.port}/live"
    with pytest.raises(InvalidStatus), connect(address, origin=origin, proxy=None):
        pass
    with connect(address, origin=origin, additional_headers={"Cookie": served.cookie}, proxy=None):
        pass


@pytest.mark.parametrize(
    "path",
    [
        "/static/../words.py",
        "/static/..%2fwords.py",
        "/static/%2e%2e/words.py",
        "/static//etc/passwd",
        "/static/en.json",  # not one of the kinds that are handed out
        "/static/..%5cwords.py",
        "/api/raw/../../run.json/episodes.csv",
        "/api/raw/%2e%2e%2f/episodes.csv",
        "/api/raw/ID/run.csv",
        "/api/raw/ID/..%2frun.csv",
        "/api/moments?ids=../../etc",
        "/api/moments?ids=/etc/passwd",
        "/api/moments?ids=",
        "/api/recording?ids=ID&seed=-1",
        "/api/recording?ids=ID&seed=9999999999",
        "/api/recording?ids=ID&number=99999999",
        "/api/recording?ids=ID&at=1e5",
        "/api/recording?ids=ID&episode=99999999",
        "/api/curves?ids=ID&width=999999999",
        "/api/curves?ids=ID&smoothing=0",
        "/api/curves?ids=ID&low=nan",
        "/api/curves?ids=ID&kind=__class__",
        "/api/figure?ids=ID&env=maze&format=pdf",
        "/api/figure?ids=ID&env=nowhere&format=png",
    ],
)
def test_paths_and_nonsense_get_a_line(served: Served, path: str) -> None:
    run = next(iter(served.ids().values()))
    status, _, content = served.ask(path.replace("ID", run))
    assert status in (400, 404)
    assert len(content) < 500
    assert b"root:" not in content
    assert b"Traceback" not in content


def test_links_are_not_followed(own_runs: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.copytree(own_runs / "train" / "maze" / "sarsa", outside / "sarsa")
    (own_runs / "linked").symlink_to(outside)
    secret = tmp_path / "secret.csv"
    secret.write_text("secret\n")
    log = own_runs / "train" / "maze" / "sarsa" / "seed-0" / "episodes.csv"
    log.unlink()
    log.symlink_to(secret)
    with viewer_of(own_runs) as viewer:
        listed = viewer.get("/api/runs")
        assert listed["links"] == ["linked"]
        assert not any("linked" in run["path"] for run in listed["runs"])
        run = viewer.ids()["train/maze/sarsa/seed-0"]
        status, _, content = viewer.ask(f"/api/raw/{run}/episodes.csv")
        assert (status, b"secret" in content) == (400, False)
        curves = viewer.get(f"/api/curves?kind=training&ids={run}")
        assert curves["groups"][0]["runs"][0]["x"] == []


@pytest.fixture
def own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of an environment of one's own, whose code leaves a mark wherever it is imported."""
    (tmp_path / "marked.py").write_text(
        f"import os, gymnasium as gym\nopen({str(tmp_path)!r} + f'/mark-{{os.getpid()}}', 'w').close()\n"
        "from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv\nclass Mine(FrozenLakeEnv): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    train("marked:Mine", "q_learning", steps=200, out=tmp_path / "runs", evaluation={"final_episodes": 1})
    for mark in tmp_path.glob("mark-*"):
        mark.unlink()
    return tmp_path


def test_code_of_ones_own_plays_after_a_yes_alone(own_code: Path) -> None:
    with viewer_of(own_code / "runs") as viewer:
        ((_, run),) = viewer.ids().items()
        assert viewer.get(f"/api/curves?ids={run}")["groups"]
        assert viewer.get(f"/api/compare?ids={run}")["envs"]
        for path in ("moments", "recording"):
            status, _, content = viewer.ask(f"/api/{path}?ids={run}")
            assert status == 400
            assert b"after rl-lab ui --trust-code" in content
        assert not list(own_code.glob("mark-*"))
    with viewer_of(own_code / "runs", "--trust-code") as viewer:
        assert viewer.get(f"/api/recording?ids={run}")["tracks"]
        (mark,) = own_code.glob("mark-*")
        assert mark.name != f"mark-{viewer.process.pid}"  # imported in the process that plays, not in the server


def test_specs_are_offered_without_importing_what_they_name(own_code: Path) -> None:
    spec = 'name = "x"\nsteps = 50\n[[envs]]\nid = "marked:Mine"\n[[agents]]\nid = "q_learning"\n'
    (own_code / "mine.toml").write_text(spec)
    (own_code / "elsewhere").mkdir()
    (own_code / "elsewhere" / "deep").mkdir()
    (own_code / "elsewhere" / "deep" / "linked.toml").write_text(spec.replace("marked:Mine", "RLLab/Maze-v0"))
    (own_code / "link").symlink_to(own_code / "elsewhere" / "deep")
    with viewer_of(own_code / "runs") as viewer:
        assert [one["name"] for one in viewer.get("/api/start")["specs"]] == ["mine.toml"]
        status, _, content = viewer.ask("/api/start", "POST", {"source": "mine.toml"})
        assert (status, b"after rl-lab ui --trust-code" in content) == (400, True)
        assert viewer.ask("/api/start", "POST", {"source": "link/linked.toml"})[0] == 400
    assert not list(own_code.glob("mark-*"))


HEADER = "episode,env_step,return,length,epsilon,td_error"
EVALUATIONS = "env_step,phase,set,episode_seed,return,length,terminated,truncated,success,unmet_share"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("episodes.csv", f'{HEADER}\n1,10,"5,10,0,0\n'),
        ("episodes.csv", f"{HEADER},env_step,return\n0,10,-1,1,,,3,4\n"),
        ("episodes.csv", f"{HEADER}\n1,10\n2,20\n"),
        ("episodes.csv", f"{HEADER}\n1,10,-1,1,,,7,8,9\n"),
        ("episodes.csv", "x" * 200_000 + "\n1\n"),
        ("episodes.csv", f'"{HEADER}\n1,10,-1,1,,\n'),
        ("episodes.csv", HEADER + "\n" + "\x00\x01\xff,\u2028,;\n" * 50),
        ("episodes.csv", f"{HEADER}\n" + "0,10,1e308,1,,\n1,20,1e308,1,,\n" * 20),
        ("episodes.csv", f"{HEADER}\n" + "".join(f"0,{n * 7919 % 1000},-1,1,,\n" for n in range(9000))),
        ("evaluations.csv", f'{EVALUATIONS}\n1,curve,"fresh,1,1,1,1,1,1,1\n'),
        ("evaluations.csv", f"{EVALUATIONS}\n" + "0,curve,fresh,1,1.7e308,1,true,false,true,0\n" * 9),
        ("evaluations.csv", EVALUATIONS.replace("set,", "") + "\n0,curve,1,1,1,1,1,1,1\n"),
        ("evaluations.csv", EVALUATIONS.replace("return", "reward") + "\n0,curve,fresh,1,1,1,1,1,1,1\n"),
        ("timing.csv", "env_step,seconds,seconds\n1,2,3\n"),
        ("timing.csv", "env_step,episodes\n1,2\n"),
        ("timing.csv", "env_step,episodes,seconds\n" + "1" * 99 + ',"\n'),
    ],
    ids=range(16),
)
def test_a_damaged_log_spoils_nothing(served_copy: Served, name: str, content: str) -> None:
    log = served_copy.folder / "train/maze/q_learning/seed-0" / name
    before = log.read_bytes()
    log.write_text(content)
    try:
        ids = ",".join(served_copy.ids().values())
        for kind in ("evaluation", "training"):
            for axis in ("steps", "episodes", "seconds"):
                curves = served_copy.get(f"/api/curves?ids={ids}&kind={kind}&axis={axis}&smoothing=10&width=100")
                assert [len(group["runs"]) for group in curves["groups"]] == [2, 2]
                assert all(len(run["x"]) <= 210 for group in curves["groups"] for run in group["runs"])
                assert len(curves["groups"][1]["runs"][0]["x"]) > 5  # the sound ones are drawn
    finally:
        log.write_bytes(before)


@pytest.fixture(scope="module")
def served_copy(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with viewer_of(Path(shutil.copytree(runs, tmp_path_factory.mktemp("copy") / "runs"))) as viewer:
        yield viewer


@pytest.mark.parametrize("wrong", ["NaN", "Infinity", "1e999", "-1e999"])
def test_a_number_that_is_none_damages_its_run_alone(served_copy: Served, wrong: str) -> None:
    manifest = served_copy.folder / "train/maze/q_learning/seed-1" / "run.json"
    before = manifest.read_text()
    manifest.write_text(before.replace('"learning_rate": 0.5', f'"learning_rate": {wrong}'))
    try:
        states = {run["path"]: (run["state"], run["error"]) for run in served_copy.get("/api/runs")["runs"]}
        state, error = states["train/maze/q_learning/seed-1"]
        assert state == "damaged"
        assert f"expected finite numbers, got {wrong}" in error
        assert [state for state, _ in states.values()].count("finished") == 3
    finally:
        manifest.write_text(before)


def test_a_folder_that_has_become_a_link_is_not_followed(own_runs: Path, tmp_path: Path) -> None:
    with viewer_of(own_runs) as viewer:
        run = viewer.ids()["train/maze/sarsa/seed-0"]
        outside = tmp_path / "outside"
        (own_runs / "train" / "maze").rename(outside)
        (own_runs / "train" / "maze").symlink_to(outside)
        for path in (f"/api/raw/{run}/episodes.csv", f"/api/curves?ids={run}", f"/api/recording?ids={run}"):
            status, _, content = viewer.ask(path)
            assert (status, b"a link, which is not followed" in content) == (400, True)
        assert viewer.ask("/api/trash", "POST", {"ids": [run], "yes": True})[0] == 400
        assert (outside / "sarsa" / "seed-0" / "run.json").is_file()


def test_a_log_that_is_too_large_is_left_out(tmp_path: Path) -> None:
    from rl_lab.viewer.logs import LogCache

    cache = LogCache(most_bytes=1_000_000)
    with (tmp_path / "episodes.csv").open("w") as file:
        file.write(HEADER + "\n")
        for number in range(60_000):
            file.write(f"{number},{number},-1,1,,\n")
    assert len(cache.read(tmp_path, "episodes.csv")) == 0
    with (tmp_path / "timing.csv").open("w") as file:
        file.write("env_step,episodes,seconds\n")
        file.truncate(3_000_000_000)  # a hole
    assert len(cache.read(tmp_path, "timing.csv")) == 0


def test_bodies_of_two_lengths_are_refused(served: Served) -> None:
    headers = {"Content-Length": "2", "Transfer-Encoding": "chunked"}
    assert served.ask("/api/stop", "POST", b"2\r\n{}\r\n0\r\n\r\n", headers)[0] in (400, 411)


def test_who_connects_and_asks_nothing_is_left(served: Served) -> None:
    silent = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(200)]
    try:
        for one in silent:
            one.sendall(b"GET / HTTP/1.1\r\n")
        assert served.get("/api/runs")["runs"]
        deadline = time.monotonic() + 30
        silent[0].settimeout(30)
        assert silent[0].recv(1) == b""  # closed by the viewer
        assert time.monotonic() < deadline
    finally:
        for one in silent:
            one.close()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="the system has no such signal")
def test_a_worker_that_hangs_holds_up_nothing_else(own_runs: Path) -> None:
    with viewer_of(own_runs) as viewer:
        (run, *_) = viewer.ids().values()
        viewer.get(f"/api/moments?ids={run}")
        (worker,) = [
            int(place.parent.name)
            for place in Path("/proc").glob("[0-9]*/stat")
            if place.read_text(errors="replace").rpartition(")")[2].split()[1] == str(viewer.process.pid)
        ]
        os.kill(worker, signal.SIGSTOP)
        asked = [threading.Thread(target=viewer.ask, args=(f"/api/moments?ids={run}",), daemon=True) for _ in range(45)]
        try:
            for one in asked:
                one.start()
            time.sleep(0.5)
            begun = time.monotonic()
            assert viewer.get("/api/runs")["runs"]
            assert viewer.get(f"/api/curves?ids={run}")["groups"]
            assert time.monotonic() - begun < 5
        finally:
            os.kill(worker, signal.SIGCONT)


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_a_damaged_run_may_be_the_folder_itself(tmp_path: Path, content: str) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "run.json").write_text(content)
    with viewer_of(tmp_path / "runs") as viewer:
        assert [run["state"] for run in viewer.get("/api/runs")["runs"]] == ["damaged"]


def test_the_first_run_of_a_folder_is_announced(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with viewer_of(tmp_path / "runs") as viewer:
        origin: Any = f"http://127.0.0.1:{viewer.port}"
        headers = {"Cookie": viewer.cookie}
        address = f"ws://127.0.0.1:{viewer.port}/live"
        with connect(address, origin=origin, additional_headers=headers, proxy=None) as told:
            time.sleep(1.0)
            shutil.copytree(runs / "train/maze/sarsa/seed-0", tmp_path / "runs/x/maze/sarsa/seed-0")
            assert [run["agent"] for run in json.loads(told.recv(timeout=10))["changed"]] == ["sarsa"]


def test_playing_writes_nothing(own_runs: Path) -> None:
    def everything() -> dict[str, tuple[int, int]]:
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in own_runs.rglob("*")}

    before = everything()
    with viewer_of(own_runs) as viewer:
        ids = ",".join(viewer.ids().values())
        first = ids.split(",")[0]
        viewer.get(f"/api/recording?ids={ids}")
        viewer.get(f"/api/recording?ids={first}&episode=20")
        viewer.get(f"/api/compare?ids={ids}")
        viewer.get(f"/api/curves?ids={ids}")
        viewer.get(f"/api/figure?ids={ids}&env=maze&format=svg")
    assert everything() == before


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="the system tells no limits")
def test_the_process_that_plays_gives_way_and_cannot_write(served: Served) -> None:
    served.get(f"/api/moments?ids={next(iter(served.ids().values()))}")
    workers = []
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"rl_lab.viewer.worker" in status.read_bytes():
                workers.append(status.parent)
    assert workers
    for worker in workers:
        with contextlib.suppress(OSError):
            assert "Max file size             0" in (worker / "limits").read_text()
            assert os.getpriority(os.PRIO_PROCESS, int(worker.name)) == 19


def test_runs_go_to_the_trash_after_a_yes(own_runs: Path) -> None:
    with viewer_of(own_runs) as viewer:
        ids = viewer.ids()
        run = ids["train/maze/sarsa/seed-1"]
        assert viewer.ask("/api/trash", "POST", {"ids": [run]})[0] == 400
        assert viewer.ask("/api/trash", "POST", {"ids": ["../.."], "yes": True})[0] == 400
        (moved,) = viewer.post("/api/trash", {"ids": [run, run], "yes": True})["moved"]
        assert (own_runs / moved / "run.json").is_file()
        assert moved.startswith(".rl-lab-trash/")
        assert set(viewer.ids()) == set(ids) - {"train/maze/sarsa/seed-1"}


def test_experiments_start_stop_and_go_on_exactly(tmp_path: Path) -> None:
    spec = 'name = "long"\nsteps = 1_000_000\nengine = "python"\n[[envs]]\nid = "RLLab/Maze-v0"\nname = "maze"\n'
    (tmp_path / "long.toml").write_text(spec + '[[agents]]\nid = "q_learning"\nname = "q"\n')
    (tmp_path / "broken.toml").write_text("name = ")
    folder = tmp_path / "runs"
    run = folder / "long" / "maze" / "q" / "seed-0"
    with viewer_of(folder) as viewer:
        offered = viewer.get("/api/start")
        assert [(spec["name"], spec["envs"], spec["agents"]) for spec in offered["specs"]] == [
            ("long.toml", ["maze"], ["q"])
        ]
        assert "book-maze" in [suite["name"] for suite in offered["suites"]]
        for source in ("../long.toml", "/etc/passwd", "--help", "broken.toml"):
            assert viewer.ask("/api/start", "POST", {"source": source})[0] == 400
        made = viewer.post("/api/start", {"source": "long.toml"})
        assert made["state"] == "running"
        _wait(lambda: (run / "snapshots" / "100000").exists() and (run / "checkpoint").exists())
        (listed,) = viewer.get("/api/runs")["runs"]
        assert listed["state"] == "running"
        assert viewer.get(f"/api/recording?ids={listed['id']}")["tracks"][0]["moments"][0]["env_step"] >= 100_000
        viewer.post("/api/stop", {"id": made["id"]})
        _wait(lambda: viewer.get("/api/start")["started"][0]["state"] != "running")
        assert viewer.get("/api/start")["started"][0]["state"] == "stopped"
        assert viewer.get("/api/runs")["runs"][0]["state"] == "stopped"
        viewer.post("/api/start", {"source": "long.toml"})
        looks = 0
        while viewer.get("/api/runs")["runs"][0]["state"] != "finished":  # and is looked at all the time
            (ident,) = viewer.ids().values()
            assert viewer.get(f"/api/curves?kind=training&ids={ident}")["groups"]
            assert viewer.get(f"/api/recording?ids={ident}")["tracks"]
            looks += 1
        assert looks
    whole = train("RLLab/Maze-v0", "q_learning", steps=1_000_000, out=tmp_path / "whole", name="long")
    assert (run / "episodes.csv").read_bytes() == (Path(whole["run"]) / "episodes.csv").read_bytes()


def _wait(until: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_runs_is_stopped_with_the_viewer(tmp_path: Path) -> None:
    spec = 'name = "long"\nsteps = 100_000_000\nengine = "python"\n[[envs]]\nid = "RLLab/Maze-v0"\nname = "maze"\n'
    (tmp_path / "long.toml").write_text(spec + '[[agents]]\nid = "q_learning"\nname = "q"\n')
    run = tmp_path / "runs" / "long" / "maze" / "q" / "seed-0"
    with viewer_of(tmp_path / "runs") as viewer:
        viewer.post("/api/start", {"source": "long.toml"})
        _wait(lambda: (run / "episodes.csv").exists())
    assert '"status": "interrupted"' in (run / "run.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ui", "file.txt"], "file.txt: expected a folder with runs, got a file"),
        (["ui", "--port", "70000"], "--port: expected at most 65535, got 70000"),
        (["ui", "--port", "TAKEN"], "--port: expected a free port, got"),
        (["ui", "--port", "x"], "expected a whole number of at least 0, got 'x'"),
    ],
)
def test_what_cannot_be_served(
    rl_lab: Command, tmp_path: Path, served: Served, arguments: list[str], message: str
) -> None:
    (tmp_path / "file.txt").write_text("")
    done = rl_lab(*[argument.replace("TAKEN", str(served.port)) for argument in arguments], "--no-browser")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
