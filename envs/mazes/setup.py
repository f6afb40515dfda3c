"""From a maze's options to its source of levels: what is allowed together, and what is meant."""

from typing import Any

import numpy as np

from envs.mazes.drawing import Drawing, parse_drawing
from envs.mazes.generators import GENERATORS, Generator
from envs.mazes.grid import distances_to, neighbours
from envs.mazes.layouts import Layout, find_layout
from envs.mazes.level import DISTANCE, FARTHEST, GOAL, RANDOM, STEP, Level, Recipe, draw_level, starting_cells, without
from envs.mazes.moves import exit_distances, move_tables
from envs.mazes.options import CORNERS, DEFAULT_SIZE
from envs.mazes.source import Source
from envs.mazes.splits import SPLITS, wall_keys

Options = dict[str, Any]

_REWARDS = {"step": STEP, "distance": DISTANCE, "goal": GOAL}
_GENERATED_ONLY = {"braid": 0.0, "one_way": 0.0, "pits": 0, "keys": 0, "levels": None, "split": None, "exit": None}
_DEFAULTS: Options = {"reward": "step", "pit_terminates": True, "start": "top-left", "exit": ("bottom-right",)}
_PIT_REWARDS = {"step": -100.0, "distance": -1.0, "goal": -1.0}  # S&B's cliff; one unit where a move is worth one


def make_source(options: Options) -> Source:
    """The source of levels that these options describe; None is what was not given.

    Raises:
        ValueError: options contradict each other, or the maze that comes of them cannot be solved.
    """
    if options["layout"] is not None:
        return _layout_source(options)
    if options["layout_change"] is not None:
        raise ValueError("layout_change: changes one layout into another: expected a layout beside it, got none")
    options = _with_defaults(options, {})
    generator = GENERATORS[options["generator"]]
    recipe = _recipe(options, generator)
    _check_together(options)
    if options["levels"] is not None:
        source = Source(recipe, None, options["levels"], options["level_seed"])
        _check_level(recipe, source.level(0))
    elif options["maze_seed"] is None:
        source = Source(recipe, None)
        _check_level(recipe, source.first())
    else:
        level = draw_level(recipe, np.random.default_rng(options["maze_seed"]))
        _check_level(recipe, level)
        source = Source(recipe, level)
    return source


def _recipe(options: Options, generator: Generator | None) -> Recipe:
    rows, cols = options["rows"], options["cols"]
    exits = options["exit"]
    rewards = options["exit_rewards"]
    if rewards is None:
        rewards = (1.0 if options["reward"] == "goal" else 0.0,) * len(exits)
    if len(rewards) != len(exits):
        raise ValueError(f"exit_rewards: expected one for each of the {len(exits)} exits, got {len(rewards)}")
    wind = options["wind"] or (0,) * cols
    if len(wind) != cols:
        raise ValueError(f"wind: expected one strength for each of the {cols} columns, got {len(wind)}")
    pit_reward = options["pit_reward"]
    return Recipe(
        rows=rows,
        cols=cols,
        generator=list(GENERATORS).index(options["generator"]),
        parameter=_parameter(options, generator),
        braid=options["braid"],
        one_way=options["one_way"],
        start=_cell("start", options["start"], rows, cols),
        exits=np.array([_cell("exit", place, rows, cols) for place in exits]),
        exit_rewards=np.array(rewards, dtype=np.float64),
        pits=options["pits"],
        pit_reward=_PIT_REWARDS[options["reward"]] if pit_reward is None else float(pit_reward),
        pit_terminates=options["pit_terminates"],
        keys=options["keys"],
        wind=np.array(wind, dtype=np.int64),
        reward=_REWARDS[options["reward"]],
        split=SPLITS[options["split"]],
        wall_keys=wall_keys(rows, cols) if options["split"] else np.zeros((8, 0), dtype=np.uint64),
    )


def _parameter(options: Options, generator: Generator | None) -> float:
    for known in GENERATORS.values():
        mine = generator is not None and generator.parameter == known.parameter
        if known.parameter is not None and options[known.parameter] is not None and not mine:
            name = "a layout" if generator is None else f"generator = {generator.name!r}"
            raise ValueError(f"{known.parameter}: only generator = {known.name!r} takes it, got {name}")
    if generator is None or generator.parameter is None:
        return 0.0
    value = options[generator.parameter]
    return float(generator.default if value is None else value)


def _cell(name: str, place: str | tuple[int, int], rows: int, cols: int) -> int:
    if isinstance(place, tuple):
        if not (0 <= place[0] < rows and 0 <= place[1] < cols):
            raise ValueError(
                f"{name}: expected a cell in rows 0 to {rows - 1} and columns 0 to {cols - 1}, got {list(place)}"
            )
        return place[0] * cols + place[1]
    if place in CORNERS:
        return (0 if place.startswith("top") else (rows - 1) * cols) + (0 if place.endswith("left") else cols - 1)
    return RANDOM if place == "random" else FARTHEST


