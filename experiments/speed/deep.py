"""How fast our deep Q-network learns, against stable-baselines3's at equal work, in one run on one thread."""

from typing import Any

from agents.budget import Budget
from agents.deep.threads import one_torch_thread
from agents.registry import make_agent
from agents.sb3.baselines import SB3Agent
from envs.registry import make_env
from experiments.speed.measuring import Comparison, Measure, compare, timed

ENV, BATCH_SIZE, BUFFER_SIZE, LEARNING_STARTS = "LunarLander-v3", 128, 50_000, 200
EPSILON = 0.05
CHUNK = 200  # env steps at a time
LONG = 1 << 40  # env steps of a training, so that schedules stand still
TARGET_EVERY = 250
SECONDS = 1.0  # of each measurement
SIZES = {"ratio_256": [256, 256], "ratio_64": [64, 64]}


def deep_speeds(rounds: int = 5, seconds: float = SECONDS) -> list[Comparison]:
    """An update a step, batches of 128: networks of 256 and of 64 units twice; then what our adapter adds."""
    with one_torch_thread():
        found = [
            compare(
                f"dqn, 8-{hidden[0]}-{hidden[1]}-4, an update of {BATCH_SIZE} every step",
                "steps/s",
                _of_agent("dqn", _ours(hidden)),
                "stable-baselines3's DQN",
                _of_sb3(_theirs(hidden, 1)),
                (rounds, seconds),
                key,
            )
            for key, hidden in SIZES.items()
        ]
        adapter = compare(
            "sb3_dqn, 8-64-64-4, an update every fourth step",
            "steps/s",
            _of_agent("sb3_dqn", _theirs([64, 64], 4)),
            "stable-baselines3's own loop",
            _of_sb3(_theirs([64, 64], 4)),
            (rounds, seconds),
            "ratio_adapter",
        )
    return [*found, adapter]


def _ours(hidden: list[int]) -> dict[str, Any]:
    return {
        "hidden_sizes": hidden,
        "batch_size": BATCH_SIZE,
        "buffer_size": BUFFER_SIZE,
        "learning_starts": LEARNING_STARTS,
        "train_every": 1,
        "double": False,
        "target": "copy",
        "target_every": TARGET_EVERY,
        "epsilon": EPSILON,
        "epsilon_schedule": "constant",
    }


def _theirs(hidden: list[int], train_freq: int) -> dict[str, Any]:
    """The same, as stable-baselines3 names it."""
    return {
        "policy_kwargs": {"net_arch": hidden},
        "batch_size": BATCH_SIZE,
        "buffer_size": BUFFER_SIZE,
        "learning_starts": LEARNING_STARTS,
        "train_freq": train_freq,
        "target_update_interval": TARGET_EVERY,
        "exploration_initial_eps": EPSILON,
        "exploration_final_eps": EPSILON,
    }


def _of_agent(name: str, settings: dict[str, Any]) -> Measure:
    env = make_env(ENV)
    env.reset(seed=0)
    agent = make_agent(name, env, **settings)

    def some_steps() -> int:
        budget = Budget(steps=LONG)
        budget.count = LONG - CHUNK
        agent.train(env, budget)
        return CHUNK

    timed(some_steps, 0.5)  # until it learns, and all is compiled
    return lambda seconds: timed(some_steps, seconds)


def _of_sb3(settings: dict[str, Any]) -> Measure:
    from agents.sb3.own_loop import OwnLoop

    env = make_env(ENV)
    env.reset(seed=0)
    agent = make_agent("sb3_dqn", env, **settings)
    assert isinstance(agent, SB3Agent)
    loop = OwnLoop(agent, env)
    loop.train(2 * LEARNING_STARTS)
    return lambda seconds: timed(lambda: loop.train(CHUNK), seconds)
