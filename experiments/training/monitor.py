"""The monitor of a run: counts steps against the budget, writes the logs, evaluates when it is due."""

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from agents.base import Agent, Episode
from agents.env_snapshot import get_env_state
from agents.storage import State
from experiments.errors import InputError
from experiments.evaluation.episode_seeds import episode_seeds
from experiments.evaluation.rollout import EvaluationEpisode, episode_limit, run_episode
from experiments.results.tensorboard import FOLDER as TENSORBOARD
from experiments.results.tensorboard import EventWriter
from experiments.runs.run_folder import EPISODES, EVALUATIONS, LOGS, TIMING, Log, RunFolder, check_mark
from experiments.specs.spec import NUM_CURVE_POINTS, Budget, RunSpec

PROGRESS_EVERY = 0.2  # seconds
TIMING_EVERY = 5.0  # seconds between rows of timing.csv, at most
CHECKPOINT_EVERY = 60.0  # seconds between checkpoints, about, at most
UNLIMITED = 1 << 62
Saved = tuple[State, dict[str, Any]]  # see `experiments.runs.checkpoint.CheckpointFolder.read`


class Progress(NamedTuple):
    """How far a run is, for progress bars."""

    env_step: int
    episodes: int
    total_reward: float | None  # of the last episode
    epsilon: float | None


