"""Many mazes at once: the state of N environments as arrays, and what a reset and a step do to it.

These functions are only ever compiled (`envs.mazes.compiled`); `envs.mazes.env` defines what they must do, and a test
holds them to it, bit by bit. T is the number of levels that are kept: one, one for each environment, or a pool's.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.mazes.chance import below, uniform
from envs.mazes.level import Level, Recipe, draw_level
from envs.mazes.moves import AT_EXIT, GOES_ON, Tables, fill_tables, slipped

ALL_GO_ON, SOME_OVER, BAD_ACTION = range(3)  # what `advance` has to say


class Robots(NamedTuple):
    """N robots and their generators."""

    rngs: Any  # [N, 6] uint64: the words of N generators; see `pcg64`
    states: NDArray[np.int64]  # [N]
    steps: NDArray[np.int64]  # [N]: moves since the reset
    which: NDArray[np.int64]  # [N]: the level that each is in
    over: NDArray[np.bool_]  # [N]: has the episode ended?


class Levels(NamedTuple):
    """T levels: `level.Level` and `level.Tables` with one more axis in front."""

    tables: Tables
    starts: NDArray[np.int64]  # [T, C]; the first `num_starts` count
    num_starts: NDArray[np.int64]  # [T]
    passages: NDArray[np.bool_]  # [T, C, 4]
    exits: NDArray[np.int64]  # [T, E]
    pits: NDArray[np.bool_]  # [T, C]
    keys: NDArray[np.int8]  # [T, C]
    doors: NDArray[np.int8]  # [T, C, 4]


class Rules(NamedTuple):
    """What is the same for all."""

    straight: float  # cumulative probabilities of a move straight on, to the right of it, to the left of it
    right: float
    left: float
    max_steps: int


class Results(NamedTuple):
    """What a step gives back."""

    rewards: NDArray[np.float64]  # [N]
    terminations: NDArray[np.bool_]  # [N]
    truncations: NDArray[np.bool_]  # [N]
    successes: NDArray[np.bool_]  # [N]


def keep_level(recipe: Recipe, robots: Robots, levels: Levels, index: int) -> None:
    """A reset where all episodes are in the same maze."""


def pick_level(recipe: Recipe, robots: Robots, levels: Levels, index: int) -> None:
    """A reset that draws one of a pool's levels."""
    robots.which[index] = below(robots.rngs[index], len(levels.starts))


def new_level(recipe: Recipe, robots: Robots, levels: Levels, index: int) -> None:
    """A reset into a maze of its own."""
    store(recipe, levels, index, draw_level(recipe, robots.rngs[index]))


def renew_level(recipe: Recipe, robots: Robots, levels: Levels, index: int) -> None:
    """One of the three stands here in machine code."""
    raise NotImplementedError


def store(recipe: Recipe, levels: Levels, place: int, level: Level) -> None:
    """Put a level in a place."""
    tables = levels.tables
    fill_tables(recipe, level, Tables(tables.successors[place], tables.rewards[place], tables.ends[place]))
    levels.num_starts[place] = len(level.starts)
    levels.starts[place, : len(level.starts)] = level.starts
    levels.passages[place] = level.passages
    levels.exits[place] = level.exits
    levels.pits[place] = level.pits
    levels.keys[place] = level.keys
    levels.doors[place] = level.doors


def enter(robots: Robots, levels: Levels, index: int) -> None:
    """Begin an episode in the level that is up."""
    which = robots.which[index]
    count = levels.num_starts[which]
    draw = uniform_at(robots.rngs, index)
    robots.states[index] = levels.starts[which, min(int(draw * count), count - 1)]
    robots.steps[index] = 0
    robots.over[index] = False


def uniform_at(rngs: Any, index: int) -> float:
    """A number in [0, 1) from the generator of one environment."""
    return uniform(rngs[index])  # compiled code has its own, `pcg64.uniform_at`


def begin(recipe: Recipe, robots: Robots, levels: Levels, chosen: NDArray[np.int64]) -> None:
    """Reset the chosen environments."""
    for index in chosen:
        renew_level(recipe, robots, levels, index)
        enter(robots, levels, index)


def advance(rules: Rules, robots: Robots, tables: Tables, actions: NDArray[np.int64], results: Results) -> int:
    """One step of all environments whose episode goes on; where an action is bad, none, and BAD_ACTION."""
    # Taken out of their tuples once: doing so in the loop would cost more than the step.
    rngs, states, steps, which, over = robots.rngs, robots.states, robots.steps, robots.which, robots.over
    level_successors, level_rewards, level_ends = tables.successors, tables.rewards, tables.ends
    rewards, successes = results.rewards, results.successes
    terminations, truncations = results.terminations, results.truncations
    bits = 0
    for index in range(len(actions)):
        bits |= actions[index]
    if bits < 0 or bits > 3:
        return BAD_ACTION
    said = ALL_GO_ON
    for index in range(len(actions)):
        if over[index]:
            rewards[index] = 0.0
            terminations[index] = truncations[index] = successes[index] = False
            continue
        level, state, action = which[index], states[index], actions[index]
        draw = uniform_at(rngs, index)
        if draw >= rules.straight:
            action = slipped(action, draw, rules.right, rules.left)
        rewards[index] = level_rewards[level, state, action]
        state = level_successors[level, state, action]
        end = level_ends[level, state]
        states[index] = state
        steps[index] += 1
        terminated = end != GOES_ON
        truncated = not terminated and steps[index] >= rules.max_steps
        terminations[index] = terminated
        truncations[index] = truncated
        successes[index] = end == AT_EXIT
        if terminated or truncated:
            over[index] = True
            said = SOME_OVER
    return said
