"""Files that anybody may have written: they are read or refused in a line, and reading changes none of them.

Two thousand specs, run folders and files of scores, each damaged in a way of its own, from a fixed seed.
"""

import copy
import json
import os
import random
import shutil
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from experiments.comparison.comparison import compare_runs
from experiments.errors import InputError
from experiments.results.reading import read_results
from experiments.results.status import experiment_status
from experiments.runs.run_folder import RunFolder
from experiments.specs.loading import load_spec
from experiments.specs.spec import AgentEntry, Budget, EnvEntry, Evaluation, RunSpec
from experiments.training.resume import resume
from experiments.training.train_run import train_run
from rl_lab.report.folder import compare_folders
from rl_lab.text.status import print_status
from tests.conftest import Command

DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]
HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, -(10**30), 0.5, -0.5, 1e300, float("nan"), float("inf"), "", " ",
    "x", "0", "nan", "../../etc/passwd", "/dev/zero", "a\x00b", "\x1b]0;gone\x07", "\u202ereversed", "<script>", "=1+1",
    "a" * 10_000, "\ud800", "[/bold]", "subprocess:run", "os:system", "finished", "running", [], {}, [[]], [1, 2],
    {"a": 1}, [None] * 3, {"": None}, DEEP, ["x"] * 1000,
]  # fmt: skip
FOREIGN_BYTES = [b"", b"\xee", bytes(20), b"\n", b",,,", b"1" * 400, b"inf", b"nan", b'"', b"9" * 140_000, b"[" * 9_000]
SPEC = """
name = "x"
seeds = 2
steps = 1000
[evaluation]
episodes = 2
final_episodes = 10
[[envs]]
id = "RLLab/Maze-v0"
rows = 4
cols = 4
max_episode_steps = 30
wrappers = [{ id = "gymnasium.wrappers:TimeLimit", max_episode_steps = 20 }]
scale = { floor = -100.0, ceiling = -6.0 }
[[agents]]
id = "q_learning"
learning_rate = 0.2
[[agents]]
id = "sarsa"
grid = { learning_rate = [0.1, 0.2] }
[figure]
title = "a figure"
x = "episode"
ylim = [0.0, 1.0]
marks = { best = 1.0 }
"""


