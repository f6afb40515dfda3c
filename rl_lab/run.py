"""Training one run, or all of a spec's, with progress on the screen."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.errors import InputError, unknown
from experiments.execution.drive import Listener
from experiments.execution.executor import Executor, LocalExecutor
from experiments.execution.experiment import Outcome, run_experiment
from experiments.execution.until_decided import Look, check_rule, run_until_decided
from experiments.figures.experiment import draw_experiment
from experiments.runs.run_folder import RunFolder
from experiments.specs.changes import change_spec
from experiments.specs.loading import check_engine, load_spec, parse_spec
from experiments.specs.spec import RunSpec, Spec
from rl_lab.text.progress import ProgressDisplay, Silence

NO_CHANGES: Mapping[str, Any] = {}


def train_entries(
    env: dict[str, Any],
    agent: dict[str, Any],
    *,
    steps: int | None,
    episodes: int | None,
    seed: int,
    out: Path,
    evaluation: Mapping[str, Any] = NO_CHANGES,
    engine: str = "auto",
    name: str = "train",
    tensorboard: bool = False,
    progress: bool = True,
) -> dict[str, Any]:
    """`train`, for an environment and an agent as they stand in a spec."""
    values: dict[str, Any] = {"name": name, "seeds": [seed], "engine": engine, "envs": [env], "agents": [agent]}
    values["tensorboard"] = tensorboard
    values["evaluation"] = {key: value for key, value in evaluation.items() if value is not None}
    values |= {key: value for key, value in (("steps", steps), ("episodes", episodes)) if value is not None}
    spec = parse_spec(values, "train")
    (run_spec,) = spec.run_specs()
    outcome = run_experiment([run_spec], out, 1, _listener([run_spec], progress))
    draw_experiment([run_spec], out, None, outcome.known)
    folder = RunFolder(out / run_spec.folder)
    manifest = outcome.manifests[-1] if outcome.manifests else outcome.skipped[-1].manifest
    return {
        "run": str(folder.path),
        "status": manifest.status,
        "trained": bool(outcome.manifests),
        "env_steps": manifest.env_steps or 0,
        "episodes": manifest.episodes or 0,
        "seconds": _seconds(folder),
    } | ({"error": manifest.error} if outcome.failed else {})


def run_suite(
    source: str,
    *,
    out: Path,
    jobs: int,
    seeds: int | None = None,
    steps: int | None = None,
    engine: str | None = None,
    retries: int = 0,
    tensorboard: bool = False,
    agents: Sequence[dict[str, Any]] = (),
    only: Sequence[str] = (),
    changes: Mapping[str, Any] = NO_CHANGES,
    progress: bool = True,
    make_executor: Callable[[Path, int], Executor] = LocalExecutor,
) -> tuple[list[RunSpec], Outcome]:
    """Run a spec file or a bundled suite: its runs, and how they went.

    Args:
        source: the spec's file, or the suite's name.
        out: where run folders go.
        jobs: runs at once.
        seeds: seeds 0 to seeds - 1 instead of the spec's.
        steps: env steps a run instead of the spec's budgets.
        engine: "auto", "python" or "compiled" instead of the spec's.
        retries: times that a run that fails is tried again.
        tensorboard: write event files too.
        agents: run these instead of the spec's, as entries of a spec.
        only: labels of environments; the others are left out.
        changes: single settings by where they go (see `experiments.specs.changes`).
        progress: show progress bars.
        make_executor: where runs run: made of the output folder and the jobs.

    Raises:
        InputError: something is wrong; nothing has been written then.
    """
    others = {"seeds": seeds, "steps": steps, "engine": None if engine is None else check_engine(engine)}
    spec = _asked(source, agents, only, {**changes, **others, "tensorboard": tensorboard or None})
    run_specs = spec.run_specs()
    outcome = run_experiment(
        run_specs, out, jobs, _listener(run_specs, progress), spec.figure, retries, spec, None, make_executor
    )
    return run_specs, dataclasses.replace(outcome, figures=draw_experiment(run_specs, out, spec.figure, outcome.known))


def run_suite_until_decided(
    source: str,
    *,
    out: Path,
    jobs: int,
    batch: int,
    most_seeds: int,
    steps: int | None = None,
    engine: str | None = None,
    retries: int = 0,
    agents: Sequence[dict[str, Any]] = (),
    only: Sequence[str] = (),
    changes: Mapping[str, Any] = NO_CHANGES,
    progress: bool = True,
    make_executor: Callable[[Path, int], Executor] = LocalExecutor,
) -> Iterator[Look]:
    """The same, adding seeds in batches until pairs are decided: look by look.

    Args:
        batch: seeds an agent at each look.
        most_seeds: an agent has at most.

    The others are `run_suite`'s.
    """
    rule = check_rule(batch, most_seeds)
    others = {"steps": steps, "engine": None if engine is None else check_engine(engine)}
    spec = _asked(source, agents, only, {**changes, **others})

    def listener(num_runs: int) -> Listener:
        return ProgressDisplay(num_runs) if progress else Silence()

    for look in run_until_decided(spec, out, jobs, listener, rule, retries, make_executor):
        if look.is_last:
            draw_experiment(look.run_specs, out, spec.figure, look.outcome.known)
        yield look


def _asked(source: str, agents: Sequence[dict[str, Any]], only: Sequence[str], changes: Mapping[str, Any]) -> Spec:
    """The spec of a source as it is asked for; what is None is as it is there."""
    spec = load_spec(source)
    if agents or only:
        spec = _changed_spec(spec, agents, only, source)
    return change_spec(spec, {key: value for key, value in changes.items() if value is not None}, source)


def _changed_spec(spec: Spec, agents: Sequence[dict[str, Any]], only: Sequence[str], source: str) -> Spec:
    """The spec with other agents, and in some of its environments."""
    values = chosen_entries(spec, only)
    if agents:
        values["agents"] = list(agents)
    return parse_spec(values, source)


def chosen_entries(spec: Spec, only: Sequence[str]) -> dict[str, Any]:
    """The values of a spec in some of its environments; agents that are limited to others are left out.

    Raises:
        InputError: there is no such environment.
    """
    labels = [env.label for env in spec.envs]
    for label in only:
        if label not in labels:
            raise InputError(f"--only: {unknown('environment', label, labels)}")
    values = spec.model_dump(exclude_unset=True)
    values["envs"] = [env for env, label in zip(values["envs"], labels, strict=True) if not only or label in only]
    left = {name for env in spec.envs if not only or env.label in only for name in (env.label, env.id)}
    entries = zip(values["agents"], spec.agents, strict=True)
    values["agents"] = [entry for entry, agent in entries if agent.envs is None or left & set(agent.envs)]
    for entry in values["agents"]:
        if entry.get("envs"):
            entry["envs"] = [name for name in entry["envs"] if name in left]
    return values


def _listener(run_specs: Sequence[RunSpec], progress: bool) -> Listener:
    return ProgressDisplay(len(run_specs)) if progress else Silence()


def _seconds(folder: RunFolder) -> float:
    """Wall-clock seconds of the run, training and evaluation."""
    try:
        rows = folder.timing()
    except InputError:
        return 0.0
    return float(rows[-1]["seconds"]) if rows else 0.0
