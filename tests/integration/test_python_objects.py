"""From Python: results with tables, pictures for notebooks, one spelling for options, errors in a line."""

import json
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import pytest

import rl_lab
from experiments.errors import InputError

MAZE = {"layout": "#######\n#S   E#\n#######"}


@pytest.fixture
def trained(tmp_path: Path) -> Any:
    for agent in ("q_learning", "random"):
        result = rl_lab.train("RLLab/Maze-v0", agent, steps=300, out=tmp_path / "runs", env_options=MAZE,
                              settings={"learning_rate": 1.0} if agent == "q_learning" else {},
                              evaluation={"final_episodes": 5, "episodes": 2})  # fmt: skip
        if agent == "q_learning":
            first = result
    return first


def test_options_are_spelled_alike_everywhere(trained: Any, tmp_path: Path) -> None:
    assert json.loads((trained.folder / "run.json").read_text())["trial"]["agent"]["settings"] == {"learning_rate": 1.0}
    assert rl_lab.evaluate(trained["run"], env_options={"slip": 0.0})["mean_return"] == -2.0
    assert rl_lab.draw("RLLab/Maze-v0", env_options=MAZE)
    with pytest.raises(InputError, match="env_options: expected none beside an object, which has its own, got 'rows'"):
        rl_lab.train(rl_lab.make_env("RLLab/Maze-v0"), "random", env_options={"rows": 3}, out=tmp_path)
    with pytest.raises(InputError, match="unknown option 'row'"):
        rl_lab.train("RLLab/Maze-v0", "random", env_options={"row": 3}, out=tmp_path)


def test_results_are_dictionaries_with_tables(trained: Any, tmp_path: Path) -> None:
    assert json.loads(json.dumps(trained))["status"] == "finished"
    assert len(trained.training) == trained["episodes"]
    assert list(trained.curve.columns) == ["env_step", "return"]
    assert trained.curve["return"].iloc[-1] == -2.0
    assert len(trained.evaluations) == 11 * 2 + 5
    evaluated = rl_lab.evaluate(trained["run"])
    assert evaluated.frame["return"].tolist() == [-2.0] * 5
    comparison = rl_lab.compare(tmp_path / "runs")
    assert json.loads(json.dumps(comparison))["records"]
    assert comparison.frame["of_scale"].tolist()[0] == 1.0
    assert comparison.pairs["verdict"].tolist() == ["too few seeds"]
    assert comparison.verdicts[0].startswith("too few seeds")
    for one in (trained, evaluated, comparison):
        assert "<table" in one._repr_html_()


def test_pictures_for_notebooks(trained: Any, tmp_path: Path) -> None:
    picture = rl_lab.draw(trained["run"], tmp_path / "maze.svg", overlay="q_values")
    assert (tmp_path / "maze.svg").read_text() == picture._repr_svg_()
    assert str(picture).startswith("┌")
    assert picture.save(tmp_path / "maze.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match=r"expected a file that ends in \.svg, \.png, \.txt, got '\.gif'"):
        picture.save(tmp_path / "maze.gif")
    curves = rl_lab.plot(tmp_path / "runs")
    assert xml.etree.ElementTree.fromstring(curves._repr_svg_()).tag.endswith("svg")
    assert curves.save(tmp_path / "curves.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(InputError, match="unknown environment 'maze'"):
        rl_lab.plot(tmp_path / "runs", env="maze")
    rl_lab.train("CartPole-v1", "random", steps=50, out=tmp_path / "runs", evaluation={"final_episodes": 2})
    with pytest.raises(InputError, match="env: expected one of CartPole-v1, RLLab-Maze-v0-"):
        rl_lab.plot(tmp_path / "runs")


def test_a_notebook_shows_an_error_in_a_line() -> None:
    with pytest.raises(InputError) as raised:
        rl_lab.make_env("Maze")
    assert raised.value._render_traceback_() == [f"InputError: {raised.value}"]
