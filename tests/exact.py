"""Runs in a small maze that are stopped somewhere, and go on."""

from pathlib import Path
from typing import Any

import pytest

from experiments.runs.digests import result_digests
from experiments.runs.run_folder import RunFolder
from experiments.specs.spec import AgentEntry, Budget, EnvEntry, Evaluation, RunSpec
from experiments.training.observers import Observer
from experiments.training.train_run import train_run

MAZE = ("RLLab/Maze-v0", "q_learning", "--env", "rows=4", "--env", "name=m", "--set", "name=q")
RUN = "runs/train/m/q/seed-0"


def run_spec(steps: int = 2_000, agent: str = "q_learning", **changes: Any) -> RunSpec:
    return RunSpec(
        experiment="x",
        env=changes.pop("env", EnvEntry(id="RLLab/Maze-v0", name="m", settings={"rows": 4, "cols": 4, "slip": 0.1})),
        agent=AgentEntry(id=agent, name="a", settings=changes.pop("settings", {})),
        seed=1,
        budget=changes.pop("budget", Budget(steps=steps)),
        evaluation=changes.pop("evaluation", Evaluation(every=200, episodes=1, final_episodes=2)),
    )


def run(one: RunSpec, out: Path, until: int | None = None) -> RunFolder:
    manifest = train_run(one, out, (), until)
    assert manifest.status == ("finished" if until is None else "interrupted"), manifest
    return RunFolder(out / one.folder)


class Stop(Observer):
    """Interrupts a run at its first checkpoint from a step on."""

    def checkpointed(self, env_step: int) -> None:
        if env_step >= 350:
            raise KeyboardInterrupt


def stopped_and_whole(run_spec: RunSpec, folder: Path) -> RunFolder:
    """A run that was stopped and goes on ends as one that was not; that one."""
    with pytest.raises(KeyboardInterrupt):
        train_run(run_spec, folder / "stopped", [Stop()])
    stopped, once = run(run_spec, folder / "stopped"), run(run_spec, folder / "once")
    first, second = stopped.read_manifest().attempts
    assert first.from_step == 0 < second.from_step
    assert result_digests(stopped.path) == result_digests(once.path)
    return once


SMALL_MAZE = EnvEntry(id="RLLab/Maze-v0", name="m", settings={"rows": 3, "cols": 3})
