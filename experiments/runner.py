"""Running a whole experiment: check everything, then train what is not finished yet, then draw the curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.registry import find_agent
from experiments.curves import write_curves
from experiments.errors import InputError, unknown
from experiments.evaluation import make_evaluation_env
from experiments.executor import Listener, execute, limit_threads
from experiments.figures import write_figure
from experiments.monitor import scalar_info
from experiments.output import check_folders, check_output, prepare
from experiments.results import group_runs, read_runs
from experiments.run_folder import EPISODES, Manifest, RunFolder
from experiments.spec import Figure, Trial
from experiments.trial import check_trial


@dataclass(frozen=True)
class Outcome:
    """How an experiment went."""

    manifests: list[Manifest]  # of the trials that ran now
    skipped: list[Trial]  # finished before
    longer: int  # of these trained for more than was asked for
    figures: list[Path]

    @property
    def failed(self) -> list[Manifest]:
        """The trials that failed now."""
        return [manifest for manifest in self.manifests if manifest["status"] == "failed"]


def run_trials(
    trials: Sequence[Trial],
    out: Path,
    jobs: int,
    listener: Listener,
    figure: Figure | None = None,
    retries: int = 0,
) -> Outcome:
    """Run the trials of an experiment; finished ones are skipped, others go on where they were stopped.

    With a figure, it stands for the learning curves. A trial that fails is tried again up to `retries` times.

    Raises:
        InputError: something is wrong; nothing has been written then.
    """
    check_output(out)
    settings = {}
    for trial in trials:
        key = (trial.env.model_dump_json(), trial.agent.model_dump_json())
        if key not in settings:
            settings[key] = check_trial(trial)
    check_folders(trials, out)
    if figure is not None:
        _check_columns(figure, trials)
    to_run: list[Trial] = []
    skipped: list[Trial] = []
    for trial in trials:
        fresh = prepare(trial, out, settings[trial.env.model_dump_json(), trial.agent.model_dump_json()])
        (to_run if fresh else skipped).append(trial)
    limit_threads()
    manifests = execute(to_run, out, min(jobs, max(1, len(to_run))), listener, retries)
    longer = sum(RunFolder(out / trial.folder).trial().budget != trial.budget for trial in skipped)
    if figure is None:
        return Outcome(manifests, skipped, longer, _draw_curves(trials, out))
    order = [trial.agent.label for trial in trials]
    return Outcome(manifests, skipped, longer, write_figure(figure, out / trials[0].experiment, order))


def _check_columns(figure: Figure, trials: Sequence[Trial]) -> None:
    """Raise where a figure's column will not be in the log of every run."""
    of_environment: dict[str, list[str]] = {}
    for trial in {(trial.env.label, trial.agent.label): trial for trial in trials}.values():
        if trial.env.label not in of_environment:
            env = make_evaluation_env(trial.env)
            of_environment[trial.env.label] = scalar_info(env)
            env.close()
        columns = [*EPISODES, *find_agent(trial.agent.id).metric_names, *of_environment[trial.env.label]]
        if figure.y not in columns:
            where = f"figure: y: {trial.agent.label} on {trial.env.label}"
            raise InputError(f"{where}: {unknown('column', figure.y, columns)}")


def _draw_curves(trials: Sequence[Trial], out: Path) -> list[Path]:
    """The learning curves of the environments that were trained in, with all the agents that are there."""
    figures: list[Path] = []
    for experiment, env in dict.fromkeys((trial.experiment, trial.env.label) for trial in trials):
        runs = read_runs([out / experiment / env], skip_damaged=True)
        try:
            figures += write_curves(group_runs(run.results() for run in runs), out / experiment)
        except InputError:  # a neighbour of long ago is damaged: what was trained now is on disk all the same
            mine = {(out / trial.folder).resolve() for trial in trials}
            runs = [run for run in runs if run.folder.path.resolve() in mine]
            figures += write_curves(group_runs(run.results() for run in runs), out / experiment)
    return figures
