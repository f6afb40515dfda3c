"""Mazes: drawings, spanning trees, distances and dynamics, each against a second way to know them."""

from itertools import combinations
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from envs.mazes.carving import braid
from envs.mazes.drawing import Drawing, draw, parse_drawing
from envs.mazes.env import MazeEnv
from envs.mazes.generators import GENERATORS
from envs.mazes.grid import Maze, carve, closed, is_inside


def make_maze(**options: Any) -> MazeEnv:
    return MazeEnv(**options)


CORRIDOR = """
#######
#S    #
# ### #
#   #E#
#######
"""


def graph(maze: Maze) -> "networkx.Graph[int]":
    edges = [(cell, maze.neighbour(cell, int(action))) for cell, action in np.argwhere(maze.passages)]
    result: networkx.Graph[int] = networkx.Graph(edges)
    result.add_nodes_from(range(maze.num_cells))
    return result


PERFECT = sorted(name for name, generator in GENERATORS.items() if generator.perfect)
WITH_LOOPS = sorted(set(GENERATORS) - set(PERFECT))
sizes = st.integers(2, 12)


@settings(deadline=None)
@given(st.sampled_from(PERFECT), sizes, sizes, st.integers(0, 2**32))
def test_generators_make_spanning_trees(name: str, rows: int, cols: int, seed: int) -> None:
    maze = GENERATORS[name](rows, cols, np.random.default_rng(seed))
    assert networkx.is_tree(graph(maze))
    again = GENERATORS[name](rows, cols, np.random.default_rng(seed))
    np.testing.assert_array_equal(maze.passages, again.passages)


@settings(deadline=None)
@given(st.sampled_from(WITH_LOOPS), sizes, sizes, st.integers(0, 2**32), st.sampled_from([0.0, 0.4, 1.0]))
def test_rooms_and_percolation_leave_a_path_between_any_two_cells(
    name: str, rows: int, cols: int, seed: int, parameter: float
) -> None:
    value = 1 + 4 * parameter if name == "rooms" else parameter
    maze = GENERATORS[name](rows, cols, np.random.default_rng(seed), value)
    assert networkx.is_connected(graph(maze))
    if parameter == 0:  # Kruskal's maze, or rooms of one cell
        assert networkx.is_tree(graph(maze))
    if parameter == 1 and name == "percolation":
        assert maze.passages.sum() == 2 * (2 * rows * cols - rows - cols)


def test_a_growing_tree_goes_from_the_backtracker_to_short_branches() -> None:
    """All newest is a depth-first search; a random one every time has the dead ends of Prim's family."""
    shares = []
    for mixing in (1.0, 0.5, 0.0):
        ways = [
            GENERATORS["growing_tree"](15, 15, np.random.default_rng(s), mixing).passages.sum(axis=1) for s in range(40)
        ]
        shares.append(np.mean([(way == 1).mean() for way in ways]))
    assert shares[0] < 0.12 < shares[1] < 0.28 < shares[2]


def test_rooms_have_one_door_in_every_wall_and_no_wall_inside() -> None:
    """A room's cells all see each other; between two rooms there is one way: rooms and doors make a tree."""
    maze = GENERATORS["rooms"](12, 12, np.random.default_rng(1))
    rooms = graph(maze)
    bridges: list[tuple[int, int]] = list(networkx.bridges(rooms))  # type: ignore[arg-type]
    rooms.remove_edges_from(bridges)
    areas = [len(room) for room in networkx.connected_components(rooms)]
    assert max(areas) <= 9
    assert len(bridges) >= len(areas) - 1


@pytest.mark.parametrize("name", PERFECT)
def test_thin_mazes(name: str) -> None:
    assert networkx.is_tree(graph(GENERATORS[name](2, 40, np.random.default_rng(0))))


