"""A level: a maze and what stands in it, and how one is drawn.

Everything here is plain functions on arrays: Python runs them as they stand, `envs.mazes.compiled` compiles the same
lines.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.mazes.carving import braid
from envs.mazes.chance import below, shuffle
from envs.mazes.generators import carve_maze
from envs.mazes.grid import DOWN, RIGHT, Passages, beyond, distances_to, neighbours
from envs.mazes.splits import ANY, MAX_DRAWS, side

IntArray = NDArray[np.int64]
SmallArray = NDArray[np.int8]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]

RANDOM, FARTHEST = -1, -2  # places that are no cell yet
STEP, DISTANCE, GOAL = range(3)  # kinds of rewards


class Recipe(NamedTuple):
    """How levels are drawn and what moves earn: a maze's options as numbers and arrays."""

    rows: int
    cols: int
    generator: int  # its place in the registry
    parameter: float  # the generator's
    braid: float
    one_way: float
    start: int  # a cell, RANDOM or FARTHEST
    exits: IntArray  # [E]: cells, RANDOM or FARTHEST
    exit_rewards: FloatArray  # [E]
    pits: int
    pit_reward: float
    pit_terminates: bool
    keys: int
    wind: IntArray  # [columns]: cells upwards; negative: downwards
    reward: int  # STEP, DISTANCE or GOAL
    split: int  # ANY, TRAIN or TEST
    wall_keys: NDArray[np.uint64]  # what the split goes by; see `splits`


class Level(NamedTuple):
    """A maze and what stands in it."""

    passages: Passages  # [C, 4]
    starts: IntArray  # [N]: the cells that an episode may start in, all equally likely
    exits: IntArray  # [E]
    pits: BoolArray  # [C]
    keys: SmallArray  # [C]: the number of the key that lies there; 0: none
    doors: SmallArray  # [C, 4]: the number of the key that this way needs; 0: none


def draw_level(recipe: Recipe, rng: np.random.Generator) -> Level:
    """A new level: the maze from its generator, then exits, start, one-way passages, pits, keys and doors.

    Raises:
        ValueError: no maze of the recipe's split was found.
    """
    rows, cols = recipe.rows, recipe.cols
    passages = np.zeros((rows * cols, 4), dtype=np.bool_)
    for _ in range(MAX_DRAWS):
        passages[:] = False
        carve_maze(recipe.generator, passages, rows, cols, recipe.parameter, rng)
        braid(passages, rows, cols, recipe.braid, rng)
        if recipe.split == ANY or side(passages, recipe.wall_keys) == recipe.split:
            return furnish(recipe, passages, rng)
    raise ValueError("split: no maze of these options is on this side of it")


def furnish(recipe: Recipe, passages: Passages, rng: np.random.Generator) -> Level:
    """Put what the recipe asks for into a carved maze."""
    start, exits = place(recipe, passages, rng)
    turn_one_way(passages, recipe.rows, recipe.cols, recipe.one_way, exits, rng)
    pits = dig_pits(passages, recipe.cols, recipe.pits, start, exits, rng)
    keys, doors = lock_doors(passages, recipe.rows, recipe.cols, recipe.keys, start, exits, pits, rng)
    return Level(passages, starting_cells(recipe, passages, start, exits, pits), exits, pits, keys, doors)


def place(recipe: Recipe, passages: Passages, rng: np.random.Generator) -> tuple[int, IntArray]:
    """The start's cell (or RANDOM) and the exits'."""
    start, exits = recipe.start, recipe.exits.copy()
    for index in range(len(exits)):
        if exits[index] == RANDOM:
            free = passages.sum(axis=1) > 0
            if start >= 0:
                free[start] = False
            for other in exits:
                if other >= 0:
                    free[other] = False
            others = np.flatnonzero(free)
            exits[index] = others[below(rng, len(others))]
        elif exits[index] == FARTHEST:
            exits[index] = np.argmax(distances_to(neighbours(passages, recipe.cols), np.array([start])))
    if start == FARTHEST:
        start = int(np.argmax(distances_to(neighbours(passages, recipe.cols), exits)))
    return start, exits


def starting_cells(recipe: Recipe, passages: Passages, start: int, exits: IntArray, pits: BoolArray) -> IntArray:
    """The start alone, or, where each reset draws it, all cells from which an exit can be reached past the pits."""
    if start >= 0:
        return np.array([start])
    return np.flatnonzero(distances_to(without(neighbours(passages, recipe.cols), pits), exits) > 0)


def turn_one_way(
    passages: Passages, rows: int, cols: int, share: float, exits: IntArray, rng: np.random.Generator
) -> None:
    """Close a share of the passages in one direction; every cell keeps a way to an exit.

    The passages come in random order, and so does the direction that is closed.
    """
    if share == 0:
        return
    candidates = np.empty(2 * rows * cols, dtype=np.int64)  # cell * 4 + action
    count = 0
    for cell in range(rows * cols):
        for action in (RIGHT, DOWN):
            if passages[cell, action]:
                candidates[count] = cell * 4 + action
                count += 1
    shuffle(rng, candidates[:count])
    wanted = round(share * count)
    for candidate in candidates[:count]:
        if wanted == 0:
            return
        cell, action = candidate // 4, candidate % 4
        if below(rng, 2) == 1:
            cell, action = beyond(cell, action, cols), (action + 2) % 4
        passages[cell, action] = False
        if (distances_to(neighbours(passages, cols), exits) < 0).any():
            passages[cell, action] = True
        else:
            wanted -= 1


