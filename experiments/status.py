"""How an experiment stands: what is done, running, failed and to do, and how long the rest takes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.errors import InputError
from experiments.results import Run, read_runs
from experiments.run_folder import TIMING

STATES = ("finished", "running", "stopped", "failed", "pending")


@dataclass(frozen=True)
class TrialStatus:
    """One trial. `stopped`: its process was interrupted or killed, and the same command goes on with it."""

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
    trials: list[TrialStatus] = field(default_factory=list)
    seconds_left: float | None = None  # with as many trials at once as are running now; None: not known yet

    def of(self, state: str) -> list[TrialStatus]:
        """The trials in a state."""
        return [trial for trial in self.trials if trial.state == state]


def experiment_status(folder: Path) -> ExperimentStatus:
    """Read the run folders below a folder.

    Raises:
        InputError: there is no run.
    """
    runs = read_runs([folder], skip_damaged=True)
    trials = [_trial_status(run) for run in runs]
    return ExperimentStatus(str(folder), trials, _seconds_left(runs, trials))


def _trial_status(run: Run) -> TrialStatus:
    manifest = run.manifest
    state = manifest["status"]
    if state == "running" and not run.folder.is_locked():
        state = "stopped"
    state = "stopped" if state == "interrupted" else state
    env_step, episodes, seconds = _last_timing(run)
    if state == "finished":
        share = 1.0
    elif run.trial.budget.steps is not None:
        share = env_step / run.trial.budget.steps
    else:
        share = episodes / (run.trial.budget.episodes or 1)
    attempts = manifest.get("attempts", [])
    failed = sum("error" in attempt for attempt in attempts[:-1])
    return TrialStatus(str(run.folder.path), state, min(share, 1.0), env_step, seconds, manifest.get("error"), failed)


def _last_timing(run: Run) -> tuple[int, int, float]:
    try:
        last: dict[str, Any] = run.folder.rows("timing.csv", TIMING)[-1]
        return int(last["env_step"]), int(last["episodes"]), float(last["seconds"])
    except (InputError, LookupError, ValueError):
        return 0, 0, 0.0


def _seconds_left(runs: list[Run], trials: list[TrialStatus]) -> float | None:
    """Each trial takes as long as others of its kind took, or as its own pace tells."""
    known: dict[tuple[str, str], list[float]] = {}
    for run, trial in zip(runs, trials, strict=True):
        if trial.share > 0.05:  # a pace of less tells little
            known.setdefault(_kind(run), []).append(trial.seconds / trial.share)
    everything = [seconds for some in known.values() for seconds in some]
    if not everything:
        return None
    left = 0.0
    for run, trial in zip(runs, trials, strict=True):
        if trial.state in ("running", "stopped", "pending"):
            left += (1 - trial.share) * _mean(known.get(_kind(run), everything))
    return left / max(1, sum(trial.state == "running" for trial in trials))


def _kind(run: Run) -> tuple[str, str]:
    return run.trial.env.label, run.trial.agent.label


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)
