"""Observations that are put together: dictionaries, tuples, several numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from agents.policy import batch_of
from agents.registry import make_agent
from envs.registry import make_env
from rl_lab import evaluate, train
from tests.lane import Lane

HERE = __name__


# -- observations that are put together --------------------------------------------------------------------------


class Together(Lane):
    """The lane, told in pieces."""

    def __init__(self, kind: str = "dict") -> None:
        super().__init__()
        self.kind = kind
        parts = {"place": spaces.Discrete(5, start=3), "bits": spaces.MultiBinary(2), "height": spaces.Box(0, 4, (1,))}
        self.observation_space = {
            "dict": spaces.Dict(parts),
            "tuple": spaces.Tuple(list(parts.values())),
            "nested": spaces.Dict(outer=spaces.Dict(parts)),
            "multi": spaces.MultiDiscrete([5, 2]),
            "binary": spaces.MultiBinary(3),
            "start": spaces.Discrete(5, start=3),
        }[kind]

    def seen(self) -> Any:
        parts = {
            "place": self.place + 3,
            "bits": np.array([self.place % 2, self.place // 2 % 2], np.int8),
            "height": np.array([self.place], np.float32),
        }
        bits = np.array([self.place >> bit & 1 for bit in range(3)], np.int8)
        forms: dict[str, Any] = {
            "dict": parts,
            "tuple": tuple(parts.values()),
            "nested": {"outer": parts},
            "binary": bits,
        }
        return (forms | {"multi": np.array([self.place, 0]), "start": self.place + 3})[self.kind]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self.seen(), {}

    def step(self, action: Any) -> Any:
        _, *rest = super().step(action)
        return self.seen(), *rest


@pytest.mark.parametrize("kind", ["dict", "tuple", "nested", "multi", "binary", "start"])
@pytest.mark.parametrize("bins", ["uniform", "quantile"])
def test_tables_number_observations_that_are_put_together(kind: str, bins: str, tmp_path: Path) -> None:
    """The best way is 4 steps to the right: 1 - 0.3."""
    result = train(
        make_env(f"{HERE}:Together", kind=kind), make_agent_for(kind, bins), steps=3000, out=tmp_path, engine="python"
    )
    assert result["status"] == "finished"
    assert evaluate(result["run"], episodes=1)["mean_return"] == pytest.approx(0.7)


def make_agent_for(kind: str, bins: str) -> Any:
    return make_agent("q_learning", make_env(f"{HERE}:Together", kind=kind), bins=bins, num_edges=4)


@pytest.mark.parametrize("kind", ["dict", "tuple", "nested"])
@pytest.mark.parametrize("agent", ["dqn", "sb3_dqn", "sb3_ppo"])
def test_networks_see_observations_that_are_put_together(kind: str, agent: str) -> None:
    env = make_env(f"{HERE}:Together", kind=kind)
    settings = {"n_steps": 8, "batch_size": 8} if agent == "sb3_ppo" else {"learning_starts": 8}
    made: Any = make_agent(agent, env, **settings)
    from agents.budget import Budget as Steps

    made.train(env, Steps(steps=32))
    observation, _ = env.reset(seed=0)
    policy = made.policy(0)
    assert policy.action(observation) in (0, 1)
    values = policy.action_values(batch_of([observation]))
    assert values is not None
    assert values.shape == (1, 2)
    assert made.select_action(observation, explore=True) in (0, 1)
