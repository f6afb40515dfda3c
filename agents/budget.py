"""A monitor for training without an experiment: `agent.train(env, Budget(steps=1_000))`."""

from agents.base import Episode

UNLIMITED = 1 << 62


class Budget:
    """Counts env steps or episodes, and keeps the episodes.

    Args:
        steps: env steps that the training may make.
        episodes: or episodes that it may finish.
    """

    def __init__(self, steps: int | None = None, episodes: int | None = None) -> None:
        if (steps is None) == (episodes is None):
            raise ValueError(f"budget: expected steps or episodes, came steps = {steps} and episodes = {episodes}")
        self.steps, self.num_episodes = steps, episodes
        self.count = 0
        self.episodes: list[Episode] = []

    @property
    def running(self) -> bool:
        """Is there budget left?"""
        return min(self.until_needed()) > 0

    @property
    def max_steps(self) -> int:
        """The most env steps, for schedules."""
        return self.steps or 1_000_000

    def until_needed(self) -> tuple[int, int]:
        """All that is left."""
        if self.steps is not None:
            return self.steps - self.count, UNLIMITED
        return UNLIMITED, (self.num_episodes or 0) - len(self.episodes)

    def step(self, count: int = 1) -> None:
        """Count."""
        self.count += count

    def episode(self, episode: Episode) -> None:
        """Keep it."""
        self.episodes.append(episode)

    def safe_point(self) -> None:
        """Nothing is saved."""
