"""Running a whole experiment: check everything, then train what is not finished yet."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents.registry import find_agent
from experiments.errors import InputError, unknown
from experiments.evaluation.rollout import make_evaluation_env
from experiments.execution.executor import Listener, execute, limit_threads
from experiments.execution.output import check_folders, check_output, prepare
from experiments.runs.run_folder import EPISODES, Manifest, RunFolder
from experiments.specs.spec import Figure, RunSpec
from experiments.training.monitor import scalar_info
from experiments.training.train_run import check_run_spec


@dataclass(frozen=True)
class Outcome:
    """How an experiment went."""

    manifests: list[Manifest]  # of the runs that ran now
    skipped: list[RunSpec]  # finished before
    longer: int  # of these trained for more than was asked for
    figures: list[Path] = field(default_factory=list)  # drawn of it

    @property
    def failed(self) -> list[Manifest]:
        """The runs that failed now."""
        return [manifest for manifest in self.manifests if manifest["status"] == "failed"]


def run_experiment(
    run_specs: Sequence[RunSpec],
    out: Path,
    jobs: int,
    listener: Listener,
    figure: Figure | None = None,
    retries: int = 0,
) -> Outcome:
    """Train the runs of an experiment; finished ones are skipped, others go on where they were stopped.

    A run that fails is tried again up to `retries` times. The column that a figure asks for is checked before anything
    is written.

    Raises:
        InputError: something is wrong; nothing has been written then.
    """
    check_output(out)
    settings = {}
    for run_spec in run_specs:
        key = (run_spec.env.model_dump_json(), run_spec.agent.model_dump_json())
        if key not in settings:
            settings[key] = check_run_spec(run_spec)
    check_folders(run_specs, out)
    if figure is not None:
        _check_columns(figure, run_specs)
    to_run: list[RunSpec] = []
    skipped: list[RunSpec] = []
    for run_spec in run_specs:
        fresh = prepare(run_spec, out, settings[run_spec.env.model_dump_json(), run_spec.agent.model_dump_json()])
        (to_run if fresh else skipped).append(run_spec)
    limit_threads()
    manifests = execute(to_run, out, min(jobs, max(1, len(to_run))), listener, retries)
    longer = sum(RunFolder(out / run_spec.folder).run_spec().budget != run_spec.budget for run_spec in skipped)
    return Outcome(manifests, skipped, longer)


def _check_columns(figure: Figure, run_specs: Sequence[RunSpec]) -> None:
    """Raise where a figure's column will not be in the log of every run."""
    of_environment: dict[str, list[str]] = {}
    for run_spec in {(run_spec.env.label, run_spec.agent.label): run_spec for run_spec in run_specs}.values():
        if run_spec.env.label not in of_environment:
            env = make_evaluation_env(run_spec.env)
            of_environment[run_spec.env.label] = scalar_info(env)
            env.close()
        columns = [*EPISODES, *find_agent(run_spec.agent.id).metric_names, *of_environment[run_spec.env.label]]
        if figure.y not in columns:
            where = f"figure: y: {run_spec.agent.label} on {run_spec.env.label}"
            raise InputError(f"{where}: {unknown('column', figure.y, columns)}")
