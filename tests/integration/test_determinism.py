"""The same command and seed twice gives the same logs, byte for byte: every agent, both environments."""

from pathlib import Path

import pytest

from tests.conftest import Command
from tests.helpers import FAST_SETTINGS, PAIRS, files


@pytest.mark.parametrize(("name", "env_id"), PAIRS)
def test_same_command_same_bytes(name: str, env_id: str, rl_lab: Command, tmp_path: Path) -> None:
    settings = [f"--set={key}={_toml(value)}" for key, value in FAST_SETTINGS.get(name, {}).items()]
    options = [] if env_id == "LunarLander-v3" else ["--env=rows=4", "--env=cols=4", "--env=slip=0.1"]
    logs = []
    for out in ("first", "second"):
        done = rl_lab("train", env_id, name, "--steps", "400", "--seed", "7", "--out", out, *settings, *options)
        assert done.returncode == 0, done.stderr
        kept = (".csv", ".npz", "state.json")
        logs.append(
            {path: data for path, data in files(tmp_path / out).items() if path.endswith(kept) and "timing" not in path}
        )
    assert logs[0] == logs[1]
    assert {Path(path).name for path in logs[0]} == {"episodes.csv", "evaluations.csv", "state.npz", "state.json"}
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
