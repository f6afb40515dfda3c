"""What the scene of an episode is: a maze, the lander's moon, or pictures; and where things are at a moment of it."""

import base64
import io
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.planning import exact
from agents.planning.oracle import current_model
from agents.planning.trust import why_no_model
from envs.mazes.env import MazeEnv
from envs.mazes.level import GOAL, STEP
from experiments.recording.packing import packed_counts, packed_hundredths, packed_levels, packed_values
from experiments.rendering.frames import as_picture

MOST_STATES = 5_000  # of a maze whose model and values are handed on
MOST_FRAMES = 600  # pictures of an episode
LONGEST_SIDE = 400  # pixels of a picture
FEW_COLOURS = 256  # with which a picture is a PNG


class Scene(ABC):
    """Where an episode takes place; states are what changes in it."""

    kind: str

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What stays as it is through the episode."""

    @abstractmethod
    def look(self, env: gym.Env[Any, Any]) -> Any:
        """The state now."""

    @abstractmethod
    def packed(self, states: list[Any]) -> str:
        """The states of an episode as a text."""


@dataclass(frozen=True)
class MazeScene(Scene):
    """A maze as it stands in this episode: its model, and what is optimal in it."""

    kind = "maze"
    data: dict[str, Any]
    optimal: NDArray[np.float64] | None  # Q* [S, 4]

    def to_json(self) -> dict[str, Any]:
        """Walls, exits, pits, keys, doors; the model [S, 4], where there are not too many states."""
        return {"kind": self.kind, **self.data}

    def look(self, env: gym.Env[Any, Any]) -> int:
        """The robot's state."""
        base: Any = env.unwrapped
        return int(base.s)

    def packed(self, states: list[Any]) -> str:
        """Two bytes a state."""
        return packed_counts(states)


def maze_scene(env: gym.Env[Any, Any], discount: float) -> MazeScene:
    """The maze that an environment is in.

    Args:
        env: the environment, after a reset.
        discount: of the optimum.
    """
    maze: Any = env.unwrapped
    level, recipe, tables = maze.level, maze.source.recipe, maze.tables
    bits = (level.passages @ np.array([1, 2, 4, 8])).tolist()
    data: dict[str, Any] = {
        "rows": maze.rows,
        "cols": maze.cols,
        "passages": "".join(f"{value:x}" for value in bits),
        "exits": level.exits.tolist(),
        "pits": np.flatnonzero(level.pits).tolist(),
        "keys": [[int(cell), int(level.keys[cell])] for cell in np.flatnonzero(level.keys)],
        "doors": [[int(cell), int(way), int(level.doors[cell, way])] for cell, way in np.argwhere(level.doors)],
        "starts": level.starts.tolist() if len(level.starts) < maze.num_cells // 2 else [],
        "wind": recipe.wind.tolist() if recipe.wind.any() else [],
        "slip": maze.slip,
        "bump": -1.0 if recipe.reward == STEP else 0.0,
        "limit": maze.max_steps,
    }
    optimal = None
    if len(tables.ends) <= MOST_STATES:
        data["model"] = {
            "successors": packed_counts(tables.successors),
            "rewards": packed_levels(tables.rewards),
            "ends": "".join(map(str, tables.ends.tolist())),
        }
        if why_no_model(env) is None:
            discount = discount if recipe.reward == STEP else min(discount, 0.99)
            try:
                optimal = exact.solve(current_model(maze), discount)
            except ValueError:  # there is none at this discount
                optimal = None
        if optimal is not None:
            data["optimum"] = {"discount": discount, **packed_values(optimal), "greedy": greedy_text(optimal)}
    data["reward"] = {STEP: "step", GOAL: "goal"}.get(recipe.reward, "distance")
    return MazeScene(data, optimal)


def greedy_text(q_values: NDArray[np.float64]) -> str:
    """A digit a state: its best action, ties to the lowest; "." where all are alike, as before a first visit."""
    known = np.isfinite(q_values)
    highest = np.where(known, q_values, -np.inf).max(axis=1)
    lowest = np.where(known, q_values, np.inf).min(axis=1)
    alike = ~known.any(axis=1) | (known.all(axis=1) & (highest == lowest))
    best = np.argmax(np.where(known, q_values, -np.inf), axis=1)
    return "".join("." if same else str(action) for same, action in zip(alike.tolist(), best.tolist(), strict=True))