def _check_together(options: Options) -> None:
    start, exits = options["start"], options["exit"]
    changes = options["levels"] is not None or options["maze_seed"] is None
    if start == "farthest" and "farthest" in exits:
        raise ValueError("exit: start and exit cannot both be 'farthest': each is measured from the other")
    if start == "random" and "farthest" in exits:
        raise ValueError("exit: 'farthest' is measured from the start, and start = 'random' changes at each reset")
    if len(exits) > options["rows"] * options["cols"] - 1:
        raise ValueError(f"exit: expected fewer exits than cells, got {len(exits)}")
    if start == "random" and options["keys"]:
        raise ValueError("keys: the doors stand on the way from the start, and start = 'random' changes at each reset")
    if start == "random" and not options["pit_terminates"]:
        raise ValueError("pit_terminates: false leads back to the start, and start = 'random' changes at each reset")
    if changes and options["wind"] is not None and any(options["wind"]):
        raise ValueError("wind: needs one fixed maze, known to be solvable: expected maze_seed = a number")
    if options["levels"] is not None and options["maze_seed"] not in (0, None):
        raise ValueError("maze_seed: the levels of a pool come from level_seed: expected no maze_seed beside levels")


def _check_level(recipe: Recipe, level: Level) -> None:
    """Refuse a level that cannot be solved."""

    def named(cell: int) -> list[int]:
        return list(divmod(int(cell), recipe.cols))

    if len(set(map(int, level.exits))) < len(level.exits):
        raise ValueError(f"exit: two exits in one cell, got {[named(cell) for cell in level.exits]}")
    for exit_cell in level.exits:
        if not len(level.starts) or list(level.starts) == [exit_cell]:
            raise ValueError(f"start: the start is the exit, cell {named(exit_cell)}")
    if level.pits[level.starts].any():
        raise ValueError(f"start: the start is a pit, cell {named(level.starts[0])}")
    if level.keys[level.starts].any():
        raise ValueError(f"start: a key lies at the start, cell {named(level.starts[0])}")
    tables = move_tables(recipe, level)
    distances = exit_distances(tables.successors, tables.ends)
    for start in level.starts:
        if distances[start] < 0:
            raise ValueError(
                f"layout: the exit {named(level.exits[0])} cannot be reached from the start {named(start)}"
                + (" in this wind" if recipe.wind.any() else "")
            )


# -- layouts --------------------------------------------------------------------------------------------------


def _layout_source(options: Options) -> Source:
    for name, default in _GENERATED_ONLY.items():
        if options[name] != default:
            hint = "its exits are drawn, as 'E'" if name == "exit" else "it is for generated mazes"
            raise ValueError(f"{name}: a layout is beside it, and {hint}")
    layout = find_layout(options["layout"])
    drawing = parse_drawing(layout.drawing)
    options = _with_layout(options, layout, drawing)
    recipe = _recipe(options, None)
    level = _drawn_level(recipe, drawing)
    _check_level(recipe, level)
    change = None
    if options["layout_change"] is not None:
        change = (options["layout_change"]["at_step"], _changed_level(options, recipe, drawing))
    return Source(recipe, level, change=change)


def _with_defaults(options: Options, own: Options) -> Options:
    """The options, where not given those of a layout's own, and where it has none the usual ones."""
    return options | {name: value for name, value in (_DEFAULTS | own).items() if options[name] is None}


def _with_layout(options: Options, layout: Layout, drawing: Drawing) -> Options:
    """The options, with what the layout says where nothing else was asked for."""
    rows, cols = drawing.maze.rows, drawing.maze.cols
    for name, drawn in (("rows", rows), ("cols", cols)):
        if options[name] not in (DEFAULT_SIZE, drawn):
            raise ValueError(f"{name}: the layout has {drawn}, got {options[name]}")
    own = layout.options if drawing.start is None else layout.options | {"start": divmod(drawing.start, cols)}
    merged = _with_defaults(options, own)
    merged |= {"rows": rows, "cols": cols, "keys": int(drawing.keys.max())}
    merged["exit"] = tuple(divmod(cell, cols) for cell in drawing.exits)
    if merged["start"] == "random" and not merged["pit_terminates"]:
        raise ValueError("pit_terminates: false leads back to the start, and start = 'random' changes at each reset")
    return merged


def _drawn_level(recipe: Recipe, drawing: Drawing) -> Level:
    passages = drawing.maze.passages
    exits = np.array(drawing.exits)
    distances = distances_to(without(neighbours(passages, recipe.cols), drawing.pits), exits)
    start = int(np.argmax(distances)) if recipe.start == FARTHEST else recipe.start
    starts = starting_cells(recipe, passages, start, exits, drawing.pits)
    if recipe.start == RANDOM:
        starts = starts[drawing.keys[starts] == 0]
    if not len(starts):
        raise ValueError("start: no cell leads to an exit")
    return Level(passages, starts, exits, drawing.pits, drawing.keys, drawing.doors)


def _changed_level(options: Options, recipe: Recipe, before: Drawing) -> Level:
    try:
        drawing = parse_drawing(find_layout(options["layout_change"]["layout"]).drawing)
    except ValueError as error:
        raise ValueError(f"layout_change: {error}") from None
    same = {
        "rows": (before.maze.rows, drawing.maze.rows),
        "cols": (before.maze.cols, drawing.maze.cols),
        "keys": (int(before.keys.max()), int(drawing.keys.max())),
        "exits": (len(before.exits), len(drawing.exits)),
    }
    for name, (had, has) in same.items():
        if had != has:
            raise ValueError(f"layout_change: both layouts need as many {name}: expected {had}, got {has}")
    start = recipe.start if drawing.start is None else drawing.start
    level = _drawn_level(recipe._replace(start=start), drawing)
    try:
        _check_level(recipe, level)
    except ValueError as error:
        raise ValueError(f"layout_change: {error}") from None
    return level
