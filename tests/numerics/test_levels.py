"""Levels: certified splits, pools, their difficulty, and the frozen benchmark ladder."""

import hashlib
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.mazes.carving import braid
from envs.mazes.difficulty import hitting_time, measure
from envs.mazes.env import MazeEnv
from envs.mazes.generators import GENERATORS
from envs.mazes.grid import Maze, closed
from envs.mazes.level import draw_level
from envs.mazes.splits import TEST, TRAIN, canonical_hash, side, wall_keys
from envs.registry import LADDER, OUR_MAZES, make_env


def make_maze(**options: Any) -> MazeEnv:
    return MazeEnv(**options)


def images(maze: Maze) -> list[Maze]:
    """The maze in all its rotations and reflections, by turning the coordinates of every passage."""
    result = []
    for down, right in ((False, False), (False, True), (True, False), (True, True)):
        for transpose in (False, True):
            rows, cols = (maze.cols, maze.rows) if transpose else (maze.rows, maze.cols)
            image = closed(rows, cols)
            for cell, action in np.argwhere(maze.passages):
                ends = []
                for one in (int(cell), maze.neighbour(int(cell), int(action))):
                    row, col = divmod(one, maze.cols)
                    row, col = maze.rows - 1 - row if down else row, maze.cols - 1 - col if right else col
                    ends.append((col, row) if transpose else (row, col))
                (row, col), (to_row, to_col) = ends
                direction = [(-1, 0), (0, 1), (1, 0), (0, -1)].index((to_row - row, to_col - col))
                image.passages[row * cols + col, direction] = True
            result.append(image)
    return result


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(GENERATORS)), st.integers(2, 7), st.integers(2, 7), st.integers(0, 10_000))
def test_a_maze_and_its_images_are_on_one_side(name: str, rows: int, cols: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    maze = GENERATORS[name](rows, cols, rng)
    braid(maze.passages, rows, cols, 0.3, rng)
    hashes = {int(canonical_hash(image.passages, wall_keys(image.rows, image.cols))) for image in images(maze)}
    assert len(hashes) == 1


def test_different_mazes_have_different_hashes_and_both_sides_come_as_often() -> None:
    keys = wall_keys(6, 6)
    rng = np.random.default_rng(0)
    mazes = [GENERATORS["wilson"](6, 6, rng).passages for _ in range(2000)]
    different = {maze.tobytes() for maze in mazes}
    assert len({int(canonical_hash(maze, keys)) for maze in mazes}) == len(different)
    assert abs(np.mean([side(maze, keys) for maze in mazes]) - 0.5) < 4 * 0.5 / np.sqrt(2000)


def canonical(maze: Maze) -> bytes:
    """A second way to tell mazes apart up to symmetry: the least of the images' bytes."""
    return min(f"{image.rows}x{image.cols}:".encode() + image.passages.tobytes() for image in images(maze))


@pytest.mark.parametrize(
    "options", [{"rows": 3, "cols": 3, "generator": "wilson"}, {"rows": 4, "cols": 3, "braid": 0.3}]
)
def test_no_maze_of_one_side_is_in_the_other_in_any_image(options: dict[str, Any]) -> None:
    seen: dict[int, set[bytes]] = {}
    for split, number in (("train", TRAIN), ("test", TEST)):
        env = make_maze(split=split, maze_seed=None, **options)
        env.reset(seed=1)
        seen[number] = set()
        for _ in range(150):
            env.reset()
            seen[number].add(canonical(env.maze))
    assert len(seen[TRAIN]) > 10
    assert len(seen[TEST]) > 10
    assert not seen[TRAIN] & seen[TEST]


def test_a_pool_is_a_function_of_its_seed_and_counts_within_its_side() -> None:
    one, other = make_maze(levels=6, level_seed=3, rows=5, cols=5), make_maze(levels=60, level_seed=3, rows=5, cols=5)
    for number in range(6):  # a larger pool has the smaller one's levels
        one.reset(seed=9, options={"level": number})
        other.reset(seed=1, options={"level": number})
        np.testing.assert_array_equal(one.maze.passages, other.maze.passages)
    another = make_maze(levels=6, level_seed=4, rows=5, cols=5)
    another.reset(options={"level": 0})
    one.reset(options={"level": 0})
    assert (another.maze.passages != one.maze.passages).any()

    env = make_maze(levels=5, rows=5, cols=5, split="train")
    env.reset(seed=0)
    numbers = []
    for _ in range(200):
        _, info = env.reset()
        numbers.append(info["level"])
        assert side(env.maze.passages, wall_keys(5, 5)) == TRAIN
    counts = np.bincount(numbers, minlength=5)
    assert (counts > 15).all()  # 40 each, on average


def test_levels_are_stratified_by_difficulty_without_changing_their_distribution() -> None:
    env = make_maze(levels=300, rows=6, cols=6, generator="wilson")
    lengths = np.array([_length(env, number) for number in range(300)])
    easy, middle, hard = (lengths[rank::3].mean() for rank in range(3))
    assert easy + 0.8 < middle < hard - 2
    rng = np.random.default_rng(5)
    single = [_walk(GENERATORS["wilson"](6, 6, rng)) for _ in range(300)]
    error = np.sqrt(np.var(single) / 300 * 2)
    assert abs(lengths.mean() - np.mean(single)) < 4 * error


def test_a_level_is_the_candidate_of_its_rank_by_its_mean_walk() -> None:
    env = make_maze(levels=9, level_seed=5, rows=5, cols=5, start="random", braid=0.2)
    for number in range(9):
        rng = np.random.default_rng(np.random.SeedSequence(5, spawn_key=(number,)))
        candidates = [draw_level(env.source.recipe, rng).passages for _ in range(3)]
        walks = [Maze(5, 5, passages).distances_to(24)[:24].mean() for passages in candidates]
        env.reset(options={"level": number})
        np.testing.assert_array_equal(env.maze.passages, candidates[int(np.argsort(walks)[number % 3])])


def _length(env: MazeEnv, number: int) -> int:
    env.reset(options={"level": number})
    return int(env.exit_distances[0])


def _walk(maze: Maze) -> int:
    return int(maze.distances_to(maze.num_cells - 1)[0])


# -- difficulty -----------------------------------------------------------------------------------------------


def test_difficulty_worked_by_hand() -> None:
    """
    S . .      cells 0 1 2
    . # E      cells 3 4 5, where 4 is blocked: 0-1-2-5 is the path, 3 a dead end below 0
    """
    env = make_maze(layout="#######\n#S    #\n# ### #\n# ###E#\n#######")
    facts = measure(env.source.recipe, env.level)
    assert (facts.shortest_path, facts.turns, facts.junctions, facts.dead_ends, facts.straights) == (3, 1, 0, 2, 1)
    assert facts.loops == 0
    assert facts.explored == 1.0
    # h0 = 1 + (2 h0 + h1 + h3)/4, h1 = 1 + (2 h1 + h0 + h2)/4, h2 = 1 + (2 h2 + h1 + 0)/4, h3 = 1 + (3 h3 + h0)/4
    system = np.array([[2, -1, 0, -1], [-1, 2, -1, 0], [0, -1, 2, 0], [-1, 0, 0, 1]]) / 4
    assert facts.hitting_time == pytest.approx(np.linalg.solve(system, np.ones(4))[0])


def test_the_hitting_time_is_what_random_walks_take() -> None:
    env = make_maze(rows=4, cols=4, maze_seed=3, braid=0.5, max_steps=100_000)
    exact = hitting_time(env.tables, 0)
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    times = []
    for _ in range(600):
        env.reset()
        steps, terminated = 0, False
        while not terminated:
            terminated = env.step(int(rng.integers(4)))[2]
            steps += 1
        times.append(steps)
    assert abs(np.mean(times) - exact) < 4 * np.std(times) / np.sqrt(len(times))
    assert hitting_time(make_maze(pits=1, braid=1.0).tables, 0) == float("inf")


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 7), st.integers(2, 7), st.integers(0, 1000), st.sampled_from([0.0, 1.0]))
def test_difficulty_is_networkxs(rows: int, cols: int, seed: int, share: float) -> None:
    env = make_maze(rows=rows, cols=cols, maze_seed=seed, braid=share)
    graph: networkx.Graph[int] = networkx.Graph()
    graph.add_edges_from(
        (cell, env.maze.neighbour(int(cell), int(action))) for cell, action in np.argwhere(env.maze.passages)
    )
    facts = measure(env.source.recipe, env.level)
    exit_cell = rows * cols - 1
    assert facts.shortest_path == networkx.shortest_path_length(graph, 0, exit_cell)
    assert facts.dead_ends == sum(degree == 1 for _, degree in graph.degree())
    assert facts.junctions == sum(degree >= 3 for _, degree in graph.degree())
    assert facts.loops == len(networkx.cycle_basis(graph))
    graph_to_exit = graph.to_directed()
    graph_to_exit.remove_edges_from(list(graph_to_exit.out_edges(exit_cell)))  # where the episode ends
    depths = networkx.single_source_shortest_path_length(graph_to_exit, 0)
    assert facts.explored == sum(depth <= facts.shortest_path for depth in depths.values()) / len(depths)


