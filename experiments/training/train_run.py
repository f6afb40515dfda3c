"""One run from beginning to end: environment, agent, training, evaluation, run folder."""

import contextlib
import logging
import os
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs
from pydantic import ValidationError

from agents.base import Agent
from agents.env_snapshot import NotReplayedError, set_env_state
from agents.registry import make_agent
from agents.seeding import integer
from envs.registry import make_env
from envs.wrappers import ResetSeed
from experiments.errors import InputError, located
from experiments.evaluation.episode_seeds import episode_seeds
from experiments.evaluation.rollout import episode_limit, make_evaluation_env
from experiments.evaluation.score_scale import reference_for, score_measure
from experiments.results.tensorboard import check_installed
from experiments.runs.digests import result_digests
from experiments.runs.provenance import describe, now
from experiments.runs.run_folder import MANIFEST, Manifest, RunFolder, check_mark
from experiments.specs.spec import Budget, RunSpec
from experiments.training.monitor import Progress, RunMonitor, Saved, most_steps

_log = logging.getLogger(__name__)


def make_training_env(run_spec: RunSpec) -> gym.Env[Any, Any]:
    """The environment that a run trains in."""
    env = make_env(run_spec.env.id, **run_spec.env.settings)
    return env if run_spec.env.reset_seed is None else ResetSeed(env, run_spec.env.reset_seed)


def check_run_spec(run_spec: RunSpec) -> dict[str, Any]:
    """Build the run's environment and agent once, before anything is written; the agent's resolved settings.

    Raises:
        InputError: an option is wrong, or the agent cannot act in the environment.
    """
    if run_spec.tensorboard:
        check_installed()
    with located(f"envs: {run_spec.env.id}"):
        env = make_training_env(run_spec)
    try:
        with located(f"agents: {run_spec.agent.id} on {run_spec.env.id}"):
            agent = make_agent(run_spec.agent.id, env, seed=run_spec.seed, **run_spec.agent.settings)
            agent.choose_engine(run_spec.engine, env, most_steps(run_spec.budget, episode_limit(env)))
    finally:
        env.close()
    return agent.settings.model_dump(mode="json")


def train_run(
    run_spec: RunSpec, out: Path, on_progress: Callable[[Progress], None], until: int | None = None
) -> Manifest:
    """Train and evaluate; the manifest as it was written. A failure is recorded in it, an interrupt passes on.

    A run that was stopped goes on from its checkpoint, and ends as if it had never stopped.

    Args:
        run_spec: the run.
        out: the output folder.
        on_progress: called now and then.
        until: env steps after which to stop, unfinished, although the budget is larger.
    """
    folder = RunFolder(out / run_spec.folder)
    try:
        with folder.lock():
            try:
                return _attempt(run_spec, folder, on_progress, until)
            except NotReplayedError as error:
                _log.warning("%s: %s; the run begins anew", folder.path, error)
                folder.forget_results()
                return _attempt(run_spec, folder, on_progress, until)
    except InputError as error:  # the folder is another's, or holds what would be lost: it is left alone
        return describe(run_spec, {}, "failed") | {"error": str(error)}


def _attempt(
    run_spec: RunSpec, folder: RunFolder, on_progress: Callable[[Progress], None], until: int | None
) -> Manifest:
    saved, known = resume(run_spec, folder)
    if saved is None:
        folder.forget_results()
    attempt = {"started": now(), "process": os.getpid(), "from_step": saved[0]["env_step"] if saved else 0}
    manifest = describe(run_spec, {}, "running") | {"attempts": [*known.get("attempts", []), attempt]}
    manifest["budgets"] = _budgets(run_spec, saved, known)
    envs: list[gym.Env[Any, Any]] = []
    try:
        try:
            envs += [make_training_env(run_spec), make_evaluation_env(run_spec.env)]
            env, evaluation_env = envs
            agent = make_agent(run_spec.agent.id, env, seed=run_spec.seed, **run_spec.agent.settings)
            manifest |= {"agent_settings": agent.settings.model_dump(mode="json"), "wrappers": _wrappers(env)}
            manifest |= {
                "engine": agent.choose_engine(run_spec.engine, env, most_steps(run_spec.budget, episode_limit(env)))
            }
            manifest |= {"measure": score_measure(evaluation_env)}
            folder.write_manifest(manifest)
            monitor = _train(run_spec, folder, env, evaluation_env, agent, on_progress, saved, until)
            manifest |= {"env_steps": monitor.env_step, "episodes": monitor.num_episodes}
            manifest |= _results(run_spec, folder, agent) if until is None else {"status": "interrupted"}
        finally:
            attempt["ended"] = now()
        folder.write_manifest(manifest)
    except NotReplayedError:
        raise
    except KeyboardInterrupt:
        attempt["interrupted"] = True
        folder.write_manifest(manifest | {"status": "interrupted"})
        raise
    except Exception as error:
        message = attempt["error"] = " ".join(f"{type(error).__name__}: {error}".split())
        manifest |= {"status": "failed", "error": message}
        with contextlib.suppress(OSError):  # such as on a full disk, of which the message tells then
            folder.write_error(traceback.format_exc())
            folder.write_manifest(manifest)
    finally:
        for one in envs:
            one.close()
    return manifest


