"""Searching the settings of a spec's agents, with progress on the screen."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.execution.drive import Listener
from experiments.execution.executor import Executor, LocalExecutor
from experiments.specs.changes import change_spec
from experiments.specs.loading import load_spec, parse_spec
from experiments.specs.spec import Spec
from experiments.tuning.tune import Tuned, tune
from rl_lab.report.tuning import write_tuning
from rl_lab.run import chosen_entries
from rl_lab.text.progress import ProgressDisplay, Silence


def tune_suite(
    source: str,
    *,
    out: Path,
    jobs: int,
    storage: str | None = None,
    tuning: Mapping[str, Any],
    seeds: int | None = None,
    steps: int | None = None,
    agents: Sequence[str] = (),
    only: Sequence[str] = (),
    progress: bool = True,
    make_executor: Callable[[Path, int], Executor] = LocalExecutor,
) -> tuple[Tuned, list[Path]]:
    """Search the settings of a spec file's or bundled suite's agents: how it went, and the files of its report.

    Args:
        source: the spec's file, or the suite's name.
        out: where run folders go.
        jobs: candidates at once.
        storage: an Optuna URL that several machines share.
        tuning: what of the spec's table `[tuning]` is another; None stands for what the spec says.
        seeds: fresh seeds 0 to seeds - 1 for the winner instead of the spec's.
        steps: env steps a run instead of the spec's budgets.
        agents: labels or ids of the spec's agents; the others are left out. One that is not in the spec is searched in
            its own search space.
        only: labels of environments; the others are left out.
        progress: show progress bars.
        make_executor: where runs run: made of the output folder and the jobs.

    Raises:
        InputError: something is wrong.
    """
    spec = _searched(load_spec(source, searched=True), agents, only, source)
    changes = {key: value for key, value in (("seeds", seeds), ("steps", steps)) if value is not None}
    spec = change_spec(spec, changes, source, searched=True)
    given = {key: value for key, value in tuning.items() if value is not None}
    if given:
        values = spec.model_dump(exclude_unset=True)
        spec = parse_spec(values | {"tuning": values.get("tuning", {}) | given}, source, searched=True)

    def listener(num_runs: int) -> Listener:
        return ProgressDisplay(num_runs) if progress else Silence()

    tuned = tune(spec, out, jobs, listener, storage, make_executor)
    return tuned, write_tuning(tuned.folder, spec.name, tuned.results)


def _searched(spec: Spec, agents: Sequence[str], only: Sequence[str], source: str) -> Spec:
    """The spec with some of its agents, in some of its environments."""
    values = chosen_entries(spec, only)
    if agents:
        entries = zip(values["agents"], spec.agents, strict=False)
        found = [entry for entry, agent in entries if agent.label in agents or agent.id in agents]
        known = {name for agent in spec.agents for name in (agent.label, agent.id)}
        values["agents"] = found + [{"id": name} for name in agents if name not in known]
    return parse_spec(values, source, searched=True)
