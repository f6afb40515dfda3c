"""A small search of settings, which several tests change a little."""

from pathlib import Path
from typing import Any

from experiments.specs.loading import parse_spec
from experiments.specs.spec import Spec
from experiments.tuning.tune import Tuned, tune
from rl_lab.text.progress import Silence

MAZE = {"id": "RLLab/Maze-v0", "name": "m", "rows": 3, "cols": 3}


RATES = {"low": 0.05, "high": 1.0, "log": True}


def spec(**changes: Any) -> Spec:
    agent = {"id": "q_learning", "name": "q", "learning_rate": RATES} | changes.pop("agent", {})
    values = {
        "name": "s",
        "steps": 300,
        "seeds": 3,
        "evaluation": {"episodes": 2, "final_episodes": 5},
        "envs": changes.pop("envs", [MAZE]),
        "agents": changes.pop("agents", [agent]),
        "tuning": {"candidates": 4, "seeds": 2, "pruner": "none"} | changes.pop("tuning", {}),
    }
    return parse_spec(values | changes, "here", searched=True)


def searched(out: Path, one: Spec | None = None, jobs: int = 1, storage: str | None = None) -> Tuned:
    return tune(one or spec(), out, jobs, lambda num_runs: Silence(), storage)
