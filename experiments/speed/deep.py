"""How fast our deep Q-network learns, against stable-baselines3's at equal work, in one run on one thread."""

from typing import Any

import gymnasium as gym

from agents.budget import Budget
from agents.registry import make_agent
from envs.registry import make_env
from experiments.speed.measuring import Comparison, Measure, compare, timed

ENV, BATCH_SIZE, BUFFER_SIZE, LEARNING_STARTS = "LunarLander-v3", 128, 50_000, 200
EPSILON = 0.05
CHUNK = 200  # env steps at a time
SECONDS = 4.0  # of each measurement
SIZES = {"ratio_256": [256, 256], "ratio_64": [64, 64]}


def deep_speeds(rounds: int = 5, seconds: float = SECONDS) -> list[Comparison]:
    """An update a step, batches of 128: networks of 256 and of 64 units twice; then what our adapter adds."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = [
            compare(
                f"dqn, 8-{hidden[0]}-{hidden[1]}-4, an update of {BATCH_SIZE} every step",
                "steps/s",
                _of_agent("dqn", _ours(hidden)),
                "stable-baselines3's DQN",
                _of_sb3(hidden, 1),
                (rounds, seconds),
                key,
            )
            for key, hidden in SIZES.items()
        ]
        settings = _theirs(4) | {"policy_kwargs": {"net_arch": [64, 64]}}
        adapter = compare(
            "sb3_dqn, 8-64-64-4, an update every fourth step",
            "steps/s",
            _of_agent("sb3_dqn", settings),
            "stable-baselines3's own loop",
            _of_sb3([64, 64], 4),
            (rounds, seconds),
            "ratio_adapter",
        )
    finally:
        torch.set_num_threads(threads)
    return [*found, adapter]


def _ours(hidden: list[int]) -> dict[str, Any]:
    return {
        "hidden_sizes": hidden,
        "batch_size": BATCH_SIZE,
        "buffer_size": BUFFER_SIZE,
        "learning_starts": LEARNING_STARTS,
        "train_every": 1,
        "double": False,
        "target_every": 250,
        "epsilon": EPSILON,
        "epsilon_schedule": "constant",
    }


def _theirs(train_freq: int) -> dict[str, Any]:
    """The same, as stable-baselines3 names it."""
    return {
        "batch_size": BATCH_SIZE,
        "buffer_size": BUFFER_SIZE,
        "learning_starts": LEARNING_STARTS,
        "train_freq": train_freq,
        "target_update_interval": 250,
        "exploration_initial_eps": EPSILON,
        "exploration_final_eps": EPSILON,
    }


def _of_agent(name: str, settings: dict[str, Any]) -> Measure:
    env = make_env(ENV)
    env.reset(seed=0)
    agent = make_agent(name, env, **settings)
    budget = Budget(steps=1 << 40)  # as in a long run: schedules stand still
    budget.count = (1 << 40) - 2 * LEARNING_STARTS
    agent.train(env, budget)

    def some_steps() -> int:
        budget.count = (1 << 40) - CHUNK
        budget.episodes.clear()
        budget.learned.clear()
        agent.train(env, budget)
        return CHUNK

    return lambda seconds: timed(some_steps, seconds)


def _of_sb3(hidden: list[int], train_freq: int) -> Measure:
    from stable_baselines3 import DQN

    env: gym.Env[Any, Any] = make_env(ENV)
    model = DQN("MlpPolicy", env, seed=0, device="cpu", policy_kwargs={"net_arch": hidden}, **_theirs(train_freq))
    model.learn(2 * LEARNING_STARTS, log_interval=None)  # type: ignore[arg-type]

    def some_steps() -> int:
        before = model.num_timesteps
        model.learn(CHUNK, reset_num_timesteps=False, log_interval=None)  # type: ignore[arg-type]
        return int(model.num_timesteps - before)

    return lambda seconds: timed(some_steps, seconds)
