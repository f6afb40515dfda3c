"""Where Box2D is missing, as it may be from Python 3.14 on, only LunarLander is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BLOCKER = """
import importlib.util, sys
sys.modules["Box2D"] = sys.modules["box2d"] = None
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "Box2D" else found(name, *rest)
"""


@pytest.fixture
def without(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "sitecustomize.py").write_text(BLOCKER)
    return os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "80"}


def test_all_else_works(without: dict[str, str], tmp_path: Path) -> None:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([sys.executable, "-m", "rl_lab", *arguments], cwd=tmp_path, env=without,
                              capture_output=True, text=True, check=False)  # fmt: skip

    lander = run("train", "LunarLander-v3", "q_learning", "--episodes", "2")
    assert lander.returncode == 2
    assert "Box2D is not installed" in lander.stderr
    assert lander.stderr.count("\n") == 1
    for arguments in (["list"], ["list", "envs"], ["list", "first-benchmark"], ["demo"],
                      ["run", "demo", "--only", "maze-9x9", "--seeds", "1"]):  # fmt: skip
        done = run(*arguments)
        assert done.returncode == 0, (arguments, done.stderr)
    assert "There is no lander in this tour" in run("demo").stdout
    hint = run("train", "RLLab/Maze-v0", "random", "--rows", "5")
    assert "(did you mean --env rows=...?)" in hint.stderr
