"""What run.json says of a run beside its results: where, with what, from which code."""

import datetime
import hashlib
import os
import platform
import subprocess
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from agents.seeding import STREAMS, integer
from experiments.seeding import episode_seeds
from experiments.spec import Trial

FORMAT = 1
PACKAGES = ("rl-lab", "gymnasium", "box2d", "numpy", "scipy", "torch", "stable-baselines3", "pydantic")


def describe(trial: Trial, settings: dict[str, Any], status: str) -> dict[str, Any]:
    """The manifest of a run.

    Args:
        trial: the run.
        settings: the agent's settings, resolved.
        status: pending, running, finished, failed or interrupted.
    """
    return {
        "format": FORMAT,
        "status": status,
        "trial": trial.model_dump(mode="json"),
        "agent_settings": settings,
        "seeds": {
            "run": trial.seed,
            "streams": {name: integer(trial.seed, name) for name in STREAMS},
            "curve_episodes": episode_seeds(trial.evaluation.seed, "curve", trial.evaluation.episodes),
            "final_episodes": episode_seeds(trial.evaluation.seed, "final", trial.evaluation.final_episodes),
        },
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "git": git_state(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "threads": os.environ.get("OMP_NUM_THREADS"),
    }


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
