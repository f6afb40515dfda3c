"""One run from beginning to end: environment, agent, training, evaluation, run folder."""

import contextlib
import inspect
import logging
import os
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
from gymnasium.envs.registration import load_env_creator
from gymnasium.utils import RecordConstructorArgs
from pydantic import JsonValue

from agents.base import Agent
from agents.env_snapshot import NotReplayedError, set_env_state
from agents.planning.trust import wrappers_of
from agents.policy import Spaces
from agents.registry import make_agent
from agents.seeding import integer
from envs.contract import check_contract
from envs.registry import find_spec
from envs.wrappers import chain, step_limit
from experiments.errors import InputError, in_words, located
from experiments.evaluation.environments import (
    check_same_spaces,
    close,
    closing,
    episode_limit,
    make_evaluation_env,
    make_own_side_env,
    make_training_env,
    num_beyond_bounds,
)
from experiments.evaluation.score_scale import score_measure
from experiments.results.tensorboard import check_installed
from experiments.runs.digests import result_digests
from experiments.runs.heartbeat import Heart
from experiments.runs.manifest import Attempt, Limits, Manifest, TableSize, Wrapper
from experiments.runs.own_code import Code, code_of, remember
from experiments.runs.provenance import describe, now
from experiments.runs.run_folder import EPISODES, EPISODES_LOG, MovedError, RunFolder
from experiments.runs.spaces import spaces_to_json
from experiments.specs.spec import Budget, RunSpec
from experiments.training.budget import most_steps
from experiments.training.monitor import RunMonitor
from experiments.training.observers import Observer, TensorBoard
from experiments.training.own_observers import find_observer, own_observers
from experiments.training.resume import budgets, resume
from experiments.training.scales import scale_records

_log = logging.getLogger(__name__)


class CheckedSpec(NamedTuple):
    """A run that can be trained."""

    settings: dict[str, JsonValue]  # the agent's, resolved
    code: Code  # of the user's own that it is made of


def check_run_spec(run_spec: RunSpec) -> CheckedSpec:
    """Build the run's environment and agent once, before anything is written.

    Raises:
        InputError: an option is wrong, or the agent cannot act in the environment.
    """
    if run_spec.tensorboard:
        check_installed()
    for name in run_spec.observers:
        find_observer(name)
    with located(f"envs: {run_spec.env.id}"):
        env = make_training_env(run_spec.env)
    with closing(env):
        with located(f"envs: {run_spec.env.id}"):
            check_contract(env, integer(run_spec.seed, "environment"))
            if run_spec.env.evaluation:
                with closing(make_evaluation_env(run_spec.env)) as judged_in:
                    check_same_spaces(Spaces.of(env), judged_in)
        with located(f"agents: {run_spec.agent.id} on {run_spec.env.id}"):
            agent = make_agent(run_spec.agent.id, env, seed=run_spec.seed, **run_spec.agent.settings)
            agent.choose_engine(run_spec.engine, env, most_steps(run_spec.budget, episode_limit(env)))
    return CheckedSpec(agent.settings.model_dump(mode="json"), _code(run_spec, env, agent))


def _code(run_spec: RunSpec, env: gym.Env[Any, Any], agent: Agent) -> Code:
    """The user's own code behind a run."""
    maker = find_spec(run_spec.env.id).entry_point
    makers = [load_env_creator(maker) if isinstance(maker, str) else maker]
    return code_of([type(agent), *map(type, chain(env)), *makers])


def train_run(run_spec: RunSpec, out: Path, observers: Sequence[Observer] = (), until: int | None = None) -> Manifest:
    """Train and evaluate; the manifest as it was written. A failure is recorded in it, an interrupt passes on.

    A run that was stopped goes on from its checkpoint, and ends as if it had never stopped. One that has finished, as
    by another command that was begun at the same time, is left as it is.

    Args:
        run_spec: the run.
        out: the output folder.
        observers: who hears of it.
        until: env steps after which to stop, unfinished, although the budget is larger.
    """
    folder = RunFolder(out / run_spec.folder)
    try:
        with folder.lock(), Heart(folder.path):
            if folder.exists():
                known = folder.read_manifest()
                if known.finished and known.run_spec.budget.covers(run_spec.budget):
                    return known
            try:
                return _Attempt(run_spec, folder, observers, until).run()
            except NotReplayedError as error:
                _log.warning("%s: %s; the run begins anew", folder.path, error)
                return _anew(run_spec, folder, observers, until)
    except InputError as error:  # the folder is another's, or holds what would be lost: it is left alone
        return describe(run_spec, "failed").with_(error=str(error))