class RunMonitor:
    """What the agent of a run reports to (see `agents.base.Monitor`).

    Args:
        run_spec: the run.
        folder: where its files go.
        agent: the agent that trains; evaluated frozen, which changes nothing in it.
        env: where it trains; only looked at.
        evaluation_env: an environment of the evaluation's own.
        on_progress: called now and then.
        saved: what `experiments.runs.checkpoint` has of the run, if it goes on.
        until: env steps after which to stop, although the budget is larger.

    Raises:
        InputError: the logs are not those that the checkpoint tells of.
    """

    def __init__(
        self,
        run_spec: RunSpec,
        folder: RunFolder,
        agent: Agent,
        env: gym.Env[Any, Any],
        evaluation_env: gym.Env[Any, Any],
        on_progress: Callable[[Progress], None],
        saved: Saved | None = None,
        until: int | None = None,
    ) -> None:
        self.run_spec, self.folder, self.agent = run_spec, folder, agent
        self._budget, self._until = run_spec.budget, UNLIMITED if until is None else until
        self._env, self._evaluation_env = env, evaluation_env
        self._on_progress = on_progress
        self.max_steps = most_steps(self._budget, episode_limit(env))
        self._info_columns = scalar_info(evaluation_env)
        columns = (*EPISODES, *agent.metric_names, *self._info_columns)
        known, timing = saved or ({"env_step": 0, "episodes": 0, "logs": {}}, {"seconds": 0.0, "evaluation": 0.0})
        marks = known["logs"] | _sound_marks(folder.path, timing.get("logs", {}))
        self._logs = {
            name: Log(folder.path / name, header, marks.get(name))
            for name, header in zip(LOGS, (columns, EVALUATIONS, TIMING), strict=True)
        }
        self._episodes, self._evaluations, self._timing = self._logs.values()
        self.env_step: int = known["env_step"]
        self.num_episodes: int = known["episodes"]
        self.env_snapshot: State | None = known.get("position")
        self._last = Progress(self.env_step, self.num_episodes, None, None)
        self._last_progress = self._last_timing = self._last_checkpoint = time.perf_counter()
        self._start = self._last_progress - timing["seconds"]
        self._evaluation_seconds = timing["evaluation"]
        self._checkpoint_due = False
        self._saved_at = None if saved is None else (self.env_step, self.num_episodes)
        self._events: EventWriter | None = None
        if run_spec.tensorboard:
            self._events = EventWriter(folder.path / TENSORBOARD, self.env_step if saved else None)
        # The curve's points after the first: env steps, or numbers of episodes where the budget is one of episodes.
        every = run_spec.evaluation.every
        self._step_points: Iterator[int] = iter(())
        self._episode_points: set[int] = set()
        if every is not None:
            self._step_points = itertools.count(every, every)
        elif self._budget.steps is not None:
            self._step_points = iter(_evenly(self._budget.steps))
        else:
            self._episode_points = set(_evenly(self._budget.episodes or 0))
        self._next_point: float = 0
        self._find_next_point()

    def _find_next_point(self) -> None:
        while self._next_point <= self.env_step:
            self._next_point = next(self._step_points, math.inf)

    @property
    def running(self) -> bool:
        """Is there budget left?"""
        if self.env_step >= self._until:
            return False
        if self._budget.steps is not None:
            return self.env_step < self._budget.steps
        return self.num_episodes < (self._budget.episodes or 0)

    def allowance(self) -> tuple[int, int]:
        """How many env steps may pass, and how many episodes end, before something is due here."""
        steps = UNLIMITED if self._budget.steps is None else self._budget.steps - self.env_step
        episodes = UNLIMITED if self._budget.episodes is None else self._budget.episodes - self.num_episodes
        steps = min(steps, self._until - self.env_step)
        if self._checkpoint_due or self.agent.metric_names:
            episodes = min(episodes, 1)
        elif self._episode_points:
            episodes = min([episodes, *(point - self.num_episodes for point in self._later_episode_points())])
        if episodes <= 0:
            return 0, 0
        return int(min(steps, self._next_point - self.env_step)), episodes

    def _later_episode_points(self) -> Iterator[int]:
        return (point for point in self._episode_points if point > self.num_episodes)

    def begin(self) -> None:
        """Before training: the curve's first point, unless this run goes on."""
        if self._saved_at is None:
            self._evaluate("curve")

    def step(self, count: int = 1) -> None:
        """Count env steps; evaluate at the curve's points."""
        if not self.running:
            return
        self.env_step += count
        if self.env_step >= self._next_point:
            self._evaluate("curve")
            self._find_next_point()
        self._report_progress()

    def episode(self, episode: Episode) -> None:
        """Log a training episode."""
        if self._budget.episodes is not None and self.num_episodes >= self._budget.episodes:
            return
        reported = {key: episode.info.get(key) for key in self._info_columns}
        self._episodes.append(
            {key: value.item() if isinstance(value, np.generic) else value for key, value in reported.items()}
            | {
                "episode": self.num_episodes,
                "env_step": self.env_step,
                "return": episode.total_reward,
                "length": episode.length,
                "epsilon": episode.epsilon,
                "td_error": episode.td_error,
            }
            | self.agent.metrics()
        )
        if self._events is not None:
            values: dict[str, float | None] = {"train/return": episode.total_reward, "train/length": episode.length}
            values |= {"train/epsilon": episode.epsilon, "train/td_error": episode.td_error}
            self._events.scalars(self.env_step, values | {f"train/{key}": x for key, x in self.agent.metrics().items()})
        self.num_episodes += 1
        self._last = Progress(self.env_step, self.num_episodes, episode.total_reward, episode.epsilon)
        if self.num_episodes in self._episode_points:
            self._evaluate("curve")

    def learning(self, values: Mapping[str, float]) -> None:
        """Log what the agent says of its learning."""

    def safe_point(self, snapshot: Callable[[], State] | None = None) -> None:
        """Save the run if that is due."""
        if self._checkpoint_due or not (self.running or self._is_saved):
            self._write_checkpoint(snapshot)

    def finish(self) -> None:
        """After training: the checkpoint, and the final score."""
        if not self._is_saved:
            self._write_checkpoint()
        self._evaluate("final")

    @property
    def _is_saved(self) -> bool:
        """Is the last checkpoint of this very point?"""
        return self._saved_at == (self.env_step, self.num_episodes)

    def flush(self) -> None:
        """Hand the logs to the operating system."""
        for log in self._logs.values():
            log.flush()

    def close(self) -> None:
        """Close the logs."""
        for log in self._logs.values():
            log.close()
        if self._events is not None:
            self._events.close()

    def _write_checkpoint(self, snapshot: Callable[[], State] | None = None) -> None:
        self._checkpoint_due = False
        self.flush()
        now = time.perf_counter()
        marks = {name: log.mark() for name, log in self._logs.items()}
        timing = {"seconds": now - self._start, "evaluation": self._evaluation_seconds}
        timing["logs"] = {"timing.csv": marks.pop("timing.csv")}
        state = {"env_step": self.env_step, "episodes": self.num_episodes, "logs": marks}
        state |= {"budget": self._budget.model_dump(exclude_none=True), "spent": not self.running}
        state |= {"environment": get_env_state(self._env)} | ({} if snapshot is None else {"position": snapshot()})
        self.folder.checkpoint.write(self.agent, state, timing)
        self._saved_at = (self.env_step, self.num_episodes)
        self._last_checkpoint = now

    def _evaluate(self, phase: str) -> None:
        begin = time.perf_counter()
        settings = self.run_spec.evaluation
        count = settings.episodes if phase == "curve" else settings.final_episodes
        returns = []
        for seed in episode_seeds(settings.seed, phase, count):
            episode = run_episode(self.agent, self._evaluation_env, seed)
            self._log_evaluation(phase, "fresh", episode)
            returns.append(episode.total_reward)
        if self._events is not None:
            self._events.scalars(self.env_step, {f"{phase}/return": float(np.mean(returns))})
        if self.run_spec.env.reset_seed is not None:  # one start: one episode of the frozen policy measures it
            self._log_evaluation(
                phase, "book", run_episode(self.agent, self._evaluation_env, self.run_spec.env.reset_seed)
            )
        self._evaluations.flush()
        now = time.perf_counter()
        self._evaluation_seconds += now - begin
        self._log_timing(now)
        self._checkpoint_due = phase == "curve"
        self._report_progress()

    def _log_evaluation(self, phase: str, episode_set: str, episode: EvaluationEpisode) -> None:
        self._evaluations.append(
            {
                "env_step": self.env_step,
                "phase": phase,
                "set": episode_set,
                "episode_seed": episode.seed,
                "return": episode.total_reward,
                "length": episode.length,
                "terminated": episode.terminated,
                "truncated": episode.truncated,
            }
        )

    def _log_timing(self, now: float) -> None:
        seconds = now - self._start
        training = seconds - self._evaluation_seconds
        self._timing.append(
            {
                "env_step": self.env_step,
                "episodes": self.num_episodes,
                "seconds": round(seconds, 3),
                "training_seconds": round(training, 3),
                "evaluation_seconds": round(self._evaluation_seconds, 3),
                "steps_per_second": round(self.env_step / training, 1) if training > 0 else None,
            }
        )
        self._timing.flush()
        self._last_timing = now

    def _report_progress(self) -> None:
        now = time.perf_counter()
        if now - self._last_progress >= PROGRESS_EVERY or not self.running:
            self._last_progress = now
            self._checkpoint_due |= now - self._last_checkpoint >= CHECKPOINT_EVERY
            if now - self._last_timing >= TIMING_EVERY:
                self._log_timing(now)
            self._on_progress(self._last._replace(env_step=self.env_step, episodes=self.num_episodes))


