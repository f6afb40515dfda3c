"""Does an environment keep Gymnasium's contract? Checked once before a run, and then step by step.

The environments of the lab and of Gymnasium's packages named in `KNOWN` keep it, and are not looked at step by step.
"""

import math
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from envs.wrappers import chain

KNOWN = (
    "envs.",
    "gymnasium.envs.toy_text.",
    "gymnasium.envs.classic_control.",
    "gymnasium.envs.box2d.",
    "gymnasium.wrappers.common.",
)
RESET, STEP = "reset", "step"


class ContractError(ValueError):
    """An environment does not keep Gymnasium's contract: which method, what was expected, and what it gave."""


def is_known(env: gym.Env[Any, Any]) -> bool:
    """Is everything of an environment, its wrappers too, code that is known to keep the contract?"""
    return all(f"{type(one).__module__}.".startswith(KNOWN) for one in chain(env))


def check_contract(env: gym.Env[Any, Any], seed: int) -> None:
    """Reset an environment and make one step, and look at what both give.

    The step's action is drawn, under `info["action_mask"]` where there is one. An environment that raises at this step
    is not judged by it: it may have its reasons.

    Raises:
        ContractError: it does not keep the contract.
    """
    for name in ("observation_space", "action_space"):
        space = getattr(env.unwrapped, name, None)
        if not isinstance(space, gym.Space):
            raise ContractError(f"{name}: expected a space of Gymnasium's, got {_shown(space)}")
    for one in (env.unwrapped, env):  # what wrappers make of a wrong answer would not tell what it was
        _check(one, seed)


def _check(env: gym.Env[Any, Any], seed: int) -> None:
    try:
        given: Any = env.reset(seed=seed)
    except (ContractError, KeyboardInterrupt):
        raise
    except BaseException as error:  # whatever user code raises: which method did stands before it
        raise ContractError(f"{RESET}: {type(error).__name__}: {_said(error)}") from error
    observation, info = _parts(RESET, given, "(observation, info)", 2)
    _check_info(RESET, info, env.action_space)
    _check_observation(RESET, env.observation_space, observation)
    env.action_space.seed(seed)
    try:
        given = env.step(_any_action(env.action_space, info))
    except (ContractError, KeyboardInterrupt):
        raise
    except BaseException:
        return
    observation, reward, terminated, truncated, info = _parts(
        STEP, given, "(observation, reward, terminated, truncated, info)", 5
    )
    _check_observation(STEP, env.observation_space, observation)
    _check_reward(reward)
    _check_flags(terminated, truncated)
    _check_info(STEP, info, env.action_space)


def _said(error: BaseException) -> str:
    try:
        return " ".join(str(error).split()) or "it says nothing"
    except Exception:  # an exception of the user's own
        return "it cannot say what"


def _parts(method: str, given: Any, expected: str, count: int) -> tuple[Any, ...]:
    if not isinstance(given, tuple) or len(given) != count:
        got = f"{len(given)} values" if isinstance(given, tuple) else _shown(given)
        raise ContractError(f"{method}: expected {expected}, got {got}")
    return given


def _check_info(method: str, info: Any, space: gym.Space[Any]) -> None:
    if not isinstance(info, dict):
        raise ContractError(f"{method}: info: expected a dict, got {_shown(info)}")
    if "action_mask" in info and isinstance(space, spaces.Discrete):
        mask = np.asarray(info["action_mask"])
        if mask.shape != (space.n,) or mask.dtype.kind not in "biu" or not np.isin(mask, (0, 1)).all():
            said = _shown(info["action_mask"])
            raise ContractError(
                f"{method}: info: action_mask: expected 0 or 1 for each of {space.n} actions, got {said}"
            )


def _check_flags(terminated: Any, truncated: Any) -> None:
    for name, flag in (("terminated", terminated), ("truncated", truncated)):
        if not isinstance(flag, bool | np.bool_ | int | np.integer):
            raise ContractError(f"step: {name}: expected true or false, got {_shown(flag)}")


def _any_action(space: gym.Space[Any], info: dict[str, Any]) -> Any:
    mask = info.get("action_mask")
    if mask is not None and isinstance(space, spaces.Discrete):
        return space.sample(np.asarray(mask, dtype=np.int8))
    return space.sample()


