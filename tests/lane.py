"""A small environment that can be told what to do wrong."""

from typing import Any

import gymnasium as gym
from gymnasium import spaces

from experiments.specs.spec import AgentEntry, Budget, EnvEntry, Evaluation, RunSpec

LANE = "tests.lane:Lane"
ERRORS: dict[str, BaseException] = {
    "exit": SystemExit(0),
    "silent": AssertionError(),
    "odd": BaseException("odd"),
    "two lines": ValueError("a\x1b[2Jb\nc"),
    "not now": RuntimeError("not now"),
}


class Lane(gym.Env[Any, Any]):
    """Five cells in a row; 1 goes right, 0 left; the right end pays 1.

    What is given comes in the place of what is right; of errors their names are given.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, **wrong: Any) -> None:
        self.observation_space: spaces.Space[Any] = spaces.Discrete(5)
        self.action_space: spaces.Space[Any] = spaces.Discrete(2)
        self.wrong = wrong
        self.place = self.count = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.place = self.count = 0
        return self.wrong.get("reset", (0, {}))

    def step(self, action: Any) -> Any:
        self.count += 1
        self.place = max(0, self.place + (1 if action == 1 else -1))
        end, over = self.place == 4, self.count >= 30
        given = {"observation": self.place, "reward": 1.0 if end else -0.1, "terminated": end, "truncated": over}
        if self.count >= self.wrong.get("after", 1):
            given |= {key: value for key, value in self.wrong.items() if key in given}
            if "raises" in self.wrong:
                raise ERRORS[self.wrong["raises"]]
        parts = (*given.values(), self.wrong.get("info", {}))
        return parts[: self.wrong.get("parts", 5)]

    def close(self) -> None:
        if "close" in self.wrong:
            raise ERRORS[self.wrong["close"]]


def run_spec(env_id: str = LANE, agent: str = "random", **settings: Any) -> RunSpec:
    """Two hundred steps of it."""
    return RunSpec(
        experiment="x",
        env=EnvEntry(id=env_id, name="lane", settings=settings),
        agent=AgentEntry(id=agent, name="a"),
        seed=0,
        budget=Budget(steps=200),
        evaluation=Evaluation(episodes=1, final_episodes=2),
    )
