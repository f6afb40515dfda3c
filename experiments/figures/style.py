"""The one style of all figures, and the one way to save them."""

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import InputError
from experiments.files import check_replaceable, replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours and an eighth, told apart with every kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
CEILING: Any = {"color": "#666666", "linestyle": (0, (5, 3)), "linewidth": 1.2}  # a line at what is known
FLOOR: Any = {"color": "#AAAAAA", "linestyle": (0, (1, 2)), "linewidth": 1.2}
TITLE: Any = {"fontsize": 12, "fontweight": "bold"}
DETAIL: Any = {"fontsize": 9, "color": "#555555"}  # small print
BAND_ALPHA = 0.15  # of an interval around a line
MOST_LINES = 24  # agents that can be told apart in a figure of curves
DOTS_PER_INCH = 130  # of PNGs
SAVED_WITH: dict[str, Any] = {  # the formats, and what they are saved with: no dates
    "png": {"dpi": DOTS_PER_INCH, "metadata": {"Software": None}},
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
}
FORMATS = ("png", "svg")  # if nothing else is asked for

RC: Any = {
    "svg.hashsalt": "rl-lab",  # the same picture is the same bytes
    "pdf.fonttype": 42,  # text stays text, as journals want it
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.handlelength": 2.8,  # ems: room for a whole dash pattern
}


@dataclass(frozen=True)
class Look:
    """How an agent is drawn, the same in every figure."""

    colour: str
    dash: str
    marker: str

    @property
    def line(self) -> dict[str, Any]:
        """The look of its line, as matplotlib's arguments; dashes lie on whole lines, so that both are seen."""
        return {"color": self.colour, "linestyle": self.dash, "zorder": 2 + DASHES.index(self.dash) / len(DASHES)}


def look(index: int) -> Look:
    """The look of agent number `index`: neighbours differ in colour, dashes and marker; 32 have a line of their own."""
    again = index // len(COLOURS)  # the second eight have the same colours with other dashes
    return Look(COLOURS[index % len(COLOURS)], DASHES[(index + again) % len(DASHES)], MARKERS[index % len(MARKERS)])


def check_formats(text: str) -> tuple[str, ...]:
    """The formats in a list such as "png,svg,pdf".

    Raises:
        InputError: one is none of these.
    """
    formats = tuple(dict.fromkeys(part.strip().lower().removeprefix(".") for part in text.split(",")))
    for one in formats:
        if one not in SAVED_WITH:
            raise InputError(f"--formats: expected {', '.join(SAVED_WITH)}, separated by commas, got {text!r}")
    return formats


def make_figure(size: tuple[float, float], draw: Callable[["Figure"], None]) -> "Figure":
    """A figure in the style, drawn.

    Args:
        size: width and height in inches.
        draw: puts everything into the empty figure.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(RC):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
    return figure


def save_figure(
    path: Path, size: tuple[float, float], draw: Callable[["Figure"], None], formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Draw a figure in the style and write it in some formats: the same drawing gives the same bytes.

    Args:
        path: of the files, whose suffixes are added.
        size: width and height in inches.
        draw: puts everything into the empty figure.
        formats: of `SAVED_WITH`.
    """
    import matplotlib

    files = [path.with_name(f"{path.name}.{one}") for one in formats]
    with matplotlib.rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # a script that no font here has
        figure = make_figure(size, draw)
        for file, one in zip(files, formats, strict=True):
            written = io.BytesIO()
            figure.savefig(written, format=one, **SAVED_WITH[one])
            replace_file(file, written.getvalue())
    return files


def save_as(figure: "Figure", path: Path) -> None:
    """Write a figure in the format of the file's ending.

    Raises:
        InputError: its ending is none of `SAVED_WITH`, or something else is there.
    """
    import matplotlib

    kind = path.suffix.lower().removeprefix(".")
    if kind not in SAVED_WITH:
        raise InputError(f"{path}: expected a file that ends in .{', .'.join(SAVED_WITH)}, got {path.suffix!r}")
    check_replaceable(path)
    written = io.BytesIO()
    with matplotlib.rc_context(RC):
        figure.savefig(written, format=kind, **SAVED_WITH[kind])
    replace_file(path, written.getvalue())


def svg_text(figure: "Figure") -> str:
    """A figure as the text of an SVG file."""
    import matplotlib

    written = io.BytesIO()
    with matplotlib.rc_context(RC):
        figure.savefig(written, format="svg", **SAVED_WITH["svg"])
    return written.getvalue().decode()
