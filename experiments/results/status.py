"""How an experiment stands: what is done, running, failed and to do, and how long the rest takes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from experiments.errors import InputError
from experiments.results.stored_run import StoredRun, read_runs
from experiments.runs.archive import unpacked
from experiments.specs.spec import MOST_UNITS

STATES = ("finished", "running", "pruned", "stopped", "failed", "damaged", "pending")


@dataclass(frozen=True)
class RunStatus:
    """One run.

    `pruned`: a search has stopped it, since others were ahead; `stopped`: its process was interrupted or killed, and
    the same command goes on with it.
    """

    run: str
    state: str  # one of STATES
    share: float  # of its budget, 0 to 1
    env_step: int
    seconds: float  # so far
    error: str | None
    retries: int  # attempts that failed before the last


@dataclass(frozen=True)
class ExperimentStatus:
    """All of them."""

    folder: str
    runs: list[RunStatus] = field(default_factory=list)
    seconds_left: float | None = None  # with as many runs at once as are running now; None: not known yet

    def of(self, state: str) -> list[RunStatus]:
        """The runs in a state."""
        return [run for run in self.runs if run.state == state]


def experiment_status(folder: Path) -> ExperimentStatus:
    """Read the run folders below a folder.

    Raises:
        InputError: there is no run.
    """
    damaged: dict[Path, InputError] = {}
    runs = read_runs([unpacked(folder)], damaged=damaged)
    statuses = [run_status(run) for run in runs]
    is_search = any(run.run_spec.evaluation.purpose == "tuning" for run in runs)  # what is to come is not there yet
    seconds_left = None if is_search else _seconds_left(runs, statuses)
    statuses += [RunStatus(str(path), "damaged", 0.0, 0, 0.0, str(error), 0) for path, error in damaged.items()]
    return ExperimentStatus(str(folder), statuses, seconds_left)


def run_status(run: StoredRun) -> RunStatus:
    """How a run stands."""
    manifest = run.manifest
    state: str = manifest.status
    if state != "finished" and run.folder.is_written():
        state = "running"  # it may have begun a moment ago
    elif state in ("running", "interrupted"):
        state = "pruned" if manifest.pruned else "stopped"
    env_step, episodes, seconds = _last_timing(run)
    if state == "finished":
        share = 1.0
    elif run.run_spec.budget.steps is not None:
        share = env_step / run.run_spec.budget.steps
    else:
        share = episodes / (run.run_spec.budget.episodes or 1)
    path, share = str(run.folder.path), min(share, 1.0)
    return RunStatus(path, state, share, env_step, seconds, manifest.error, manifest.retries)


def _last_timing(run: StoredRun) -> tuple[int, int, float]:
    try:
        last = run.folder.last_timing()
        env_step, episodes, seconds = (float(last[name]) for name in ("env_step", "episodes", "seconds"))
        if not all(0 <= number < MOST_UNITS for number in (env_step, episodes, seconds)):
            raise ValueError("expected times and counts")
        return int(env_step), int(episodes), seconds
    except (InputError, LookupError, ValueError):
        return 0, 0, 0.0


def _seconds_left(runs: list[StoredRun], statuses: list[RunStatus]) -> float | None:
    """Each run takes as long as others of its kind took, or as its own pace tells."""
    known: dict[tuple[str, str], list[float]] = {}
    for run, status in zip(runs, statuses, strict=True):
        if status.share > 0.05:  # a pace of less tells little
            known.setdefault(_kind(run), []).append(status.seconds / status.share)
    everything = [seconds for some in known.values() for seconds in some]
    if not everything:
        return None
    left = 0.0
    for run, status in zip(runs, statuses, strict=True):
        if status.state in ("running", "stopped", "pending"):
            left += (1 - status.share) * _mean(known.get(_kind(run), everything))
    return left / max(1, sum(status.state == "running" for status in statuses))


def _kind(run: StoredRun) -> tuple[str, str]:
    return run.run_spec.env.label, run.run_spec.agent.label


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)