def all_trees(rows: int, cols: int) -> set[bytes]:
    cells = range(rows * cols)
    edges = [(cell, action) for cell in cells for action in (1, 2) if is_inside(cell, action, rows, cols)]
    trees = set()
    for chosen in combinations(edges, rows * cols - 1):
        maze = closed(rows, cols)
        for cell, action in chosen:
            carve(maze.passages, cols, cell, action)
        if networkx.is_connected(graph(maze)):
            trees.add(maze.passages.tobytes())
    return trees


def tree_counts(name: str, rows: int, cols: int, draws: int) -> list[int]:
    rng = np.random.default_rng(7)
    counts = dict.fromkeys(all_trees(rows, cols), 0)
    for _ in range(draws):
        counts[GENERATORS[name](rows, cols, rng).passages.tobytes()] += 1
    return list(counts.values())


def test_there_are_as_many_trees_as_the_matrix_tree_theorem_counts() -> None:
    laplacian = networkx.laplacian_matrix(networkx.grid_2d_graph(3, 3)).toarray()
    assert len(all_trees(3, 3)) == round(np.linalg.det(laplacian[1:, 1:])) == 192


@pytest.mark.parametrize("name", PERFECT)
def test_wilson_and_aldous_broder_alone_are_uniform(name: str) -> None:
    p = chisquare(tree_counts(name, 3, 3, 192 * 40)).pvalue
    assert p > 0.001 if name in ("wilson", "aldous_broder") else p < 1e-9


@settings(deadline=None)
@given(st.sampled_from(PERFECT), sizes, sizes, st.integers(0, 1000), st.sampled_from([0.0, 0.5, 1.0]))
def test_braiding_opens_its_share_of_dead_ends_and_closes_nothing(
    name: str, rows: int, cols: int, seed: int, share: float
) -> None:
    perfect = GENERATORS[name](rows, cols, np.random.default_rng(seed))
    before = perfect.passages.copy()
    rng = np.random.default_rng(seed)
    braid(perfect.passages, rows, cols, share, rng)
    assert (perfect.passages | ~before).all()
    dead_before, dead_after = (before.sum(axis=1) == 1).sum(), (perfect.passages.sum(axis=1) == 1).sum()
    assert dead_after <= dead_before - round(share * dead_before)
    if share == 0:
        assert (perfect.passages == before).all()
        assert rng.random() == np.random.default_rng(seed).random()  # nothing was drawn
    if share == 1:
        assert dead_after == 0
    for cell, action in np.argwhere(perfect.passages):  # a passage leads both ways
        assert perfect.passages[perfect.neighbour(cell, int(action)), (action + 2) % 4]


def fingerprint(name: str) -> tuple[float, float]:
    """Shares of dead ends and of straight corridor cells, mean of 40 mazes of 15 x 15."""
    dead_ends, straights = [], []
    for seed in range(40):
        passages = GENERATORS[name](15, 15, np.random.default_rng(seed)).passages
        ways = passages.sum(axis=1)
        straight = (passages[:, 0] & passages[:, 2]) | (passages[:, 1] & passages[:, 3])
        dead_ends.append((ways == 1).mean())
        straights.append(((ways == 2) & straight).mean())
    return float(np.mean(dead_ends)), float(np.mean(straights))


def test_generators_by_their_fingerprints() -> None:
    dead_ends = {name: fingerprint(name)[0] for name in GENERATORS}
    assert dead_ends["backtracker"] < 0.13  # a "Prim" that is a depth-first search would be here
    assert dead_ends["hunt_and_kill"] < 0.13
    assert dead_ends["prim"] > 0.30
    assert dead_ends["kruskal"] > 0.29
    assert dead_ends["wilson"] == pytest.approx(
        0.2945, abs=0.012
    )  # (8 / pi^2) (1 - 2 / pi): Manna, Dhar, Majumdar 1992
    assert dead_ends["aldous_broder"] == pytest.approx(0.2945, abs=0.012)
    assert dead_ends["binary_tree"] == pytest.approx(0.25, abs=0.015)  # not chosen from below and not from the left


