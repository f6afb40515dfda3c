"""The compare command: numbers, figures and files."""

import json
from collections.abc import Sequence
from pathlib import Path

from experiments.comparison import Comparison, compare_groups
from experiments.curves import write_curves
from experiments.output import check_output
from experiments.results import group_runs
from experiments.sources import read_results


def compare_folders(folders: Sequence[Path], out: Path | None) -> tuple[Comparison, list[Path]]:
    """Compare the runs below some folders; the comparison, and the files written."""
    groups = group_runs(read_results(folders))
    comparison = compare_groups(groups)
    target = out or (folders[0] / "comparison" if len(folders) == 1 else Path("comparison"))
    check_output(target)
    target.mkdir(parents=True, exist_ok=True)
    figures = write_curves(groups, target)
    results = target / "results.json"
    results.write_text(json.dumps(comparison, indent=2) + "\n", encoding="utf-8")
    return comparison, [results, *figures]
