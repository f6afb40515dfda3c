"""The budget of a run, as it is spent; and the points of its learning curve."""

import itertools
import math
from collections.abc import Iterator

from experiments.specs.spec import NUM_CURVE_POINTS, Budget, Evaluation

UNLIMITED = 1 << 62


def most_steps(budget: Budget, max_episode_steps: int) -> int:
    """The most env steps that a budget can take."""
    return budget.steps or (budget.episodes or 0) * max_episode_steps


class Spending:
    """How much of a budget is spent.

    Args:
        budget: env steps or episodes.
        env_step: env steps that were made before.
        episodes: episodes that have ended before.
        until: env steps after which to stop, although the budget is larger.
    """

    def __init__(self, budget: Budget, env_step: int = 0, episodes: int = 0, until: int | None = None) -> None:
        self.budget = budget
        self.env_step, self.episodes = env_step, episodes
        self._until = UNLIMITED if until is None else until

    @property
    def running(self) -> bool:
        """Is there any left?"""
        return min(self.left()) > 0

    def left(self) -> tuple[int, int]:
        """Env steps and episodes that are left; at most 0 when it is spent."""
        steps = UNLIMITED if self.budget.steps is None else self.budget.steps
        episodes = UNLIMITED if self.budget.episodes is None else self.budget.episodes - self.episodes
        return min(steps, self._until) - self.env_step, episodes


class CurveSchedule:
    """When the agent is evaluated: every so many env steps, or ten times evenly over the budget, in its unit.

    The point at env step 0 is not among these.
    """

    def __init__(self, evaluation: Evaluation, spending: Spending) -> None:
        self._spending = spending
        self._step_points: Iterator[int] = iter(())
        self._episode_points: list[int] = []
        budget = spending.budget
        if evaluation.every is not None:
            self._step_points = itertools.count(evaluation.every, evaluation.every)
        elif budget.steps is not None:
            self._step_points = iter(_evenly(budget.steps))
        else:
            self._episode_points = [point for point in _evenly(budget.episodes or 0) if point > spending.episodes]
        self._next_step: float = 0
        self.advance()

    def advance(self) -> None:
        """Leave the points behind that have been reached."""
        while self._next_step <= self._spending.env_step:
            self._next_step = next(self._step_points, math.inf)
        self._episode_points = [point for point in self._episode_points if point > self._spending.episodes]

    @property
    def step_is_due(self) -> bool:
        """Is a point in env steps reached?"""
        return self._spending.env_step >= self._next_step

    @property
    def episode_is_due(self) -> bool:
        """Is a point in episodes reached?"""
        return bool(self._episode_points) and self._spending.episodes == self._episode_points[0]

    def ahead(self) -> tuple[float, int]:
        """Env steps and episodes to the next point."""
        episodes = self._episode_points[0] - self._spending.episodes if self._episode_points else UNLIMITED
        return self._next_step - self._spending.env_step, episodes


def _evenly(budget: int) -> list[int]:
    """The ends of ten even parts of a budget."""
    points = (round(part * budget / NUM_CURVE_POINTS) for part in range(1, NUM_CURVE_POINTS + 1))
    return sorted(set(points) - {0})
