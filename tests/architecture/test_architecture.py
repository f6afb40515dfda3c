"""The rooms, their walls, and what they load."""

import ast
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command

ROOMS = ("rl_lab", "experiments", "agents", "envs", "machine_code")
SOURCES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


@pytest.mark.parametrize("room", [*ROOMS, "tests"])
def test_a_room_is_this_projects(room: str) -> None:
    module = importlib.import_module(room)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / room / "__init__.py"


def test_import_contracts_hold_over_every_file() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    analysed = re.search(r"Analyzed (\d+) files", done.stdout)
    assert analysed is not None
    assert int(analysed[1]) >= len(SOURCES)  # a contract that sees no files passes falsely


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('MODULES', *sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("MODULES"))
    return set(line.split())


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['rl-lab', '--help']\nfrom rl_lab.cli import main\nassert main() == 0"
    heavy = {"torch", "numba", "matplotlib", "pandas", "gymnasium", "numpy", "scipy", "stable_baselines3", "pydantic"}
    assert not heavy & modules_after(code)


def test_the_module_is_the_command_line() -> None:
    """`python -m rl_lab` loads nothing before it has said how many threads there are."""
    command = [sys.executable, "-X", "importtime", "-m", "rl_lab", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stderr
    assert "rl_lab.cli" in told
    assert not re.findall(r"\b(numpy|gymnasium|torch)\b", told)


@pytest.mark.parametrize("agent", ["q_learning", "dqn"])
def test_a_tabular_run_and_dense_layers_load_no_torch(agent: str, tmp_path: Path) -> None:
    code = f"from rl_lab import train\ntrain('RLLab/Maze-v0', '{agent}', steps=300, out={str(tmp_path)!r})"
    loaded = modules_after(code)
    assert "numpy" in loaded
    assert not {"torch", "stable_baselines3", "pandas"} & loaded


def test_the_mazes_and_a_single_one_compile_nothing() -> None:
    code = (
        "import envs, gymnasium\nenv = gymnasium.make('RLLab/Maze-v0', maze_seed=None)\nenv.reset(seed=0)\nenv.step(1)"
    )
    assert not {"numba", "llvmlite", "torch", "matplotlib"} & modules_after(code)


def test_machine_code_is_announced_once_and_kept(tmp_path: Path) -> None:
    code = "import numpy as np\nfrom envs.mazes.compiled import compiled_maze\ncompiled_maze('sidewinder', 4, 4, 0)"
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=dict(os.environ) | {"RL_LAB_CACHE": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stderr)
    assert said[0].startswith("compiling the mazes' machine code (carve-sidewinder): once")
    assert said[1] == ""
    assert list(tmp_path.rglob("*.nbc"))


def test_machine_code_works_where_no_cache_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")  # a folder below it cannot be made, not even by root
    code = "from envs.mazes.compiled import compiled_maze\nprint(compiled_maze('sidewinder', 4, 4, 0).passages.sum())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=dict(os.environ) | {"RL_LAB_CACHE": str(tmp_path / "file"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "30\n"  # 15 passages, both ways


def test_importing_rl_lab_registers_the_environments() -> None:
    code = "import gymnasium\nimport rl_lab\nassert 'RLLab/Maze-v0' in gymnasium.registry"
    assert "envs.mazes.env" not in modules_after(code)  # registered, not imported


def test_only_the_adapter_and_one_learner_import_stable_baselines3_and_torch() -> None:
    importers = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported(node)
        if name.split(".")[0] in ("stable_baselines3", "torch")
    }
    adapter = {f"agents/sb3/{name}.py" for name in ("bridge", "model_state", "network", "own_loop", "torch_module")}
    assert importers == adapter | {
        f"agents/deep/{name}.py"
        for name in (
            "equations",
            "onnx_bytes",
            "threads",
            "torch_learner",
            "torch_module",
            "torch_networks",
        )
    }


def test_no_global_randomness_in_the_sources() -> None:
    legacy = re.compile(
        r"np\.random\.(?!default_rng|Generator|PCG64|SeedSequence|get_state|set_state)\w+|^import random", re.M
    )
    found = {path.name: legacy.findall(path.read_text()) for path in SOURCES}
    assert not {name: hits for name, hits in found.items() if hits}


def test_no_agent_has_a_variable_called_done() -> None:
    for path in (ROOT / "agents").rglob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        assert "done" not in names, path


def test_no_module_is_named_like_the_standard_librarys() -> None:
    assert not {path.stem for path in SOURCES} & (set(sys.stdlib_module_names) - {"__init__", "__main__"})


def test_exit_codes_of_help(rl_lab_process: Command) -> None:
    for command in ("demo", "list", "run", "train", "evaluate", "watch", "compare"):
        done = rl_lab_process(command, "--help")
        assert done.returncode == 0
        assert "Example: rl-lab " + command in done.stdout


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module]
    return []