def _sound_marks(folder: Path, marks: dict[str, Any]) -> dict[str, Any]:
    """The marks of logs that begin with what they tell of; wall-clock times are no result, and may begin anew."""
    sound = {}
    for name, mark in marks.items():
        with contextlib.suppress(InputError):
            check_mark(folder / name, mark)
            sound[name] = mark
    return sound


def most_steps(budget: Budget, max_episode_steps: int) -> int:
    """The most env steps that a budget can take."""
    return budget.steps or (budget.episodes or 0) * max_episode_steps


def _evenly(budget: int) -> list[int]:
    """The ends of ten even parts of a budget."""
    points = (round(part * budget / NUM_CURVE_POINTS) for part in range(1, NUM_CURVE_POINTS + 1))
    return sorted(set(points) - {0})


def scalar_info(env: gym.Env[Any, Any]) -> list[str]:
    """The names of the numbers and truth values that an environment reports after a step: the log's last columns.

    Looked up in the evaluation's environment, which every evaluation episode seeds anew.
    """
    env.reset(seed=0)
    env.action_space.seed(0)
    info = env.step(env.action_space.sample())[4]
    numbers = bool | int | float | np.bool_ | np.number
    return [key for key, value in info.items() if isinstance(value, numbers) and key not in EPISODES]
