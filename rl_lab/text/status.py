"""What `rl-lab status` and `rl-lab verify` say."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.errors import InputError, shown
from experiments.results.status import STATES, ExperimentStatus
from experiments.runs.archive import unpacked
from experiments.runs.run_folder import MANIFEST, RunFolder, find_runs
from experiments.training.verification import Verification, verify_run
from rl_lab.text.progress import ProgressDisplay
from rl_lab.text.saying import say


def status_values(status: ExperimentStatus) -> dict[str, Any]:
    """As JSON values."""
    values = asdict(status)
    counts = {state: len(status.of(state)) for state in STATES}
    return {"folder": status.folder, "trials": values["runs"], "seconds_left": status.seconds_left, "counts": counts}


def print_status(status: ExperimentStatus) -> None:
    """A line of counts, then what is running and what has failed."""
    words = {"finished": "finished", "running": "running", "stopped": "stopped", "pruned": "pruned", "failed": "failed"}
    words |= {"damaged": "damaged", "pending": "to do"}
    counts = [f"{len(status.of(state))} {words[state]}" for state in STATES if status.of(state)]
    number = f"{len(status.runs):,} trial{'' if len(status.runs) == 1 else 's'}"
    say(f"{status.folder}: {number}: {', '.join(counts)}")
    for state in ("running", "stopped"):
        for run in status.of(state):
            say(f"  {state} {shown(run.run)}: {run.share:.0%}, {run.env_step:,} env steps, {_time(run.seconds)}")
    for run in status.of("failed"):
        say(f"  failed {shown(run.run)}: {run.error} (more in error.txt)")
    for run in status.of("damaged"):
        say(f"  damaged {shown(run.run)}: {shown(run.error or '')}")
    retried = sum(run.retries for run in status.runs)
    if retried:
        say(f"  attempts that failed before: {retried}")
    if status.seconds_left is not None and status.seconds_left > 0:
        running = len(status.of("running"))
        at_once = f"with {running} at once" if running else "once the same command runs again, one at a time"
        say(f"time left: about {_time(status.seconds_left)}, {at_once}")


def _time(seconds: float) -> str:
    """Such as "1 h 05 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def verify_with_progress(run: Path, *, full: bool, progress: bool, trust_code: bool = False) -> Verification:
    """Verify a run, with a bar."""
    if not progress:
        return verify_run(run, full=full, on_progress=lambda now: None, trust_code=trust_code)
    display = ProgressDisplay(1)
    run_spec = RunFolder(run).read_manifest().run_spec
    display.started(run_spec)
    try:
        return verify_run(
            run, full=full, on_progress=lambda now: display.progress(run_spec, now), trust_code=trust_code
        )
    finally:
        display.take_down(run_spec)


def runs_to_verify(place: Path) -> list[Path]:
    """The run, or those below a folder that have something saved.

    Raises:
        InputError: there is none.
    """
    place = unpacked(place)
    if (place / MANIFEST).exists() or not place.is_dir():
        return [place]
    paths = [run.path for run in find_runs(place) if run.checkpoint.exists() or run.read_manifest().finished]
    if not paths:
        raise InputError(f"{place}: expected a run folder, or a folder with runs, and no run is in it")
    return paths


def print_verification(verification: Verification, *, name: bool = False) -> None:
    """The verdict, where it first differs, and what is otherwise here."""
    rows = ", ".join(f"{count:,} rows of {name}" for name, count in verification.rows.items())
    if verification.reproduced:
        say(f"{f'{verification.run}: ' if name else ''}reproduced: {verification.compared}: {rows}")
    else:
        say(f"not reproduced: {verification.run}")
        for difference in verification.differences:
            say(f"  {difference}")
    if verification.changed:
        print("other than when it ran:")
        for change in verification.changed:
            say(f"  {change}")
    elif not verification.reproduced:
        print("versions, machine and code are those of the run")
