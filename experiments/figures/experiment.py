"""What is drawn when an experiment has been run: its learning curves, or the figure that its spec asks for."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.errors import InputError
from experiments.figures.learning_curves import write_curves
from experiments.figures.spec_figure import write_figure
from experiments.results.groups import group_runs
from experiments.results.stored_run import StoredRun, read_runs
from experiments.runs.run_folder import find_runs
from experiments.specs.figure import Figure
from experiments.specs.labels import folder_name
from experiments.specs.spec import RunSpec


def draw_experiment(
    run_specs: Sequence[RunSpec], out: Path, figure: Figure | None, known: Mapping[Path, StoredRun]
) -> list[Path]:
    """Draw the figure that a spec asks for, else the learning curves; the files. `known` runs are not read again."""
    if figure is None:
        return _draw_curves(run_specs, out, known)
    return write_figure(
        figure, out / folder_name(run_specs[0].experiment), [run_spec.agent.label for run_spec in run_specs]
    )


def _draw_curves(run_specs: Sequence[RunSpec], out: Path, known: Mapping[Path, StoredRun]) -> list[Path]:
    """The learning curves of the environments that were trained in, with all the agents that are there."""
    figures: list[Path] = []
    for experiment, env in dict.fromkeys((run_spec.experiment, run_spec.env.label) for run_spec in run_specs):
        folder = out / folder_name(experiment)
        if not (folder / folder_name(env)).is_dir():  # moved away while its runs were trained
            continue
        runs = read_runs([folder / folder_name(env)], skip_damaged=True, known=known)
        try:
            figures += write_curves(group_runs(run.results() for run in runs), folder, _agents_in(folder), follow=True)
        except InputError:  # a neighbour of long ago is damaged: what was trained now is on disk all the same
            mine = {(out / run_spec.folder).resolve() for run_spec in run_specs}
            runs = [run for run in runs if run.folder.path.resolve() in mine]
            figures += write_curves(group_runs(run.results() for run in runs), folder, _agents_in(folder), follow=True)
    return figures


def _agents_in(experiment: Path) -> list[str]:
    """The labels of all agents of an experiment, in the order in which comparing meets them: it numbers their looks."""
    return list(dict.fromkeys(run.path.parent.name for run in find_runs(experiment)))
