"""What `rl-lab show` and `rl-lab watch --explain` print: tables of values, and how one changes."""

import sys
from collections.abc import Sequence

import numpy as np

from experiments.errors import shown
from experiments.files import csv_bytes
from rl_lab.show.explain import Explanation, Lesson
from rl_lab.show.value_table import ValueTable
from rl_lab.text.console import console
from rl_lab.text.tables import table

MOST_ROWS = 1_000  # that are printed
MOST_PLACES = 3  # columns that say which state a row is; of more, the numbers of the bins
MOST_LESSONS = 200  # that are printed


def print_values(values: ValueTable) -> None:
    """The table, a row a state."""
    out = console()
    out.print(values.title, markup=False)
    as_bins = values.bins is not None and len(values.places) > MOST_PLACES
    places = ["bins"] if as_bins else values.places
    has_best = len(values.actions) > 1
    actions = [name.replace(" ", "\n") for name in values.actions]
    made = table("", [*places[1:], *actions], first=places[0])
    made.columns[0].no_wrap = True
    if has_best:
        made.add_column("best", overflow="fold")
    digits = _digits(values)
    for row, state in enumerate(values.states[:MOST_ROWS]):
        place = [values.bins[row]] if as_bins and values.bins is not None else state
        numbers = ["-" if np.isnan(one) else f"{one:.{digits}f}" for one in values.values[row]]
        made.add_row(*place, *numbers, *([values.best(row)] if has_best else []))
    out.print(made)
    if len(values.states) > MOST_ROWS:
        out.print(f"and {len(values.states) - MOST_ROWS:,} more rows: --csv has all")
    if as_bins:
        out.print("bins: the number of the bin in each dimension, from 0; --csv has their edges", style="dim")
    if values.unknown:
        out.print(f"{values.unknown:,} states are as before a first visit: they have no row", style="dim")


def print_values_as_csv(values: ValueTable) -> None:
    """The same as CSV, with every digit and every row."""
    best = ["best"] * (len(values.actions) > 1)
    rows = [[*values.places, *values.actions, *best]]
    for row, state in enumerate(values.states):
        rows.append([*state, *values.values[row].tolist(), *([values.best(row)] if best else [])])
    sys.stdout.write(csv_bytes(rows).decode())


def print_explanation(explanation: Explanation) -> None:
    """A line a step: what was known, what came, and what is known now."""
    out = console()
    out.print(f"{explanation.title}\n{explanation.rule}\n", markup=False)
    for number, lessons in enumerate(explanation.episodes, start=1):
        if len(explanation.episodes) > 1:
            out.print(f"episode {number}")
        out.print(_lessons(lessons[:MOST_LESSONS], explanation.next_value))
        if len(lessons) > MOST_LESSONS:
            out.print(f"and {len(lessons) - MOST_LESSONS:,} more steps")
        out.print(f"episode {lessons[-1].ended}: {len(lessons)} steps, return {sum(one.reward for one in lessons):.4g}")
    out.print("The values changed in a copy: the run stays as it is.", style="dim")


def _lessons(lessons: Sequence[Lesson], next_value: str) -> object:
    made = table("", ["state", "action", "old Q", "reward", next_value, "target", "new Q"], first="step")
    made.columns[0].no_wrap = made.columns[1].no_wrap = True
    made.padding = (0, 1, 0, 0)
    for step, lesson in enumerate(lessons, start=1):
        following = "(end)" if lesson.next_value is None else f"{lesson.next_value:.3f}"
        numbers = (f"{lesson.old:.3f}", f"{lesson.reward:.3g}", following, f"{lesson.target:.3f}", f"{lesson.new:.3f}")
        made.add_row(str(step), shown(lesson.state), shown(lesson.action), *numbers)
    return made


def _digits(values: ValueTable) -> int:
    known = values.values[np.isfinite(values.values)]
    return 2 if known.size and np.abs(known).max() >= 100 else 3
