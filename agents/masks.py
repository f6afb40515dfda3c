"""Masks of legal actions, as environments tell of them in `info["action_mask"]`."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.planning.trust import why_no_model

KEY = "action_mask"


def takes_mask(select_action: Callable[..., Any]) -> bool:
    """Does an agent's `select_action` take a mask? One for environments without illegal actions need not."""
    return "mask" in inspect.signature(select_action).parameters


def binds(env: gym.Env[Any, Any], info: Mapping[str, Any]) -> bool:
    """Does the environment's mask forbid actions?

    Not where its model says what every action does, as Taxi's: there the mask is advice.
    """
    return KEY in info and isinstance(env.action_space, spaces.Discrete) and why_no_model(env) is not None


def legal_actions(env: gym.Env[Any, Any], info: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Which [A] of the discrete actions are legal now; where nothing is said, or none is, all.

    Raises:
        ValueError: the mask is of another shape.
    """
    space = env.action_space
    assert isinstance(space, spaces.Discrete)
    mask = np.asarray(info.get(KEY, True), dtype=np.bool_)
    if mask.ndim and mask.shape != (space.n,):
        raise ValueError(f"action_mask: expected shape [{space.n}], got {list(mask.shape)}")
    return mask if mask.ndim and mask.any() else np.ones(space.n, dtype=np.bool_)
