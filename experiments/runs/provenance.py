"""What run.json says of a run beside its results: where, with what, from which code."""

import datetime
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from agents.seeding import STREAMS, integer
from experiments.evaluation.episode_seeds import seeds_of
from experiments.runs.manifest import FORMAT, Git, Manifest, Seeds, Status
from experiments.runs.own_code import Code, differing
from experiments.specs.spec import RunSpec

PACKAGES = (
    "rl-lab", "gymnasium", "box2d", "numpy", "numba", "scipy", "torch", "stable-baselines3", "envpool", "pydantic",
)  # fmt: skip
COMMAND_VARIABLE = "RL_LAB_COMMAND"  # of a worker process
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def describe(run_spec: RunSpec, status: Status, settings: dict[str, Any] | None = None) -> Manifest:
    """The manifest of a run that begins.

    Args:
        run_spec: the run.
        status: what it is doing.
        settings: the agent's, resolved.
    """
    evaluation = run_spec.evaluation
    seeds = Seeds(
        run=run_spec.seed,
        derivation="numpy.random.SeedSequence(run, spawn_key=(number of the stream,))",
        streams={name: integer(run_spec.seed, name) for name in STREAMS},
        episodes_derivation="numpy.random.SeedSequence(evaluation.seed, spawn_key=(number of the set,))",
        curve_episodes=seeds_of(evaluation, "curve"),
        final_episodes=seeds_of(evaluation, "final"),
    )
    return Manifest(
        status=status,
        run_spec=run_spec,
        agent_settings=settings or {},
        seeds=seeds,
        command=command(),
        git=git_state(),
        versions=versions(),
        machine=machine(),
        threads=threads(),
    )


def command() -> list[str]:
    """The command that this process runs, or in whose service it works."""
    known = os.environ.get(COMMAND_VARIABLE)
    program = Path(sys.argv[0]).name.replace("__main__.py", "rl-lab")
    return list(json.loads(known)) if known else [program, *sys.argv[1:]]


def versions() -> dict[str, str | None]:
    """Of Python and the packages that results may depend on."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def machine() -> dict[str, str | int | None]:
    """On what this process runs."""
    return {
        "system": platform.platform(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def threads() -> dict[str, str | None]:
    """How many threads the libraries are told to use."""
    return {name: os.environ.get(name) for name in THREAD_VARIABLES}


def changed_facts(manifest: Manifest, code: Code) -> list[str]:
    """What was otherwise when a manifest was written, in words; `code` is the user's own code now."""
    changed = []
    if manifest.format >= FORMAT:
        names = differing(manifest.code, code)
        changed += [
            f"code: {name}: {_shown(manifest.code.get(name))[:15]} then, {_shown(code.get(name))[:15]} now"
            for name in names
        ]
    if manifest.git != git_state():
        changed.append(f"git: {_shown(manifest.git)} then, {_shown(git_state())} now")
    kinds: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
        ("versions", manifest.versions, versions()),
        ("machine", manifest.machine, machine()),
        ("threads", manifest.threads, threads()),
    ]
    for kind, known, current in kinds:
        names = [name for name, value in current.items() if known.get(name) != value]
        changed += [f"{kind}: {name}: {_shown(known.get(name))} then, {_shown(current[name])} now" for name in names]
    return changed


def _shown(value: Any) -> str:
    if isinstance(value, Git):
        return value.commit[:12] + (f" with changes {value.dirty}" if value.dirty else "")
    return "none" if value is None else str(value)


@lru_cache
def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def now() -> str:
    """The time, in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


@lru_cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@lru_cache
def git_state() -> Git | None:
    """Commit of this project's checkout, and the digest of what differs from it (None: nothing does)."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "diff", "HEAD")
    if commit is None:
        return None
    return Git(commit=commit.strip(), dirty=hashlib.sha256(changes.encode()).hexdigest()[:12] if changes else None)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