def _check_reward(reward: Any) -> None:
    """Raise where a reward is no finite number."""
    if type(reward) is float and math.isfinite(reward):
        return
    if np.ndim(reward) > 0:
        raise ContractError(
            f"step: reward: expected one number, got {_shown(reward)} of shape {list(np.shape(reward))}"
        )
    try:
        if isinstance(reward, str | bytes):
            raise TypeError
        number = float(reward)
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError):
        raise ContractError(f"step: reward: expected a number, got {_shown(reward)}") from None
    if not math.isfinite(number):
        raise ContractError(f"step: reward: expected a finite number, got {number}")


def _check_observation(method: str, space: gym.Space[Any], observation: Any) -> None:
    problem = _problem(space, observation)
    if problem is not None:
        raise ContractError(f"{method}: observation{problem}")


def _problem(space: gym.Space[Any], value: Any) -> str | None:
    """What is wrong with a value of a space, beginning with its place; a Box's bounds are no matter of it."""
    match space:
        case spaces.Discrete():
            whole = isinstance(value, int | np.integer) or (isinstance(value, np.ndarray) and value.dtype.kind in "iu")
            whole = whole and not isinstance(value, bool)
            if not whole or np.ndim(value) or not space.start <= value < space.start + space.n:
                return (
                    f": expected a whole number from {space.start} to {space.start + space.n - 1}, got {_shown(value)}"
                )
            return None
        case spaces.Box() | spaces.MultiDiscrete() | spaces.MultiBinary():
            return _array_problem(space, value)
        case spaces.Dict():
            if not isinstance(value, dict) or set(value) != set(space.spaces):
                return f": expected a dict with {', '.join(map(str, space.spaces))}, got {_shown(value)}"
            parts = ((f"[{key!r}]", one, value[key]) for key, one in space.spaces.items())
        case spaces.Tuple():
            if not isinstance(value, tuple) or len(value) != len(space.spaces):
                return f": expected a tuple of {len(space.spaces)}, got {_shown(value)}"
            parts = ((f"[{index}]", one, value[index]) for index, one in enumerate(space.spaces))
        case _:
            return None if space.contains(value) else f": expected a value of {space}, got {_shown(value)}"
    return next((f"{place}{problem}" for place, one, part in parts if (problem := _problem(one, part))), None)


def _array_problem(space: spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary, value: Any) -> str | None:
    shape = tuple(space.shape or ())
    if not isinstance(value, np.ndarray | np.generic) or value.dtype.kind not in "fiub":
        return f": expected an array of numbers of shape {list(shape)}, got {_shown(value)}"
    if value.shape != shape:
        return f": expected shape {list(shape)}, got {list(value.shape)}"
    if isinstance(space, spaces.Box):
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            return f": expected finite numbers, got {_shown(value)}"
        return None
    low, high = (0, 1) if isinstance(space, spaces.MultiBinary) else (space.start, space.start + space.nvec - 1)
    if value.dtype.kind == "f" or (np.asarray(value) < low).any() or (np.asarray(value) > high).any():
        return f": expected a value of {space}, got {_shown(value)}"
    return None


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


class Checked(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Looks at every observation and reward, and counts observations that leave their Box: these are no fault.

    Raises:
        ContractError: (`reset` and `step`) what came is not of the observation space, or no finite number.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)
        self.num_beyond = 0  # observations that left the bounds of their Box
        self._length = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self._length = 0
        observation, info = self.env.reset(seed=seed, options=options)
        self._look(RESET, observation)
        _check_info(RESET, info, self.env.action_space)
        return observation, info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """One step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._length += 1
        try:
            _check_reward(reward)
            self._look(STEP, observation)
            _check_flags(terminated, truncated)
            _check_info(STEP, info, self.env.action_space)
        except ContractError as error:
            raise ContractError(f"{error} (step {self._length:,} of an episode)") from None
        return observation, reward, terminated, truncated, info

    def _look(self, method: str, observation: Any) -> None:
        space = self.env.observation_space
        _check_observation(method, space, observation)
        if isinstance(space, spaces.Box) and ((observation < space.low) | (observation > space.high)).any():
            self.num_beyond += 1
