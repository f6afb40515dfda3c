"""Tables for the terminal, and how numbers stand in them."""

from collections.abc import Sequence

from rich.table import Table

from experiments.comparison.bootstrap import Interval
from experiments.comparison.summary import AgentSummary


def table(title: str, headings: Sequence[str], first: str = "agent") -> Table:
    """A plain table; headings are those of the columns after the first."""
    made = Table(
        title=title or None, title_justify="left", title_style="", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    made.add_column(first, overflow="fold")
    for heading in headings:
        made.add_column(heading, justify="right", no_wrap=True)
    return made


def runs_text(summary: AgentSummary) -> str:
    """Such as "2/3 (1 failed)"."""
    asides = [f"{summary.runs_failed} failed"] if summary.runs_failed else []
    asides += [f"{summary.attempts_retried} retried"] if summary.attempts_retried else []
    aside = f" ({', '.join(asides)})" if asides else ""
    return f"{summary.runs_finished}/{summary.runs_planned}{aside}"


def number(value: float | None) -> str:
    """A number to two digits."""
    return "-" if value is None else f"{value:.2f}"


def ends_text(ends: tuple[float, float] | None, digits: int = 2) -> str:
    """Such as "[0.12, 0.34]"."""
    return "-" if ends is None else rf"\[{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]"


def interval_text(interval: Interval | None) -> str:
    """Such as "0.23 [0.12, 0.34]"."""
    return "-" if interval is None else f"{interval.value:.2f} {ends_text(interval.ends)}"
