"""What run.json says of a run beside its results: where, with what, from which code."""

import datetime
import hashlib
import json
import os
import platform
import subprocess
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from agents.seeding import STREAMS, integer
from experiments.evaluation.episode_seeds import episode_seeds
from experiments.specs.spec import RunSpec

FORMAT = 2
PACKAGES = ("rl-lab", "gymnasium", "box2d", "numpy", "numba", "scipy", "torch", "stable-baselines3", "pydantic")
COMMAND_VARIABLE = "RL_LAB_COMMAND"  # of a worker process
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def describe(run_spec: RunSpec, settings: dict[str, Any], status: str) -> dict[str, Any]:
    """The manifest of a run.

    Args:
        run_spec: the run.
        settings: the agent's settings, resolved.
        status: pending, running, finished, failed or interrupted.
    """
    return {
        "format": FORMAT,
        "status": status,
        "trial": run_spec.model_dump(mode="json"),
        "agent_settings": settings,
        "seeds": {
            "run": run_spec.seed,
            "derivation": "numpy.random.SeedSequence(run, spawn_key=(number of the stream,))",
            "streams": {name: integer(run_spec.seed, name) for name in STREAMS},
            "episodes_derivation": "numpy.random.SeedSequence(evaluation.seed, spawn_key=(number of the set,))",
            "curve_episodes": episode_seeds(run_spec.evaluation.seed, "curve", run_spec.evaluation.episodes),
            "final_episodes": episode_seeds(run_spec.evaluation.seed, "final", run_spec.evaluation.final_episodes),
        },
        "command": command(),
        **facts(),
    }


def command() -> list[str]:
    """The command that this process runs, or in whose service it works."""
    known = os.environ.get(COMMAND_VARIABLE)
    program = Path(sys.argv[0]).name.replace("__main__.py", "rl-lab")
    return list(json.loads(known)) if known else [program, *sys.argv[1:]]


def facts() -> dict[str, Any]:
    """From which code, with which packages, and on which machine."""
    return {
        "git": git_state(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "machine": {
            "system": platform.platform(),
            "architecture": platform.machine(),
            "processor": _processor(),
            "cores": os.cpu_count(),
        },
        "threads": {name: os.environ.get(name) for name in THREAD_VARIABLES},
    }


def changed_facts(manifest: dict[str, Any]) -> list[str]:
    """What was otherwise when a manifest was written, in words."""
    changed = []
    for kind, current in facts().items():
        known = manifest.get(kind)
        pairs = [(kind, known, current)]
        if isinstance(known, dict) and isinstance(current, dict):
            pairs = [(f"{kind}: {name}", known.get(name), value) for name, value in current.items()]
        changed += [f"{name}: {_shown(was)} then, {_shown(is_now)} now" for name, was, is_now in pairs if was != is_now]
    return changed


def _shown(value: Any) -> str:
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
def git_state() -> dict[str, Any] | None:
    """Commit of this project's checkout, and the digest of what differs from it (None: nothing does)."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "diff", "HEAD")
    if commit is None:
        return None
    return {"commit": commit.strip(), "dirty": hashlib.sha256(changes.encode()).hexdigest()[:12] if changes else None}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
