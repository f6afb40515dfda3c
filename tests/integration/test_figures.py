"""The style of figures: looks that are told apart, files whose bytes are the same, nothing left behind."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments.comparison.comparison import compare_groups
from experiments.errors import InputError
from experiments.evaluation.score_scale import ScoreScale
from experiments.figures import time_curves
from experiments.figures.comparison import draw_aggregates, draw_improvement, draw_scores
from experiments.figures.learning_curves import _draw, write_curves
from experiments.figures.style import COLOURS, DASHES, MARKERS, check_formats, look, save_figure
from experiments.results.run_result import RunResult
from experiments.specs.labels import folder_name


def test_agents_are_told_apart() -> None:
    """By colour alone up to eight, with dashes up to 32; neighbours also without any colour."""
    looks = [look(index) for index in range(40)]
    assert len({one.colour for one in looks[:8]}) == len(COLOURS) == len(MARKERS) == 8
    assert len({(one.colour, one.dash) for one in looks[:32]}) == 32
    assert looks[32] == looks[0]
    for one, following in pairwise(looks):
        assert one.dash != following.dash
        assert one.marker != following.marker


def test_interrupted_lines_lie_on_whole_ones() -> None:
    heights = {one.dash: one.line["zorder"] for one in map(look, range(4))}
    assert set(heights) == set(DASHES)
    assert all(heights["-"] < heights[dash] for dash in DASHES if dash != "-")


def test_the_same_drawing_is_the_same_bytes(tmp_path: Path) -> None:
    """Whatever was drawn before; and matplotlib's settings are as they were."""
    before = dict(mpl.rcParams)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [1, 0], label="a line", **look(1).line)
        axes.fill_between([0, 1], [0, 0], [1, 1], alpha=0.2, hatch="/")  # hatches have ids, which are hashes
        axes.legend()

    first = save_figure(tmp_path / "sarsa-0.9", (3, 2), draw)
    save_figure(tmp_path / "other", (2, 2), lambda figure: None)
    second = save_figure(tmp_path / "again", (3, 2), draw)
    assert [path.name for path in first] == ["sarsa-0.9.png", "sarsa-0.9.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert dict(mpl.rcParams) == before
    svg = first[1].read_text()
    assert not any(word in svg for word in ("dc:date", str(tmp_path)))


def test_agents_stand_in_one_order() -> None:
    """That of the tables, in every figure; equal agents too, and whatever order they come in."""
    scale = ScoreScale(floor=0.0, floor_error=0.0, ceiling=1.0, kind="solved", measure="return")
    means = {"worst": 0.1, "tied": 0.5, "alike": 0.5, "best": 0.9}
    groups = {
        (env, agent): [RunResult(env, agent, seed, "", scores=np.array([mean]), scale=scale) for seed in range(2)]
        for env in ("a", "b")
        for agent, mean in means.items()
    }
    comparison = compare_groups(groups)
    for draw in (draw_aggregates, draw_scores, draw_improvement):
        figure = Figure()
        draw(figure, comparison)
        axes = figure.axes[0]
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert (labels if axes.yaxis_inverted() else labels[::-1]) == ["best", "tied", "alike", "worst"], draw.__name__


def test_every_format_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    def draw(figure: Figure) -> None:
        figure.subplots().plot([0, 1], [1, 0])

    formats = check_formats("pdf, SVG,.png")
    assert formats == ("pdf", "svg", "png")
    one, other = (save_figure(tmp_path / name, (4, 3), draw, formats) for name in ("one", "other"))
    assert [path.suffix for path in one] == [".pdf", ".svg", ".png"]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
    assert one[0].read_bytes().startswith(b"%PDF")
    for wrong in ("png,gif", "", "png,,svg"):
        with pytest.raises(InputError, match="--formats: expected png, svg, pdf, separated by commas, got"):
            check_formats(wrong)


def _runs(agent: str, heights: list[float], env: str = "maze", length: float = 10.0, **known: Any) -> list[RunResult]:
    """Their curves rise from 0 to these heights in eleven points."""
    steps = np.linspace(0.0, length, 11)
    return [
        RunResult(env=env, agent=agent, seed=seed, place="x", scores=np.array([height]), env_steps=int(length),
                  curve=(steps, np.linspace(0.0, height, 11)), training=(steps, np.linspace(0.0, height, 11)), **known)
        for seed, height in enumerate(heights)
    ]  # fmt: skip


def test_a_run_that_would_squash_the_others_is_cut_off_and_said_so() -> None:
    drawn = Figure(layout="constrained")
    _draw(drawn, "maze", {"a": _runs("a", [10.0] * 30 + [-5_000.0])}, ["a"])
    training, evaluation = drawn.axes
    for axes in (training, evaluation):
        low, high = axes.get_ylim()
        assert -10 < low < 0 < 10 <= high < 20
        assert [text.get_text() for text in axes.texts] == ["single runs below are cut off"]
    scaled = Figure(layout="constrained")
    scale = ScoreScale(floor=0.0, floor_error=0.0, ceiling=10.0, kind="solved", measure="return")
    _draw(scaled, "maze", {"a": _runs("a", [10.0] * 3), "b": _runs("b", [-900.0] * 3, curve_scale=scale)}, ["b", "a"])
    assert not [text.get_text() for text in scaled.axes[1].texts]  # the first run's scale is that of the figure
    _draw(scaled := Figure(), "maze", {"b": _runs("b", [-900.0] * 3, curve_scale=scale)}, ["b"])
    assert [text.get_text() for text in scaled.axes[1].texts] == ["curves below are cut off"]
    assert -10 < scaled.axes[1].get_ylim()[0] < 0  # half a scale below its floor, and some room
    sound = Figure(layout="constrained")
    _draw(sound, "maze", {"a": _runs("a", [8.0, 9.0, 10.0, 11.0])}, ["a"])
    assert not sound.axes[0].texts
    assert sound.axes[0].get_ylim()[1] >= 11


def test_an_agent_keeps_its_colour_whatever_its_label(tmp_path: Path) -> None:
    """What a run draws is numbered by the folders that are there, what a comparison draws by labels: they agree."""
    groups = {("maze", "été (1)"): _runs("été (1)", [1.0, 2.0]), ("maze", "b"): _runs("b", [3.0, 4.0])}
    folders = [folder_name("été (1)"), folder_name("b"), "other"]
    assert folders[0] != "été (1)"
    of_run = write_curves(dict(reversed(groups.items())), tmp_path / "run", folders, formats=["svg"])
    of_comparison = write_curves(groups, tmp_path / "comparison", formats=["svg"])
    colours = [re.findall(r"stroke: (#\w{6}); stroke-width: 2.2", path.read_text()) for path in
               (*of_run, *of_comparison)]  # fmt: skip
    assert sorted(colours[0]) == sorted(colours[1])
    assert {COLOURS[0].lower(), COLOURS[1].lower()} == {one.lower() for one in colours[0]}


def test_what_learning_costs_is_drawn_in_steps_and_in_seconds() -> None:
    """A quick agent, one that takes a hundred times its steps, and one that does not learn: a line through both."""
    agents = {
        "quick": _runs("quick", [5.0, 7.0], curve_seconds=np.linspace(0.0, 20.0, 11)),
        "slow": _runs("slow", [9.0], length=1_000.0, curve_seconds=np.linspace(0.0, 40.0, 11)),
        "fixed": [replace(run, curve=(run.curve[0], np.full(11, 4.0))) for run in _runs("fixed", [4.0])],
    }
    figure = Figure()
    time_curves._draw(figure, "maze", agents, list(agents))
    by_steps, by_seconds = figure.axes
    assert (by_steps.get_xscale(), by_seconds.get_xscale()) == ("log", "linear")
    lines = {line.get_label(): line for line in by_seconds.get_lines()}
    assert lines["quick (n = 2)"].get_xdata()[-1] == 20.0  # type: ignore[index]
    assert lines["quick (n = 2)"].get_ydata()[-1] == 6.0  # type: ignore[index]
    assert lines["slow (n = 1)"].get_xdata()[-1] == 40.0  # type: ignore[index]
    assert list(lines["fixed (n = 1)"].get_ydata()) == [4.0, 4.0]  # type: ignore[arg-type]
    quick = next(line for line in by_steps.get_lines() if line.get_label() == "quick (n = 2)")
    assert quick.get_xdata()[0] == 1.0  # type: ignore[index]  # step 0 has no place on a logarithmic axis


def test_it_is_drawn_where_the_seconds_of_two_agents_are_known(tmp_path: Path) -> None:
    timed: dict[str, Any] = {"curve_seconds": np.linspace(0.0, 20.0, 11)}
    groups = {("maze", "a"): _runs("a", [5.0], **timed), ("maze", "b"): _runs("b", [7.0])}
    assert time_curves.write_time_curves(groups, tmp_path, ["svg"]) == []
    groups["maze", "b"] = _runs("b", [7.0], **timed)
    written = time_curves.write_time_curves(groups, tmp_path, ["svg"])
    assert [str(path.relative_to(tmp_path)) for path in written] == ["maze/learning-time.svg"]
