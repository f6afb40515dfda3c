"""A whole search: every agent of a specification in turn, then the winners again with fresh seeds."""

import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout

from experiments.errors import InputError
from experiments.execution.drive import Listener, drive
from experiments.execution.executor import Executor, LocalExecutor, limit_threads
from experiments.execution.experiment import Outcome, run_experiment
from experiments.execution.output import check_output
from experiments.files import make_folder, read_text, replace_file
from experiments.results.stored_run import StoredRun
from experiments.runs.run_folder import RunFolder
from experiments.specs.labels import check_label, folder_name
from experiments.specs.spec import AgentEntry, Spec
from experiments.specs.tuning import FIRST_SEED, MOST_CANDIDATES
from experiments.specs.writing import spec_text
from experiments.training.train_run import check_run_spec
from experiments.tuning.result import STATES, Candidate, TuningResult, fresh_score
from experiments.tuning.scaling import moved, scales
from experiments.tuning.search import Search
from experiments.tuning.searched import NothingToSearchError, Searched
from experiments.tuning.storage import check_installed, open_storage
from experiments.tuning.study import ERROR, SCORES, STEPS, TuningStudy

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

STUDY, TUNED, LOCK, MACHINE = "study.db", "tuned.toml", ".lock", ".machine"
DEFAULT_FRESH_SEEDS = 10


@dataclass(frozen=True)
class Tuned:
    """How a search went."""

    folder: Path  # of the search
    results: list[TuningResult]
    errors: list[str]  # of candidates that could not be tried
    elsewhere: int  # candidates that are being tried on other machines: the winners are not run again before they end
    spec: Spec | None = None  # the winners'
    outcome: Outcome | None = None  # of their fresh runs


def tune(
    spec: Spec,
    out: Path,
    jobs: int,
    listener: Callable[[int], Listener],
    storage: str | None = None,
    make_executor: Callable[[Path, int], Executor] = LocalExecutor,
) -> Tuned:
    """Search the settings of a specification's agents; the same call goes on with a search that was stopped.

    Args:
        spec: what is searched.
        out: the output folder.
        jobs: candidates at once.
        listener: makes who hears how so many runs, at the most, go.
        storage: an Optuna URL, where several machines share the search; else a file of SQLite's.
        make_executor: where runs run: made of the output folder and the jobs.

    Raises:
        InputError: something is wrong.
    """
    check_installed()
    check_output(out)
    searches = _searches(spec)
    _check(spec, searches)
    folder = make_folder(out, folder_name(searches[0].experiment))
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=1.0)
    except Timeout:
        raise InputError(f"{folder}: another process is searching there") from None
    try:
        if (folder / STUDY).is_symlink():
            raise InputError(f"{folder / STUDY}: expected a file, got a link, and nothing is written through one")
        url = storage or f"sqlite:///{(folder / STUDY).resolve()}"
        with open_storage(url) as opened:
            shared = storage is not None
            return _tune(spec, searches, out, folder, jobs, listener, opened, make_executor, shared=shared)
    finally:
        lock.release()


def _searches(spec: Spec) -> list[Searched]:
    """What is searched: agents without anything to search are left out, as long as there are others.

    Raises:
        InputError: there is nothing to search.
    """
    found, errors = [], []
    for agent in spec.agents:
        try:
            found.append(Searched.of(spec, agent))
        except NothingToSearchError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    return found


def _check(spec: Spec, searches: Sequence[Searched]) -> None:
    """Check all that can be checked before anything is written."""
    labels = [one.label for one in searches]
    if doubled := [label for label in labels if labels.count(label) > 1]:
        raise InputError(f"agents: two are called {doubled[0]!r} in one environment; give them names (name = ...)")
    seeds = [seed for agent in spec.agents for seed in spec.seeds_of(agent)]
    if max(seeds) >= FIRST_SEED:
        raise InputError(f"seeds: expected seeds below {FIRST_SEED:,} (those above are a search's), got {max(seeds):,}")
    for searched in searches:
        check_label("name", searched.experiment)
        check_label("name", searched.candidate_label(MOST_CANDIDATES))
        if spec.tuning.sampler == "grid" and math.prod(map(len, searched.grid().values())) > MOST_CANDIDATES:
            raise InputError(f"agents: {searched.label}: expected a grid of at most {MOST_CANDIDATES:,} candidates")
        if not searched.envs:
            raise InputError(f"agents: {searched.label}: expected an environment of the spec")
        scales(searched)
        for run_spec in searched.run_specs(0, searched.agent.settings)[: len(searched.envs)]:
            check_run_spec(run_spec)


