"""The compare command: reads runs, and writes everything that a comparison is kept in."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.comparison.bootstrap import Estimate
from experiments.comparison.comparison import Comparison, compare_groups
from experiments.comparison.pair_choice import AUTO
from experiments.errors import InputError, located
from experiments.execution.output import check_output
from experiments.figures.comparison import write_figures
from experiments.figures.learning_curves import write_curves
from experiments.figures.style import FORMATS
from experiments.figures.time_curves import write_time_curves
from experiments.files import csv_bytes, make_folder, open_regular, replace_file
from experiments.results.given_scales import Scales
from experiments.results.groups import Groups
from experiments.results.reading import read_groups
from experiments.results.score_file import check_scores_path, write_scores
from experiments.specs.labels import folder_name
from rl_lab.report.latex import latex_table
from rl_lab.report.page import write_report

RESULTS, SCORES, SUMMARY, LATEX, REPORT = "results.json", "scores.csv", "summary.csv", "table.tex", "report.html"
BEGINNINGS = {  # by which the lab's own files are known, of this version and of those before
    RESULTS: '{\n  "records":',
    SCORES: "env,agent,seed,score,normalised",
    SUMMARY: "env,agent,runs_planned,",
    LATEX: "% \\usepackage{booktabs}\n\\begin{tabular}",
    REPORT: '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" '
    'content="width=device-width, initial-scale=1">\n<title>Comparison: ',
}
GENERATOR = '<meta name="generator" content="RL Lab">'


def compare_folders(
    places: Sequence[Path],
    out: Path | None = None,
    *,
    against: Sequence[str] = (),
    pairs: str = AUTO,
    scales: Scales | None = None,
    normalised: bool = False,
    save_scores: Path | None = None,
    report: bool = True,
    videos: bool | None = None,
    tensorboard: bool = False,
    formats: Sequence[str] = FORMATS,
    trust_code: bool = False,
    on_compared: Callable[[Comparison], None] = lambda comparison: None,
) -> tuple[Comparison, list[Path]]:
    """Compare the runs at some places; the comparison, and the files written.

    Args:
        places: folders and files with results.
        out: where everything goes; `comparison/`, inside the place if it is one folder.
        against: suites whose bundled results join in, on the environments that are there.
        pairs: which pairs of agents are tested (see `compare_groups`).
        scales: of the scores, by the environments' labels, instead of those that the runs know.
        normalised: the scores of all other environments are normalised already.
        save_scores: a file for every run's score.
        report: write report.html.
        videos: with videos of median runs in it; if not given, of those that need no `module:Class` imported.
        tensorboard: write TensorBoard's event files too.
        formats: of the figures; the report needs SVG, which is written with it in any case.
        trust_code: for videos, import code that this user has not run here, too.
        on_compared: hears of the comparison before figures and videos are made, which takes longer.

    Raises:
        InputError: something is wrong with what is read, or nothing can be written.
    """
    target = out or _target(places)
    check_output(target)
    _check_replaceable(target, places)
    if save_scores is not None:
        with located("--save-scores"):
            check_scores_path(save_scores)
    groups = read_groups(places, against, scales, normalised=normalised)
    comparison = compare_groups(groups, pairs)
    _make_target(target, ours=out is None)
    replace_file(
        target / RESULTS, (json.dumps(comparison.to_json(), indent=2, allow_nan=False) + "\n").encode(), sync=True
    )
    written = [target / RESULTS, *_write_tables(comparison, target)]
    if save_scores is not None:
        name = save_scores.name.removesuffix(save_scores.suffix)
        write_scores(groups, save_scores, name, _commands(groups))
        written.append(save_scores)
    gone = _tell(on_compared, comparison)
    formats = tuple(dict.fromkeys([*formats, *["svg"] * report]))
    written += [*write_curves(groups, target, formats=formats), *write_time_curves(groups, target, formats)]
    written += write_figures(comparison, target, formats)
    if tensorboard:
        written.append(_write_tensorboard(groups, target))
    if report:
        written.append(write_report(target / REPORT, comparison, groups, videos=videos, trust_code=trust_code))
    if gone is not None:
        raise gone
    return comparison, written


def _tell(on_compared: Callable[[Comparison], None], comparison: Comparison) -> BrokenPipeError | None:
    """Tell of the comparison; the error, if who reads what is printed has gone: the files are written all the same."""
    try:
        on_compared(comparison)
        sys.stdout.flush()
    except BrokenPipeError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error
    return None


def _make_target(target: Path, *, ours: bool) -> None:
    """Make the folder of a comparison. Its own name may be a link where the user gave it, not where we chose it."""
    if ours:
        make_folder(target.parent, target.name)
    else:
        target.mkdir(parents=True, exist_ok=True)


def _check_replaceable(target: Path, places: Sequence[Path]) -> None:
    """Raise where writing a comparison would replace something else than an earlier one.

    Raises:
        InputError: what is read lies where something is to be written, or a file there is not the lab's.
    """
    files = [target / name for name in (RESULTS, SCORES, SUMMARY, LATEX, REPORT)]
    for place in places:
        if place.is_file() and place.resolve() in {file.resolve() for file in files}:
            raise InputError(f"--out {target}: {place} is compared, and would be replaced: expected another folder")
    for file in files:
        if (file.exists() or file.is_symlink()) and not _is_ours(file):
            raise InputError(f"{file}: is there, and no comparison of the lab's wrote it: expected another --out")


def _is_ours(file: Path) -> bool:
    """Does a file begin as ours of that name do?"""
    try:
        with open_regular(file, follow=False) as opened:
            begin = opened.read(400).decode("utf-8", errors="replace")
    except OSError:
        return False
    return begin.startswith(BEGINNINGS[file.name]) or (file.name == REPORT and GENERATOR in begin)


def _target(places: Sequence[Path]) -> Path:
    """Where a comparison goes if nothing else is said."""
    if len(places) > 1:
        return Path("comparison")
    return places[0] / "comparison" if places[0].is_dir() else Path(f"{places[0].stem}-comparison")


def _commands(groups: Groups) -> str:
    """The commands that made the runs of ours."""
    commands = [run.made_with.command for runs in groups.values() for run in runs if run.manifest is not None]
    return "; ".join(dict.fromkeys(commands)) or shlex.join(["rl-lab", *sys.argv[1:]])


def _write_tables(comparison: Comparison, target: Path) -> list[Path]:
    """A row a run, a row an agent in an environment, and a table for a paper."""
    runs: list[list[Any]] = [["env", "agent", "seed", "score", "normalised", "env_steps", "seconds"]]
    rows: list[list[Any]] = [
        ["env", "agent", "runs_planned", "runs_finished", "runs_failed", "mean", "iqm", "low", "high", "min", "max",
         "normalised_iqm", "normalised_low", "normalised_high", "area", "area_low", "area_high"]
    ]  # fmt: skip
    for one in comparison.summaries:
        normalised = one.normalised.scores if one.normalised else [None] * len(one.scores)
        columns = (one.seeds, one.scores, normalised, one.env_steps, one.seconds)
        runs += [[one.env, one.agent, *values] for values in zip(*columns, strict=True)]
        rows.append(
            [one.env, one.agent, one.runs_planned, one.runs_finished, one.runs_failed, one.mean, *_cells(one.iqm),
             one.lowest, one.highest, *_cells(one.normalised.iqm if one.normalised else None),
             *_cells(one.area.mean_height if one.area else None)]
        )  # fmt: skip
    for path, values in ((target / SCORES, runs), (target / SUMMARY, rows)):
        replace_file(path, csv_bytes(values))
    replace_file(target / LATEX, latex_table(comparison).encode())
    return [target / SCORES, target / SUMMARY, target / LATEX]


def _cells(estimate: Estimate | None) -> list[float | None]:
    """An estimate and the ends of its interval."""
    return [None] * 3 if estimate is None else [estimate.value, *(estimate.ends or (None, None))]


def _write_tensorboard(groups: Groups, target: Path) -> Path:
    from experiments.results.tensorboard import write_events

    folder = target / "tensorboard"
    for (env, agent), runs in groups.items():
        for run in runs:
            write_events(run, folder / folder_name(env) / folder_name(agent) / f"seed-{run.seed}")
    return folder
