"""The same command and seed twice gives the same logs, byte for byte: every agent, both environments."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Command, command_line, warm_pythons
from tests.helpers import FAST_SETTINGS, PAIRS, files

SPEC = """
name = "same"
seeds = [7]
steps = 400
[evaluation]
every = 200
episodes = 1
final_episodes = 2
[[envs]]
id = "{env_id}"
{options}
[[agents]]
id = "{name}"
{settings}
"""


@pytest.fixture(scope="module")
def another_python() -> Iterator[str]:
    """One that hashes strings otherwise, and whose objects lie elsewhere."""
    with warm_pythons() as program:
        yield program


@pytest.mark.parametrize(("name", "env_id"), PAIRS)
def test_same_command_same_bytes(name: str, env_id: str, warm_python: str, another_python: str, tmp_path: Path) -> None:
    settings = "\n".join(f"{key} = {_toml(value)}" for key, value in FAST_SETTINGS.get(name, {}).items())
    options = "rows = 4\ncols = 4\nslip = 0.1" if "Maze" in env_id else ""
    spec = SPEC.format(name=name, env_id=env_id, settings=settings, options=options)
    (tmp_path / "same.toml").write_text(spec)
    logs = []
    for python, out in ((warm_python, "first"), (another_python, "second")):
        done = command_line(python, tmp_path)("run", "same.toml", "--jobs", "1", "--out", out)
        assert done.returncode == 0, done.stderr
        kept = (".csv", ".npz", "state.json")
        logs.append(
            {path: data for path, data in files(tmp_path / out).items() if path.endswith(kept) and "timing" not in path}
        )
    assert logs[0] == logs[1]
    names = {Path(path).name for path in logs[0]}
    chunks = {name for name in names if re.fullmatch(r"\d+-\d{6}\.npz", name)}  # of a replay buffer
    learning = {"learning.csv"} if name == "dqn" else set()
    assert names - chunks == {"episodes.csv", "evaluations.csv", "state.npz", "state.json"} | learning
    assert all(data.count(b"\n") > 1 for path, data in logs[0].items() if path.endswith(".csv"))


def test_another_seed_trains_otherwise_on_the_same_evaluation_episodes(rl_lab: Command, tmp_path: Path) -> None:
    for seed in ("1", "2"):
        done = rl_lab("train", "RLLab/Maze-v0", "random", "--steps", "600", "--seed", seed, "--env", "rows=4")
        assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / "train"
    runs = [next(folder.rglob(f"seed-{seed}")) for seed in (1, 2)]
    assert (runs[0] / "episodes.csv").read_text() != (runs[1] / "episodes.csv").read_text()
    seeds = [[line.split(",")[3] for line in (run / "evaluations.csv").read_text().splitlines()] for run in runs]
    assert seeds[0] == seeds[1]


def _toml(value: object) -> str:
    return str(value) if not isinstance(value, dict) else "{net_arch = [16]}"
