"""How fast comparisons and small runs are: ratios measured in one run."""

import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from experiments.comparison import bootstrap
from experiments.execution.drive import drive
from experiments.execution.executor import LocalExecutor
from experiments.execution.run_source import RunList
from experiments.runs.manifest import Manifest
from experiments.specs.spec import AgentEntry, Budget, EnvEntry, Evaluation, RunSpec
from experiments.speed.measuring import Comparison, compare
from experiments.training.observers import Progress

NUM_AGENTS, NUM_TASKS, NUM_RUNS = 10, 20, 20


class _Nobody:
    """Listens to no run."""

    def begin(self, num_runs: int) -> None: ...
    def started(self, run_spec: RunSpec) -> None: ...

    def progress(self, run_spec: RunSpec, progress: Progress) -> None: ...

    def ended(self, run_spec: RunSpec, manifest: Manifest) -> None: ...

    def retried(self, run_spec: RunSpec, manifest: Manifest) -> None: ...


def comparison_speeds(rounds: int = 5, seconds: float = 1.0) -> list[Comparison]:
    """Bootstrap repetitions and runs a second; `seconds` for each measurement of each round."""
    return [
        compare(
            f"all aggregates of {NUM_AGENTS} agents on {NUM_TASKS} tasks with {NUM_RUNS} runs each, bootstrapped",
            "repetitions/s",
            _vectorised,
            "a loop over repetitions",
            _looped,
            (rounds, seconds),
        ),
        compare(
            "tiny runs of one experiment, one at a time",
            "runs/s",
            _kept,
            "a process a run",
            _process_each,
            (rounds, seconds),
        ),
    ]


def _scores() -> list[list[bootstrap.FloatArray]]:
    rng = np.random.default_rng(0)
    return [[rng.normal(size=NUM_RUNS) for _ in range(NUM_TASKS)] for _ in range(NUM_AGENTS)]


def _vectorised(seconds: float) -> float:
    agents, repetitions, begun = _scores(), 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        for tasks in agents:
            bootstrap.bootstrap_all(bootstrap.STATISTICS, tasks, bootstrap.BATCH)
        repetitions += bootstrap.BATCH
    return repetitions / (time.perf_counter() - begun)


def _looped(seconds: float) -> float:
    agents, repetitions, begun = _scores(), 0, time.perf_counter()
    rng = np.random.default_rng(0)
    while time.perf_counter() - begun < seconds:
        for tasks in agents:
            resampled = [rng.choice(scores, NUM_RUNS) for scores in tasks]
            for statistic in bootstrap.STATISTICS.values():
                statistic(resampled)
        repetitions += 1
    return repetitions / (time.perf_counter() - begun)


def _run_spec(seed: int) -> RunSpec:
    """One episode in a maze of 2 x 2 cells."""
    return RunSpec(
        experiment="speed",
        env=EnvEntry(id="RLLab/Maze-v0", name="maze", settings={"rows": 2, "cols": 2}),
        agent=AgentEntry(id="random", name="random"),
        seed=seed,
        budget=Budget(episodes=1),
        evaluation=Evaluation(episodes=1, final_episodes=1),
    )


def _kept(seconds: float) -> float:
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        for number in itertools.count(1):
            drive(RunList([_run_spec(number)]), LocalExecutor(Path(out), 1), _Nobody())
            if time.perf_counter() - begun >= seconds:
                return number / (time.perf_counter() - begun)
    raise AssertionError


def _process_each(seconds: float) -> float:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "rl_lab", "train", "RLLab/Maze-v0", "random", "--episodes", "1", "--json"]
    with tempfile.TemporaryDirectory() as out:
        for number in itertools.count(1):
            subprocess.run([*command, "--seed", str(number), "--out", out], check=True, capture_output=True)
            if time.perf_counter() - begun >= seconds:
                return number / (time.perf_counter() - begun)
    raise AssertionError