@dataclass(frozen=True)
class LanderScene(Scene):
    """The moon of this episode of LunarLander; a state is the lander's place and angle, and those of its two legs."""

    kind = "lander"
    data: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The ground [[x, y]], the pad, the size of the world."""
        return {"kind": self.kind, **self.data}

    def look(self, env: gym.Env[Any, Any]) -> tuple[float, ...]:
        """(x, y, angle) of the lander and of each leg, in the world's units and radians."""
        base: Any = env.unwrapped
        bodies = (base.lander, *base.legs)
        return tuple(float(number) for body in bodies for number in (*body.position, body.angle))

    def packed(self, states: list[Any]) -> str:
        """Nine numbers a state, in hundredths, two bytes each."""
        return packed_hundredths(states)


def lander_scene(base: Any) -> LanderScene:
    """The moon that a lander is above."""
    ground = [[float(poly[0][0]), float(poly[0][1])] for poly in base.sky_polys]
    ground.append([float(base.sky_polys[-1][1][0]), float(base.sky_polys[-1][1][1])])
    rounded = [[round(x, 3), round(y, 3)] for x, y in ground]
    pad = [round(float(number), 3) for number in (base.helipad_x1, base.helipad_x2, base.helipad_y)]
    return LanderScene({"width": 20.0, "height": 13.333, "ground": rounded, "pad": pad, "limit": 1000})


@dataclass(frozen=True)
class PictureScene(Scene):
    """Any other environment: a picture a state."""

    kind = "pictures"
    frames: list[str] = field(default_factory=list)  # data URIs
    numbers: dict[bytes, int] = field(default_factory=dict)  # of pictures that are there already

    def to_json(self) -> dict[str, Any]:
        """The pictures, as data URIs."""
        return {"kind": self.kind, "frames": self.frames}

    def look(self, env: gym.Env[Any, Any]) -> int:
        """The number of the picture of this moment; the last one again, where there are too many."""
        content, kind = _encoded(as_picture(env.render()))
        number = self.numbers.get(content)
        if number is None and len(self.frames) < MOST_FRAMES:
            self.frames.append(f"data:image/{kind};base64,{base64.b64encode(content).decode()}")
            number = self.numbers[content] = len(self.frames) - 1
        return len(self.frames) - 1 if number is None else number

    def packed(self, states: list[Any]) -> str:
        """Two bytes a state."""
        return packed_counts(states)


def _encoded(picture: Any) -> tuple[bytes, str]:
    """A picture's bytes and kind: PNG with few colours, JPEG with many."""
    from PIL import Image

    image = Image.fromarray(picture)
    if max(image.size) > LONGEST_SIDE:
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    few = image.getcolors(FEW_COLOURS) is not None or Image.fromarray(picture).getcolors(FEW_COLOURS) is not None
    target = io.BytesIO()
    if few:
        image.convert("P", palette=Image.Palette.ADAPTIVE, colors=FEW_COLOURS).save(target, "png", optimize=True)
    else:
        image.save(target, "jpeg", quality=75)
    return target.getvalue(), "png" if few else "jpeg"


@dataclass(frozen=True)
class PlainScene(Scene):
    """An environment that draws nothing: numbers are all there is."""

    kind = "plain"

    def to_json(self) -> dict[str, Any]:
        """Nothing."""
        return {"kind": self.kind}

    def look(self, env: gym.Env[Any, Any]) -> int:
        """Nothing."""
        return 0

    def packed(self, states: list[Any]) -> str:
        """Nothing."""
        return ""


def scene_of(env: gym.Env[Any, Any], discount: float) -> Scene:
    """The scene of the episode that an environment is in, after its reset."""
    base: Any = env.unwrapped
    if isinstance(base, MazeEnv):
        return maze_scene(env, discount)
    if is_lander(env):
        return lander_scene(base)
    return PictureScene() if env.render_mode == "rgb_array" else PlainScene()


def is_lander(env: gym.Env[Any, Any]) -> bool:
    """Is it Gymnasium's LunarLander?"""
    kinds = {(kind.__module__, kind.__qualname__) for kind in type(env.unwrapped).__mro__}
    return ("gymnasium.envs.box2d.lunar_lander", "LunarLander") in kinds


def draws_itself(env: gym.Env[Any, Any]) -> bool:
    """Can its scene be handed on without pictures?"""
    return isinstance(env.unwrapped, MazeEnv) or is_lander(env)
