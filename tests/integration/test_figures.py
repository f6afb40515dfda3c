"""The style of figures: looks that are told apart, files whose bytes are the same, nothing left behind."""

from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from experiments.comparison.comparison import compare_groups
from experiments.evaluation.score_scale import ScoreScale
from experiments.figures.comparison import draw_aggregates, draw_improvement, draw_scores
from experiments.figures.style import COLOURS, DASHES, MARKERS, look, save_figure
from experiments.results.run_result import RunResult


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