def test_what_the_biased_ones_cannot_avoid() -> None:
    for seed in range(5):
        tree = GENERATORS["binary_tree"](6, 7, np.random.default_rng(seed)).passages.reshape(6, 7, 4)
        assert tree[0, :-1, 1].all()
        assert tree[1:, -1, 0].all()
        side = GENERATORS["sidewinder"](6, 7, np.random.default_rng(seed)).passages.reshape(6, 7, 4)
        assert side[0, :-1, 1].all()
        assert (side[1:, :, 0].sum(axis=1) >= 1).all()


@settings(deadline=None)
@given(st.integers(2, 7), st.integers(2, 7), st.integers(0, 1000))
def test_drawings_are_read_as_they_were_drawn(rows: int, cols: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    maze = GENERATORS["wilson"](rows, cols, rng)
    start, exit_cell = rng.choice(maze.num_cells, 2, replace=False)
    nothing = np.zeros(maze.num_cells, dtype=np.int8)
    drawing = Drawing(
        maze, int(start), (int(exit_cell),), nothing.astype(bool), nothing, np.zeros((maze.num_cells, 4), np.int8)
    )
    read = parse_drawing(draw(drawing))
    np.testing.assert_array_equal(read.maze.passages, maze.passages)
    assert (read.start, read.exits) == (start, (exit_cell,))


EVERYTHING = """
#########
#SAa E#b#
# ###v# #
#   < BO#
#########
"""


def test_a_drawing_of_everything_worked_by_hand() -> None:
    drawing = parse_drawing(EVERYTHING)
    assert (drawing.maze.rows, drawing.maze.cols, drawing.start, drawing.exits) == (2, 4, 0, (2,))
    assert np.flatnonzero(drawing.pits).tolist() == [7]
    assert {int(cell): int(drawing.keys[cell]) for cell in np.flatnonzero(drawing.keys)} == {1: 1, 3: 2}
    doors = {tuple(map(int, way)): int(drawing.doors[tuple(way)]) for way in np.argwhere(drawing.doors)}
    assert doors == {(0, 1): 1, (1, 3): 1, (6, 1): 2, (7, 3): 2}
    passages = drawing.maze.passages
    assert (passages[5, 1], passages[6, 3]) == (False, True)  # `<`: from the right to the left
    assert (passages[2, 2], passages[6, 0]) == (True, False)  # `v`: downwards
    assert draw(drawing) == EVERYTHING.strip("\n")


def test_a_drawing_worked_by_hand() -> None:
    drawing = parse_drawing(CORRIDOR)
    maze = drawing.maze
    assert (maze.rows, maze.cols, drawing.start, drawing.exits) == (2, 3, 0, (5,))
    assert maze.passages.astype(int).tolist() == [
        [0, 1, 1, 0],  # up, right, down, left
        [0, 1, 0, 1],
        [0, 0, 1, 1],
        [1, 1, 0, 0],
        [0, 0, 0, 1],
        [1, 0, 0, 0],
    ]
    assert maze.distances_to(5).tolist() == [3, 2, 1, 4, 5, 0]


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        ("#####\n#S  #\n#####", "the layout has no exit"),
        ("#####\n#S#E#\n#####", r"exit \[0, 1\] cannot be reached from the start \[0, 0\]"),
        ("#####\n#SxE#\n#####", "line 2, column 3: expected '#', a blank, 'S', .* got 'x'"),
        ("#####\n#S E#\n####", r"line 3, column 5: the border must be wall"),
        ("####\n#SE#\n####", "2C \\+ 1 characters, got 3 lines of up to 4"),
        ("#####\n#S S#\n#####", "a second 'S'"),
        ("#####\n#SaE#\n#####", "'a' must stand at a cell's centre"),
        ("#####\n#A E#\n#####", "'A' must stand between two cells"),
        ("#####\n#SAE#\n#####", "a door 'A' and no key 'a'"),
        ("#######\n#S b E#\n#######", "keys are one each of 'a', 'b', .* got 'b'"),
        ("#####\n#S^E#\n#####", "leads to neither of the two cells"),
        ("###E#\n#S  #\n#####", "'E' must stand at a cell's centre"),
        ("", "layout: expected 'two-roads', .*, a drawing, or a file .*, got ''"),
        ("####\n####\n####", "got 3 lines of up to 4"),
    ],
)
def test_bad_drawings_say_where(drawing: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MazeEnv(layout=drawing)


@settings(deadline=None)
@given(st.integers(2, 8), st.integers(2, 8), st.integers(0, 100))
def test_distances_are_the_graphs(rows: int, cols: int, seed: int) -> None:
    maze = GENERATORS["backtracker"](rows, cols, np.random.default_rng(seed))
    expected = networkx.single_source_shortest_path_length(graph(maze), rows * cols - 1)
    assert dict(enumerate(maze.distances_to(rows * cols - 1))) == expected


@pytest.mark.parametrize("reward", ["step", "distance", "goal"])
@pytest.mark.parametrize("slip", [0.0, 0.25, 1.0])
def test_the_model_by_enumeration(reward: str, slip: float) -> None:
    """`P` against the rules, written down a second time from the drawing's characters."""
    env = make_maze(layout=CORRIDOR, reward=reward, slip=slip)
    lines = CORRIDOR.strip("\n").splitlines()
    moves = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    distance = [3, 2, 1, 4, 5, 0]
    for state in range(6):
        for action in range(4):
            expected: dict[tuple[int, float, bool], float] = {}
            for turn, probability in ((0, 1 - slip), (1, slip / 2), (3, slip / 2)):
                down, right = moves[(action + turn) % 4]
                row, col = divmod(state, 3)
                free = lines[2 * row + 1 + down][2 * col + 1 + right] != "#"
                next_state = (row + down) * 3 + col + right if free else state
                gain = {"step": -1, "goal": int(next_state == 5), "distance": distance[state] - distance[next_state]}
                key = (next_state, float(gain[reward]), next_state == 5)
                if state == 5:
                    key = (5, 0.0, True)
                if probability:
                    expected[key] = expected.get(key, 0) + probability
            found: dict[tuple[int, float, bool], float] = {}
            for probability, successor, earned, terminated in env.P[state][action]:
                key = (successor, earned, terminated)
                found[key] = found.get(key, 0) + probability
            assert found == pytest.approx(expected)


def test_the_start_is_uniform_over_the_cells_that_reach_the_exit() -> None:
    env = MazeEnv(layout=CORRIDOR.replace("S", " "), start="random")
    assert env.initial_state_distrib.tolist() == [0.2] * 5 + [0.0]
    env.reset(seed=0)
    counts = np.zeros(6)
    for _ in range(5000):
        env.reset()
        counts[env.s] += 1
    assert chisquare(counts[:5]).pvalue > 0.001


def test_a_random_exit_is_drawn_once_a_maze() -> None:
    env = MazeEnv(exit="random", maze_seed=3)
    exits = set()
    for _ in range(5):
        env.reset()
        exits.add(env.exit_state)
    assert len(exits) == 1
    assert len({MazeEnv(exit="random", maze_seed=seed).exit_state for seed in range(20)}) > 5


def test_a_new_maze_at_every_reset_is_a_function_of_the_seed() -> None:
    env = make_maze(maze_seed="new")
    mazes = []
    for seed in (1, 1, 2):
        env.reset(seed=seed)
        mazes.append(env.maze.passages.tobytes())
        env.reset()
        mazes.append(env.maze.passages.tobytes())
    assert mazes[0:2] == mazes[2:4]
    assert len(set(mazes)) == 4


def test_the_farthest_exit_is_the_farthest() -> None:
    env = MazeEnv(exit="farthest", start="top-right")
    lengths = networkx.single_source_shortest_path_length(graph(env.maze), 8)
    assert lengths[env.exit_state] == max(lengths.values())
