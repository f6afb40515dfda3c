"""Searches that cannot be: each is told in a line."""

from pathlib import Path
from typing import Any

import pytest

from experiments.errors import InputError
from tests.conftest import Command
from tests.searches import MAZE, RATES, searched, spec


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ({"learning_rate": {"low": 1.0, "high": 0.5}}, "low below high, got 1.0 and 0.5"),
        ({"learning_rate": {"low": 0.0, "high": 0.5, "log": True}}, "low above 0 where log = true, got 0.0"),
        ({"learning_rate": {"low": 0.1, "high": 2.0}}, "learning_rate: expected less than or equal to 1"),
        ({"learning_rate": {"low": 0.1}}, "agents.0.learning_rate.high: expected a value, got nothing"),
        ({"learning_rate": {"low": "a", "high": 1}}, "agents.0.learning_rate.low: expected a number, got 'a'"),
        (
            {"learning_rate": {"lo": 0.1, "high": 1.0}},
            "unknown key 'agents.0.learning_rate.lo' (did you mean 'low'?); expected one of: high, log, low, step",
        ),
        ({"learning_rate": {"choices": []}}, "agents.0.learning_rate.choices: expected at least 2 items, got []"),
        ({"learning_rate": {"choices": [0.1]}}, "at least 2 items"),
        ({"learning_rate": {"choices": [0.5, 0.1, 0.5]}}, "different values, got 0.5 twice"),
        ({"id": "dyna_q", "planning_steps": {"low": 1, "high": 9, "step": 0.5}}, "expected a whole step, got 0.5"),
        ({"learning_rate": {"choices": [0.1, "fast"]}}, "learning_rate: expected a valid number"),
        (
            {"learning_rats": {"low": 0.1, "high": 0.2}},
            "unknown setting 'learning_rats'",
        ),
        ({"space": {"discount": RATES}, "discount": 0.5}, "discount: expected a value or a range, got both"),
    ],
)
def test_wrong_spaces_are_told_in_a_line(agent: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        spec(agent=agent)
    assert expected in str(caught.value)
    assert str(caught.value).count(", got ") <= 1


def test_environments_have_no_ranges() -> None:
    with pytest.raises(InputError, match="envs: m: slip: expected a value, got a range, as agents' settings have"):
        spec(envs=[MAZE | {"slip": {"low": 0.0, "high": 0.5}}])


SEARCHED = """
name = "s"
steps = 100
envs = [{ id = "RLLab/Maze-v0" }]
agents = [{ id = "q_learning", learning_rate = { low = 0.1, high = 0.5 } }]
"""


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "s-tuning").mkdir()
    (tmp_path / "elsewhere").touch()
    (tmp_path / "s-tuning" / "study.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"study.db: expected a file, got a link"):
        searched(tmp_path)
    assert not (tmp_path / "elsewhere").read_bytes()


def test_wrong_searches_end_with_a_line(rl_lab: Command, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(SEARCHED)
    for arguments, expected in (
        (("run", "s.toml"), "agents: q_learning: learning_rate: expected a value, got a range (for rl-lab tune)"),
        (
            ("tune", "s.toml", "--sampler", "best"),
            "tuning.sampler: expected 'tpe', 'random', 'grid' or 'cma', got 'best'",
        ),
        (("tune", "s.toml", "--storage", "nonsense"), "--storage nonsense: "),
        (("tune", "s.toml", "--storage", "postgresql://h:abc/x"), "cannot be opened"),
        (("tune", "s.toml", "--storage", "sqlite:///"), "expected a file, got a database in memory"),
        (
            ("tune", "s.toml", "--storage", "postgresql+psycopg://u:secret@127.0.0.1:1/x"),
            "--storage postgresql+psycopg://u@127.0.0.1:1/x",
        ),
        (("tune", "s.toml", "--agent", "nobody"), "unknown agent 'nobody'"),
        (("tune", "s.toml", "--only", "moon"), "--only: unknown environment 'moon'"),
    ):
        found = rl_lab(*arguments)
        assert found.returncode == 2, found
        assert expected in found.stderr
        assert "secret" not in found.stderr
        assert len(found.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "a" * 196}, "name: expected a plain name"),
        ({"agent": {"name": "a" * 198}}, "name: expected a plain name"),
        (
            {"tuning": {"sampler": "grid", "grid_points": 1000}, "agent": {"discount": RATES, "epsilon": RATES}},
            "a grid of",
        ),
    ],
)
def test_searches_that_are_too_large_are_told_in_a_line(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        searched(tmp_path, spec(**changes))


def test_two_commands_do_not_search_in_one_folder(tmp_path: Path) -> None:
    from filelock import FileLock

    (tmp_path / "s-tuning").mkdir()
    with FileLock(tmp_path / "s-tuning" / ".lock"), pytest.raises(InputError, match="another process is searching"):
        searched(tmp_path)
