"""Many mazes in one environment, stepped in machine code: the `vector_entry_point` of our mazes.

Environment i is exactly the single environment with the seed of i: the same mazes, moves and rewards, in every
autoreset mode.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.mazes.batch import BAD_ACTION, SOME_OVER, Levels, Results, Robots, Rules, store
from envs.mazes.env import MazeEnv
from envs.mazes.level import Level
from envs.mazes.moves import GOES_ON, Tables
from envs.mazes.rendering import Renderer
from envs.mazes.scene import Scene

Array = NDArray[Any]
Infos = dict[str, Any]


class MazeVectorEnv(VectorEnv[Any, Any, Any]):
    """`num_envs` mazes, with all options of `envs.mazes.env.MazeEnv`.

    `autoreset_mode` says what follows the end of an episode, as in Gymnasium: "NextStep" (the next step resets, and
    ignores the action), "SameStep" (the reset comes with the last step; `final_obs` and `final_info` tell how it
    ended) or "Disabled" (`reset(options={"reset_mask": ...})` is the caller's).

    Raises:
        ValueError: an option is wrong.
    """

    def __init__(
        self, num_envs: int = 1, *, autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP, **options: Any
    ) -> None:
        from envs.mazes.compiled import advance_kernel, begin_kernel, compiled_draw

        if isinstance(num_envs, bool) or not isinstance(num_envs, int | np.integer) or num_envs < 1:
            raise ValueError(f"num_envs: expected an integer of at least 1, got {num_envs!r}")
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError:
            known = ", ".join(repr(known.value) for known in AutoresetMode)
            raise ValueError(f"autoreset_mode: expected {known}, got {autoreset_mode!r}") from None
        self.template = template = MazeEnv(**options)  # checks the options, and knows what follows from them
        self.num_envs = num_envs = int(num_envs)
        self.render_mode = template.render_mode
        self.metadata = MazeEnv.metadata | {"autoreset_mode": self.autoreset_mode}
        self.single_observation_space = template.observation_space
        self.single_action_space = template.action_space
        self.observation_space = batch_space(template.observation_space, num_envs)
        self.action_space = batch_space(template.action_space, num_envs)

        source = self._source = template.source
        if source.num_levels is not None:
            draw = compiled_draw(options.get("generator", "backtracker"))
            kind, levels = "pool", [source.level(number, draw) for number in range(source.num_levels)]
        elif source.fixed is None:
            kind, levels = "new", [template.level] * num_envs
        else:
            kind, levels = "fixed", [source.fixed] + ([source.change[1]] if source.change else [])
        self._has_new_levels = kind == "new"
        self._recipe = source.recipe
        self._begin, self._advance = begin_kernel(kind, options.get("generator", "backtracker")), advance_kernel()
        self._begin_again = begin_kernel("fixed", "")  # in the level that is up
        self._rules = Rules(template.straight, template.right, template.left, template.max_steps)
        self._robots = Robots(
            rngs=np.zeros((num_envs, 6), dtype=np.uint64),
            states=np.full(num_envs, template.s),
            steps=np.zeros(num_envs, dtype=np.int64),
            which=np.arange(num_envs) if self._has_new_levels else np.zeros(num_envs, dtype=np.int64),
            over=np.zeros(num_envs, dtype=np.bool_),
        )
        self._levels = self._empty_levels(len(levels))
        for place, level in enumerate(levels):
            store(self._recipe, self._levels, place, level)
        self._pictures: NDArray[np.uint8] | None = None
        if template.observer.needs_pictures:
            self._pictures = np.stack([template.observer.pictures(level) for level in levels])
        self._lifetimes = np.zeros(num_envs, dtype=np.int64)  # steps in all
        self._seeded = np.zeros(num_envs, dtype=np.bool_)
        self._is_seeded = False
        self._some_over = False
        self._all = np.ones(num_envs, dtype=np.bool_)
        self._all.flags.writeable = False
        self._renderer: Renderer | None = None

    def _empty_levels(self, count: int) -> Levels:
        cells, states = self.template.num_cells, len(self.template.tables.ends)
        return Levels(
            tables=Tables(
                successors=np.zeros((count, states, 4), dtype=np.int32),
                rewards=np.zeros((count, states, 4)),
                ends=np.zeros((count, states), dtype=np.uint8),
            ),
            starts=np.zeros((count, cells), dtype=np.int64),
            num_starts=np.zeros(count, dtype=np.int64),
            passages=np.zeros((count, cells, 4), dtype=np.bool_),
            exits=np.zeros((count, len(self._recipe.exits)), dtype=np.int64),
            pits=np.zeros((count, cells), dtype=np.bool_),
            keys=np.zeros((count, cells), dtype=np.int8),
            doors=np.zeros((count, cells, 4), dtype=np.int8),
        )

    # -- Gymnasium ----------------------------------------------------------------------------------------

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, Infos]:
        """Begin an episode in every environment, or in those of `options["reset_mask"]` (booleans [num_envs]).

        Args:
            seed: environment i gets seed + i; a list gives each its own; None goes on with the generators there are.
            options: `level` puts one level of a pool up; `reset_mask`, see above.

        Raises:
            ValueError: the number of seeds, the mask or the level is wrong.
        """
        options = dict(options or {})
        chosen = self._mask(options.pop("reset_mask", None))
        self._seed(seed, chosen)
        number = self._source.check_level_option(options)
        if number is None:
            self._begin(self._recipe, self._robots, self._levels, np.flatnonzero(chosen))
        else:
            self._robots.which[chosen] = number
            self._begin_again(self._recipe, self._robots, self._levels, np.flatnonzero(chosen))
        self._some_over = bool(self._robots.over.any())
        self._refresh_pictures(chosen)
        return self._observe(), self._infos(chosen, np.zeros(self.num_envs, dtype=np.bool_))

    def _mask(self, mask: Any) -> NDArray[np.bool_]:
        if mask is None:
            return self._all
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            got = f"{mask.dtype} of shape {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise ValueError(f"reset_mask: expected an array of {self.num_envs} booleans, got {got}")
        if not mask.any():
            raise ValueError("reset_mask: expected at least one True, got none")
        return mask.copy()

    def _seed(self, seed: int | Sequence[int | None] | None, chosen: NDArray[np.bool_]) -> None:
        from machine_code.pcg64 import pack

        seeds: Sequence[int | None]
        if seed is None:
            seeds = [None] * self.num_envs
        elif isinstance(seed, int | np.integer):
            seeds = [int(seed) + index for index in range(self.num_envs)]
        else:
            seeds = [None if one is None else int(one) for one in seed]
        if len(seeds) != self.num_envs:
            raise ValueError(f"seed: expected one for each of the {self.num_envs} environments, got {len(seeds)}")
        for index in map(int, np.flatnonzero(chosen)):
            if seeds[index] is not None or not self._seeded[index]:
                self._robots.rngs[index] = pack(seeding.np_random(seeds[index])[0])
                self._seeded[index] = True
        self._is_seeded = bool(self._seeded.all())

    def step(self, actions: Any) -> tuple[Array, Array, Array, Array, Infos]:
        """One step of every environment.

        Raises:
            ValueError: the actions are not [num_envs] integers from 0 to 3.
            gymnasium.error.ResetNeeded: before the first reset; or an episode has ended, and autoreset is off.
        """
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,) or actions.dtype.kind not in "iu":
            raise ValueError(
                f"actions: expected {self.num_envs} integers, got {actions.dtype} of shape {actions.shape}"
            )
        robots, count = self._robots, self.num_envs
        if not self._is_seeded or (self.autoreset_mode == AutoresetMode.DISABLED and self._some_over):
            raise gym.error.ResetNeeded("an environment has no episode to step in: call reset() first")
        results = Results(
            rewards=np.empty(count),
            terminations=np.empty(count, dtype=np.bool_),
            truncations=np.empty(count, dtype=np.bool_),
            successes=np.empty(count, dtype=np.bool_),
        )
        begins = robots.over.copy() if self._some_over else None
        said = self._advance(self._rules, robots, self._levels.tables, actions.astype(np.int64, copy=False), results)
        if said == BAD_ACTION:
            raise ValueError("action: expected 0 (up), 1 (right), 2 (down) or 3 (left), got another")
        if self._source.change is not None:
            self._age(begins, results.terminations)
        self._some_over = said == SOME_OVER
        infos: Infos = {}
        if self._some_over and self.autoreset_mode == AutoresetMode.SAME_STEP:
            begins = robots.over.copy()
            infos = self._final(begins, results.successes)
            self._some_over = False
        if begins is not None:
            self._begin(self._recipe, robots, self._levels, np.flatnonzero(begins))
            self._refresh_pictures(begins)
            results.successes[begins] = False
        infos |= self._infos(self._all, results.successes)
        return self._observe(), results.rewards, results.terminations, results.truncations, infos

    def _age(self, begins: NDArray[np.bool_] | None, terminations: NDArray[np.bool_]) -> None:
        """Count the steps in all, and change the layout where its time has come."""
        assert self._source.change is not None
        self._lifetimes += True if begins is None else ~begins
        changes = self._lifetimes == self._source.change[0]
        if begins is not None:
            changes &= ~begins
        self._robots.which[changes] = 1
        walled_in = ~self._levels.passages[1].any(axis=1)[self._robots.states % self.template.num_cells]
        at_an_end = self._levels.tables.ends[1][self._robots.states] != GOES_ON
        self._robots.states[changes & (walled_in | at_an_end) & ~terminations] = self._levels.starts[1, 0]

    def _infos(self, known: NDArray[np.bool_], successes: NDArray[np.bool_]) -> Infos:
        robots = self._robots
        infos: Infos = {"success": successes, "_success": known, "is_success": successes, "_is_success": known}
        infos |= {"steps": robots.steps * known, "_steps": known}
        if self._source.num_levels is not None:
            infos |= {"level": robots.which * known, "_level": known}
        return infos

    def _final(self, ended: NDArray[np.bool_], successes: NDArray[np.bool_]) -> Infos:
        """How the episodes ended that another one follows in this very step."""
        robots, indices = self._robots, np.flatnonzero(ended)
        final = np.full(self.num_envs, None, dtype=object)
        for index, observation in zip(
            indices, self._observe_states(robots.states[indices], robots.which[indices]), strict=True
        ):
            final[index] = observation
        info = self._infos(ended, successes & ended)
        return {"final_obs": final, "_final_obs": ended, "final_info": info, "_final_info": ended}

    # -- where it is --------------------------------------------------------------------------------------

    def get_snapshot(self) -> dict[str, Any]:
        """Where the environments are, as arrays and JSON values; what `set_snapshot` takes, in another process too.

        That is the words of the generators, the robots, the ages of mazes whose layout changes, and of mazes that each
        episode draws the levels, without what follows from them.
        """
        snapshot = {name: array.copy() for name, array in self._kept().items()}
        return snapshot | {"action_space": self.action_space.np_random.bit_generator.state}

    def set_snapshot(self, snapshot: dict[str, Any]) -> tuple[Array, Infos]:
        """Go on from where `get_snapshot` was asked, in an environment of the same options.

        Returns:
            The observations there, and infos as a reset gives them.

        Raises:
            ValueError: the snapshot is not of such an environment.
        """
        kept = self._kept()
        if snapshot.keys() != {*kept, "action_space"}:
            raise ValueError(f"snapshot: expected {', '.join(sorted(kept))}, got {', '.join(sorted(snapshot))}")
        for name, array in kept.items():  # all are checked before any is taken over
            found, least, most = snapshot[name], *self._range(name)
            if not isinstance(found, np.ndarray) or found.dtype != array.dtype or found.shape != array.shape:
                got = f"{found.dtype} of shape {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
                raise ValueError(f"snapshot: {name}: expected {array.dtype} of shape {array.shape}, got {got}")
            if found.dtype != np.bool_ and ((found < least) | (found > most)).any():
                raise ValueError(f"snapshot: {name}: expected {least} to {most}, got {found.min()} to {found.max()}")
        self.action_space.np_random.bit_generator.state = snapshot["action_space"]
        for name, array in kept.items():
            array[...] = snapshot[name]
        if self._has_new_levels:
            try:
                for index in range(self.num_envs):
                    store(self._recipe, self._levels, index, self._level(index))
            except IndexError as error:
                raise ValueError("snapshot: expected mazes, got passages that lead out of one") from error
        self._some_over, self._is_seeded = bool(self._robots.over.any()), bool(self._seeded.all())
        self._refresh_pictures(self._all)
        return self._observe(), self._infos(self._all, np.zeros(self.num_envs, dtype=np.bool_))

    def _kept(self) -> dict[str, Array]:
        """The arrays of a snapshot, by their names, as they are in use."""
        kept = self._robots._asdict() | {"lifetimes": self._lifetimes, "seeded": self._seeded}
        if not self._has_new_levels:
            return kept
        of_levels = self._levels._asdict()
        return kept | {f"level_{name}": array for name, array in of_levels.items() if name != "tables"}

    def _range(self, name: str) -> tuple[int, int]:
        """The least and the greatest value of an array of a snapshot: machine code looks places up without checking."""
        cells, most = self.template.num_cells, np.iinfo(np.uint64 if name == "rngs" else np.int64).max
        return {
            "states": (0, len(self.template.tables.ends) - 1),
            "which": (0, len(self._levels.starts) - 1),
            "level_starts": (0, cells - 1),
            "level_num_starts": (1, cells),
            "level_exits": (0, cells - 1),
            "level_keys": (0, self._recipe.keys),
            "level_doors": (0, self._recipe.keys),
        }.get(name, (0, most))

    # -- what is seen -------------------------------------------------------------------------------------

    def _refresh_pictures(self, begun: NDArray[np.bool_]) -> None:
        if self._pictures is not None and self._has_new_levels:
            for index in map(int, np.flatnonzero(begun)):
                self._pictures[index] = self.template.observer.pictures(self._level(index))

    def _level(self, index: int) -> Level:
        """The level that environment `index` is in."""
        levels, which = self._levels, self._robots.which[index]
        starts = levels.starts[which, : levels.num_starts[which]]
        return Level(
            levels.passages[which],
            starts,
            levels.exits[which],
            levels.pits[which],
            levels.keys[which],
            levels.doors[which],
        )

    def _observe(self) -> Array:
        return self._observe_states(self._robots.states, self._robots.which)

    def _observe_states(self, states: NDArray[np.int64], which: NDArray[np.int64]) -> Array:
        return self.template.observer.observe(states, self._pictures, which)

    def render(self) -> tuple[Any, ...] | None:
        """One picture, or text, of each environment."""
        from envs.mazes.text import draw_box

        if self.render_mode not in ("rgb_array", "ansi"):
            return None
        if self._renderer is None:
            self._renderer = Renderer(self.template.render_size)
        scenes = []
        for index in range(self.num_envs):
            held, cell = divmod(int(self._robots.states[index]), self.template.num_cells)
            scenes.append(
                Scene(
                    self.template.rows,
                    self.template.cols,
                    self._level(index),
                    cell,
                    held,
                    wind=self._recipe.wind.tolist(),
                )
            )
        if self.render_mode == "ansi":
            return tuple(draw_box(scene) for scene in scenes)
        return tuple(self._renderer.draw(scene) for scene in scenes)
