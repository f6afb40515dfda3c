"""Running a whole experiment: check everything, then train what is not finished yet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents.registry import find_agent, make_agent
from experiments.errors import InputError, located, unknown
from experiments.evaluation.environments import closing, make_evaluation_env
from experiments.evaluation.rollout import evaluate_agent
from experiments.execution.drive import Listener, drive
from experiments.execution.executor import Executor, LocalExecutor, limit_threads
from experiments.execution.output import Output, check_output
from experiments.execution.run_source import RunList
from experiments.results.run_result import Stopping
from experiments.results.stored_run import StoredRun
from experiments.runs.manifest import Manifest
from experiments.runs.run_folder import EPISODES
from experiments.specs.figure import Figure
from experiments.specs.spec import EnvEntry, RunSpec, Spec
from experiments.specs.writing import write_spec
from experiments.training.run_logs import info_columns
from experiments.training.scales import rescale
from experiments.training.train_run import CheckedSpec, check_run_spec


@dataclass(frozen=True)
class Outcome:
    """How an experiment went."""

    manifests: list[Manifest]  # of the runs that were trained now
    skipped: list[StoredRun]  # finished before
    longer: int  # of these trained for more than was asked for
    known: dict[Path, StoredRun]  # runs in the same environments that were there and are as they were, by their folders
    figures: list[Path] = field(default_factory=list)  # drawn of it

    @property
    def failed(self) -> list[Manifest]:
        """The runs that failed now."""
        return [manifest for manifest in self.manifests if manifest.status == "failed"]


def run_experiment(
    run_specs: Sequence[RunSpec],
    out: Path,
    jobs: int,
    listener: Listener,
    figure: Figure | None = None,
    retries: int = 0,
    spec: Spec | None = None,
    stopping: Stopping | None = None,
    make_executor: Callable[[Path, int], Executor] = LocalExecutor,
) -> Outcome:
    """Train the runs of an experiment; finished ones are skipped, others go on where they were stopped.

    A run that fails is tried again up to `retries` times. The column that a figure asks for is checked before anything
    is written. The specification that the runs are of, where there is one, is written beside them. Where seeds are
    added until pairs are decided, `stopping` says with which batch the runs come. `make_executor` says where they run.

    Raises:
        InputError: something is wrong; nothing has been written then.
    """
    check_output(out)
    checked: dict[tuple[str, str], CheckedSpec] = {}
    for run_spec in run_specs:
        if _kind(run_spec) not in checked:
            checked[_kind(run_spec)] = check_run_spec(run_spec)
    output = Output(out, run_specs, [checked[_kind(run_spec)].code for run_spec in run_specs])
    output.check()
    if figure is not None:
        _check_columns(figure, run_specs)
    to_run = [run_spec for run_spec in run_specs if not output.is_finished(run_spec)]
    there = [output.known(run_spec) for run_spec in run_specs if output.is_finished(run_spec)]
    skipped = [run for run in there if run is not None]
    for run_spec in to_run:
        output.enter(run_spec, checked[_kind(run_spec)])
    if stopping is not None:
        for run_spec in run_specs:
            output.stamp(run_spec, stopping)
    if spec is not None:
        write_spec(spec, out)
    in_env = {(out / run_spec.folder).parent.parent: run_spec for run_spec in run_specs}
    for path, run in output.stored.items():  # a scale may have been given, or changed, since they were trained
        rescale(run, in_env[path.parent.parent])
    limit_threads()
    listener.begin(len(to_run))
    executor = make_executor(out, min(jobs, max(1, len(to_run))))
    manifests = drive(RunList(to_run), executor, listener, retries)
    budgets = {out / run_spec.folder: run_spec.budget for run_spec in run_specs}
    longer = sum(run.run_spec.budget != budgets[run.folder.path] for run in skipped)
    trained = {out / run_spec.folder for run_spec in to_run}
    return Outcome(
        manifests, skipped, longer, {path: run for path, run in output.stored.items() if path not in trained}
    )


def _kind(run_spec: RunSpec) -> tuple[str, str]:
    """What runs that differ in their seeds alone have in common."""
    return run_spec.env.model_dump_json(), run_spec.agent.model_dump_json()


def _check_columns(figure: Figure, run_specs: Sequence[RunSpec]) -> None:
    """Raise where a figure's column will not be in the log of every run."""
    of_environment: dict[str, list[str]] = {}
    for run_spec in {(run_spec.env.label, run_spec.agent.label): run_spec for run_spec in run_specs}.values():
        columns = [*EPISODES, *find_agent(run_spec.agent.id).metric_names]
        if figure.y in columns:
            continue
        if run_spec.env.label not in of_environment:
            of_environment[run_spec.env.label] = _reported(run_spec.env)
        columns += of_environment[run_spec.env.label]
        if figure.y not in columns:
            where = f"figure: y: {run_spec.agent.label} on {run_spec.env.label}"
            raise InputError(f"{where}: {unknown('column', figure.y, columns)}")


def _reported(entry: EnvEntry) -> list[str]:
    """What an environment reports at the end of an episode of random actions."""
    with located(f"envs: {entry.id}"), closing(make_evaluation_env(entry)) as env:
        return info_columns(evaluate_agent(make_agent("random", env), env, [0]))