def _tune(
    spec: Spec,
    searches: Sequence[Searched],
    out: Path,
    folder: Path,
    jobs: int,
    listener: Callable[[int], Listener],
    storage: "BaseStorage",
    make_executor: Callable[[Path, int], Executor],
    *,
    shared: bool,
) -> Tuned:
    limit_threads()
    machine = _machine(folder)
    studies, errors = [TuningStudy(storage, searched, machine, shared=shared) for searched in searches], []
    for study in studies:
        search = Search(study, out, jobs)
        with study.alive():
            drive(search, make_executor(out, jobs), listener(study.most * len(study.searched.run_specs(0, {}))))
        errors += search.errors
    results = [_result(study) for study in studies]
    elsewhere = sum(len(study.elsewhere()) for study in studies)
    winners = [result for result in results if result.best is not None]
    if elsewhere or not winners:
        return Tuned(folder, results, errors, elsewhere)
    tuned = tuned_spec(spec, searches, results)
    replace_file(folder / TUNED, spec_text(tuned).encode())
    run_specs = tuned.run_specs()
    outcome = run_experiment(run_specs, out, jobs, listener(len(run_specs)), spec=tuned, make_executor=make_executor)
    results = [
        _with_fresh(result, study, tuned, out) if result.best is not None else result
        for result, study in zip(results, studies, strict=True)
    ]
    return Tuned(folder, results, errors, 0, tuned, outcome)


def _machine(folder: Path) -> str:
    """The name of this machine's part in a search, kept beside its runs."""
    path = folder / MACHINE
    if not path.exists():
        replace_file(path, uuid.uuid4().hex.encode())
    return read_text(path, largest=100, wrong="cannot be read").strip()


def _result(study: TuningStudy) -> TuningResult:
    searched = study.searched
    tuning = searched.spec.tuning
    return TuningResult(
        agent=searched.label,
        agent_id=searched.agent.id,
        envs=[env.label for env in searched.envs],
        sampler=tuning.sampler,
        pruner=tuning.pruner,
        num_seeds=tuning.seeds,
        num_validation_episodes=searched.spec.evaluation.final_episodes,
        space={name: dimension.model_dump(exclude_unset=True) for name, dimension in searched.space.items()},
        candidates=[_candidate(study, trial) for trial in study.trials() if trial.state.name in STATES],
        importances=study.importances(),
    )


def _candidate(study: TuningStudy, trial: "FrozenTrial") -> Candidate:
    return Candidate(
        number=trial.number,
        state=STATES[trial.state.name],
        settings=study.settings_of(trial),
        score=trial.value if trial.state.name == "COMPLETE" else None,
        reports=[value for _, value in sorted(trial.intermediate_values.items())],
        env_steps=trial.user_attrs.get(STEPS, 0),
        error=trial.user_attrs.get(ERROR),
    )


def winner_label(result: TuningResult) -> str:
    """What the winner is called: by its number, so that a later search may find another one."""
    assert result.best is not None
    return f"{result.agent}-c{result.best.number:03d}"


def tuned_spec(spec: Spec, searches: Sequence[Searched], results: Sequence[TuningResult]) -> Spec:
    """The specification with the winners' settings in place of what was searched."""
    agents = []
    for searched, result in zip(searches, results, strict=True):
        if result.best is not None:
            values = searched.agent.model_dump(exclude_unset=True) | {
                "name": winner_label(result),
                "settings": result.best.settings,
            }
            values.pop("space", None)
            agents.append(AgentEntry.model_validate(values))
    description = f"Settings of the search {spec.name}: {spec.description}".removesuffix(": ")
    seeds = DEFAULT_FRESH_SEEDS if "seeds" not in spec.model_fields_set else spec.seeds
    changes = {"name": f"{spec.name}-tuned", "description": description, "agents": agents, "seeds": seeds}
    values = spec.model_dump(exclude_unset=True) | changes
    values.pop("tuning", None)
    return Spec.model_validate(values | {"agents": [agent.model_dump(exclude_unset=True) for agent in agents]})


def _with_fresh(result: TuningResult, study: TuningStudy, tuned: Spec, out: Path) -> TuningResult:
    """The result with what the winner came to with fresh seeds."""
    assert result.best is not None
    of_search = next(trial for trial in study.trials() if trial.number == result.best.number).user_attrs[SCORES]
    runs: dict[str, list[float]] = {}
    measure, scale = "return", None
    for run_spec in tuned.run_specs():
        folder = RunFolder(out / run_spec.folder)
        if (
            run_spec.agent.label == winner_label(result)
            and folder.exists()
            and (run := StoredRun.load(folder)).finished
        ):
            found = run.results()
            score, measure, scale = np.array(found.score), found.measure, found.scale
            if len(result.envs) > 1 and found.scale is not None:
                score = found.scale.normalise(score)
            runs.setdefault(run_spec.env.label, []).append(float(score))
    if set(runs) != set(result.envs):  # all have failed
        return result
    measured = measure if len(result.envs) == 1 else "normalised score"
    fresh = [np.array(runs[env]) for env in result.envs]
    in_search = [np.array(scores) for scores in of_search]
    if len(result.envs) == 1:
        in_search = [moved(in_search[0], study.searched, scale)]
    return replace(result, fresh=fresh_score(in_search, fresh, measured))
