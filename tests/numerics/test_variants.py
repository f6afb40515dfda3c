"""Pits, keys, doors, one-way passages, wind and exits, against the rules read off the drawing's characters."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.mazes.drawing import Drawing, draw, parse_drawing
from envs.mazes.env import MazeEnv
from envs.mazes.grid import Maze
from envs.mazes.layouts import LAYOUTS
from tests.helpers import LOCKED

MOVES = [(-1, 0), (0, 1), (1, 0), (0, -1)]
ARROWS = "^>v<"


def make_maze(**options: Any) -> MazeEnv:
    return MazeEnv(**options)


class Walker:
    """A second reading of the rules: a robot that walks on the characters of a drawing, two at a time."""

    def __init__(self, text: str, wind: tuple[int, ...] = (), **rules: Any) -> None:
        self.lines = text.strip("\n").split("\n")
        self.wind = wind or (0,) * (len(self.lines[0]) // 2)
        self.rules = {"pit_reward": -100.0, "pit_terminates": True, "exit_rewards": None} | rules
        self.marks = {
            (row, col): self.lines[2 * row + 1][2 * col + 1]
            for row in range(len(self.lines) // 2)
            for col in range(len(self.lines[0]) // 2)
        }
        self.exits = [place for place, mark in self.marks.items() if mark == "E"]

    def can_pass(self, place: tuple[int, int], direction: int, held: frozenset[str]) -> bool:
        down, right = MOVES[direction]
        between = self.lines[2 * place[0] + 1 + down][2 * place[1] + 1 + right]
        if between in ARROWS:
            return ARROWS.index(between) == direction
        return between == " " or between.lower() in held

    def move(
        self, place: tuple[int, int], held: frozenset[str], direction: int
    ) -> tuple[tuple[int, int], frozenset[str], float, bool]:
        strength = self.wind[place[1]]
        steps = [direction] + [0 if strength > 0 else 2] * abs(strength)
        for way in steps:
            if self.can_pass(place, way, held):
                place = (place[0] + MOVES[way][0], place[1] + MOVES[way][1])
        mark = self.marks[place]
        if mark in "abcd":
            held |= {mark}
        reward, ended = -1.0, False
        if mark == "E":
            bonus = self.rules["exit_rewards"]
            reward, ended = reward + (bonus[self.exits.index(place)] if bonus else 0.0), True
        if mark == "O":
            reward, ended = self.rules["pit_reward"], self.rules["pit_terminates"]
            if not ended:
                place = next(start for start, mark in self.marks.items() if mark == "S")
        return place, held, reward, ended


def assert_the_walker_agrees(env: MazeEnv, walker: Walker) -> None:
    """Every move from every state that is no end, in `P`, in a world where nothing slips."""
    num_keys = env.source.recipe.keys
    for state in range(env.num_cells << num_keys):
        bits, cell = divmod(state, env.num_cells)
        place = (cell // env.cols, cell % env.cols)
        if walker.marks[place] == "E" or (walker.marks[place] == "O" and walker.rules["pit_terminates"]):
            assert env.P[state] == {action: [(1.0, state, 0.0, True)] for action in range(4)}
            continue
        held = frozenset(letter for number, letter in enumerate("abcd") if bits >> number & 1)
        for action in range(4):
            reached, keys, reward, ended = walker.move(place, held, action)
            number = sum(1 << "abcd".index(key) for key in keys)
            successor = number * env.num_cells + reached[0] * env.cols + reached[1]
            assert env.P[state][action] == [(1.0, successor, reward, ended)], (state, action)


def test_a_drawing_with_keys_a_pit_a_one_way_passage_and_two_exits() -> None:
    assert_the_walker_agrees(make_maze(layout=LOCKED, exit_rewards=[0.5, 4.0]), Walker(LOCKED, exit_rewards=[0.5, 4.0]))
    assert_the_walker_agrees(
        make_maze(layout=LOCKED, pit_terminates=False, pit_reward=-3.0),
        Walker(LOCKED, pit_terminates=False, pit_reward=-3.0),
    )


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_named_layouts_follow_the_rules(name: str) -> None:
    layout = LAYOUTS[name]
    rules = {key: value for key, value in layout.options.items() if key in ("pit_reward", "pit_terminates")}
    walker = Walker(layout.drawing, layout.options.get("wind", ()), **rules)
    env = make_maze(layout=name, reward="step") if "reward" not in layout.options else None
    if env is None:  # the layout's own reward is "goal": the drawing alone, with the reward that the walker knows
        env = make_maze(layout=layout.drawing)
    assert_the_walker_agrees(env, walker)


@pytest.mark.parametrize(
    ("name", "shortest"),
    [
        ("two-roads", 4),
        ("dyna-maze", 14),
        ("blocking-maze", 10),
        ("blocking-maze-after", 16),
        ("shortcut-maze", 16),
        ("shortcut-maze-after", 10),
        ("windy-gridworld", 15),
        ("cliff-walking", 13),
    ],
)
def test_named_layouts_have_the_shortest_paths_of_the_book(name: str, shortest: int) -> None:
    env = make_maze(layout=name)
    assert env.exit_distances[env.start_states[0]] == shortest


def test_four_rooms_has_its_104_cells_and_four_hallways() -> None:
    env = make_maze(layout="four-rooms")
    free = env.maze.passages.any(axis=1)
    assert free.sum() == 104  # Sutton, Precup & Singh 1999
    doors = [cell for cell in np.flatnonzero(free) if env.maze.passages[cell].sum() == 2]
    hallways = [
        c for c in doors if (env.maze.passages[c] == [1, 0, 1, 0]).all() or (env.maze.passages[c] == [0, 1, 0, 1]).all()
    ]
    assert [divmod(int(cell), 11) for cell in hallways] == [(2, 5), (5, 1), (6, 8), (9, 5)]
    assert divmod(env.exit_state, 11) == (6, 8)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(2, 6), st.integers(2, 6), st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 3),
    st.integers(0, 2), st.sampled_from([0.0, 0.2]),
)  # fmt: skip
def test_generated_variants_follow_the_rules_of_their_own_drawing(
    rows: int, cols: int, seed: int, braid: float, pits: int, keys: int, one_way: float
) -> None:
    options = {"rows": rows, "cols": cols, "braid": braid, "pits": pits, "keys": keys, "one_way": one_way}
    env = make_maze(maze_seed=seed, **options)
    level = env.level
    drawing = Drawing(
        Maze(rows, cols, level.passages), int(level.starts[0]), (env.exit_state,), level.pits, level.keys, level.doors
    )
    text = draw(drawing)
    placed = int(level.keys.max())
    assert placed <= keys
    if placed == env.source.recipe.keys:
        assert_the_walker_agrees(env, Walker(text))
    again = parse_drawing(text)
    np.testing.assert_array_equal(again.maze.passages, level.passages)
    np.testing.assert_array_equal(again.doors, level.doors)
    # Every door is needed or passable: the exit can be reached, and from every cell but the pits without the doors.
    assert env.exit_distances[env.start_states[0]] > 0
    free = make_maze(layout=_without_doors(text))
    assert ((free.exit_distances >= 0) | level.pits).all()


def _without_doors(text: str) -> str:
    return text.translate(str.maketrans("ABCDabcd", " " * 8))


def test_keys_must_be_fetched() -> None:
    """In a corridor with a side cell: the key costs two moves, which the exact values know."""
    env = make_maze(layout="#########\n#S  A  E#\n# ### ###\n#a  #   #\n#########")
    assert env.exit_distances[0] == 5  # down to the key, back, three to the right
    assert env.observation_space.n == 2 * 8  # type: ignore[attr-defined]


@settings(deadline=None, max_examples=80)
@given(
    st.integers(2, 6), st.integers(2, 6), st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4), st.booleans()
)
def test_keys_have_a_place_of_their_own_also_among_many_exits(
    rows: int, cols: int, seed: int, keys: int, num_exits: int, twisted: bool
) -> None:
    """Once there was no room for a key, and compiled code wrote where it should not."""
    extra = {"braid": 0.7, "one_way": 0.2, "pits": 2} if twisted else {}
    exits = ["random"] * min(num_exits, rows * cols - 1)
    env = make_maze(rows=rows, cols=cols, keys=keys, exit=exits, maze_seed=seed, **extra)
    level = env.level
    placed = [int(key) for key in level.keys if key]
    assert sorted(placed) == list(range(1, len(placed) + 1))
    assert set(map(int, np.unique(level.doors))) - {0} == set(placed)
    assert not level.keys[level.exits].any()
    assert not level.keys[level.pits].any()
    assert not level.keys[level.starts].any()
    # Whoever has fetched the keys in their order can still come to an exit.
    for number in range(1, len(placed) + 1):
        cell = int(np.flatnonzero(level.keys == number)[0])
        assert env.exit_distances[((1 << number) - 1) * env.num_cells + cell] > 0


def test_the_share_of_one_way_passages_and_both_directions() -> None:
    env = make_maze(rows=8, cols=8, generator="percolation", openness=1.0, one_way=0.3)
    passages = env.maze.passages.reshape(8, 8, 4)
    right, left = passages[:, :-1, 1], passages[:, 1:, 3]
    down, up = passages[:-1, :, 2], passages[1:, :, 0]
    assert (right != left).sum() + (down != up).sum() == round(0.3 * 2 * 8 * 7)
    assert all((one & ~other).sum() > 3 for one, other in ((right, left), (left, right), (down, up), (up, down)))


def test_a_random_start_has_a_way_past_the_pits() -> None:
    env = make_maze(layout="###########\n#    O   E#\n###########", start="random")
    assert env.start_states == [3]


def test_start_and_reward_beside_a_layout_go_before_its_own() -> None:
    assert make_maze(layout="dyna-maze").start_states == [18]
    assert make_maze(layout="dyna-maze", start=[5, 5]).start_states == [50]
    assert len(make_maze(layout="dyna-maze", start="random").start_states) == 46
    assert make_maze(layout="dyna-maze").P[0][1][0][2] == 0
    assert make_maze(layout="dyna-maze", reward="step").P[0][1][0][2] == -1
    assert make_maze(layout="cliff-walking").P[36][1] == [(1.0, 36, -100.0, False)]
    assert make_maze(layout="cliff-walking", pit_terminates=True).P[36][1] == [(1.0, 37, -100.0, True)]


def test_the_farthest_start_of_a_layout_minds_every_exit_and_no_pit() -> None:
    assert make_maze(layout="###########\n#E       E#\n###########", start="farthest").start_states == [2]
    assert make_maze(layout="###########\n#E       O#\n###########", start="farthest").start_states == [3]


def test_pits_leave_a_cell_to_start_from() -> None:
    for seed in range(20):  # one of four cells is the exit: at most two may be pits
        env = MazeEnv(rows=2, cols=2, pits=3, start="random", exit="top-right")
        env.reset(seed=seed)
        assert len(env.start_states) >= 1
        assert env.level.pits.sum() == 2


def test_a_fall_into_a_pit_earns_the_pits_reward_alone() -> None:
    for reward in ("step", "distance", "goal"):
        env = make_maze(layout="#########\n#O S   E#\n#########", reward=reward, pit_reward=-7.0)
        assert env.P[1][3] == [(1.0, 0, -7.0, True)]


def test_one_way_passages_in_a_picture_point_the_way_they_lead() -> None:
    text = "#######\n#S>  E#\n#^#v# #\n# <   #\n#######"
    picture, _ = make_maze(layout=text, observation="grid").reset(seed=0)
    assert [picture[line, column, 0] for line, column in ((2, 1), (1, 2), (2, 3), (3, 2))] == [40, 60, 80, 100]


def test_an_exit_that_comes_under_the_robot_sends_it_back_and_one_that_it_reaches_keeps_it() -> None:
    change = {"at_step": 1, "layout": "#######\n#S E  #\n#######"}
    env = make_maze(layout="#######\n#S   E#\n#######", layout_change=change)
    env.reset(seed=0)
    assert env.step(1)[:3] == (0, -1.0, False)
    reached = make_maze(
        layout="#######\n#S E  #\n#######", layout_change={"at_step": 1, "layout": "#######\n#S   E#\n#######"}
    )
    reached.reset(seed=0)
    assert reached.step(1)[:3] == (1, -1.0, True)
    corridor = "#######\n#S E  #\n#######"
    kept = make_maze(layout=corridor, layout_change={"at_step": 1, "layout": corridor})
    kept.reset(seed=0)
    assert kept.step(1)[:3] == (1, -1.0, True)  # it has reached an exit, which is one in the new layout, too


def test_a_random_exit_is_none_of_the_others() -> None:
    for seed in range(60):
        env = make_maze(rows=2, cols=3, exit=["random", "bottom-right", "random"], maze_seed=seed)
        assert len({0, *map(int, env.level.exits)}) == 4
        assert env.level.exits[1] == 5


def test_wind_blows_as_in_the_books_example() -> None:
    env = make_maze(layout="windy-gridworld")
    state = 3 * 10 + 8  # one cell to the right of the goal
    assert env.P[state][3] == [(1.0, 2 * 10 + 7, -1.0, False)]  # "left takes you to the cell just above the goal"


def test_the_layout_changes_for_good_and_frees_a_robot_that_is_walled_in() -> None:
    change = {"at_step": 3, "layout": "#######\n#S#  E#\n# # ###\n#     #\n#######"}
    env = make_maze(layout="#######\n#S   E#\n# # ###\n# #   #\n#######", layout_change=change, max_steps=50)
    env.reset(seed=0)
    before = env.maze.passages.copy()
    env.step(1)
    env.step(0)
    assert (env.maze.passages == before).all()
    env.step(0)
    assert not (env.maze.passages == before).all()
    env.reset()
    assert not env.fixed_model
    assert env.exit_distances[0] == 4
    walled = {"at_step": 1, "layout": "#######\n#S###E#\n# ### #\n#     #\n#######"}
    robot = make_maze(layout="#######\n#S   E#\n# ### #\n#     #\n#######", layout_change=walled)
    robot.reset(seed=0)
    observation, *_ = robot.step(1)  # into the cell that is wall from now on
    assert observation == 0


def test_the_time_of_the_change_is_counted_over_episodes() -> None:
    change = {"at_step": 25, "layout": "blocking-maze-after"}
    env = make_maze(layout="blocking-maze", layout_change=change, max_steps=10)
    env.reset(seed=0)
    for step in range(1, 40):
        _, _, terminated, truncated, _ = env.step(2)
        assert (env.maze.passages[3 * 9].any()) == (step >= 25)
        if terminated or truncated:
            env.reset()


def test_views_and_grids_by_hand() -> None:
    env = make_maze(layout="#######\n#S aOE#\n#######".replace("aOE", "  E"), view=1)
    observation, _ = env.reset(seed=0)
    assert observation[..., 0].tolist() == [[255, 255, 255], [255, 0, 0], [255, 255, 255]]
    assert observation[1, 1, 1] == 255
    grid = make_maze(layout=LOCKED, observation="grid", exit_rewards=[0.0, 0.0])
    picture, _ = grid.reset(seed=0)
    assert picture.shape == (7, 11, 3)
    assert (picture[1, 4, 0], picture[4, 7, 0], picture[3, 4, 0]) == (160, 180, 60)  # doors A and B; one way right
    assert (picture[3, 1, 1], picture[1, 7, 1], picture[1, 1, 1]) == (100, 120, 255)  # keys a and b; the robot
    assert (picture[1, 9, 2], picture[5, 9, 2], picture[3, 9, 2]) == (255, 240, 60)  # two exits; a pit
    grid.step(2)
    picture = grid.observe(grid.s)
    assert picture[3, 1, 1] == 255  # the robot stands where the key lay
    assert picture[1, 4, 0] == 0  # and its door is open


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.sampled_from([3, 5, 7]))
def test_a_view_is_a_window_of_the_grid(seed: int, view: int) -> None:
    options: dict[str, Any] = {"maze_seed": seed, "braid": 0.5, "keys": 1, "pits": 2, "rows": 6, "cols": 8}
    env, grid = MazeEnv(view=view, **options), MazeEnv(observation="grid", **options)
    for state in np.random.default_rng(seed).integers(96, size=5):
        seen, whole = env.observe(int(state)), grid.observe(int(state))
        row, col = 2 * (state % 48 // 8) + 1, 2 * (state % 8) + 1
        for line in range(2 * view + 1):
            for column in range(2 * view + 1):
                y, x = row - view + line, col - view + column
                inside = 0 <= y < 13 and 0 <= x < 17
                assert seen[line, column].tolist() == (whole[y, x].tolist() if inside else [255, 0, 0])


OPEN = "#####\n#S E#\n#   #\n#   #\n#####"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "no-such-maze"}, "layout: expected 'two-roads', .*, got 'no-such-maze'"),
        ({"layout": "dyna-maze", "braid": 0.5}, "braid: a layout is beside it"),
        ({"layout": "dyna-maze", "exit": "random"}, "exit: a layout is beside it"),
        ({"layout": "dyna-maze", "rows": 5}, "rows: the layout has 6, got 5"),
        ({"layout_change": {"at_step": 5, "layout": "dyna-maze"}}, "layout_change: changes one layout into another"),
        ({"layout": "dyna-maze", "layout_change": {"at_step": 5, "layout": "cliff-walking"}}, "expected 6, got 4"),
        ({"layout": "dyna-maze", "layout_change": {"at_step": 0, "layout": "dyna-maze"}}, "greater than or equal to 1"),
        ({"mixing": 0.3}, "mixing: only generator = 'growing_tree' takes it, got generator = 'backtracker'"),
        ({"generator": "percolation", "openness": 1.5}, "less than or equal to 1"),
        ({"generator": "maze"}, "generator: expected 'aldous_broder'"),
        ({"wind": [1, 2]}, "wind: expected one strength for each of the 9 columns, got 2"),
        ({"wind": [1] * 9, "maze_seed": None}, "wind: needs one fixed maze"),
        ({"layout": OPEN, "wind": [-2, -2]}, "cannot be reached from the start .* in this wind"),
        ({"wind": "up"}, "wind: expected a list of integers, got 'up'"),
        (
            {"exit": ["top-right", "random"], "exit_rewards": [1]},
            "one for each of the 2 exits, got 1",
        ),
        ({"exit": [[0, 8], "top-right"]}, "exit: two exits in one cell"),
        ({"exit": "middle"}, "a cell .row, col., or a list of these"),
        ({"exit": [9, 9]}, "exit: expected a cell in rows 0 to 8"),
        ({"start": "random", "keys": 1}, "keys: the doors stand on the way"),
        ({"keys": 5}, "less than or equal to 4"),
        ({"view": 4}, "odd"),
        ({"view": 3, "observation": "grid"}, "view: expected observation = 'view'"),
        ({"levels": 0}, "greater than or equal to 1"),
        ({"levels": 3, "maze_seed": 4}, "maze_seed: the levels of a pool come from level_seed"),
        ({"split": "validation"}, "'train' or 'test'"),
        ({"pit_reward": float("nan")}, "pit_reward: expected a finite number"),
        ({"exit_rewards": [float("inf")]}, "exit_rewards.*finite number"),
        ({"exit_rewards": [10**400]}, "exit_rewards: expected a list of numbers"),
        ({"wind": [0] * 8 + [10**9]}, "less than or equal to 1000"),
        ({"levels": 10**20}, "levels: expected less than or equal to 1000000000"),
        ({"max_steps": 2**70}, "max_steps: expected less than or equal to 1000000000"),
        ({"layout": "a\x00b"}, "layout: expected 'two-roads'"),
        ({"layout": "#######\n#aA  E#\n#######"}, "start: a key lies at the start"),
        ({"row": 3}, "unknown key 'row' .did you mean 'rows'"),
    ],
)
def test_bad_options_say_what_is_wrong(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MazeEnv(**options)


def test_where_all_mazes_are_on_one_side_the_other_is_refused() -> None:
    """The four mazes of 2 x 2 are one, turned."""
    refused = []
    for split in ("train", "test"):
        try:
            make_maze(rows=2, cols=2, split=split)
        except ValueError as error:
            refused.append(str(error))
    assert refused == ["split: no maze of these options is on this side of it"]