def resume(run_spec: RunSpec, folder: RunFolder) -> tuple[Saved | None, Manifest]:
    """The checkpoint that a run goes on from, if there is one, and the manifest of the attempts before.

    A run goes on when it was stopped, or has spent a smaller budget. What cannot be gone on with begins anew, unless
    it has finished before: that is left alone.

    Raises:
        InputError: the run has finished before, and cannot be gone on with.
    """
    if not (folder.path / MANIFEST).exists():
        return None, {}
    known = folder.read_manifest()
    has_finished = has_results(known)
    if not folder.checkpoint.exists():
        return None, known
    try:
        saved = folder.checkpoint.read()
        for name, mark in saved[0]["logs"].items():
            check_mark(folder.path / name, mark)
        before = Budget.model_validate(saved[0]["budget"])
    except (InputError, ValidationError, LookupError, TypeError, AttributeError) as error:
        if has_finished:
            raise InputError(f"{error}; the run has finished before, and is left as it is: move it away") from error
        _log.warning("%s; the run begins anew", error)
        return None, known
    if before == run_spec.budget or (has_finished and saved[0].get("spent") and run_spec.budget.covers(before)):
        return saved, known
    if has_finished:
        stopped = f"an extension to {before} was stopped at {saved[0]['env_step']:,} env steps"
        raise InputError(f"{folder.path}: {stopped}: finish it with that budget first, got {run_spec.budget}")
    return None, known  # another budget, of a run that never finished: it begins anew


def has_results(known: Manifest) -> bool:
    """Has the run finished, now or before it was extended?"""
    return bool(known["status"] == "finished" or len(known.get("budgets") or []) > 1)


def _budgets(run_spec: RunSpec, saved: Saved | None, known: Manifest) -> list[dict[str, int]]:
    """The budgets that the run was given, one after the other: a finished run may be extended."""
    asked = run_spec.budget.model_dump(exclude_none=True)
    if saved is None:
        return [asked]
    budgets: list[dict[str, int]] = known.get("budgets") or [asked]
    spent = saved[0]["budget"]  # what came after it was stopped before anything of it was saved
    budgets = budgets[: budgets.index(spent) + 1] if spent in budgets else [*budgets, spent]
    return budgets if budgets[-1] == asked else [*budgets, asked]


def _train(
    run_spec: RunSpec,
    folder: RunFolder,
    env: gym.Env[Any, Any],
    evaluation_env: gym.Env[Any, Any],
    agent: Agent,
    on_progress: Callable[[Progress], None],
    saved: Saved | None,
    until: int | None,
) -> RunMonitor:
    environment_seed = integer(run_spec.seed, "environment")
    env.reset(seed=environment_seed)  # seeds the environment's generator; the agent's own resets go on from it
    env.action_space.seed(environment_seed)
    if saved is not None:
        set_env_state(env, saved[0]["environment"])
        agent.load(folder.checkpoint.agent)
    monitor = RunMonitor(run_spec, folder, agent, env, evaluation_env, on_progress, saved, until)
    try:
        monitor.begin()
        agent.train(env, monitor)
        if until is None:
            monitor.finish()
        monitor.flush()
    finally:
        monitor.close()
    return monitor


def _results(run_spec: RunSpec, folder: RunFolder, agent: Agent) -> Manifest:
    """What the manifest says of a finished run."""
    return {
        "status": "finished",
        **{key: value for key, value in (("table", agent.table_size()), ("metrics", agent.metrics())) if value},
        "reference": _reference(run_spec, "final", run_spec.evaluation.final_episodes),
        "curve_reference": _reference(run_spec, "curve", run_spec.evaluation.episodes),
        "digests": result_digests(folder.path),
    }


def _reference(run_spec: RunSpec, episode_set: str, count: int) -> dict[str, Any] | None:
    """The ends of the scale on the episodes of a set, for the manifest."""
    reference = reference_for(run_spec.env, episode_seeds(run_spec.evaluation.seed, episode_set, count))
    return None if reference is None else reference.as_dict()


def _wrappers(env: gym.Env[Any, Any]) -> list[dict[str, Any]]:
    """The wrappers around the environment, the outermost first."""
    wrappers = []
    while isinstance(env, gym.Wrapper):
        arguments = env._saved_kwargs if isinstance(env, RecordConstructorArgs) else {}
        wrappers.append(
            {"name": type(env).__name__, "arguments": {key: repr(value) for key, value in arguments.items()}}
        )
        env = env.env
    return wrappers


def refuse_code_inside(folder: Path, name: str) -> None:
    """Raise if a `module:Class` would be imported from among the runs: reading a run folder runs no code from it.

    Raises:
        InputError: the module lies in the run folder, or in the output folder that it is part of.
    """
    parents = folder.resolve().parents
    # <output>/<experiment>/<env>/<agent>/seed-<n>; of a copy elsewhere, what lies beside it too
    output = parents[3] if len(parents) > 4 else parents[0]
    module = name.rpartition(":")[0].split(".")[0]
    found = find_spec(module) if module else None
    places = [] if found is None else [found.origin, *(found.submodule_search_locations or [])]
    if any(place and Path(place).resolve().is_relative_to(output) for place in places):
        raise InputError(f"{name} would be imported from {output}, and code that lies among runs is not run")


def load_agent(folder: RunFolder, env: gym.Env[Any, Any]) -> Agent:
    """The trained agent of a run.

    Raises:
        InputError: this is no run folder, it is damaged, or it has no checkpoint yet.
    """
    run_spec = folder.run_spec()
    if not folder.checkpoint.exists():
        status = folder.read_manifest()["status"]
        raise InputError(f"{folder.path}: the run is {status} and has no checkpoint yet")
    folder.checkpoint.check()
    with located(str(folder.path)):
        refuse_code_inside(folder.path, run_spec.agent.id)
        agent = make_agent(run_spec.agent.id, env, seed=run_spec.seed, **run_spec.agent.settings)
        agent.load(folder.checkpoint.agent)
    return agent
