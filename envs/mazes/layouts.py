"""Named layouts from the literature, each with the options that belong to it.

`layout="dyna-maze"` takes one from here; an option that is given beside it goes before the layout's own.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envs.mazes.drawing import from_blocks


@dataclass(frozen=True)
class Layout:
    """A drawing, what goes with it, and where it comes from."""

    drawing: str
    source: str
    options: dict[str, Any] = field(default_factory=dict)


_DYNA = """
.......#E
..#....#.
S.#....#.
..#......
.....#...
.........
"""
_BLOCKING, _BLOCKING_AFTER = "########.", ".########"
_SHORTCUT_AFTER = ".#######."
_WALL_ACROSS = """
........E
.........
.........
{wall}
.........
...S.....
"""
_WINDY = """
..........
..........
..........
S......E..
..........
..........
..........
"""
_CLIFF = """
............
............
............
SOOOOOOOOOOE
"""
_FOUR_ROOMS = """
.....#.....
.....#.....
...........
.....#.....
.....#.....
#.####.....
.....###E##
.....#.....
.....#.....
...........
.....#.....
"""
_TWO_ROADS = """
....
S##.
...E
"""


def _blocks(text: str) -> str:
    return from_blocks(text.replace(".", " "))


LAYOUTS: dict[str, Layout] = {
    "two-roads": Layout(
        _blocks(_TWO_ROADS),
        "the book's two roads to work: 4 moves by the one, 6 by the other; the smallest decision there is",
    ),
    "dyna-maze": Layout(
        _blocks(_DYNA),
        "Sutton & Barto, Example 8.1 and Figure 8.2: shortest path 14; use a discount below 1 (theirs: 0.95)",
        {"reward": "goal"},
    ),
    "blocking-maze": Layout(
        _blocks(_WALL_ACROSS.format(wall=_BLOCKING)),
        "Sutton & Barto, Example 8.2 and Figure 8.4, before step 1,000: shortest path 10",
        {"reward": "goal"},
    ),
    "blocking-maze-after": Layout(
        _blocks(_WALL_ACROSS.format(wall=_BLOCKING_AFTER)),
        "the blocking maze from step 1,000 on: shortest path 16",
        {"reward": "goal"},
    ),
    "shortcut-maze": Layout(
        _blocks(_WALL_ACROSS.format(wall=_BLOCKING_AFTER)),
        "Sutton & Barto, Example 8.3 and Figure 8.5, before step 3,000: shortest path 16",
        {"reward": "goal"},
    ),
    "shortcut-maze-after": Layout(
        _blocks(_WALL_ACROSS.format(wall=_SHORTCUT_AFTER)),
        "the shortcut maze from step 3,000 on: shortest path 10",
        {"reward": "goal"},
    ),
    "windy-gridworld": Layout(
        _blocks(_WINDY),
        "Sutton & Barto, Example 6.5: shortest path 15",
        {"wind": (0, 0, 0, 1, 1, 1, 2, 2, 1, 0)},
    ),
    "cliff-walking": Layout(
        _blocks(_CLIFF),
        "Sutton & Barto, Example 6.6: a step off the cliff costs 100 and leads back to the start; best return -13",
        {"pit_reward": -100.0, "pit_terminates": False},
    ),
    "four-rooms": Layout(
        _blocks(_FOUR_ROOMS),
        "Sutton, Precup & Singh 1999, Figure 2, with the goal in the eastern hallway (their G1)",
        {"reward": "goal"},
    ),
}


def find_layout(name: str) -> Layout:
    """The layout of a name, a drawing, or a file that holds a drawing.

    Raises:
        ValueError: it is none of the three.
    """
    if name in LAYOUTS:
        return LAYOUTS[name]
    if "\n" in name or name.startswith("#"):
        return Layout(name, "a drawing")
    try:
        return Layout(Path(name).read_text(encoding="utf-8-sig"), f"the file {name}")
    except (OSError, ValueError):  # ValueError: not UTF-8, or no path at all
        known = ", ".join(repr(known) for known in LAYOUTS)
        raise ValueError(f"layout: expected {known}, a drawing, or a file that holds a drawing, got {name!r}") from None