def _anew(run_spec: RunSpec, folder: RunFolder, observers: Sequence[Observer], until: int | None) -> Manifest:
    """Train a run from its beginning, which could not be gone on with; what it had come to stays until it has again."""
    known = folder.read_manifest()
    if known.has_results:
        folder.set_aside()
    else:
        folder.forget_results()
    manifest = _Attempt(run_spec, folder, observers, until, before=known).run()
    if manifest.finished:
        folder.forget_aside()
    return manifest


class _Attempt:
    """One time that a run is trained, until it has finished, failed or was stopped."""

    def __init__(
        self,
        run_spec: RunSpec,
        folder: RunFolder,
        observers: Sequence[Observer],
        until: int | None,
        before: Manifest | None = None,
    ) -> None:
        self.run_spec, self.folder, self.observers, self.until = run_spec, folder, list(observers), until
        self.saved, known = resume(run_spec, folder) if before is None else (None, before)
        if before is None and self.saved is None and known is not None:
            folder.forget_results()
        self.lasts = False  # is it to be forced to the disk?
        begun = Attempt(started=now(), process=os.getpid(), from_step=self.saved.state.env_step if self.saved else 0)
        self.manifest = describe(run_spec, "running").with_(
            attempts=[*(known.attempts if known else []), begun],
            budgets=budgets(run_spec, self.saved, known) if before is None else _with(before.budgets, run_spec.budget),
            columns=known.columns if known and self.saved else {},
            stopping_rule=known.stopping_rule if known else None,
        )

    def run(self) -> Manifest:
        """Train, and write down how it went."""
        envs: list[gym.Env[Any, Any]] = []
        try:
            try:
                envs += [make_training_env(self.run_spec.env), make_evaluation_env(self.run_spec.env)]
                own_side = make_own_side_env(self.run_spec.env)
                envs += [] if own_side is None else [own_side]
                self._train(envs[0], envs[1], own_side)
            finally:
                self._note(ended=now())
            self.folder.write_manifest(self.manifest, sync=self.lasts)
        except NotReplayedError:
            raise
        except KeyboardInterrupt:
            self._note(interrupted=True)
            with contextlib.suppress(MovedError):
                self.folder.write_manifest(self.manifest.with_(status="interrupted"))
            raise
        except BaseException as error:  # sys.exit of the user's own code too
            message = in_words(error)
            self._note(error=message)
            self.manifest = self.manifest.with_(status="failed", error=message)
            with contextlib.suppress(OSError, MovedError):  # such as on a full disk, of which the message tells then
                self.folder.write_error(traceback.format_exc())
                self.folder.write_manifest(self.manifest)
        finally:
            for env in envs:
                close(env)
        return self.manifest

    def _note(self, **values: Any) -> None:
        """Write something down about this attempt."""
        *before, mine = self.manifest.attempts
        self.manifest = self.manifest.with_(attempts=[*before, mine.model_copy(update=values)])

    def _train(
        self, env: gym.Env[Any, Any], evaluation_env: gym.Env[Any, Any], own_side: gym.Env[Any, Any] | None
    ) -> None:
        run_spec = self.run_spec
        where = Spaces.of(env) if self.saved else env  # an agent that goes on has been prepared
        agent = make_agent(run_spec.agent.id, where, seed=run_spec.seed, **run_spec.agent.settings)
        code = _code(run_spec, env, agent)
        remember(code)  # who trains it vouches for it
        maker = find_spec(run_spec.env.id).entry_point
        self.manifest = self.manifest.with_(
            code=code,
            factory=run_spec.env.id if inspect.isfunction(maker) or _is_function(maker) else None,
            agent_settings=agent.settings.model_dump(mode="json"),
            spaces=spaces_to_json(Spaces.of(env)),
            wrappers=_wrappers(env),
            limits=Limits(training=step_limit(env), evaluation=episode_limit(evaluation_env)),
            engine=agent.choose_engine(run_spec.engine, env, most_steps(run_spec.budget, episode_limit(env))),
            measure=score_measure(evaluation_env),
        )
        monitor = self._monitor(env, evaluation_env, own_side, agent)
        try:
            monitor.begin()
            if self.saved is None:
                self.manifest = self.manifest.with_(columns=monitor.logs.columns)
            self.folder.write_manifest(self.manifest)
            agent.train(env, monitor)
            finishes = self.until is None and not monitor.pruned
            if finishes:
                monitor.finish()
            self.lasts = monitor.lasts
            monitor.logs.flush()
        finally:
            monitor.close()
        beyond = num_beyond_bounds(env) + num_beyond_bounds(evaluation_env)
        self.manifest = self.manifest.with_(
            env_steps=monitor.env_step, episodes=monitor.num_episodes, notes=_notes(beyond)
        )
        self.manifest = self._finished(agent, monitor) if finishes else self._stopped(monitor)

    def _stopped(self, monitor: RunMonitor) -> Manifest:
        """What the manifest says of a run that was stopped before its end."""
        return self.manifest.with_(status="interrupted", pruned=monitor.pruned or None)

    def _monitor(
        self,
        env: gym.Env[Any, Any],
        evaluation_env: gym.Env[Any, Any],
        own_side: gym.Env[Any, Any] | None,
        agent: Agent,
    ) -> RunMonitor:
        """The run's monitor, after agent and environment were put where the run goes on."""
        run_spec, saved = self.run_spec, self.saved
        environment_seed = integer(run_spec.seed, "environment")
        env.reset(seed=environment_seed)  # seeds the environment's generator; the agent's own resets go on from it
        env.action_space.seed(environment_seed)
        if saved is not None:
            set_env_state(env, saved.state.environment)
            agent.load(self.folder.checkpoint.agent)
        observers = self.observers
        if run_spec.tensorboard:
            observers = [*observers, TensorBoard(self.folder.path, saved.state.env_step if saved else None)]
        observers = [*observers, *own_observers(run_spec, self.folder.path)]
        return RunMonitor(
            run_spec,
            self.folder,
            agent,
            (env, evaluation_env),
            measure=self.manifest.measure or "return",
            observers=observers,
            saved=saved,
            columns=_info_columns(self.manifest, agent) if saved else (),
            until=self.until,
            own_side=own_side,
        )

    def _finished(self, agent: Agent, monitor: RunMonitor) -> Manifest:
        """What the manifest says of a finished run."""
        known = {name: offset.sha256 for name, offset in monitor.logs.offsets().items()}
        known |= {f"checkpoint/{name}": digest for name, digest in self.folder.checkpoint.digests.items()}
        size = agent.table_size()
        reference, curve_reference = scale_records(self.run_spec)
        return self.manifest.with_(
            status="finished",
            table=None if size is None else TableSize(**size._asdict()),
            metrics=agent.metrics(),
            reference=reference,
            curve_reference=curve_reference,
            digests=result_digests(self.folder.path, known),
        )


def _with(before: Sequence[Budget], asked: Budget) -> list[Budget]:
    """The budgets that a run was given, with the one that it has now."""
    return [*before] if before and before[-1] == asked else [*before, asked]


def _is_function(entry_point: Any) -> bool:
    """Does an entry point name a function, which makes the environment?"""
    return isinstance(entry_point, str) and inspect.isfunction(load_env_creator(entry_point))


def _notes(beyond: int) -> list[str]:
    """What a reader must know of a run."""
    return [f"{beyond:,} observations left the bounds of their space"] if beyond else []


def _info_columns(manifest: Manifest, agent: Agent) -> list[str]:
    """The columns of episodes.csv that the environment's reports have made."""
    return manifest.columns[EPISODES_LOG][len(EPISODES) + len(agent.metric_names) :]


def _wrappers(env: gym.Env[Any, Any]) -> list[Wrapper]:
    """The wrappers around the environment, the outermost first."""
    wrappers = []
    for wrapper in wrappers_of(env):
        arguments = wrapper._saved_kwargs if isinstance(wrapper, RecordConstructorArgs) else {}
        shown = {key: repr(value) for key, value in arguments.items()}
        wrappers.append(Wrapper(name=type(wrapper).__name__, arguments=shown))
    return wrappers
