"""Where an environment's levels come from: one fixed maze, a new one an episode, or a finite pool.

A level of a pool is a function of the recipe, the pool's seed and its number k alone. It is drawn as three candidates,
of which level k takes the one of rank k mod 3 by length of the walk to the exit: easy, middle, hard. Every third level
is thus of the same third of difficulty, while the pool as a whole is distributed as single mazes are (ranked-set
sampling, McIntyre 1952).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.mazes.level import Level, Recipe, draw_level
from envs.mazes.moves import exit_distances, move_tables

NUM_RANKS = 3
DrawLevel = Callable[[Recipe, np.random.Generator], Level]


@dataclass(frozen=True)
class Source:
    """What levels are made of, and which kind of source it is."""

    recipe: Recipe
    fixed: Level | None  # the one maze; None: others come
    num_levels: int | None = None  # of a pool
    level_seed: int = 0
    change: tuple[int, Level] | None = None  # the step from which on another layout is there

    @property
    def has_fixed_model(self) -> bool:
        """Is the model the same in every episode?"""
        return self.fixed is not None and self.change is None

    def first(self) -> Level:
        """The level that is up before the first reset."""
        if self.fixed is not None:
            return self.fixed
        return draw_level(self.recipe, np.random.default_rng(0))

    def level(self, number: int, draw: DrawLevel = draw_level) -> Level:
        """Level `number` of the pool."""
        seed = np.random.SeedSequence(self.level_seed, spawn_key=(number,))
        rng = np.random.default_rng(seed)
        candidates = [draw(self.recipe, rng) for _ in range(NUM_RANKS)]
        lengths = [self._mean_length(candidate) for candidate in candidates]
        return candidates[int(np.argsort(lengths, kind="stable")[number % NUM_RANKS])]

    def check_level_option(self, options: dict[str, Any] | None) -> int | None:
        """The level that `reset(options={"level": k})` asks for.

        Raises:
            ValueError: there is no such level.
        """
        number = (options or {}).get("level")
        if number is None:
            return None
        if self.num_levels is None:
            raise ValueError(
                f"level: this maze has no levels to choose from: expected levels = a number, got {number!r}"
            )
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < self.num_levels:
            raise ValueError(f"level: expected an integer from 0 to {self.num_levels - 1}, got {number!r}")
        return int(number)

    def _mean_length(self, level: Level) -> float:
        tables = move_tables(self.recipe, level)
        return float(exit_distances(tables.successors, tables.ends)[level.starts].mean())
