"""How fast the environments are: ratios measured in one run, so that a noisy or slow machine tells the same.

Every measurement takes turns with what it is compared to, several rounds; what counts is the median of the rounds'
ratios.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import gymnasium as gym
import numpy as np

import envs

NUM_ENVS = 1024
SIZE: dict[str, Any] = {"rows": 15, "cols": 15}
Measure = Callable[[float], float]  # seconds to spend -> a speed


@dataclass(frozen=True)
class Comparison:
    """One speed against another."""

    name: str
    unit: str
    speed: float  # median over the rounds
    baseline_name: str
    baseline: float
    ratio: float  # median of the rounds' ratios
    lowest: float  # of the rounds' ratios
    highest: float
    key: str = ""  # of the ratio, in JSON

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def environment_speeds(rounds: int = 5, seconds: float = 0.5) -> list[Comparison]:
    """The environments' speeds; `seconds` for each measurement of each round."""
    assert envs.registry is not None
    return [
        compare(
            f"vector, {NUM_ENVS} mazes 15 x 15, one fixed maze",
            "steps/s",
            _vector("vector_entry_point", {}),
            "Gymnasium's SyncVectorEnv of the single maze",
            _vector("sync", {}),
            (rounds, seconds),
        ),
        compare(
            f"vector, {NUM_ENVS} mazes 15 x 15, a new maze every episode",
            "steps/s",
            _vector("vector_entry_point", {"maze_seed": None}),
            "Gymnasium's SyncVectorEnv of the single maze",
            _vector("sync", {"maze_seed": None}),
            (rounds, seconds),
        ),
        compare(
            "single maze 9 x 9, gym.make",
            "steps/s",
            _single("envs:RLLab/Maze-v0"),
            "FrozenLake8x8-v1",
            _single("FrozenLake8x8-v1"),
            (rounds, seconds),
        ),
        compare(
            "a backtracker's maze 15 x 15, compiled",
            "mazes/s",
            _compiled_mazes(),
            "the same lines in Python",
            _python_mazes,
            (rounds, seconds),
        ),
    ]


def compare(
    name: str,
    unit: str,
    measure: Measure,
    baseline_name: str,
    baseline: Measure,
    effort: tuple[int, float],
    key: str = "",
) -> Comparison:
    """One speed against another, in turns; effort: rounds, and seconds of each measurement."""
    rounds, seconds = effort
    pairs = [(measure(seconds), baseline(seconds)) for _ in range(rounds)]
    ratios = [speed / other for speed, other in pairs]
    speeds, others = zip(*pairs, strict=True)
    return Comparison(
        name, unit, median(speeds), baseline_name, median(others), median(ratios), min(ratios), max(ratios), key
    )


def timed(action: Callable[[], int], seconds: float) -> float:
    """How many a second, of what `action` does so many of at a time."""
    count, begun = 0, time.perf_counter()
    while True:
        count += action()
        passed = time.perf_counter() - begun
        if passed >= seconds:
            return count / passed


def _vector(mode: str, options: dict[str, Any]) -> Measure:
    env = gym.make_vec("envs:RLLab/Maze-v0", num_envs=NUM_ENVS, vectorization_mode=mode, **SIZE, **options)
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(4, size=(64, NUM_ENVS))
    turn = 0

    def some_steps() -> int:
        nonlocal turn
        turn += 1
        env.step(actions[turn % len(actions)])
        return NUM_ENVS

    timed(some_steps, 0.2)
    return lambda seconds: timed(some_steps, seconds)


def _single(env_id: str) -> Measure:
    env = gym.make(env_id)
    env.reset(seed=0)
    actions: Sequence[int] = np.random.default_rng(0).integers(4, size=1000).tolist()

    def some_steps() -> int:
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return len(actions)

    return lambda seconds: timed(some_steps, seconds)


def _compiled_mazes() -> Measure:
    from envs.mazes.compiled import compiled_carver
    from machine_code.pcg64 import pack

    carve, words = compiled_carver("backtracker"), pack(np.random.default_rng(0))
    passages = np.zeros((15 * 15, 4), dtype=np.bool_)

    def some_mazes() -> int:
        for _ in range(100):
            passages[:] = False
            carve(passages, 15, 15, 0.0, words)
        return 100

    some_mazes()
    return lambda seconds: timed(some_mazes, seconds)


def _python_mazes(seconds: float) -> float:
    from envs.mazes.generators import GENERATORS

    rng = np.random.default_rng(0)

    def a_maze() -> int:
        GENERATORS["backtracker"](15, 15, rng)
        return 1

    return timed(a_maze, seconds)
