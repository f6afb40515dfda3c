"""What moves do in a level, as tables: the deterministic core of the model.

A state is the robot's cell and the keys that it holds: state = held * C + cell, where C is the number of cells, and
bit k - 1 of `held` is the key number k. Plain functions on arrays, like `envs.mazes.level`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.mazes.grid import DOWN, UP, Passages, distances_to, neighbours
from envs.mazes.level import DISTANCE, STEP, Level, Recipe

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

GOES_ON, AT_EXIT, IN_PIT = range(3)  # what a state means for the episode


class Tables(NamedTuple):
    """What every move does."""

    successors: NDArray[np.int32]  # [S, 4]: the state that a move in each direction leads to
    rewards: FloatArray  # [S, 4]
    ends: NDArray[np.uint8]  # [S]: GOES_ON, AT_EXIT or IN_PIT


def move_tables(recipe: Recipe, level: Level) -> Tables:
    """The tables of moves of a level, for all cells and keys held."""
    num_states = (recipe.rows * recipe.cols) << recipe.keys
    successors = np.empty((num_states, 4), dtype=np.int32)
    rewards = np.empty((num_states, 4), dtype=np.float64)
    tables = Tables(successors, rewards, np.empty(num_states, dtype=np.uint8))
    fill_tables(recipe, level, tables)
    return tables


def fill_tables(recipe: Recipe, level: Level, tables: Tables) -> None:
    """Write the tables of moves of a level into arrays that are there."""
    cols, num_cells = recipe.cols, recipe.rows * recipe.cols
    successors, rewards, ends = tables.successors, tables.rewards, tables.ends
    ends[:] = GOES_ON
    # What a move earns follows from the cell that it leads to.
    earned = np.full(num_cells, -1.0 if recipe.reward == STEP else 0.0)
    for index in range(len(level.exits)):
        earned[level.exits[index]] += recipe.exit_rewards[index]
    pits = np.flatnonzero(level.pits)
    for pit in pits:
        earned[pit] = recipe.pit_reward
    for held in range(1 << recipe.keys):
        first = held * num_cells
        states = np.arange(first, first + num_cells)  # of the cells
        ways = level.passages
        if recipe.keys > 0:
            # Bit 0 of `opened` stands for "no door", bit k for the key number k.
            opened = held << 1 | 1
            ways = level.passages & ((opened >> level.doors) & 1 == 1)
            for cell in np.flatnonzero(level.keys):
                states[cell] = (held | 1 << (int(level.keys[cell]) - 1)) * num_cells + cell
        for cell in level.exits:
            ends[first + cell] = AT_EXIT
        for pit in pits:
            if recipe.pit_terminates:
                ends[first + pit] = IN_PIT
            else:
                states[pit] = first + level.starts[0]
        reached = neighbours(ways, cols)
        blow(reached, recipe.wind, ways, cols)
        successors[first : first + num_cells] = np.take(states, reached)
        rewards[first : first + num_cells] = np.take(earned, reached)
    for state in np.flatnonzero(ends):
        successors[state, :] = state
        rewards[state, :] = 0.0
    if recipe.reward == DISTANCE:
        add_progress(rewards, successors, ends)


def blow(reached: IntArray, wind: IntArray, ways: Passages, cols: int) -> None:
    """Shift every move, in place, by the wind in the column that it leaves, as far as no wall is in the way."""
    if not wind.any():
        return
    for cell in range(len(reached)):
        strength = wind[cell % cols]
        for action in range(4):
            for _ in range(abs(strength)):
                if ways[reached[cell, action], UP if strength > 0 else DOWN]:
                    reached[cell, action] += -cols if strength > 0 else cols


def add_progress(rewards: FloatArray, successors: NDArray[np.int32], ends: NDArray[np.uint8]) -> None:
    """Add +1 for a move that comes nearer an exit, -1 for one that goes farther away; nothing for a fall into a pit."""
    distances = exit_distances(successors, ends)
    for state in np.flatnonzero(ends == GOES_ON):
        for action in range(4):
            successor = successors[state, action]
            fell = ends[successor] == IN_PIT
            if distances[successor] > distances[state] or (distances[successor] < 0 and distances[state] >= 0):
                rewards[state, action] += 0.0 if fell else -1.0
            elif distances[successor] < distances[state]:
                rewards[state, action] += 1.0


def exit_distances(successors: NDArray[np.int32], ends: NDArray[np.uint8]) -> IntArray:
    """Fewest moves [S] to an exit from every state, as if nothing slipped; -1 where there is no way."""
    return distances_to(successors, np.flatnonzero(ends == AT_EXIT))


def slipped(action: int, draw: float, right: float, left: float) -> int:
    """Where a move goes that does not go straight on, by cumulative probabilities; rounding is toy_text's."""
    if draw < right:
        return (action + 1) % 4
    if draw < left:
        return (action + 3) % 4
    return action
