"""Where results come from: run folders, and files of other libraries."""

from collections.abc import Sequence
from pathlib import Path

from experiments.results import foreign
from experiments.results.bundled_results import bundled_runs
from experiments.results.given_scales import Scales, with_scales
from experiments.results.groups import Groups, group_runs
from experiments.results.run_result import RunResult
from experiments.results.stored_run import read_runs
from experiments.runs.archive import unpacked


def read_groups(
    places: Sequence[Path], against: Sequence[str] = (), scales: Scales | None = None, *, normalised: bool = False
) -> Groups:
    """The runs at these places, and the bundled results of suites beside them, by environment and agent.

    Args:
        places: folders and files with results.
        against: suites whose bundled results join in.
        scales: of the scores, by the environments' labels, where these are given here.
        normalised: all other scores are normalised already.

    Raises:
        InputError: a place is missing or damaged, or there is no run; or its runs cannot be compared.
    """
    mine = read_results(places)
    runs = [*mine, *bundled_runs(mine, against)]
    return group_runs(with_scales(runs, scales, normalised=normalised))


def read_results(places: Sequence[Path]) -> list[RunResult]:
    """Every run at these places: files, and folders with runs of ours or of stable-baselines3.

    Raises:
        InputError: a place is missing or damaged, or there is no run.
    """
    results: list[RunResult] = []
    for place in map(unpacked, places):
        if place.is_file() and place.suffix in (".csv", ".json", ".npz"):
            results += foreign.read_file(place)
            continue
        others = foreign.read_folder(place) if place.is_dir() else []
        runs = read_runs([place], may_be_empty=bool(others))
        results += [run.results() for run in runs] + others
    # A folder may be given twice, or inside another.
    unique = {str(run.folder.path.resolve()) if run.folder else run.place: run for run in results}
    return list(unique.values())
