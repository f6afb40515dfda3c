"""The style of figures: looks that are told apart, files whose bytes are the same, nothing left behind."""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

from experiments.figures.style import COLOURS, DASHES, MARKERS, look, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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

    def draw(figure: "Figure") -> None:
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
