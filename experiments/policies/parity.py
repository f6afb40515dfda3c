"""Is an exported policy the one that it comes from? Both are asked about many observations of their environment."""

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.masks import binds, legal_actions
from agents.policy import Policy, batch_of
from experiments.errors import InputError
from experiments.evaluation.rollout import rollout
from experiments.policies.card import Parity, Seen

TOLERANCE = 1e-4  # of networks, as a share of the values: they are added up in another order
BATCH = 500  # observations that are asked about together


class Met(NamedTuple):
    """What an environment showed."""

    observations: list[Any]
    actions: list[Any]  # of the policy's own play


def play(policy: Policy, env: gym.Env[Any, Any], count: int, seed: int) -> Met:
    """So many observations: half where the policy plays, half where actions are drawn."""
    observations: list[Any] = []
    actions: list[Any] = []
    episode = 0
    while len(observations) < count // 2:
        for step in rollout(policy, env, seed + episode):
            observations.append(step.observation)
            if step.action is not None:
                actions.append(step.action)
        episode += 1
    observations = observations[: count // 2]
    env.action_space.seed(seed)
    while len(observations) < count:
        observation, info = env.reset(seed=seed + episode)
        episode, over = episode + 1, False
        while not over:
            observations.append(observation)
            mask = legal_actions(env, info).astype(np.int8) if binds(env, info) else None
            observation, _, terminated, truncated, info = env.step(env.action_space.sample(mask))
            over = terminated or truncated
    return Met(observations[:count], actions)


def seen_in(met: Met, observation_space: gym.Space[Any], action_space: gym.Space[Any]) -> Seen:
    """The ranges and shares of what was met."""
    low = high = shares = None
    if isinstance(observation_space, spaces.Box | spaces.Discrete):
        flat = np.asarray(met.observations, dtype=np.float64).reshape(len(met.observations), -1)
        low, high = flat.min(axis=0).tolist(), flat.max(axis=0).tolist()
    if isinstance(action_space, spaces.Discrete):
        counts = np.bincount(np.asarray(met.actions, dtype=np.int64), minlength=int(action_space.n))
        shares = (counts / max(1, counts.sum())).tolist()
    return Seen(observations=len(met.observations), low=low, high=high, action_shares=shares)


def check_parity(original: Policy, exported: Policy, observations: list[Any], *, exact: bool) -> Parity:
    """Compare two policies on observations.

    Args:
        original: what was exported.
        exported: what was read back.
        observations: about which both are asked.
        exact: must they be equal to the bit? Else values may differ by rounding, and actions where values are as good
            as equal.

    Raises:
        InputError: they differ.
    """
    largest, ties = 0.0, 0
    for begin in range(0, len(observations), BATCH):
        batch = batch_of(observations[begin : begin + BATCH])
        values, others = original.action_values(batch), exported.action_values(batch)
        actions, chosen = original.act(batch), exported.act(batch)
        if values is None or others is None:
            difference = _difference(np.asarray(actions, np.float64), np.asarray(chosen, np.float64))
            same = np.ones(len(actions), dtype=np.bool_)
            scale = 1.0
        else:
            difference = _difference(values, others)
            same = actions == chosen
            finite = values[np.isfinite(values)]
            scale = max(1.0, float(np.abs(finite).max(initial=0.0)))
            rows = np.flatnonzero(~same)
            close = np.abs(values[rows, actions[rows]] - values[rows, chosen[rows]]) <= TOLERANCE * scale
            if (exact and len(rows)) or not close.all():
                first = int(rows[0] if exact else rows[~close][0])
                raise InputError(
                    f"the exported policy is another: expected action {actions[first]}, got {chosen[first]} for "
                    f"observation {np.asarray(observations[begin + first]).tolist()}"
                )
        allowed = 0.0 if exact else TOLERANCE * scale
        if not difference <= allowed:
            wrong = f"values differ by {difference:.3g}, expected {allowed:.3g} at most"
            raise InputError(f"the exported policy is another: {wrong}")
        largest, ties = max(largest, difference), ties + int((~same).sum())
    return Parity(observations=len(observations), largest_difference=largest, near_ties=ties)


def _difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The largest difference; infinite values, of what is never legal, must be the same."""
    both = np.isfinite(one) & np.isfinite(other)
    if not np.array_equal(one[~both], other[~both]):
        return float("inf")
    return float(np.abs(one[both] - other[both]).max(initial=0.0))
