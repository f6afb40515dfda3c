"""Which environments the compiled engine knows exactly, and what they are as arrays."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import OrderEnforcing, PassiveEnvChecker, TimeLimit

from agents.planning.trust import name_of, wrappers_of
from agents.tabular.episodes import NO_LIMIT, Sampler
from agents.tabular.memory import FloatArray

# These draw one `random()` a reset and a step, and look it up in their model's cumulative probabilities.
TOY_TEXT = {
    "gymnasium.envs.toy_text.frozen_lake:FrozenLakeEnv",
    "gymnasium.envs.toy_text.cliffwalking:CliffWalkingEnv",
    "gymnasium.envs.toy_text.taxi:TaxiEnv",
}
OURS = {"envs.mazes.env:MazeEnv", "envs.small:RandomWalkEnv", "envs.small:MaximizationBiasEnv"}
LOOKS_ON = "envs.contract:Checked"  # where something else is not known, which is named then
WRAPPERS = (TimeLimit, OrderEnforcing, PassiveEnvChecker)


def why_not(env: gym.Env[Any, Any]) -> str | None:
    """Why an environment cannot be sampled exactly from arrays; None where it can."""
    base: Any = env.unwrapped
    name = f"{type(base).__module__}:{type(base).__qualname__}"
    if name not in TOY_TEXT | OURS:
        return f"it knows the lab's mazes and small problems, FrozenLake, CliffWalking and Taxi, and not {name}"
    for wrapper in wrappers_of(env):
        if type(wrapper) not in WRAPPERS and name_of(wrapper) != LOOKS_ON:
            return f"the wrapper {type(wrapper).__name__} changes more than the limit of steps"
    if not isinstance(env.observation_space, spaces.Discrete):
        return f"it needs the state as observation (Discrete), got {type(env.observation_space).__name__}"
    if not getattr(base, "fixed_model", True):
        return "it needs one model, and here another maze comes (maze_seed = 'new', levels or layout_change)"
    if getattr(base, "fickle_passenger", False):
        return "fickle_passenger draws what the model does not tell of"
    if base.render_mode is not None:
        return f"every step is to be seen (render_mode = {base.render_mode!r})"
    return None


def make_sampler(env: gym.Env[Any, Any]) -> Sampler:
    """The arrays of an environment that can be sampled exactly."""
    base: Any = env.unwrapped
    arrays = base.model_arrays() if hasattr(base, "model_arrays") else _arrays(base.P)
    limits = [wrapper._max_episode_steps for wrapper in wrappers_of(env) if isinstance(wrapper, TimeLimit)]
    starts, thresholds = _starts(base)
    return Sampler(
        num_outcomes=arrays["next_states"].shape[2],
        probabilities=np.ascontiguousarray(arrays["probabilities"], dtype=np.float64).ravel(),
        cumulative=np.cumsum(arrays["probabilities"], axis=2).ravel(),
        next_states=arrays["next_states"].ravel().astype(np.int64),
        rewards=arrays["rewards"].ravel().astype(np.float64),
        terminated=arrays["terminated"].ravel().astype(np.bool_),
        start_states=starts,
        start_thresholds=thresholds,
        own_limit=getattr(base, "max_steps", NO_LIMIT),
        wrapped_limit=min(limits, default=NO_LIMIT),
    )


def put(env: gym.Env[Any, Any], state: int, start: int, length: int, action: int) -> None:
    """Put the environment where the episode is, as if it had made the steps itself."""
    base: Any = env.unwrapped
    for wrapper in wrappers_of(env):
        if type(wrapper) is TimeLimit:
            wrapper._elapsed_steps = length  # type: ignore[assignment]  # Gymnasium declares it None
        elif type(wrapper) is OrderEnforcing:
            wrapper._has_reset = True
    if hasattr(base, "put"):
        base.put(state, start, length)
    else:
        base.s, base.lastaction = state, action


def last_info(env: gym.Env[Any, Any], probability: float) -> dict[str, Any]:
    """What the environment said at the step that brought it where it is."""
    base: Any = env.unwrapped
    if hasattr(base, "info"):
        info: dict[str, Any] = base.info()
        return info
    info = {"prob": probability}
    return info | {"action_mask": base.action_mask(base.s)} if hasattr(base, "action_mask") else info


def _arrays(model: Any) -> dict[str, Any]:
    """A toy_text model as arrays [S, A, N]; an outcome that is not there has probability 0."""
    num_states, num_actions = len(model), len(model[0])
    num_outcomes = max(len(outcomes) for actions in model.values() for outcomes in actions.values())
    shape = (num_states, num_actions, num_outcomes)
    arrays: dict[str, Any] = {
        "probabilities": np.zeros(shape),
        "next_states": np.zeros(shape, dtype=np.int64),
        "rewards": np.zeros(shape),
        "terminated": np.zeros(shape, dtype=np.bool_),
    }
    for state in range(num_states):
        for action in range(num_actions):
            for number, outcome in enumerate(model[state][action]):
                for array, value in zip(arrays.values(), outcome, strict=True):
                    array[state, action, number] = value
    return arrays


def _starts(base: Any) -> tuple[Any, FloatArray]:
    """The states that an episode may begin in, and up to which draw it begins there."""
    if hasattr(base, "start_states"):
        starts = np.array(base.start_states, dtype=np.int64)
        return starts, uniform_thresholds(len(starts))
    distribution = np.asarray(base.initial_state_distrib, dtype=np.float64)
    cumulative = np.cumsum(distribution)
    starts = np.flatnonzero(distribution > 0)
    thresholds = cumulative[starts]
    if cumulative[-1] < 1:  # a draw beyond the last is np.argmax's of no truth at all: state 0
        return np.append(starts, 0).astype(np.int64), np.append(thresholds, np.inf)
    return starts.astype(np.int64), thresholds


def uniform_thresholds(count: int) -> FloatArray:
    """For each i the least number x with int(x * count) > i: so a draw below it, and above the last one, gives i."""
    ends = np.arange(1.0, count + 1)
    thresholds = ends / count
    while (low := thresholds * count < ends).any():
        thresholds[low] = np.nextafter(thresholds[low], np.inf)
    while (high := np.nextafter(thresholds, 0) * count >= ends).any():
        thresholds[high] = np.nextafter(thresholds[high], 0)
    thresholds[-1] = np.inf  # the last one takes what is left
    return thresholds
