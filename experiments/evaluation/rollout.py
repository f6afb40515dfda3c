"""Evaluation: the frozen greedy policy, on episodes that every agent shares."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gymnasium as gym

from agents.base import Agent
from envs.registry import make_env
from envs.wrappers import StepLimit, step_limit
from experiments.errors import InputError
from experiments.specs.spec import EnvEntry

DEFAULT_STEP_LIMIT = 1_000  # steps an episode, where the environment sets no limit itself


class EvaluationEpisode(NamedTuple):
    """One episode of evaluation."""

    seed: int
    total_reward: float
    length: int
    terminated: bool
    truncated: bool


def episode_limit(env: gym.Env[Any, Any]) -> int:
    """The most steps of an evaluation episode."""
    return step_limit(env) or DEFAULT_STEP_LIMIT


def make_evaluation_env(entry: EnvEntry, render_mode: str | None = None) -> gym.Env[Any, Any]:
    """The environment of an entry with a limit of steps, and without the reset seed: evaluation chooses its own."""
    env = make_env(entry.id, render_mode=render_mode, **entry.settings)
    return env if step_limit(env) else StepLimit(env, DEFAULT_STEP_LIMIT)


def check_same_spaces(trained_in: EnvEntry, env: gym.Env[Any, Any]) -> None:
    """Raise where an agent that was trained in one environment cannot act in another.

    Raises:
        InputError: their observations or actions differ.
    """
    own = make_evaluation_env(trained_in)
    try:
        for name in ("observation_space", "action_space"):
            expected, got = getattr(own, name), getattr(env, name)
            if expected != got:
                raise InputError(f"the agent does not fit: expected the {name.replace('_', ' ')} {expected}, got {got}")
    finally:
        own.close()


def run_episode(
    agent: Agent, env: gym.Env[Any, Any], seed: int, on_step: Callable[[float], None] | None = None
) -> EvaluationEpisode:
    """One greedy episode; `on_step` is called with each reward, and with 0 after the reset."""
    policy = agent.policy(seed)
    observation, _ = env.reset(seed=seed)
    total_reward, length = 0.0, 0
    terminated = truncated = False
    if on_step is not None:
        on_step(0.0)
    while not (terminated or truncated):
        observation, reward, terminated, truncated, _ = env.step(policy.action(observation))
        total_reward += float(reward)
        length += 1
        if on_step is not None:
            on_step(float(reward))
    return EvaluationEpisode(seed, total_reward, length, bool(terminated), bool(truncated))


def evaluate_agent(agent: Agent, env: gym.Env[Any, Any], seeds: Sequence[int]) -> list[EvaluationEpisode]:
    """One greedy episode a seed."""
    return [run_episode(agent, env, seed) for seed in seeds]