def run_spec(seed: int = 0, name: str = "q") -> RunSpec:
    return RunSpec(
        experiment="x",
        env=EnvEntry(id="RLLab/Maze-v0", name="m", settings={"rows": 3, "cols": 3}),
        agent=AgentEntry(id="q_learning", name=name),
        seed=seed,
        budget=Budget(steps=200),
        evaluation=Evaluation(episodes=1, final_episodes=2),
        engine="python",
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value within a value."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        yield from places(one, (*path, key))


def damaged(values: Any, rng: random.Random) -> Any:
    """The values with something in them put, taken away, or put twice."""
    values = copy.deepcopy(values)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        found = list(places(values))
        if not found:
            break
        *parents, key = rng.choice(found)
        place = values
        for parent in parents:
            place = place[parent]
        kind = rng.random()
        if kind < 0.75:
            place[key] = copy.deepcopy(rng.choice(HOSTILE))
        elif kind < 0.9:
            del place[key]
        elif isinstance(place, dict):
            place[f"{key}x"] = place[key]
        else:
            place.append(place[key])
    return values


def damaged_bytes(data: bytes, rng: random.Random) -> bytes:
    """Bytes that are cut short, changed, put in, or doubled."""
    at = rng.randrange(len(data) + 1)
    before, after, new = data[:at], data[at:], rng.choice(FOREIGN_BYTES)
    return rng.choice([before, before + new + after, before + new + data[at + len(new) :], data + after])


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder: size, and when it was changed."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            status = (Path(place) / name).lstat()
            found[f"{place}/{name}"] = (status.st_size, status.st_mtime_ns)
    return found


def is_refused(read: Callable[[], object]) -> bool:
    """Whether something is refused; nothing else may be raised."""
    try:
        read()
    except InputError:
        return True
    return False


def read_or_compare(place: Path, number: int) -> None:
    """Read what is there; of every tenth make the whole comparison, as JSON."""
    if number % 10:
        read_results([place])
    else:
        json.dumps(compare_runs([place]).to_json(), allow_nan=False)


def toml(value: Any) -> str:
    """A value as TOML has it; what TOML does not have as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {toml(one)}" for key, one in value.items()) + " }"
    return json.dumps("" if value is None else str(value).encode(errors="replace").decode())


def test_specs(tmp_path: Path) -> None:
    """A spec is a spec, or refused; then all its runs can be told."""
    rng, known, path = random.Random(1), tomllib.loads(SPEC), tmp_path / "spec.toml"
    refused = 0
    for number in range(700):
        if number % 3:
            text = "".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in damaged(known, rng).items())
            path.write_bytes(text.encode())
        else:
            path.write_bytes(damaged_bytes(SPEC.encode(), rng))
        refused += is_refused(lambda: [str(one.folder) for one in load_spec(str(path)).run_specs()])
    assert 350 < refused < 700


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two agents with two runs each."""
    out = tmp_path_factory.mktemp("sound")
    for name in ("q", "r"):
        for seed in range(2):
            train_run(run_spec(seed, name), out)
    return out


def test_run_folders(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is in a run's files, its experiment's status is told, and it is compared or refused."""
    rng = random.Random(2)
    folder = Path("x/m/q/seed-0")
    files = ["run.json"] * 4 + ["episodes.csv", "evaluations.csv", "timing.csv", "heartbeat.json"]
    files += [
        "checkpoint/digests.json",
        "checkpoint/timing.json",
        "checkpoint/run/state.json",
        "checkpoint/agent/state.npz",
    ]
    manifest = json.loads((sound / folder / "run.json").read_text())
    shutil.copytree(sound, tmp_path / "out")
    outcomes = {True: 0, False: 0}
    for number in range(700):
        name = rng.choice(files)
        target = tmp_path / "out" / folder / name
        before = (sound / folder / name).read_bytes() if (sound / folder / name).exists() else b"{}"
        if name == "run.json" and number % 2:
            target.write_text(json.dumps(damaged(manifest, rng)))
        else:
            target.write_bytes(damaged_bytes(before, rng))
        there = tree(tmp_path)
        is_refused(lambda: print_status(experiment_status(tmp_path / "out")))
        printed = capsys.readouterr().out
        assert all(one.isprintable() or one == "\n" for one in printed), printed
        if number % 10:
            outcomes[is_refused(lambda: read_results([tmp_path / "out"]))] += 1
        else:
            outcomes[is_refused(lambda: json.dumps(compare_runs([tmp_path / "out"]).to_json(), allow_nan=False))] += 1
        is_refused(lambda: resume(run_spec(), RunFolder(tmp_path / "out" / folder)))
        assert tree(tmp_path) == there, name
        target.write_bytes(before)
        if name == "heartbeat.json":
            target.unlink()
    assert min(outcomes.values()) > 100


def test_files_of_results(sound: Path, tmp_path: Path) -> None:
    """Scores, marl-eval's JSON, CSV and stable-baselines3's logs."""
    rng = random.Random(3)
    compare_folders([sound], tmp_path / "c", save_scores=tmp_path / "scores.json", report=False)
    scores = json.loads((tmp_path / "scores.json").read_text())
    step = {"step_count": 10, "return": [1.0, 2.0]}
    marl = {
        "e": {
            "t": {"a": {"seed_0": {"step_0": step, "absolute_metrics": {"return": [3.0]}}, "seed_1": {"step_0": step}}}
        }
    }
    csv_text = b"agent,env,seed,step,return\na,e,0,10,1.0\na,e,1,10,2.0\nb,e,0,10,3.0\n"
    monitor = b'#{"t_start": 1.0, "env_id": "E-v0"}\nr,l,t\n1.0,5,1.0\n2.0,5,2.0\n'
    refused = 0
    for number in range(600):
        path = tmp_path / ("a.json" if number % 4 < 2 else "a.csv" if number % 4 == 2 else "monitor.csv")
        if number % 4 < 2:
            text = json.dumps(damaged((scores, marl)[number % 2], rng))
            path.write_bytes(text.encode() if number % 8 else damaged_bytes(text.encode(), rng))
        else:
            path.write_bytes(damaged_bytes(csv_text if number % 4 == 2 else monitor, rng))
        refused += is_refused(partial(read_or_compare, path, number))
    assert 200 < refused < 600


# -- what is no file, or another's ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run.json", "episodes.csv", "evaluations.csv", "timing.csv", "heartbeat.json"])
@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "sparse"])
def test_what_is_no_regular_file_is_not_read(kind: str, name: str, sound: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(sound, out)
    path = out / "x/m/q/seed-0" / name
    secret = tmp_path / "secret"
    secret.write_text("precious")
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(secret)
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(3_000_000_000)
    before = tree(out)
    experiment_status(out)
    refused = is_refused(lambda: read_results([out]))
    assert refused == (name in ("run.json", "episodes.csv", "evaluations.csv"))
    assert tree(out) == before
    assert secret.read_text() == "precious"


@pytest.mark.parametrize("name", [".lock", "timing.csv", "run.json.new", "error.txt", "heartbeat.json", "snapshots",
                                  "checkpoint.new", "checkpoint.old", "checkpoint.gone", "info.csv"])  # fmt: skip
def test_nothing_is_written_through_a_link(name: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "agent").mkdir(parents=True)
    (elsewhere / "agent" / "state.json").write_text("precious")
    (tmp_path / "file").write_text("precious")
    before = tree(elsewhere) | tree(tmp_path / "file")
    train_run(run_spec(), tmp_path / "out", until=100)
    folder = tmp_path / "out" / run_spec().folder
    there = folder / name
    if there.is_dir():
        shutil.rmtree(there)
    there.unlink(missing_ok=True)
    there.symlink_to(elsewhere if name.startswith(("snapshots", "checkpoint")) else tmp_path / "file")
    manifest = train_run(run_spec(), tmp_path / "out")
    assert manifest.finished or "nothing is written through one" in (manifest.error or "")
    assert tree(elsewhere) | tree(tmp_path / "file") == before
    assert (tmp_path / "file").read_text() == "precious"


def test_a_run_folder_that_is_a_link_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "out" / run_spec().folder
    folder.parent.mkdir(parents=True)
    folder.symlink_to(tmp_path / "elsewhere")
    assert "expected a folder, got a link" in (train_run(run_spec(), tmp_path / "out").error or "")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_packed_state_is_not_unpacked(sound: Path, tmp_path: Path) -> None:
    """A file of arrays that grows a thousandfold when it is read."""
    import numpy as np

    from agents.storage import read

    state = tmp_path / "state"
    shutil.copytree(sound / "x/m/q/seed-0/checkpoint/agent", state)
    np.savez_compressed(state / "state.npz", zeros=np.zeros(10_000_000))
    with pytest.raises(ValueError, match="not packed"):
        read(state)


@pytest.mark.parametrize("name", ["checkpoint", "snapshots"])
def test_a_folder_of_states_that_is_a_link_is_not_followed(
    name: str, rl_lab: Command, sound: Path, tmp_path: Path
) -> None:
    shutil.copytree(sound, tmp_path / "runs")
    run = tmp_path / "runs/x/m/q/seed-0"
    (run / name).rename(tmp_path / "elsewhere")
    (run / name).symlink_to(tmp_path / "elsewhere")
    commands = ["evaluate", "verify --full"] if name == "checkpoint" else ["watch --terminal --at 100"]
    for command in commands:
        first, *rest = command.split()
        done = rl_lab(first, str(run), *rest)
        assert done.returncode in (1, 2), done.stdout
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["rings.json", "state.json", "state.npz"])
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_snapshots_files_are_regular_ones(kind: str, name: str, rl_lab: Command, sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "runs")
    run = tmp_path / "runs/x/m/q/seed-0"
    path = next((run / "snapshots").iterdir()) / name
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/etc/passwd")
    done = rl_lab("watch", str(run), "--terminal", "--at", path.parent.name)
    assert done.returncode == 2
    assert f"{name}: expected a regular file" in done.stderr


def test_no_picture_replaces_what_is_none(rl_lab: Command, sound: Path, tmp_path: Path) -> None:
    run = str(sound / "x/m/q/seed-0")
    commands = [["draw", "RLLab/Maze-v0", f"a{ending}"] for ending in (".txt", ".svg", ".png")]
    commands += [["watch", run, "--record", f"a{ending}"] for ending in (".gif", ".mp4")]
    for command in commands:
        path = tmp_path / command[-1]
        path.write_text("precious")
        done = rl_lab(*command)
        assert done.returncode == 2
        assert "expected a new file" in done.stderr
        assert path.read_text() == "precious"
        path.unlink()
        for _ in range(2):  # an earlier one is replaced
            assert rl_lab(*command).returncode == 0


def test_a_path_that_commands_is_shown_as_text(rl_lab: Command, sound: Path, tmp_path: Path) -> None:
    folder = "x\x1b[2J\x07\nFORGED"
    shutil.copytree(sound, tmp_path / folder)
    for command in (["status", folder], ["compare", folder], ["list", "runs", "--out", folder], ["verify", folder]):
        done = rl_lab(*command)
        for text in (done.stdout, done.stderr):
            assert all(one.isprintable() or one == "\n" for one in text), command
            assert "\nFORGED" not in text


def test_an_unknown_environment_is_one_line_for_every_command(rl_lab: Command, sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "runs")
    path = tmp_path / "runs/x/m/q/seed-0/run.json"
    values = json.loads(path.read_text())
    for env_id in ("nosuch", "CartPole-v99", "numpy.testing:runstring"):
        values["trial"]["env"] |= {"id": env_id}
        path.write_text(json.dumps(values))
        run = "runs/x/m/q/seed-0"
        for command in (["draw", run, "a.svg"], ["evaluate", run], ["verify", run], ["watch", run, "--terminal"]):
            done = rl_lab(*command)
            assert done.returncode == 2, command
            assert len(done.stderr.splitlines()) == 1, command


# -- the command line -----------------------------------------------------------------------------------------


def test_every_field_of_a_manifest_is_shown_as_text(rl_lab: Command, sound: Path, tmp_path: Path) -> None:
    """Escape sequences and line ends from a manifest reach no terminal, whatever prints them."""
    shutil.copytree(sound, tmp_path / "runs")
    path = tmp_path / "runs/x/m/q/seed-0/run.json"
    values = json.loads(path.read_text())
    evil = "boom \x1b]0;gone\x07\x1b[2J\n  finished fake \u202e"
    values |= {"status": "failed", "error": evil, "command": [evil], "notes": [evil], "engine": evil}
    values["versions"] = {"python": evil}
    values["machine"] = {"system": evil, "processor": evil}
    values["attempts"][0] |= {"error": evil, "started": evil}
    path.write_text(json.dumps(values))
    for command in (
        ["status", "runs"],
        ["compare", "runs", "--no-report"],
        ["list", "runs"],
        ["evaluate", str(path.parent)],
    ):
        done = rl_lab(*command)
        for text in (done.stdout, done.stderr):
            assert all(one.isprintable() or one == "\n" for one in text), command
            assert "\n  finished fake" not in text


def test_text_that_begins_a_formula_is_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("agent,env,seed,step,return\n=1+1,e,0,1,1\n+b,e,0,1,2\n")
    compare_folders([tmp_path / "a.csv"], tmp_path / "out", report=False)
    cells = {line.split(",")[1] for line in (tmp_path / "out" / "scores.csv").read_text().splitlines()[1:]}
    assert cells == {"'=1+1", "'+b"}


@pytest.mark.parametrize("name", ["report.html", "results.json", "scores.csv", "summary.csv", "table.tex"])
def test_a_comparison_replaces_its_own_files_only(name: str, sound: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="no comparison of the lab's wrote it"):
        compare_folders([sound], tmp_path, report=False)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    (tmp_path / name).unlink()
    if name == "report.html":
        for _ in range(2):  # its own it does replace
            compare_folders([sound], tmp_path, videos=False)


def test_a_comparison_does_not_replace_what_it_compares(tmp_path: Path) -> None:
    text = "agent,env,seed,step,return\na,e,0,1,1\nb,e,0,1,2\n"
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(InputError, match="would be replaced"):
        compare_folders([tmp_path / "scores.csv"], tmp_path, report=False)
    assert (tmp_path / "scores.csv").read_text() == text
