"""Runs that mean harm, or were harmed: paths, links, code and damaged files among what is looked at."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rl_lab import train
from tests.viewer.conftest import Served, viewer_of


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


@pytest.fixture(scope="module")
def served_copy(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with viewer_of(Path(shutil.copytree(runs, tmp_path_factory.mktemp("copy") / "runs"))) as viewer:
        yield viewer


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


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_a_damaged_run_may_be_the_folder_itself(tmp_path: Path, content: str) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "run.json").write_text(content)
    with viewer_of(tmp_path / "runs") as viewer:
        assert [run["state"] for run in viewer.get("/api/runs")["runs"]] == ["damaged"]


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
