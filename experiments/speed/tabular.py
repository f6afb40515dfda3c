"""How fast tabular Q-learning is: the engine, the readable loop, the book's loop, and C."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.budget import Budget
from agents.registry import make_agent
from agents.tabular.engine import Session
from agents.tabular.sampler import make_sampler
from envs.registry import make_env
from experiments.speed.measuring import SIZE, Comparison, Measure, compare, timed

SETTINGS: dict[str, Any] = {"learning_rate": 0.5, "discount": 1.0}
FLAGS = ("-O3", "-march=native")
MANY_STEPS = 5_000_000  # of a training in machine code
FEW_STEPS = 100_000  # in Python


def tabular_speeds(rounds: int = 5, seconds: float = 1.0) -> list[Comparison]:
    """The speeds on the 15 x 15 maze, each on one core; `seconds` for each measurement of each round.

    C is compared to where a compiler is found. Training begins anew in every measurement: what is measured is the way
    from random moves to a path that is known.
    """
    effort = rounds, seconds
    what = "Q-learning, 15 x 15 maze"
    book = "the book's loop (numpy table, np.argmax, gym.make)"
    comparisons = [
        compare(f"{what}, compiled engine", "steps/s", _engine(), book, _book, effort),
        compare(f"{what}, readable loop", "steps/s", _readable, book, _book, effort),
    ]
    in_c = compile_c()
    if in_c is not None:
        name = f"the same in C ({' '.join(FLAGS)})"
        comparisons.insert(1, compare(f"{what}, compiled engine", "steps/s", _engine(), name, _in_c(in_c), effort))
    return comparisons


def _agent(seed: int) -> tuple[Any, gym.Env[Any, Any]]:
    env = make_env("RLLab/Maze-v0", **SIZE)
    env.reset(seed=seed)
    return make_agent("q_learning", env, seed=seed, **SETTINGS), env


def _engine() -> Measure:
    def some_steps() -> int:
        agent, env = _agent(0)
        session = Session(agent, env)
        done = 0
        while done < MANY_STEPS:
            done += session.advance(MANY_STEPS - done, MANY_STEPS)[0]
        return MANY_STEPS

    some_steps()  # compiles
    return lambda seconds: timed(some_steps, seconds)


def _readable(seconds: float) -> float:
    return timed(lambda: _train_readably(FEW_STEPS), seconds)


def _train_readably(num_steps: int) -> int:
    agent, env = _agent(0)
    agent.train(env, Budget(steps=num_steps))
    return num_steps


def _book(seconds: float) -> float:
    return timed(lambda: train_as_the_book(FEW_STEPS), seconds)


def train_as_the_book(num_steps: int) -> int:
    """Q-learning as a beginner writes it from the book's chapter."""
    env = gym.make("envs:RLLab/Maze-v0", **SIZE)
    rng = np.random.default_rng(0)
    q_table = np.zeros((int(env.observation_space.n), int(env.action_space.n)))  # type: ignore[attr-defined]
    epsilon, done = 1.0, 0
    state, _ = env.reset(seed=0)
    env.action_space.seed(0)
    while done < num_steps:
        action = env.action_space.sample() if rng.random() < epsilon else np.argmax(q_table[state])
        next_state, reward, terminated, truncated, _ = env.step(action)
        target = reward if terminated else reward + SETTINGS["discount"] * np.max(q_table[next_state])
        rate = SETTINGS["learning_rate"]
        q_table[state, action] = (1 - rate) * q_table[state, action] + rate * target
        state = next_state
        done += 1
        if terminated or truncated:
            state, _ = env.reset()
            epsilon = max(0.01, epsilon * 0.995)
    return done


# -- C --------------------------------------------------------------------------------------------------------


def compile_c(*more_flags: str) -> Callable[..., int] | None:
    """`train` of q_learning.c, or None where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "q_learning.c", Path(folder) / "q_learning.so"
        source.write_text((resources.files("experiments.speed") / "q_learning.c").read_text(encoding="utf-8"))
        command = [compiler, *FLAGS, *more_flags, "-shared", "-fPIC", str(source), "-o", str(library)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return None
        train = ctypes.CDLL(str(library)).train
    train.restype = ctypes.c_int64
    arrays, whole, real = np.ctypeslib.ndpointer, ctypes.c_int64, ctypes.c_double
    train.argtypes = [
        *(arrays(np.float64), whole, whole, arrays(np.float64), arrays(np.int64), arrays(np.float64)),
        *(arrays(np.bool_), whole, whole, arrays(np.uint64), real, real, real, real, real, whole),
    ]
    return cast(Callable[..., int], train)


def train_in_c(train: Callable[..., int], num_steps: int) -> tuple[NDArray[np.float64], int]:
    """The table [S, A] and the number of episodes of a training in C from the same seeds as `_agent(0)`."""
    agent, env = _agent(0)
    sampler = make_sampler(env)
    base: Any = env.unwrapped
    q = np.zeros(agent.table.memory.q.shape)
    words = np.array([*_words(agent.exploration_rng), *_words(base.np_random)], dtype=np.uint64)
    settings = agent.settings
    episodes = train(
        q.ravel(), 4, sampler.num_outcomes, sampler.cumulative, sampler.next_states, sampler.rewards,
        sampler.terminated, int(sampler.start_states[0]), sampler.own_limit, words,
        settings.epsilon, settings.epsilon_decay, settings.epsilon_min,
        settings.learning_rate, settings.discount, num_steps,
    )  # fmt: skip
    return q, episodes


def _words(rng: np.random.Generator) -> list[int]:
    state: Any = rng.bit_generator.state["state"]
    return [part for number in (state["state"], state["inc"]) for part in (number >> 64, number & (2**64 - 1))]


def _in_c(train: Callable[..., int]) -> Measure:
    def some_steps() -> int:
        train_in_c(train, MANY_STEPS)
        return MANY_STEPS

    return lambda seconds: timed(some_steps, seconds)
