"""What several tests need."""

from pathlib import Path
from typing import Any

from agents.base import Agent, Episode
from envs.registry import make_env

ENVS: dict[str, dict[str, Any]] = {
    "RLLab/Maze-v0": {"rows": 4, "cols": 4},
    "LunarLander-v3": {},
}
FAST_SETTINGS: dict[str, dict[str, Any]] = {
    "sb3_dqn": {"learning_starts": 20, "buffer_size": 500, "policy_kwargs": {"net_arch": [16]}},
    "sb3_ppo": {"n_steps": 64, "n_epochs": 2, "policy_kwargs": {"net_arch": [16]}},
}
PAIRS = [
    ("random", "RLLab/Maze-v0"),
    ("q_learning", "RLLab/Maze-v0"),
    ("value_iteration", "RLLab/Maze-v0"),
    ("sb3_dqn", "RLLab/Maze-v0"),
    ("sb3_ppo", "RLLab/Maze-v0"),
    ("random", "LunarLander-v3"),
    ("q_learning", "LunarLander-v3"),
    ("heuristic_lander", "LunarLander-v3"),
    ("sb3_dqn", "LunarLander-v3"),
    ("sb3_ppo", "LunarLander-v3"),
]


class Budget:
    """A monitor that counts steps and episodes, and keeps the episodes."""

    def __init__(self, steps: int | None = None, episodes: int | None = None) -> None:
        self.steps, self.num_episodes = steps, episodes
        self.count = 0
        self.episodes: list[Episode] = []

    @property
    def running(self) -> bool:
        if self.steps is not None:
            return self.count < self.steps
        return len(self.episodes) < (self.num_episodes or 0)

    @property
    def max_steps(self) -> int:
        return self.steps or 1_000_000

    def step(self, count: int = 1) -> None:
        self.count += count

    def episode(self, episode: Episode) -> None:
        self.episodes.append(episode)

    def safe_point(self) -> None:
        pass


def train(agent: Agent, env_id: str, options: dict[str, Any], monitor: Budget, seed: int = 0) -> Budget:
    env = make_env(env_id, **options)
    env.reset(seed=seed)
    agent.train(env, monitor)
    env.close()
    return monitor


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
