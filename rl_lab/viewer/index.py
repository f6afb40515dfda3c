"""The runs below a folder, each under an id of its own: the browser never names a path."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from experiments.errors import InputError, shown
from experiments.results.status import RunStatus, run_status
from experiments.results.stored_run import StoredRun
from experiments.runs.heartbeat import FILE as HEARTBEAT
from experiments.runs.run_folder import EPISODES_LOG, EVALUATIONS_LOG, MANIFEST, TIMING_LOG, TRASH, RunFolder

MOST_RUNS = 20_000
WATCHED = (MANIFEST, HEARTBEAT, TIMING_LOG, EPISODES_LOG, EVALUATIONS_LOG)  # a change in one of these is looked at


@dataclass(frozen=True)
class RunEntry:
    """A run as the list shows it."""

    id: str
    path: str  # below the folder
    experiment: str
    env: str
    agent: str
    seed: int | None
    state: str  # one of `experiments.results.status.STATES`
    share: float = 0.0  # of its budget
    env_step: int = 0
    seconds: float = 0.0
    seconds_left: float | None = None
    log_bytes: int = 0  # of its episodes and evaluations: when it grows there are new points
    error: str | None = None
    engine: str | None = None
    own_code: bool = False  # plays only where the command line said so
    settings: dict[str, Any] = field(default_factory=dict)
    env_settings: dict[str, Any] = field(default_factory=dict)
    budget: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As it stands."""
        return asdict(self)


class RunIndex:
    """What is below a folder; a run is read again when its files have changed.

    Args:
        folder: where runs are looked for. Links below it are not followed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.links: list[str] = []  # that are not followed
        self.truncated = False  # are there more runs than `MOST_RUNS`?
        self._runs: dict[str, tuple[Path, tuple[int, ...], RunEntry]] = {}

    def scan(self) -> dict[str, RunEntry]:
        """Every run by its id, as it is now."""
        found: dict[str, tuple[Path, tuple[int, ...], RunEntry]] = {}
        links: list[str] = []
        self.truncated = False
        for path in _run_paths(self.folder, links):
            if len(found) == MOST_RUNS:
                self.truncated = True
                break
            relative = path.relative_to(self.folder).as_posix()
            run_id = hashlib.sha256(relative.encode("utf-8", "surrogateescape")).hexdigest()[:16]
            marks = tuple(_mark(path / name) for name in WATCHED)
            before = self._runs.get(run_id)
            if before is None or before[1] != marks or before[2].state == "running":
                found[run_id] = (path, marks, _entry(run_id, path, relative))
            else:
                found[run_id] = before
        self.links, self._runs = links, found
        return {run_id: entry for run_id, (_, _, entry) in found.items()}

    def path(self, run_id: str) -> Path:
        """Where a run is.

        Raises:
            InputError: there is none with this id.
        """
        if run_id not in self._runs:
            self.scan()
        if run_id not in self._runs:
            raise InputError(f"expected the id of a run, got {shown(run_id)[:40]!r}")
        path = self._runs[run_id][0]
        place = self.folder
        for part in path.relative_to(self.folder).parts:  # a folder may have become a link since
            place = place / part
            if place.is_symlink():
                raise InputError(f"{shown(str(place))}: a link, which is not followed")
        return path

    def entry(self, run_id: str) -> RunEntry:
        """The run of an id.

        Raises:
            InputError: there is none.
        """
        self.path(run_id)
        return self._runs[run_id][2]


def _run_paths(folder: Path, links: list[str]) -> Iterable[Path]:
    """The run folders below a folder, in order; links go into the list."""
    for place, folders, files in os.walk(folder):
        if MANIFEST in files:
            yield Path(place)
            folders.clear()
            continue
        for name in list(folders):
            if name == TRASH:
                folders.remove(name)
            elif (Path(place) / name).is_symlink():
                links.append(shown(str((Path(place) / name).relative_to(folder))))
                folders.remove(name)
        folders.sort()


def _mark(path: Path) -> int:
    """A number that changes with a file; 0 where there is none."""
    try:
        status = path.stat(follow_symlinks=False)
    except OSError:
        return 0
    return hash((status.st_mtime_ns, status.st_size, status.st_ino))


def _size(path: Path) -> int:
    try:
        return path.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def _entry(run_id: str, path: Path, relative: str) -> RunEntry:
    try:
        run = StoredRun.load(RunFolder(path))
    except InputError as error:
        parts = ["", "", "", "", *Path(relative).parts]
        return RunEntry(run_id, relative, parts[-4], parts[-3], parts[-2], None, "damaged", error=str(error))
    spec, status = run.run_spec, run_status(run)
    names = [spec.env.id, spec.agent.id, *(wrapper.id for wrapper in spec.env.wrappers)]
    return RunEntry(
        id=run_id,
        path=shown(relative),
        experiment=spec.experiment,
        env=spec.env.label,
        agent=spec.agent.label,
        seed=spec.seed,
        state=status.state,
        share=status.share,
        env_step=status.env_step or run.manifest.env_steps or 0,
        seconds=status.seconds,
        seconds_left=_seconds_left(status),
        log_bytes=sum(_size(path / name) for name in (EPISODES_LOG, EVALUATIONS_LOG)),
        error=status.error,
        engine=run.manifest.engine,
        own_code=any(":" in name for name in names),
        settings={"id": spec.agent.id, **run.manifest.agent_settings},
        env_settings={"id": spec.env.id, **spec.env.settings},
        budget=spec.budget.model_dump(exclude_none=True),
    )


def _seconds_left(status: RunStatus) -> float | None:
    """How long a running run takes still, at its own pace."""
    if status.state != "running" or status.share < 0.01:
        return None
    return status.seconds * (1 - status.share) / status.share
