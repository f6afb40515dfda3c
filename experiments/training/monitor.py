"""The monitor of a run: what its agent reports to. It is put together of budget, schedule, logs and checkpoints."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium as gym

from agents.base import Agent, Episode
from agents.env_snapshot import get_env_state
from agents.storage import State
from experiments.errors import InputError
from experiments.evaluation.environments import episode_limit
from experiments.evaluation.episode_seeds import seeds_of
from experiments.evaluation.rollout import EvaluationEpisode, evaluate_agent
from experiments.runs.csv_log import LogOffset
from experiments.runs.run_folder import TIMING_LOG, RunFolder
from experiments.runs.run_state import RunState, Saved
from experiments.runs.snapshots import Snapshots
from experiments.runs.timing import Timing
from experiments.specs.spec import RunSpec
from experiments.training.budget import CurveSchedule, Spending, most_steps
from experiments.training.observers import Evaluated, Observer, Progress
from experiments.training.run_logs import RunLogs, info_columns

PROGRESS_EVERY = 0.2  # seconds
TIMING_EVERY = 5.0  # seconds between rows of timing.csv, at most
CHECKPOINT_EVERY = 60.0  # seconds between checkpoints, about, at most
SYNC_EVERY = 10.0  # seconds of training between two times that a run is forced to the disk, at least


class NotFiniteError(ArithmeticError):
    """A reward, an error or what else was reported is infinite, or no number."""


class RunMonitor:
    """What the agent of a run reports to (see `agents.base.Monitor`).

    Args:
        run_spec: the run.
        folder: where its files go.
        agent: the agent that trains; evaluated frozen, which changes nothing in it.
        envs: where it trains (only looked at), and where it is evaluated.
        own_side: where it trains, if it is evaluated elsewhere: its final policy is judged there too.
        measure: what a score is.
        observers: who hears of it.
        saved: the checkpoint that the run goes on from, if it does.
        columns: of episodes.csv beyond the first, of a run that goes on.
        until: env steps after which to stop, although the budget is larger.

    Raises:
        InputError: the logs are not those that the checkpoint tells of.
    """

    def __init__(
        self,
        run_spec: RunSpec,
        folder: RunFolder,
        agent: Agent,
        envs: tuple[gym.Env[Any, Any], gym.Env[Any, Any]],
        measure: str = "return",
        observers: Sequence[Observer] = (),
        saved: Saved | None = None,
        columns: Sequence[str] = (),
        until: int | None = None,
        own_side: gym.Env[Any, Any] | None = None,
    ) -> None:
        self.run_spec, self.agent, self.observers = run_spec, agent, observers
        self._folder, self._measure = folder, measure
        self._env, self._evaluation_env = envs
        self._own_side = own_side
        self.max_steps = most_steps(run_spec.budget, episode_limit(self._env))
        state = None if saved is None else saved.state
        timing = Timing() if saved is None else saved.timing
        self._spending = Spending(
            run_spec.budget, *((state.env_step, state.episodes) if state else (0, 0)), until=until
        )
        self._schedule = CurveSchedule(run_spec.evaluation, self._spending)
        self.logs = RunLogs(folder.path, agent, state.logs if state else {}, _sound(timing, folder))
        if state is not None:
            self.logs.open_episodes(columns)
        self._snapshots = Snapshots(folder.path, state.snapshots if state else None)
        self.env_snapshot: State | None = state.env_snapshot if state else None
        self._saved_at = None if state is None else (state.env_step, state.episodes)
        self._checkpoint_due = self._to_be_pruned = self._pruned = False
        self._last = Progress(self._spending.env_step, self._spending.episodes, None, None)
        self._clock = _Clock(timing)
        self._was_resumed = saved is not None

    # -- what the agent asks and tells ------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Is there budget left?"""
        return self._spending.running and not self._pruned

    def allowance(self) -> tuple[int, int]:
        """How many env steps may pass, and how many episodes end, before something is due here."""
        if not self.running:
            return 0, 0
        steps, episodes = self._spending.left()
        to_step, to_episode = self._schedule.ahead()
        if self._checkpoint_due or self.agent.metric_names:
            to_episode = 1
        return int(min(steps, to_step)), min(episodes, to_episode)

    def step(self, count: int = 1) -> None:
        """Count env steps; evaluate at the curve's points."""
        if not self.running:
            return
        self._spending.env_step += count
        if self._schedule.step_is_due:
            self._evaluate_curve()
            self._schedule.advance()
        self._report_progress()

    def episode(self, episode: Episode) -> None:
        """Log a training episode."""
        budget = self.run_spec.budget
        if budget.episodes is not None and self._spending.episodes >= budget.episodes:
            return
        env_step, metrics = self._spending.env_step, self.agent.metrics()
        self._check_finite({"return": episode.total_reward, "td_error": episode.td_error} | metrics)
        self.logs.episode(self._spending.episodes, env_step, episode, metrics)
        for observer in self.observers:
            observer.episode(env_step, episode, metrics)
        self._spending.episodes += 1
        self._last = Progress(env_step, self._spending.episodes, episode.total_reward, episode.epsilon)
        if self._schedule.episode_is_due:
            self._evaluate_curve()
            self._schedule.advance()

    def learning(self, values: Mapping[str, float]) -> None:
        """Log what the agent says of its learning."""
        self._check_finite(values)
        self.logs.learning(self._spending.env_step, values)

    def safe_point(self, snapshot: Callable[[], State] | None = None) -> None:
        """Save the run if that is due."""
        if self._checkpoint_due or not (self.running or self._is_saved):
            self._write_checkpoint(snapshot)
        self._pruned = self._to_be_pruned

    # -- what the run asks ------------------------------------------------------------------------------------

    @property
    def env_step(self) -> int:
        """Env steps that were made."""
        return self._spending.env_step

    @property
    def num_episodes(self) -> int:
        """Episodes that have ended."""
        return self._spending.episodes

    @property
    def lasts(self) -> bool:
        """Is it worth to force the run to the disk in the end? A short one is sooner trained again."""
        return self._was_resumed or self._clock.seconds() >= SYNC_EVERY

    @property
    def pruned(self) -> bool:
        """Has an observer stopped the run? It stops at the next safe point, so that it can go on later."""
        return self._pruned

    def begin(self) -> None:
        """Before training: the curve's first point, unless this run goes on. Then the logs' columns are known."""
        if self._saved_at is None:
            self.logs.open_episodes(info_columns(self._evaluate_curve()))

    def finish(self) -> None:
        """After training: the checkpoint, and the final score."""
        if not self._is_saved:
            self._write_checkpoint()
        self._evaluate("final")
        self.logs.flush(sync=self.lasts)
        if self.lasts:
            self._folder.checkpoint.force()

    def close(self) -> None:
        """Close the logs and dismiss the observers."""
        self.logs.close()
        for observer in self.observers:
            observer.close()

    # -- evaluation -------------------------------------------------------------------------------------------

    def _evaluate_curve(self) -> Sequence[EvaluationEpisode]:
        """A point of the learning curve: an evaluation, a snapshot, and a checkpoint at the next safe point."""
        episodes = self._evaluate("curve")
        self._folder.check_in_place()
        self._snapshots.add(self.env_step, self.agent.policy_state())
        self._checkpoint_due = True
        return episodes

    def _evaluate(self, phase: str) -> Sequence[EvaluationEpisode]:
        with self._clock.evaluating():
            evaluation, env = self.run_spec.evaluation, self._evaluation_env
            episodes = evaluate_agent(self.agent, env, seeds_of(evaluation, phase))
            for episode in episodes:
                self._check_finite({f"return of evaluation episode {episode.seed}": episode.total_reward})
                self.logs.evaluation(self.env_step, phase, "fresh", episode)
            if self.run_spec.env.reset_seed is not None:  # one start: one episode of the frozen policy measures it
                (episode,) = evaluate_agent(self.agent, env, [self.run_spec.env.reset_seed])
                self.logs.evaluation(self.env_step, phase, "book", episode)
            if self._own_side is not None and phase == "final":
                for episode in evaluate_agent(self.agent, self._own_side, seeds_of(evaluation, phase)):
                    self.logs.evaluation(self.env_step, phase, "train", episode)
        self._log_timing()
        evaluated = Evaluated(self.env_step, phase, self._measure, episodes)
        for observer in self.observers:
            self._to_be_pruned |= observer.evaluated(evaluated)
        self._report_progress()
        return episodes

    def _check_finite(self, values: Mapping[str, float | None]) -> None:
        """Raise where a number is none: what is learned from then on means nothing.

        Raises:
            NotFiniteError: it is infinite, or nan.
        """
        for name, value in values.items():
            if value is not None and not math.isfinite(value):
                raise NotFiniteError(f"{name}: expected a finite number, got {value} at env step {self.env_step:,}")

    # -- clocks and checkpoints -------------------------------------------------------------------------------

    @property
    def _is_saved(self) -> bool:
        """Is the last checkpoint of this very point?"""
        return self._saved_at == (self.env_step, self.num_episodes)

    def _write_checkpoint(self, snapshot: Callable[[], State] | None = None) -> None:
        self._checkpoint_due = False
        self._folder.check_in_place()
        sync = time.perf_counter() - self._clock.last_sync >= SYNC_EVERY
        self.logs.flush(sync=sync)
        offsets = self.logs.offsets()
        timing = Timing(self._clock.seconds(), self._clock.evaluation_seconds, offsets.pop(TIMING_LOG))
        state = RunState(
            env_step=self.env_step,
            episodes=self.num_episodes,
            logs=offsets,
            budget=self.run_spec.budget,
            spent=not self._spending.running,
            environment=get_env_state(self._env),
            env_snapshot=None if snapshot is None else snapshot(),
            snapshots=self._snapshots.to_state(),
        )
        if sync:
            self._folder.sync_manifest()  # before the checkpoint that goes with it
        self._folder.checkpoint.write(self.agent, state.to_state(), timing, sync=sync)
        if sync:
            self._clock.last_sync = time.perf_counter()
        self._saved_at = (self.env_step, self.num_episodes)
        self._clock.last_checkpoint = time.perf_counter()
        for observer in self.observers:
            observer.checkpointed(self.env_step)

    def _log_timing(self) -> None:
        seconds, evaluation = self._clock.seconds(), self._clock.evaluation_seconds
        training = seconds - evaluation
        self.logs.timing(
            {
                "env_step": self.env_step,
                "episodes": self.num_episodes,
                "seconds": round(seconds, 3),
                "training_seconds": round(training, 3),
                "evaluation_seconds": round(evaluation, 3),
                "steps_per_second": round(self.env_step / training, 1) if training > 0 else None,
            }
        )
        self._clock.last_timing = time.perf_counter()

    def _report_progress(self) -> None:
        clock, now = self._clock, time.perf_counter()
        if now - clock.last_progress < PROGRESS_EVERY and self.running:
            return
        clock.last_progress = now
        self._checkpoint_due |= now - clock.last_checkpoint >= CHECKPOINT_EVERY
        if now - clock.last_timing >= TIMING_EVERY:
            self._log_timing()
        progress = self._last._replace(env_step=self.env_step, episodes=self.num_episodes)
        for observer in self.observers:
            observer.progress(progress)


class _Clock:
    """Wall-clock times of a run, over all its attempts; and when what is done now and then was last done."""

    def __init__(self, before: Timing) -> None:
        self.last_progress = self.last_timing = self.last_checkpoint = self.last_sync = time.perf_counter()
        self._start = self.last_progress - before.seconds
        self.evaluation_seconds = before.evaluation_seconds
        self._evaluation_begun = 0.0

    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self._start

    def evaluating(self) -> "_Clock":
        """What is done within this block is evaluation."""
        return self

    def __enter__(self) -> None:
        """An evaluation begins."""
        self._evaluation_begun = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        """It has ended."""
        self.evaluation_seconds += time.perf_counter() - self._evaluation_begun


def _sound(timing: Timing, folder: RunFolder) -> LogOffset | None:
    """The offset of timing.csv, if that begins with what it tells of: wall-clock times are no result."""
    if timing.log is None:
        return None
    try:
        timing.log.check(folder.path / TIMING_LOG)
    except InputError:
        return None
    return timing.log
