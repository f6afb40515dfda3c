"""Runs in one checked file: what goes in comes out elsewhere, and a file that was tampered with is refused."""

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.errors import InputError
from experiments.runs.archive import unpacked, write_archive
from rl_lab import compare, evaluate, load_agent, train
from tests.conftest import Command
from tests.helpers import files


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs that were compared."""
    out = tmp_path_factory.mktemp("trained") / "runs"
    for agent in ("q_learning", "random"):
        for seed in (0, 1):
            train("RLLab/Maze-v0", agent, steps=200, seed=seed, out=out,
                  env_options={"rows": 3, "cols": 3}, evaluation={"final_episodes": 3})  # fmt: skip
    compare(out)
    return out


@pytest.fixture
def experiment(trained: Path, tmp_path: Path) -> Path:
    """A copy of them, which a test may change."""
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs" / "train"


def a_run(folder: Path) -> str:
    return str(next(folder.rglob("q_learning*/seed-0/run.json")).parent.relative_to(folder))


def test_an_archive_opens_wherever_a_folder_does(experiment: Path, rl_lab: Command, tmp_path: Path) -> None:
    assert rl_lab("compare", str(experiment), "--no-videos").returncode == 0
    done = rl_lab("archive", str(experiment), "all.zip", "--with-checkpoints")
    assert done.returncode == 0, done.stderr
    assert re.match(r"all.zip: 4 runs, \d+ files, [\d,]+ bytes\nSHA-256 [0-9a-f]{64}\n", done.stdout)
    assert hashlib.sha256((tmp_path / "all.zip").read_bytes()).hexdigest() in done.stdout
    run = a_run(experiment)
    there, here = rl_lab("compare", "all.zip", "--json"), rl_lab("compare", str(experiment), "--json")
    assert there.returncode == 0, there.stderr
    assert json.loads(there.stdout) == json.loads(here.stdout)
    assert (tmp_path / "all-comparison" / "report.html").exists()
    for command in (["watch", f"all.zip/{run}", "--terminal"], ["verify", f"all.zip/{run}"], ["verify", "all.zip"],
                    ["show", f"all.zip/{run}"], ["evaluate", f"all.zip/{run}"], ["status", "all.zip"],
                    ["draw", f"all.zip/{run}", "maze.svg"], ["watch", f"all.zip/{run}", "--terminal", "--at", "60"],
                    ["watch", f"all.zip/{run}", "--explain"]):  # fmt: skip
        opened = rl_lab(*command)
        assert opened.returncode == 0, (command, opened.stderr)
    assert load_agent(tmp_path / "all.zip" / run).action_values(0) is not None
    assert evaluate(tmp_path / "all.zip" / run)["mean_return"] == evaluate(experiment / run)["mean_return"]
    names = zipfile.ZipFile(tmp_path / "all.zip").namelist()
    assert {"comparison/results.json", "comparison/report.html", f"{run}/run.json"} <= set(names)


def test_without_checkpoints_it_is_compared_and_verified(experiment: Path, rl_lab: Command, tmp_path: Path) -> None:
    small, large = (write_archive(experiment, tmp_path / name, with_checkpoints=name == "b.zip")
                    for name in ("a.zip", "b.zip"))  # fmt: skip
    assert small.num_bytes < large.num_bytes
    assert rl_lab("compare", "a.zip", "--no-report").returncode == 0
    verified = rl_lab("verify", f"a.zip/{a_run(experiment)}", "--full")
    assert verified.returncode == 0, verified.stdout
    refused = rl_lab("watch", f"a.zip/{a_run(experiment)}", "--terminal")
    assert refused.returncode == 2
    assert "has no checkpoint" in refused.stderr


def test_the_same_runs_are_the_same_bytes_and_nothing_else_is_put_in(experiment: Path, tmp_path: Path) -> None:
    (experiment / "secret.txt").write_text("mine")
    (experiment / a_run(experiment) / "diary.md").write_text("mine")
    (experiment / a_run(experiment) / "learning.csv").unlink(missing_ok=True)
    (experiment / a_run(experiment) / "learning.csv").symlink_to("/etc/hostname")
    before = files(experiment)
    write_archive(experiment, tmp_path / "a.zip", with_checkpoints=True)
    os.utime(experiment / a_run(experiment) / "run.json", (1, 1))
    write_archive(experiment, tmp_path / "b.zip", with_checkpoints=True)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert files(experiment) == before
    names = [Path(name).name for name in zipfile.ZipFile(tmp_path / "a.zip").namelist()]
    assert not {"secret.txt", "diary.md", "learning.csv"} & set(names)


def test_the_temporary_folder_goes_with_the_process(experiment: Path, tmp_path: Path) -> None:
    write_archive(experiment, tmp_path / "a.zip")
    script = "from pathlib import Path; from experiments.runs.archive import unpacked; print(unpacked(Path('a.zip')))"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "rl-lab-archive-" in done.stdout
    assert not Path(done.stdout.strip()).exists()


# -- an attacker ----------------------------------------------------------------------------------------------


def rewritten(source: Path, target: Path, change: Callable[[dict[str, bytes], dict[str, Any]], None]) -> Path:
    """The archive with members and index changed."""
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    index = json.loads(members.pop("archive.json"))
    change(members, index)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive.json", json.dumps(index))
        for name, data in members.items():
            archive.writestr(name, data)
    return target


def _escape(name: str) -> Callable[[dict[str, bytes], dict[str, Any]], None]:
    def change(members: dict[str, bytes], index: dict[str, Any]) -> None:
        members[name] = b"x"
        index["members"].append({"name": name, "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()})

    return change


def _edit(members: dict[str, bytes], index: dict[str, Any]) -> None:
    name = next(name for name in members if name.endswith("evaluations.csv"))
    members[name] = members[name].replace(b"true", b"fals")


def _grow(members: dict[str, bytes], index: dict[str, Any]) -> None:
    name = next(name for name in members if name.endswith("evaluations.csv"))
    members[name] = bytes(50_000_000)


def _huge(members: dict[str, bytes], index: dict[str, Any]) -> None:
    for member in index["members"]:
        member["size"] = 49_000_000_000


def _more(members: dict[str, bytes], index: dict[str, Any]) -> None:
    members["more.csv"] = b"x"


def _other(members: dict[str, bytes], index: dict[str, Any]) -> None:
    index["format"] = "rl-lab-archive-9"


def _typed(members: dict[str, bytes], index: dict[str, Any]) -> None:
    index["members"][0]["size"] = "many"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_escape("../outside.txt"), "expected the name of a file inside"),
        (_escape("/tmp/outside.txt"), "expected the name of a file inside"),
        (_escape("a/../../outside.txt"), "expected the name of a file inside"),
        (_escape("C:\\outside.txt"), "expected the name of a file inside"),
        (_edit, "is not what it was when it was archived"),
        (_grow, "is not what it was when it was archived"),
        (_huge, "expected at most 50,000,000,000 bytes in it"),
        (_more, "its members are not those that archive.json names"),
        (_other, "format: expected rl-lab-archive-1, got 'rl-lab-archive-9': made by another version"),
        (_typed, "archive.json: members.0.size: expected a valid integer, got 'many'"),
    ],
)
def test_what_was_tampered_with_is_refused(
    change: Any, expected: str, experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    write_archive(experiment, tmp_path / "a.zip")
    bad = rewritten(tmp_path / "a.zip", tmp_path / "bad.zip", change)
    with pytest.raises(InputError, match=re.escape(expected)):
        unpacked(bad)
    assert not list(tmp_path.rglob("outside.txt"))
    assert not Path("/tmp/outside.txt").exists()


def test_damage_within_a_compressed_member_is_one_line(experiment: Path, rl_lab: Command, tmp_path: Path) -> None:
    write_archive(experiment, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        places = [member.header_offset for member in archive.infolist()[:3]]
    for number, place in enumerate(places):
        data = bytearray((tmp_path / "a.zip").read_bytes())
        name, extra = struct.unpack("<HH", data[place + 26 : place + 30])
        begin = place + 30 + name + extra
        data[begin : begin + 2] = b"\xff\xff"
        (tmp_path / f"bad-{number}.zip").write_bytes(data)
        done = rl_lab("compare", f"bad-{number}.zip")
        assert done.returncode == 2
        assert "damaged: " in done.stderr
        assert done.stderr.count("\n") == 1


def test_errors_name_the_archive(experiment: Path, rl_lab: Command, tmp_path: Path) -> None:
    write_archive(experiment, tmp_path / "a.zip")

    def empty(members: dict[str, bytes], index: dict[str, Any]) -> None:
        members.clear()
        index["members"].clear()

    rewritten(tmp_path / "a.zip", tmp_path / "empty.zip", empty)
    for command in (["compare", "empty.zip"], ["watch", "a.zip", "--terminal"],
                    ["watch", f"a.zip/{a_run(experiment)}", "--terminal"]):  # fmt: skip
        done = rl_lab(*command)
        assert done.returncode == 2
        assert "rl-lab-archive-" not in done.stderr
        assert ".zip" in done.stderr


def test_what_is_no_archive_and_what_cannot_be_one(experiment: Path, rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "other.zip").write_text("mine")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    for arguments, expected in (
        (["archive", str(experiment), "other.zip"], "other.zip: is there, and is no archive of the lab's"),
        (["archive", str(experiment), "x.tar"], "x.tar: expected a file that ends in .zip, got '.tar'"),
        (["archive", "nowhere", "x.zip"], "nowhere: expected a folder with runs, got nothing"),
        (["archive", str(tmp_path / "no"), "x.zip"], "expected a folder with runs, got nothing"),
        (["archive", str(experiment), "no/such/x.zip"], "the folder no/such does not exist"),
        (["compare", "cut.zip"], "cut.zip"),
        (["watch", "other.zip/a/b", "--terminal"], "other.zip/a/b: expected a run folder"),
    ):
        done = rl_lab(*arguments)
        assert done.returncode == 2, arguments
        assert expected in done.stderr
        assert done.stderr.count("\n") == 1
    assert (tmp_path / "other.zip").read_text() == "mine"
