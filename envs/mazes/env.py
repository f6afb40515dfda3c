"""`RLLab/Maze-v0`: find the exit of a maze."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pydantic import ConfigDict, validate_call

from envs.mazes import options as maze_options
from envs.mazes.generators import GENERATORS
from envs.mazes.generators import braid as braid_maze
from envs.mazes.grid import Maze, parse_drawing
from envs.mazes.rendering import Overlay, Renderer
from envs.mazes.text import draw_box

Outcome = tuple[float, int, float, bool]  # (probability, next_state, reward, terminated), as in toy_text


class MazeEnv(gym.Env[Any, int]):
    """A robot looks for the exit of a maze.

    ## Description
    A maze is a grid of cells with walls between neighbours, drawn by a generator or given as a text drawing.
    The model is exact: `P[s][a]` lists `(probability, next_state, reward, terminated)` as Gymnasium's toy_text
    environments do, and `initial_state_distrib` is the distribution of the start, both for the current maze.

    ## Actions
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. A move into a wall leaves the robot where it is.

    ## Observations
    - `observation="state"`: `Discrete(rows * cols)`, the cell's number, row * cols + col.
    - `observation="position"`: `Box(2,) float32`, (row, col), from (0, 0) at the top left.
    - `observation="grid"`: `Box(2 * rows + 1, 2 * cols + 1, 3) uint8`, 0 or 255; channels: walls, robot, exit.

    ## Rewards
    - `reward="step"`: -1 per move, also for a bump: the return is minus the number of moves.
    - `reward="distance"`: +1 for a move that shortens the walking distance to the exit, -1 for one that
      lengthens it, 0 for a bump. Undiscounted, every path to the exit is worth the same: use a discount below 1.
    - `reward="goal"`: 1 for the move that reaches the exit, else 0.

    ## Start
    The cell `start`; `"random"` draws it at each reset among the cells from which the exit can be reached.

    ## Termination
    The robot reaches the exit.

    ## Truncation
    After `max_steps` moves (default 4 * rows * cols).

    ## Info
    `success` (has the exit been reached?) and `steps` (moves since the reset), from `reset` and `step`.

    ## Arguments
    - `rows=9`, `cols=9`: size in cells, at least 2.
    - `generator="backtracker"`: a name in `envs.mazes.generators.GENERATORS`.
    - `braid=0.0`: share of the generator's dead ends that are opened into loops.
    - `maze_seed=0`: the maze's seed; `None` (in files: `"new"`) draws a new maze at each reset from the
      environment's own generator.
    - `layout=None`: a drawing (see `envs.mazes.grid.parse_drawing`) instead of a generator. Its `E` is the exit,
      its `S`, if there is one, the start; `rows` and `cols` are the drawing's.
    - `reward="step"`, `observation="state"`: see above.
    - `slip=0.0`: probability that a move to one of the two sides happens instead, half for each side.
    - `start="top-left"`, `exit="bottom-right"`: a corner, `"random"` (a random exit is drawn once a maze),
      `"farthest"` (the cell with the longest walk to the other of the two), or a cell `(row, col)`.
    - `max_steps=None`: the limit of moves.
    - `render_mode=None`: `"human"`, `"rgb_array"` or `"ansi"`.

    ## Version history
    - v0: first version.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  Gymnasium declares it so
        "render_modes": ["human", "rgb_array", "ansi"],
        "render_fps": 8,
    }

    @validate_call(config=ConfigDict(strict=True))
    def __init__(
        self,
        rows: maze_options.Size = 9,
        cols: maze_options.Size = 9,
        generator: maze_options.GeneratorName = "backtracker",
        braid: maze_options.Probability = 0.0,
        maze_seed: maze_options.MazeSeed = 0,
        layout: str | None = None,
        reward: maze_options.Reward = "step",
        slip: maze_options.Probability = 0.0,
        start: maze_options.Place = "top-left",
        exit: maze_options.Place = "bottom-right",
        observation: maze_options.Observation = "state",
        max_steps: maze_options.MaxSteps = None,
        render_mode: maze_options.RenderMode = None,
    ) -> None:
        self.render_mode = render_mode
        self.reward_kind = reward
        self.slip = slip
        self.overlay: Overlay | None = None  # data that the renderer draws over the cells
        self._generator, self._braid, self._maze_seed = generator, braid, maze_seed
        self._start_option, self._exit_option = start, exit
        self._observation_kind = observation
        self._renderer: Renderer | None = None

        self.fixed_model = layout is not None or maze_seed is not None  # is `P` the same in every episode?
        if layout is not None:
            maze, drawn_start, exit_cell = parse_drawing(layout)
            for name, given, default, drawn in (("rows", rows, 9, maze.rows), ("cols", cols, 9, maze.cols)):
                if given not in (default, drawn):
                    raise ValueError(f"{name}: the layout has {drawn}, came {given}")
            rows, cols = maze.rows, maze.cols
            if drawn_start is not None:
                self._start_option = divmod(drawn_start, cols)
            self._exit_option = divmod(exit_cell, cols)
        self.rows, self.cols = rows, cols
        self.max_steps = 4 * rows * cols if max_steps is None else max_steps
        self._check_places()
        if layout is not None:
            self._place(maze, np.random.default_rng(maze_seed))
        else:
            self._draw_maze(np.random.default_rng(0 if maze_seed is None else maze_seed))
        self._state = self.start_states[0]
        self._steps = 0
        self._trail = [self._state]

        self.action_space: spaces.Space[Any] = spaces.Discrete(4)
        self.observation_space = self._make_observation_space()

    # -- the maze -----------------------------------------------------------------------------------------

    def _check_places(self) -> None:
        start, exit_option = self._start_option, self._exit_option
        for name, place in (("start", start), ("exit", exit_option)):
            if isinstance(place, tuple) and not (0 <= place[0] < self.rows and 0 <= place[1] < self.cols):
                raise ValueError(
                    f"{name}: expected a cell in rows 0 to {self.rows - 1} and columns 0 to {self.cols - 1}, "
                    f"came {list(place)}"
                )
        if start == "farthest" and exit_option == "farthest":
            raise ValueError("exit: start and exit cannot both be 'farthest': each is measured from the other")
        if start == "random" and exit_option == "farthest":
            raise ValueError("exit: 'farthest' is measured from the start, and start = 'random' changes at each reset")

    def _draw_maze(self, rng: np.random.Generator) -> None:
        maze = GENERATORS[self._generator](self.rows, self.cols, rng)
        braid_maze(maze, self._braid, rng)
        self._place(maze, rng)

    def _place(self, maze: Maze, rng: np.random.Generator) -> None:
        """Put exit and start into a maze, and derive what depends on them."""
        fixed = {
            name: self._cell(place) for name, place in (("start", self._start_option), ("exit", self._exit_option))
        }
        start, exit_cell = fixed["start"], fixed["exit"]
        if exit_cell is None:
            if self._exit_option == "random":
                others = [cell for cell in range(maze.num_cells) if cell != start and maze.passages[cell].any()]
                exit_cell = others[int(rng.integers(len(others)))]
            else:
                assert start is not None
                exit_cell = int(np.argmax(maze.distances_to(start)))
        distances = maze.distances_to(exit_cell)
        if self._start_option == "random":
            self.start_states = [int(cell) for cell in np.flatnonzero(distances > 0)]
        else:
            self.start_states = [int(np.argmax(distances)) if start is None else start]
        if self.start_states == [exit_cell] or not self.start_states:
            raise ValueError(f"start: the start is the exit, cell {list(divmod(exit_cell, self.cols))}")
        if distances[self.start_states[0]] < 0:
            cells = [list(divmod(cell, self.cols)) for cell in (exit_cell, self.start_states[0])]
            raise ValueError(f"layout: the exit {cells[0]} cannot be reached from the start {cells[1]}")
        self.maze, self.exit_state, self.exit_distances = maze, exit_cell, distances
        self._outcomes: dict[tuple[int, int], list[Outcome]] = {}
        self._model: dict[int, dict[int, list[Outcome]]] | None = None

    def _cell(self, place: str | tuple[int, int]) -> int | None:
        if isinstance(place, tuple):
            return place[0] * self.cols + place[1]
        if place not in maze_options.CORNERS:
            return None
        row = 0 if place.startswith("top") else self.rows - 1
        return row * self.cols + (0 if place.endswith("left") else self.cols - 1)

    # -- the exact model ----------------------------------------------------------------------------------

    def outcomes(self, state: int, action: int) -> list[Outcome]:
        """The distinct outcomes of an action, the intended one first; their probabilities add up to 1."""
        known = self._outcomes.get((state, action))
        if known is None:
            known = self._outcomes[state, action] = self._compute_outcomes(state, action)
        return known

    def _compute_outcomes(self, state: int, action: int) -> list[Outcome]:
        if state == self.exit_state:
            return [(1.0, state, 0.0, True)]
        directions = [(action, 1.0 - self.slip)]
        if self.slip:
            directions += [((action + 1) % 4, self.slip / 2), ((action + 3) % 4, self.slip / 2)]
        probabilities: dict[int, float] = {}  # the reward and the end follow from the next state
        for direction, probability in directions:
            if probability:
                next_state = self.maze.neighbour(state, direction)
                probabilities[next_state] = probabilities.get(next_state, 0.0) + probability
        return [
            (probability, next_state, self._reward(state, next_state), next_state == self.exit_state)
            for next_state, probability in probabilities.items()
        ]

    def _reward(self, state: int, next_state: int) -> float:
        if self.reward_kind == "step":
            return -1.0
        if self.reward_kind == "goal":
            return float(next_state == self.exit_state)
        return float(self.exit_distances[state] - self.exit_distances[next_state])

    @property
    def P(self) -> dict[int, dict[int, list[Outcome]]]:  # noqa: N802  toy_text's name
        """The current maze's model, `P[state][action] -> [(probability, next_state, reward, terminated)]`."""
        if self._model is None:
            self._model = {
                state: {action: self.outcomes(state, action) for action in range(4)}
                for state in range(self.maze.num_cells)
            }
        return self._model

    @property
    def initial_state_distrib(self) -> NDArray[np.float64]:
        """Probability [S] of starting an episode in each state, for the current maze."""
        distribution = np.zeros(self.maze.num_cells)
        distribution[self.start_states] = 1 / len(self.start_states)
        return distribution

    @property
    def s(self) -> int:
        """The current state, under toy_text's name."""
        return self._state

    # -- Gymnasium ----------------------------------------------------------------------------------------

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; with `maze_seed=None`, in a new maze."""
        super().reset(seed=seed)
        if not self.fixed_model:
            self._draw_maze(self.np_random)
        draw = self.np_random.random()  # one draw a reset, as in toy_text, also when the start is fixed
        self._state = self.start_states[min(int(draw * len(self.start_states)), len(self.start_states) - 1)]
        self._steps = 0
        self._trail = [self._state]
        if self.render_mode == "human":
            self.render()
        return self.observe(self._state), {"success": False, "steps": 0}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Make one move.

        Raises:
            ValueError: the action is none of 0, 1, 2, 3.
        """
        action = int(action)
        if not 0 <= action < 4:
            raise ValueError(f"action: expected 0 (up), 1 (right), 2 (down) or 3 (left), came {action}")
        draw = self.np_random.random()  # one draw a step, as in toy_text, also when nothing slips
        outcomes = self.outcomes(self._state, action)
        outcome = outcomes[0]
        cumulative = 0.0
        for candidate in outcomes:
            cumulative += candidate[0]
            if cumulative > draw:
                outcome = candidate
                break
        _, self._state, reward, terminated = outcome
        self._steps += 1
        truncated = not terminated and self._steps >= self.max_steps
        if self.render_mode is not None:
            self._trail.append(self._state)
            if self.render_mode == "human":
                self.render()
        info = {"success": terminated, "steps": self._steps}
        return self.observe(self._state), reward, terminated, truncated, info

    def _make_observation_space(self) -> spaces.Space[Any]:
        if self._observation_kind == "state":
            return spaces.Discrete(self.rows * self.cols)
        if self._observation_kind == "position":
            return spaces.Box(np.zeros(2, np.float32), np.array([self.rows - 1, self.cols - 1], np.float32))
        return spaces.Box(0, 255, (2 * self.rows + 1, 2 * self.cols + 1, 3), np.uint8)

    def observe(self, state: int) -> Any:
        """The observation of a state in the current maze."""
        if self._observation_kind == "state":
            return state
        row, col = divmod(state, self.cols)
        if self._observation_kind == "position":
            return np.array([row, col], dtype=np.float32)
        image = np.zeros((2 * self.rows + 1, 2 * self.cols + 1, 3), dtype=np.uint8)
        image[:, :, 0] = self._wall_image()
        image[2 * row + 1, 2 * col + 1, 1] = 255
        exit_row, exit_col = divmod(self.exit_state, self.cols)
        image[2 * exit_row + 1, 2 * exit_col + 1, 2] = 255
        return image

    def _wall_image(self) -> NDArray[np.uint8]:
        walls = np.full((2 * self.rows + 1, 2 * self.cols + 1), 255, dtype=np.uint8)
        open_passages = self.maze.passages.reshape(self.rows, self.cols, 4)
        walls[1::2, 1::2] = 0
        walls[1::2, 2:-1:2] = np.where(open_passages[:, :-1, 1], 0, 255)
        walls[2:-1:2, 1::2] = np.where(open_passages[:-1, :, 2], 0, 255)
        return walls

    def render(self) -> Any:
        """The current frame: an RGB array [H, W, 3], a text, or None for a window."""
        if self.render_mode is None:
            gym.logger.warn("render() without a render_mode: give one to gym.make, e.g. render_mode='rgb_array'")
            return None
        if self.render_mode == "ansi":
            return draw_box(self.maze, self._state, self.start_states, self.exit_state, self.overlay)
        if self._renderer is None:
            self._renderer = Renderer(window=self.render_mode == "human", fps=self.metadata["render_fps"])
        return self._renderer.draw(
            self.maze, self._state, self.start_states, self.exit_state, self._trail, self.overlay
        )

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
