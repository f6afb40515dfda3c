"""What a check of an agent is: the agent and its environment, what came out, and how that is told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from agents.base import Agent
from agents.corridor import Corridor

MakeEnv = Callable[[], gym.Env[Any, Any]]


class CheckError(AssertionError):
    """An agent does not keep the contract: what was expected, and what came."""


class NotApplicableError(Exception):
    """The check says nothing about this agent, and why."""


@dataclass(frozen=True)
class Check:
    """One check of an agent: call it. It returns where all is well."""

    name: str
    run: Callable[["Case"], None]
    case: "Case"

    def __call__(self) -> None:
        """Check.

        Raises:
            CheckError: the agent does not pass.
            NotApplicableError: the check says nothing about this agent.
        """
        self.run(self.case)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Case:
    """What is checked: an agent's class and settings, in an environment."""

    agent_class: type[Agent]
    settings: dict[str, Any]
    make_env: MakeEnv | None

    def env(self) -> gym.Env[Any, Any]:
        """A new environment, which has been reset: its generator is seeded."""
        env = Corridor() if self.make_env is None else self.make_env()
        env.reset(seed=5)
        env.action_space.seed(5)
        return env

    def agent(self, seed: int = 3) -> Agent:
        """A new agent."""
        env = self.env()
        agent = self.agent_class(env, seed=seed, **self.settings)
        agent.prepare(env)
        return agent

    def in_corridor(self) -> None:
        """The check asks for the corridor."""
        if self.make_env is not None:
            raise NotApplicableError("it is made in the two-armed corridor, and another environment was given")


def expect(holds: bool, expected: str, got: Any) -> None:
    """Raise where something does not hold."""
    if not holds:
        raise CheckError(f"expected {expected}, got {got}")
