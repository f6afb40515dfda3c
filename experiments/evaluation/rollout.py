"""The greedy episode: one loop, in which agents are judged, filmed and looked at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from agents.base import Agent
from agents.masks import binds, legal_actions
from agents.policy import Policy, batch_of
from envs.endings import success_of

SUCCESS_KEYS = ("success", "is_success")  # under which environments say whether an episode succeeded


class Step(NamedTuple):
    """A moment of an episode: what is observed now, and what led to it. The first one is the reset."""

    observation: Any
    action: Any  # None after the reset
    reward: float
    total_reward: float  # of the episode so far
    length: int  # env steps so far
    terminated: bool
    truncated: bool
    info: dict[str, Any]

    @property
    def over(self) -> bool:
        """Has the episode ended?"""
        return self.terminated or self.truncated


def rollout(policy: Policy, env: gym.Env[Any, Any], seed: int) -> Iterator[Step]:
    """The episode that a policy plays from `reset(seed)` to its end, step by step, the reset first."""
    observation, info = env.reset(seed=seed)
    is_masked = binds(env, info)
    step = Step(observation, None, 0.0, 0.0, 0, False, False, info)
    yield step
    while not step.over:
        if is_masked:
            action = policy.action(step.observation, legal_actions(env, step.info))
        else:
            action = policy.action(step.observation)
        observation, reward, terminated, truncated, info = env.step(action)
        total = step.total_reward + float(reward)
        step = Step(observation, action, float(reward), total, step.length + 1, bool(terminated), bool(truncated), info)
        yield step


@dataclass(frozen=True)
class EvaluationEpisode:
    """One episode of evaluation."""

    seed: int
    total_reward: float
    length: int  # env steps
    terminated: bool
    truncated: bool
    success: bool | None = None  # where the environment tells, or its state does
    unmet_share: float | None = None  # of its decisions, taken in states that training had never met; where it is known
    info: dict[str, Any] = field(default_factory=dict)  # the environment's, at the last step


def run_episode(policy: Policy, env: gym.Env[Any, Any], seed: int) -> EvaluationEpisode:
    """Play one episode."""
    decided: list[Any] = []  # observations in which an action was chosen
    knows_states: bool | None = None
    step: Step | None = None
    for step in rollout(policy, env, seed):
        if knows_states is None:
            knows_states = policy.met(batch_of([step.observation])) is not None
        if knows_states and not step.over:
            decided.append(step.observation)
    assert step is not None  # the reset at least
    met = policy.met(batch_of(decided)) if decided else None
    return EvaluationEpisode(
        seed=seed,
        total_reward=step.total_reward,
        length=step.length,
        terminated=step.terminated,
        truncated=step.truncated,
        success=succeeded(step, env),
        unmet_share=None if met is None else float(np.mean(~met)),
        info=step.info,
    )


def succeeded(last: Step, env: gym.Env[Any, Any]) -> bool | None:
    """Has an episode succeeded that has come to its last step? None where neither its info nor its state tells."""
    told = next((last.info[key] for key in SUCCESS_KEYS if key in last.info), None)
    if told is None and last.terminated:
        return success_of(env)
    return bool(told) if isinstance(told, bool | np.bool_ | int | np.number) else None


def evaluate_agent(agent: Agent, env: gym.Env[Any, Any], seeds: Sequence[int]) -> list[EvaluationEpisode]:
    """One greedy episode a seed, of the agent as it is now."""
    policy = None if agent.seeded_policy else agent.policy(0)  # one for all episodes, unless it draws from their seeds
    return [run_episode(policy or agent.policy(seed), env, seed) for seed in seeds]
