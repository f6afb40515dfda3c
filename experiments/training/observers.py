"""Who hears how a run goes: progress bars, TensorBoard, pruning, and what comes. None of them changes a result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agents.base import Episode
from experiments.evaluation.rollout import EvaluationEpisode
from experiments.results.tensorboard import FOLDER, TRAINING, EventWriter, score_tag


class Progress(NamedTuple):
    """How far a run is."""

    env_step: int
    episodes: int
    total_reward: float | None  # of the last episode
    epsilon: float | None


@dataclass(frozen=True)
class Evaluated:
    """An evaluation: a point of the learning curve, or the final one."""

    env_step: int
    phase: str  # "curve" or "final"
    measure: str  # what a score is: "return" or "-steps"
    episodes: Sequence[EvaluationEpisode]

    @property
    def score(self) -> float:
        """The mean score."""
        scores = [one.total_reward if self.measure == "return" else -one.length for one in self.episodes]
        return float(np.mean(scores))


class Observer:
    """Hears of a run; a subclass answers to what it wants to know."""

    def progress(self, progress: Progress) -> None:
        """The run has come this far; several times a second."""

    def episode(self, env_step: int, episode: Episode, metrics: Mapping[str, float]) -> None:
        """A training episode has ended; with the agent's metrics."""

    def evaluated(self, evaluated: Evaluated) -> bool:
        """The agent was evaluated. True: the run shall be pruned, that is, stop here unfinished."""
        return False

    def checkpointed(self, env_step: int) -> None:
        """The run was saved."""

    def close(self) -> None:
        """The run has ended, in whichever way."""


class Point(NamedTuple):
    """A point of a run's learning curve, as whoever may prune the run hears of it."""

    env_step: int
    score: float  # mean of the evaluation's episodes


@dataclass(frozen=True)
class Hearing(Observer):
    """Hands on what is heard of a run: its progress; and its learning curve, to whoever may prune it (True)."""

    on_progress: Callable[[Progress], None]
    on_point: Callable[[Point], bool] | None = None

    def progress(self, progress: Progress) -> None:
        """Hand it on."""
        self.on_progress(progress)

    def evaluated(self, evaluated: Evaluated) -> bool:
        """Ask, at the points of the curve after training has begun."""
        if self.on_point is None or evaluated.phase != "curve" or evaluated.env_step == 0:
            return False
        return self.on_point(Point(evaluated.env_step, evaluated.score))


class TensorBoard(Observer):
    """Writes TensorBoard's event files into a run's folder while it trains.

    Args:
        run: the run's folder.
        from_step: of a run that goes on: what an earlier file has from this step on is not shown any more.
    """

    def __init__(self, run: Path, from_step: int | None) -> None:
        self._events = EventWriter(run / FOLDER, from_step)

    def episode(self, env_step: int, episode: Episode, metrics: Mapping[str, float]) -> None:
        """Return, length, exploration, and what the agent measures."""
        values: dict[str, float | None] = {"return": episode.total_reward, "length": episode.length}
        values |= {"epsilon": episode.epsilon, "td_error": episode.td_error} | dict(metrics)
        self._events.scalars(env_step, {f"{TRAINING}/{name}": value for name, value in values.items()})

    def evaluated(self, evaluated: Evaluated) -> bool:
        """The mean score."""
        tag = score_tag(evaluated.phase, evaluated.measure)
        self._events.scalars(evaluated.env_step, {tag: evaluated.score})
        return False

    def close(self) -> None:
        """Write what is left."""
        self._events.close()
