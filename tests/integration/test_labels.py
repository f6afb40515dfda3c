"""Labels of environments and agents, and the folders that are named after them."""

import json
from pathlib import Path

import pytest

from experiments.errors import InputError
from experiments.specs.labels import check_label, folder_name
from tests.conftest import Command

# -- labels -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "folder"),
    [
        ("RLLab-Maze-v0", "RLLab-Maze-v0"),
        ("labyrinthe à clés", "labyrinthe à clés"),
        ("甲", "甲"),
        ("a+b=c", "a+b=c"),
        ("con", "con-8deedaf6"),
        ("nul.txt", None),
        ("a, b (c)", None),
        ("ends with a dot.", None),
        ("report.html", None),
        ("é" * 150, None),
        ("e\u0301", None),  # the same letter in two ways has two folders, and on no file system the same one
    ],
)
def test_folders_of_labels(label: str, folder: str | None) -> None:
    check_label("name", label)
    name = folder_name(label)
    assert name == folder or (folder is None and name != label) or label == "con"
    assert len(name.encode()) <= 140
    assert Path(name).name == name
    assert folder_name(name) == name


@pytest.mark.parametrize(
    "label", ["", " ", ".", "..", "-x", "../x", "a/b", "a\\b", "a:b", "a\nb", "a\x1bb", "[x]", "<b>", "x" * 201]
)
def test_labels_that_are_none(label: str) -> None:
    with pytest.raises(InputError, match="name: expected a plain name"):
        check_label("name", label)


def test_two_names_are_two_whatever_their_script(rl_lab: Command, tmp_path: Path) -> None:
    lines = ['name = "écoles"', "steps = 50", "[evaluation]", "final_episodes = 2"]
    lines += ["[[envs]]", 'id = "RLLab/Maze-v0"', 'name = "迷宫"']
    for name in ("甲", "乙", "a, b"):
        lines += ["[[agents]]", 'id = "random"', f'name = "{name}"']
    (tmp_path / "s.toml").write_text("\n".join(lines))
    assert rl_lab("run", "s.toml").returncode == 0
    values = json.loads(rl_lab("compare", "runs/écoles", "--json", "--no-report", "--save-scores", "kept.json").stdout)
    assert [(one["env"], one["agent"]) for one in values] == [("迷宫", name) for name in ("a, b", "乙", "甲")]
    again = json.loads(rl_lab("compare", "kept.json", "--json", "--no-report").stdout)
    assert {one["agent"] for one in again} == {"a, b", "乙", "甲"}
