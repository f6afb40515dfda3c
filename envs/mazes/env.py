"""`RLLab/Maze-v0`: find the exit of a maze."""

import copy
from array import array
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from envs.arguments import checked
from envs.mazes import options as maze_options
from envs.mazes.chance import below
from envs.mazes.grid import Maze
from envs.mazes.level import Level, draw_level
from envs.mazes.model import Model, Turn, as_arrays, listed, turns
from envs.mazes.moves import AT_EXIT, GOES_ON, exit_distances, move_tables, slipped
from envs.mazes.observations import Observer
from envs.mazes.rendering import Renderer
from envs.mazes.scene import Overlay, Scene
from envs.mazes.setup import make_source
from envs.mazes.text import Room, draw_box, terminal_room

DEFAULT_VIEW = 5


class MazeEnv(gym.Env[Any, int]):
    """A robot looks for the exit of a maze.

    ## Description
    A maze is a grid of cells with walls between neighbours, drawn by a generator or given as a text drawing; pits,
    keys with their doors, one-way passages and wind may be in it.
    The model is exact: `P[s][a]` lists `(probability, next_state, reward, terminated)` as Gymnasium's toy_text
    environments do, and `initial_state_distrib` is the distribution of the start, both for the current maze.

    ## Actions
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. A move into a wall or a locked door leaves the robot where it is.

    ## Observations
    With K keys, the robot's state is its cell and the keys it holds.
    - `observation="state"`: `Discrete(rows * cols * 2**K)`: held * rows * cols + row * cols + col, where bit k - 1 of
      `held` is key k.
    - `observation="position"`: `Box(2 + K,) float32`, row and col, from (0, 0) at the top left, then a 1 for each
      key held.
    - `observation="grid"`: `Box(2 * rows + 1, 2 * cols + 1, 3) uint8`, the maze from above; channels: walls, robot,
      exit. In the first are also locked doors (160) and one-way passages (40 up, 60 right, 80 down, 100 left), in the
      second keys (100), in the third pits (60); the next door, key, ... of a kind is 20 more (an exit 15 less).
    - `observation="view"`: the same, of the `view` x `view` cells around the robot: `Box(2 * view + 1, 2 * view + 1, 3)
      uint8`. What lies beyond is not seen, and what is outside the maze is wall.

    ## Rewards
    - `reward="step"`: -1 per move, also for a bump: the return is minus the number of moves.
    - `reward="distance"`: +1 for a move that shortens the walk to the exit, -1 for one that lengthens it, 0 for a
      bump. Undiscounted, every path to the exit is worth the same: use a discount below 1.
    - `reward="goal"`: 1 for the move that reaches the exit, else 0.
    `exit_rewards` come on top (with "goal": instead of the 1); a fall into a pit earns `pit_reward` alone.

    ## Start
    The cell `start`; `"random"` draws it at each reset among the cells from which the exit can be reached.

    ## Termination
    The robot reaches an exit, or falls into a pit (if `pit_terminates`).

    ## Truncation
    After `max_steps` moves (default 4 * rows * cols, and as much again for each key).

    ## Info
    `success` (has an exit been reached? also as `is_success`, stable-baselines3's name), `steps` (moves since the
    reset) and, with `levels`, `level` (its number), from `reset` and `step`.

    ## Arguments
    - `rows=9`, `cols=9`: size in cells, at least 2.
    - `generator="backtracker"`: a name in `envs.mazes.generators.GENERATORS`.
    - `mixing=None`, `openness=None`, `room_size=None`: what tunes the generators `growing_tree` (0.5: how often the
      newest cell grows), `percolation` (0.5: share of open walls) and `rooms` (3: cells a side, at most).
    - `braid=0.0`: share of the generator's dead ends that are opened into loops.
    - `one_way=0.0`: share of the passages that lead one way only; every cell keeps a way to an exit.
    - `maze_seed=0`: the maze's seed; `None` (in files: `"new"`) draws a new maze at each reset from the
      environment's own generator.
    - `levels=None`: a number of mazes of which each episode has one, drawn at each reset; `level_seed=0` names the
      pool. `reset(options={"level": k})` puts level k up, 0 <= k < levels.
    - `split=None`: `"train"` or `"test"`: mazes of this side only. No maze of one side is in the other, nor any of its
      rotations and reflections.
    - `layout=None`: a name in `envs.mazes.layouts.LAYOUTS`, a drawing (see `envs.mazes.drawing`), or the file of one,
      instead of a generator. Its `E`s are the exits, its `S`, if there is one, the start.
    - `layout_change=None`: `{"at_step": n, "layout": ...}`: after n steps in all, over all episodes, another layout
      is there. A robot that would stand in its wall, on an exit or in a pit goes back to the start.
    - `reward=None`: `"step"`, `"goal"` or `"distance"`; `None` is "step", or what a named layout brings.
    - `observation="state"`, `view=None`: "state", "position", "grid" or "view"; `view` is odd, 5 where it is not given.
    - `slip=0.0`: probability that a move to one of the two sides happens instead, half for each side.
    - `wind=None`: for each column, how many cells upwards (negative: downwards) a move that begins there is blown.
    - `pits=0`: how many pits, as many as leave every other cell a way to an exit; `pit_reward=None`: what falling in
      earns (-100 with the reward "step", else -1); `pit_terminates=None`: `False` leads back to the start; `None` is
      `True`, or what a named layout brings.
    - `keys=0`: how many doors (0 to 4) stand across the shortest path, each with its key on the near side.
    - `start=None`, `exit=None`: a corner, `"random"` (a random exit is drawn once a maze), `"farthest"` (the cell with
      the longest walk to the other of the two, before passages are made one-way), or a cell `(row, col)`; `exit` also
      takes a list of these. `None` is the top left and the bottom right, or what a layout shows.
    - `exit_rewards=None`: one number for each exit, in the order of `exit`, in a layout in reading order.
    - `max_steps=None`: the limit of moves.
    - `render_mode=None`: `"human"`, `"rgb_array"` or `"ansi"`; `render_size=480`: the longer side of the maze in a
      picture, in pixels, about; margins and a colour scale come on top.

    ## Version history
    - v0: first version.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  Gymnasium declares it so
        "render_modes": ["human", "rgb_array", "ansi"],
        "render_fps": 8,
    }

    @checked
    def __init__(
        self,
        rows: maze_options.Size = maze_options.DEFAULT_SIZE,
        cols: maze_options.Size = maze_options.DEFAULT_SIZE,
        generator: maze_options.GeneratorName = "backtracker",
        mixing: maze_options.Share = None,
        openness: maze_options.Share = None,
        room_size: maze_options.RoomSize = None,
        braid: maze_options.Probability = 0.0,
        one_way: maze_options.Probability = 0.0,
        maze_seed: maze_options.MazeSeed = 0,
        levels: maze_options.Levels = None,
        level_seed: maze_options.Count = 0,
        split: maze_options.Split = None,
        layout: str | None = None,
        layout_change: maze_options.LayoutChange | None = None,
        reward: maze_options.Reward | None = None,
        slip: maze_options.Probability = 0.0,
        wind: maze_options.Wind = None,
        pits: maze_options.Count = 0,
        pit_reward: float | None = None,
        pit_terminates: bool | None = None,
        keys: maze_options.KeyCount = 0,
        start: maze_options.Place | None = None,
        exit: maze_options.Places | None = None,
        exit_rewards: maze_options.Rewards = None,
        observation: maze_options.Observation = "state",
        view: maze_options.View = None,
        max_steps: maze_options.MaxSteps = None,
        render_mode: maze_options.RenderMode = None,
        render_size: maze_options.RenderSize = 480,
    ) -> None:
        options = {name: value for name, value in locals().items() if name != "self"}
        self._spec: EnvSpec | None = None
        self.render_mode = render_mode
        self.overlay: Overlay | None = None  # data that the renderer draws over the cells
        self.room: Room | None = None  # for its text; None: the terminal's
        self.source = make_source(options)
        self._draws_owed = 0
        recipe = self.source.recipe
        self.rows, self.cols, self.slip = recipe.rows, recipe.cols, slip
        self.max_steps = 4 * self.rows * self.cols * (1 + recipe.keys) if max_steps is None else max_steps
        if view is not None and observation not in ("state", "view"):
            raise ValueError(f"view: expected observation = 'view' beside it, got {observation!r}")
        kind = "view" if view is not None else observation
        self.observer = Observer(kind, self.rows, self.cols, recipe.keys, view or DEFAULT_VIEW)
        self.observation_space = self.observer.space()
        self.action_space: spaces.Space[Any] = spaces.Discrete(4)
        self.render_size = render_size
        self._renderer: Renderer | None = None
        self._pool: dict[int, Level] = {}
        self._level_number: int | None = None
        self._lifetime = 0  # steps in all
        nothing_changes = self.source.change is None and self.source.num_levels is None
        self._is_plain = kind == "state" and render_mode is None and nothing_changes  # a step is a look-up
        # Cumulative probabilities of a move straight on, to the right of it, to the left of it.
        self.straight, self.right = 1.0 - slip, 1.0 - slip + slip / 2
        self.left = self.right + slip / 2
        self._put_up(self.source.first() if self.source.num_levels is None else self._pool_level(0))
        self._state = self.start_states[0]
        self._steps = 0
        self._trail = [self._state]

    @property
    def spec(self) -> EnvSpec | None:
        """What Gymnasium made it from. It tells the limit of moves, which wrappers look for there."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = copy.copy(spec)
        if self._spec is not None:
            self._spec.max_episode_steps = self.max_steps

    def get_keys_to_action(self) -> dict[str, int]:
        """The keys of the moves, for `gymnasium.utils.play`."""
        return {"w": 0, "d": 1, "s": 2, "a": 3}

    # -- the maze -----------------------------------------------------------------------------------------

    def _pool_level(self, number: int) -> Level:
        if number not in self._pool:
            self._pool[number] = self.source.level(number)
        return self._pool[number]

    def _put_up(self, level: Level) -> None:
        """Make a level the current one."""
        self.level = level
        tables = self.tables = move_tables(self.source.recipe, level)
        # Flat arrays of plain numbers: the fastest to look up from Python.
        self._successors = array("i", tables.successors.tobytes())
        self._rewards = array("d", tables.rewards.tobytes())
        self._ends = tables.ends.tobytes()
        self.start_states: list[int] = level.starts.tolist()
        self._pictures = self.observer.pictures(level) if self.observer.needs_pictures else None
        self._exit_distances: NDArray[np.int64] | None = None
        self._model: Model | None = None

    @property
    def fixed_model(self) -> bool:
        """Is `P` the same in every episode?"""
        return self.source.has_fixed_model

    @property
    def maze(self) -> Maze:
        """The current maze's cells and passages."""
        return Maze(self.rows, self.cols, self.level.passages)

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return self.rows * self.cols

    @property
    def exit_state(self) -> int:
        """The cell of the (first) exit."""
        return int(self.level.exits[0])

    @property
    def exit_distances(self) -> NDArray[np.int64]:
        """Fewest moves [S] to an exit from every state, as if nothing slipped; -1 where there is no way."""
        if self._exit_distances is None:
            self._exit_distances = exit_distances(self.tables.successors, self.tables.ends)
        return self._exit_distances

    # -- the exact model ----------------------------------------------------------------------------------

    @property
    def direction_probabilities(self) -> list[Turn]:
        """What really happens: (turn, probability) pairs, where turn is added to the action, modulo 4."""
        return turns(self.slip)

    @property
    def P(self) -> Model:  # noqa: N802  toy_text's name
        """The current maze's model, `P[state][action] -> [(probability, next_state, reward, terminated)]`."""
        if self._model is None:
            self._model = listed(self.tables, self.direction_probabilities)
        return self._model

    def model_arrays(self) -> dict[str, NDArray[Any]]:
        """`P` as arrays [S, 4, N] over the N outcomes: `probabilities`, `next_states`, `rewards`, `terminated`."""
        return as_arrays(self.tables, self.direction_probabilities)

    @property
    def initial_state_distrib(self) -> NDArray[np.float64]:
        """Probability [S] of starting an episode in each state, for the current maze."""
        distribution = np.zeros(len(self._ends))
        distribution[self.start_states] = 1 / len(self.start_states)
        return distribution

    @property
    def held_keys(self) -> str:
        """The letters of the keys that the robot holds."""
        held = self._state // self.num_cells
        return "".join(letter for number, letter in enumerate("abcd") if held >> number & 1)

    @property
    def s(self) -> int:
        """The current state, under toy_text's name."""
        return self._state

    @property
    def np_random(self) -> np.random.Generator:
        """The environment's generator, as after a draw a step.

        Ask for it anew after a step: where nothing slips, the draws of steps are made when it is asked for.
        """
        rng = super().np_random
        if self._draws_owed:
            rng.random(self._draws_owed)
            self._draws_owed = 0
        return rng

    @np_random.setter
    def np_random(self, value: np.random.Generator) -> None:
        self._draws_owed = 0
        self._np_random = value
        self._np_random_seed = -1  # Gymnasium's word for "not known"

    # -- Gymnasium ----------------------------------------------------------------------------------------

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, in a new maze or another level where the options say so.

        Raises:
            ValueError: `options` asks for a level that there is not.
        """
        if seed is not None:
            self._draws_owed = 0
        super().reset(seed=seed)
        number = self.source.check_level_option(options)
        if self.source.num_levels is not None:
            self._level_number = below(self.np_random, self.source.num_levels) if number is None else number
            self._put_up(self._pool_level(self._level_number))
        elif self.source.fixed is None:
            self._put_up(draw_level(self.source.recipe, self.np_random))
        draw = self.np_random.random()  # one draw a reset, as in toy_text, also when the start is fixed
        self._state = self.start_states[min(int(draw * len(self.start_states)), len(self.start_states) - 1)]
        self._steps = 0
        self._trail = [self._state]
        if self.render_mode == "human":
            self.render()
        return self.observe(self._state), self._info(False)

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Make one move.

        Raises:
            ValueError: the action is none of 0, 1, 2, 3.
        """
        if type(action) is not int:
            action = int(action)
        if not 0 <= action < 4:
            raise ValueError(f"action: expected 0 (up), 1 (right), 2 (down) or 3 (left), got {action}")
        # One draw a step, as in toy_text. Where nothing slips it decides nothing, and is made up for when asked for.
        if self.slip == 0:
            self._draws_owed += 1
        elif (draw := self.np_random.random()) >= self.straight:
            action = slipped(action, draw, self.right, self.left)
        move = self._state * 4 + action
        reward = self._rewards[move]
        state = self._state = self._successors[move]
        steps = self._steps = self._steps + 1
        end = self._ends[state]
        terminated = end != GOES_ON
        truncated = not terminated and steps >= self.max_steps
        if self._is_plain:
            success = end == AT_EXIT
            return state, reward, terminated, truncated, {"success": success, "is_success": success, "steps": steps}
        if self.source.change is not None:
            self._age(terminated)
        if self.render_mode is not None:
            self._trail.append(self._state)
            if self.render_mode == "human":
                self.render()
        return self.observe(self._state), reward, terminated, truncated, self._info(end == AT_EXIT)

    def _age(self, terminated: bool) -> None:
        """Count the steps in all, and change the layout when its time has come."""
        assert self.source.change is not None
        self._lifetime += 1
        at_step, level = self.source.change
        if self._lifetime == at_step:
            self._put_up(level)
            walled_in = not level.passages[self._state % self.num_cells].any()
            if not terminated and (walled_in or self._ends[self._state] != GOES_ON):
                self._state = self.start_states[0]

    def get_lasting_state(self) -> dict[str, Any]:
        """What is kept from one episode to the next beside the generator: the age, if the layout changes with it."""
        return {} if self.source.change is None else {"steps": self._lifetime}

    def set_lasting_state(self, state: dict[str, Any]) -> None:
        """Take over a state that `get_lasting_state` gave; an episode has to begin then."""
        if self.source.change is not None:
            self._lifetime = int(state["steps"])
            at_step, level = self.source.change
            self._put_up(level if self._lifetime >= at_step else self.source.first())

    def _info(self, success: bool) -> dict[str, Any]:
        info = {"success": success, "is_success": success, "steps": self._steps}
        return info if self._level_number is None else info | {"level": self._level_number}

    def info(self) -> dict[str, Any]:
        """What the last step said beside the observation, or the reset."""
        return self._info(self._ends[self._state] == AT_EXIT)

    def put(self, state: int, start: int, steps: int) -> None:
        """Put the robot where an episode has brought it that began in `start`: for engines that step elsewhere."""
        self._state, self._steps, self._trail = state, steps, [start]

    def observe(self, state: int) -> Any:
        """The observation of a state in the current maze."""
        if self.observer.kind == "state":
            return state
        return self.observer.observe(np.array([state]), None if self._pictures is None else self._pictures[None], 0)[0]

    def scene(self) -> Scene:
        """What there is to draw now."""
        held, cell = divmod(self._state, self.num_cells)
        wind = self.source.recipe.wind.tolist()
        return Scene(self.rows, self.cols, self.level, cell, held, list(self._trail), self.overlay, wind)

    def render(self) -> Any:
        """The current frame: an RGB array [H, W, 3], a text, or None for a window."""
        if self.render_mode is None:
            gym.logger.warn("render() without a render_mode: give one to gym.make, e.g. render_mode='rgb_array'")
            return None
        if self.render_mode == "ansi":
            room = self.room or terminal_room()
            return draw_box(self.scene(), room.columns, room.lines, colours=room.colours)
        if self._renderer is None:
            window_fps = self.metadata["render_fps"] if self.render_mode == "human" else None
            self._renderer = Renderer(self.render_size, window_fps)
        return self._renderer.draw(self.scene())

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
