"""Experiments that the viewer starts and stops: bundled suites and specs on disk, each in a process of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from experiments.errors import InputError, shown, unknown
from experiments.execution.executor import available_cores
from experiments.files import read_text
from experiments.specs.loading import LARGEST_SPEC, load_spec, suite_names
from experiments.specs.writing import FILE as SPEC

MOST_SPECS = 200  # files that are offered
MOST_LABELS = 50  # of a spec that are shown
MOST_SAID = 2_000  # characters of what a process said last
PATIENCE = 15.0  # seconds that a process has to stop cleanly
MOST_RUNNING = 4  # experiments at once
MOST_SEEDS = 10_000  # of an agent, until it is decided


@dataclass
class Experiment:
    """One that was started here."""

    id: str
    source: str  # the suite's name, or the spec's file
    process: "subprocess.Popen[bytes]"
    said: "IO[bytes]"
    started: float
    stopping: bool = False

    def to_json(self) -> dict[str, Any]:
        """How it stands, with what it said last."""
        code = self.process.poll()
        state = "running" if code is None else "done" if code == 0 else "stopped" if self.stopping else "failed"
        return {"id": self.id, "source": self.source, "state": state, "said": "" if code in (None, 0) else self._last()}

    def _last(self) -> str:
        self.said.seek(0, os.SEEK_END)
        self.said.seek(max(0, self.said.tell() - MOST_SAID))
        lines = self.said.read().decode(errors="replace").replace("\r", "\n").splitlines()
        return shown(next((line for line in reversed(lines) if line.strip()), ""))


class Starter:
    """Starts experiments into a folder.

    Args:
        out: the output folder.
        specs: the folder whose specs (*.toml, and those in folders in it, one level deep) are offered.
        trust_code: specs that name code of the user's own may be started.
    """

    def __init__(self, out: Path, specs: Path, *, trust_code: bool) -> None:
        self._out, self._specs, self._trust_code = out, specs, trust_code
        self._experiments: dict[str, Experiment] = {}
        self._lock = threading.Lock()

    def offered(self) -> dict[str, list[dict[str, Any]]]:
        """Suites and specs that can be started, each with what it would run."""
        files = [path for pattern in ("*.toml", "*/*.toml") for path in sorted(self._specs.glob(pattern))]
        specs: list[dict[str, Any]] = []
        for path in files:
            if path.is_symlink() or (path.parent != self._specs and path.parent.is_symlink()):
                continue
            if path.name in ("pyproject.toml", "spec.toml") or len(specs) == MOST_SPECS:
                continue
            described = _described(path, path.relative_to(self._specs).as_posix())
            specs += [described] if described else []
        return {"suites": [_described_suite(name) for name in suite_names()], "specs": specs}

    def start(self, source: str, seeds: int | None, steps: int | None, jobs: int | None) -> dict[str, Any]:
        """Start a suite, or a spec that is offered.

        Raises:
            InputError: there is none of that name, a number is out of range, or enough are running.
        """
        offered = self.offered()
        found = {one["name"]: one for kind in offered.values() for one in kind}
        if source not in found:
            raise unknown("suite or spec", source, list(found))
        if found[source]["own_code"] and not self._trust_code:
            raise InputError(f"{source} names code of your own: the viewer starts it after rl-lab ui --trust-code")
        for name, value in (("seeds", seeds), ("steps", steps), ("jobs", jobs)):
            if value is not None and not 1 <= value <= 10**12:
                raise InputError(f"{name}: expected a whole number of at least 1, got {value}")
        what = source if source in [one["name"] for one in offered["suites"]] else str(self._specs / source)
        options = [f"--{name}={value}" for name, value in (("seeds", seeds), ("steps", steps)) if value is not None]
        return self._begin(source, what, options, jobs)

    def go_on(self, experiment: str, batch: int, max_seeds: int) -> dict[str, Any]:
        """Add seeds to an experiment of the folder until its pairs are decided (`rl-lab run --until-decided`).

        Raises:
            InputError: there is none with a spec, a number is out of range, or enough are running.
        """
        folder = self._out / experiment
        spec = folder / SPEC
        if Path(experiment).name != experiment or folder.is_symlink() or spec.is_symlink() or not spec.is_file():
            raise InputError(f"expected an experiment that was run from a spec, got {shown(experiment)[:40]!r}")
        described = _described(spec, experiment)
        if described is None or (described["own_code"] and not self._trust_code):
            raise InputError(f"{experiment} names code of your own: the viewer starts it after rl-lab ui --trust-code")
        if not 1 <= batch <= max_seeds <= MOST_SEEDS:
            raise InputError(f"max_seeds: expected the batch to {MOST_SEEDS:,}, got {max_seeds}")
        options = ["--until-decided", f"--batch={batch}", f"--max-seeds={max_seeds}"]
        return self._begin(experiment, str(spec), options, None)

    def _begin(self, source: str, what: str, options: list[str], jobs: int | None) -> dict[str, Any]:
        """Start a process.

        Raises:
            InputError: enough are running.
        """
        options = [*options, f"--jobs={min(jobs or max(1, available_cores() - 1), 4 * available_cores())}"]
        with self._lock:
            if sum(one.process.poll() is None for one in self._experiments.values()) >= MOST_RUNNING:
                raise InputError(f"expected at most {MOST_RUNNING} experiments at once: stop one first")
            said = tempfile.TemporaryFile()  # noqa: SIM115  as long as the process runs
            process = subprocess.Popen(
                [sys.executable, "-m", "rl_lab", "run", what, "--out", str(self._out), *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=sys.platform != "win32",  # Ctrl-C in the terminal is the server's to hand on
            )
            made = Experiment(f"e{len(self._experiments) + 1}", source, process, said, time.time())
            self._experiments[made.id] = made
        return made.to_json()

    def stop(self, experiment: str) -> dict[str, Any]:
        """Ask an experiment to stop; started again, it goes on exactly where it was.

        Raises:
            InputError: there is none with this id.
        """
        made = self._experiments.get(experiment)
        if made is None:
            raise InputError(f"expected the id of an experiment that was started here, got {shown(experiment)[:40]!r}")
        _interrupt(made)
        return made.to_json()

    def started(self) -> list[dict[str, Any]]:
        """Those that were started here, the last one first."""
        return [one.to_json() for one in reversed(self._experiments.values())]

    def close(self) -> None:
        """Stop all that run still, and wait for them: they are saved, and go on exactly when they are started again."""
        running = [one for one in self._experiments.values() if one.process.poll() is None]
        for one in running:
            _interrupt(one)
        deadline = time.monotonic() + PATIENCE
        for one in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            if one.process.poll() is None:
                one.process.kill()
                one.process.wait()
        for one in self._experiments.values():
            one.said.close()


def _interrupt(made: Experiment) -> None:
    if made.process.poll() is None and not made.stopping:
        made.stopping = True
        made.process.send_signal(signal.SIGINT if sys.platform != "win32" else signal.SIGTERM)


@lru_cache
def _described_suite(name: str) -> dict[str, Any]:
    """What a bundled suite would run."""
    spec = load_spec(name)
    envs, agents = [env.label for env in spec.envs], [agent.label for agent in spec.agents]
    return {"name": name, "envs": envs, "agents": agents, "runs": len(spec.run_specs()), "own_code": False}


def _described(path: Path, name: str) -> dict[str, Any] | None:
    """What a spec on disk would run; None where it is none. It is read as data: nothing that it names is imported."""
    try:
        values = tomllib.loads(read_text(path, largest=LARGEST_SPEC, wrong="cannot read the spec"))
    except (InputError, OSError, ValueError, RecursionError):
        return None
    envs, agents = values.get("envs"), values.get("agents")
    if not (isinstance(values.get("name"), str) and isinstance(envs, list) and isinstance(agents, list)):
        return None
    envs, agents = ([one for one in some if isinstance(one, dict)] for some in (envs, agents))
    if not envs or not agents:
        return None
    ids = [one.get("id") for one in (*envs, *agents)] + [wrapper for env in envs for wrapper in _wrappers(env)]
    names = [
        [shown(str(one.get("name", one.get("id"))))[:200] for one in some[:MOST_LABELS]] for some in (envs, agents)
    ]
    own_code = any(":" in str(one) for one in ids)
    return {"name": name, "envs": names[0], "agents": names[1], "runs": None, "own_code": own_code}


def _wrappers(env: dict[str, Any]) -> list[Any]:
    """The ids of an entry's wrappers, as they stand."""
    wrappers = env.get("wrappers", [])
    if not isinstance(wrappers, list):
        return []
    return [one.get("id") if isinstance(one, dict) else one for one in wrappers]
