"""Speeds for the terminal."""

from collections.abc import Sequence

from experiments.speed.measuring import Comparison


def print_speeds(comparisons: Sequence[Comparison], rounds: int) -> None:
    """Speeds, each with what it is compared to."""
    for one in comparisons:
        print(f"{one.name}: {one.speed:,.0f} {one.unit}")
        print(f"  {one.ratio:.3g} x [{one.lowest:.3g}, {one.highest:.3g}] {one.baseline_name} ({one.baseline:,.0f})")
    print(f"Medians of {rounds} rounds [lowest, highest]; in each, both sides take turns on one core.")