# -- the ladder -----------------------------------------------------------------------------------------------

FROZEN: dict[str, str] = {  # what each rung is: a change here is another benchmark, and needs another version
    "RLLab/Maze-Small-v0": "ee70f7240c8a",
    "RLLab/Maze-Medium-v0": "d7b73ab152a3",
    "RLLab/Maze-Large-v0": "5a8c46f2f29d",
    "RLLab/Maze-Slippery-v0": "63811eabd2ca",
    "RLLab/Maze-Pits-v0": "32a5a63a8cec",
    "RLLab/Maze-Keys-v0": "380c92fd2d13",
    "RLLab/Maze-Partial-v0": "bb23e180c302",
    "RLLab/Maze-Generalise-v0": "7c4d550f5dd9",
}


@pytest.mark.parametrize("env_id", LADDER)
def test_the_ladder_is_frozen(env_id: str) -> None:
    env: Any = make_env(env_id).unwrapped
    digest = hashlib.sha256()
    for number in range(3):
        env.reset(seed=number, options={"level": number} if env.source.num_levels else None)
        digest.update(repr(sorted(env.P.items())).encode())
        digest.update(np.asarray(env.observe(env.s)).tobytes())
    assert digest.hexdigest()[:12] == FROZEN[env_id]


def test_the_ladders_ids_and_the_test_side_of_the_last_rung() -> None:
    assert tuple(env_id for env_id in OUR_MAZES if env_id != "RLLab/Maze-v0") == LADDER
    test: Any = make_env("RLLab/Maze-Generalise-v0", split="test").unwrapped
    assert (test.source.num_levels, test.source.recipe.split) == (500, TEST)