def dig_pits(
    passages: Passages, cols: int, count: int, start: int, exits: IntArray, rng: np.random.Generator
) -> BoolArray:
    """The pits [C]: drawn cells, as many as asked for and as leave every other cell, one at least, a way to an exit."""
    pits = np.zeros(len(passages), dtype=np.bool_)
    if count == 0:
        return pits
    candidates = np.arange(len(passages))
    shuffle(rng, candidates)
    for cell in candidates:
        if count == 0:
            break
        if cell == start or (exits == cell).any():
            continue
        pits[cell] = True
        distances = distances_to(without(neighbours(passages, cols), pits), exits)
        if ((distances < 0) & ~pits).any() or not (distances > 0).any():
            pits[cell] = False
        else:
            count -= 1
    return pits


def lock_doors(
    passages: Passages,
    rows: int,
    cols: int,
    count: int,
    start: int,
    exits: IntArray,
    pits: BoolArray,
    rng: np.random.Generator,
) -> tuple[SmallArray, SmallArray]:
    """Keys [C] and doors [C, 4]: doors across the shortest path, each key on the start's side of its own door.

    As many as asked for, and as there is room for: a passage that leads both ways, and a cell for the key.
    """
    keys = np.zeros(rows * cols, dtype=np.int8)
    doors = np.zeros((rows * cols, 4), dtype=np.int8)
    if count == 0:
        return keys, doors
    ends = pits.copy()  # where nothing goes on: pits and exits
    ends[exits] = True
    path = shortest_path(without(neighbours(passages, cols), ends), start, exits[:1])
    moves = np.arange(1, len(path))  # not across the first: the robot needs a cell to find a key in
    back = beyond_all(path, cols) * 4 + (path + 2) % 4
    moves = moves[passages.reshape(-1)[back[1:]]]  # a door leads both ways
    shuffle(rng, moves)
    for number, move in enumerate(np.sort(moves[:count])):  # the first door is the one nearest to the start
        cell, action = path[move] // 4, path[move] % 4
        doors[cell, action] = doors[beyond(cell, action, cols), (action + 2) % 4] = number + 1
    before = start
    for number in range(1, min(count, len(moves)) + 1):
        # Closed: this door and all behind it. The key lies where the robot can go from the door before, and from there
        # to this one: so the doors can be opened one after the other, also where passages lead one way.
        ways = passages & ((doors == 0) | (doors < number))
        successors = without(neighbours(ways, cols), ends)
        door = np.flatnonzero(doors[path // 4, path % 4] == number)[0]
        returns = distances_to(successors, path[door : door + 1] // 4) >= 0
        free = returns & reached_from(successors, before) & (keys == 0)  # nothing returns from a pit or an exit
        before = path[door] // 4
        free[start] = False
        cells = np.flatnonzero(free)
        if len(cells) == 0:
            doors[:] = np.where(doors < number, doors, 0)
            break
        keys[cells[below(rng, len(cells))]] = number
    return keys, doors


def beyond_all(moves: IntArray, cols: int) -> IntArray:
    """The cells that moves lead to, given as cell * 4 + action."""
    cells = np.empty(len(moves), dtype=np.int64)
    for index in range(len(moves)):
        cells[index] = beyond(moves[index] // 4, moves[index] % 4, cols)
    return cells


def without(successors: IntArray, pits: BoolArray) -> IntArray:
    """The same moves where nothing leaves a pit."""
    for pit in np.flatnonzero(pits):
        successors[pit, :] = pit
    return successors


def shortest_path(successors: IntArray, start: int, goals: IntArray) -> IntArray:
    """A shortest path to a goal, as moves: state * 4 + action; of equal actions, the lowest."""
    distances = distances_to(successors, goals)
    path = np.empty(max(distances[start], 0), dtype=np.int64)
    state = start
    for move in range(len(path)):
        for action in range(4):
            if distances[successors[state, action]] == distances[state] - 1:
                path[move] = state * 4 + action
                state = successors[state, action]
                break
    return path


def reached_from(successors: IntArray, start: int) -> BoolArray:
    """The states [S] that one can walk to."""
    reached = np.zeros(len(successors), dtype=np.bool_)
    stack = np.empty(len(successors), dtype=np.int64)
    reached[start] = True
    stack[0] = start
    height = 1
    while height > 0:
        height -= 1
        state = stack[height]
        for action in range(4):
            successor = successors[state, action]
            if not reached[successor]:
                reached[successor] = True
                stack[height] = successor
                height += 1
    return reached
