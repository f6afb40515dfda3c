"""Models of stable-baselines3, and their training."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFrequencyUnit
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.base import Episode, Monitor, Settings
from agents.env_copy import maker_of
from agents.env_snapshot import Replayable
from agents.policy import Spaces
from agents.sb3.algorithms import ALGORITHMS
from agents.sb3.model_state import Model, get_generators, set_generators
from agents.sb3.network import (
    NetworkPolicy,
    as_seen,
    family,
    network_space,
    policy_kwargs,
    remember,
    spaces_env,
)
from agents.storage import State

NOT_ARGUMENTS = {"preset", "num_envs", "learning_rate_schedule"}  # settings that are not the constructor's


def make_model(settings: Settings, of: Spaces, seed: int) -> Model:
    """A model with fresh networks. stable-baselines3 seeds the global generators with that."""
    arguments = settings.model_dump(exclude=NOT_ARGUMENTS) | {"policy_kwargs": policy_kwargs(settings)}
    if "train_freq" in arguments:
        arguments["train_freq"] = (arguments["train_freq"], arguments.pop("train_freq_unit"))
    if getattr(settings, "learning_rate_schedule", "constant") == "linear":
        initial = arguments["learning_rate"]
        arguments["learning_rate"] = lambda remaining: initial * remaining
    flat = Spaces(network_space(of.observation_space), of.action_space)
    env = spaces_env(flat, getattr(settings, "num_envs", 1))
    arguments["policy"] = family(settings, of.observation_space)
    if (noise := arguments.get("action_noise")) is not None:
        shape = of.action_space.shape or ()
        arguments["action_noise"] = NormalActionNoise(np.zeros(shape), np.full(shape, noise))
    algorithm = str(getattr(settings, "algorithm", ""))
    model: Model = ALGORITHMS[algorithm].load()(env=env, seed=seed, device="cpu", **arguments)
    remember(model.policy, algorithm, of.observation_space)
    return model


def explore(model: Model, observation: Any, mask: NDArray[np.bool_] | None) -> Any:
    """An action as in training; with a mask [A], which only discrete actions have, a legal one.

    Raises:
        ValueError: a mask is given, and the actions are not discrete.
    """
    if mask is None:
        action, _ = model.predict(as_seen(model.policy, observation), deterministic=False)
        return int(action) if isinstance(model.action_space, spaces.Discrete) else action
    rng, policy = model.action_space.np_random, NetworkPolicy(model.policy)
    best = policy.action(observation, mask)
    weights = mask.astype(np.float64)
    if isinstance(model, OnPolicyAlgorithm):
        weights *= policy.values(observation)[0]
    elif rng.random() >= model.exploration_rate:
        return best
    total = weights.sum()
    return int(rng.choice(len(weights), p=weights / total)) if total > 0 else best


def learn(model: Model, env: gym.Env[Any, Any], num_envs: int, seed: int, monitor: Monitor) -> None:
    """Train until the monitor's budget is spent."""
    snapshots = [None] * num_envs if monitor.env_snapshot is None else _in_order(monitor.env_snapshot["envs"])
    copies = [env]
    if num_envs > 1:
        make = maker_of(env, "num_envs")
        copies += [make() for _ in range(num_envs - 1)]
    for index, copy in enumerate(copies[1:], start=1):
        copy.action_space.seed(seed + index)
    replayable = [Replayable(copy, snapshot) for copy, snapshot in zip(copies, snapshots, strict=True)]
    model.set_env(DummyVecEnv([_same(_flat(one)) for one in replayable]))
    assert model.env is not None
    model.env.seed(seed)  # environment i with seed + i, at its next reset
    reporter = _Reporter(monitor, model, replayable)
    while monitor.running:  # more than once only for a budget of episodes that were longer than expected
        model.learn(
            max(1, monitor.max_steps - model.num_timesteps),
            callback=reporter,
            reset_num_timesteps=False,
            log_interval=None,  # no console tables
        )
    monitor.safe_point(reporter.snapshot)


def _in_order(numbered: State) -> list[State]:
    return [numbered[str(index)] for index in range(len(numbered))]


def _flat(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    """The environment with observations as a network sees them."""
    is_flat = network_space(env.observation_space) is env.observation_space
    return env if is_flat else gym.wrappers.FlattenObservation(env)


def _same(env: gym.Env[Any, Any]) -> Any:
    return lambda: env


class _Reporter(BaseCallback):
    """Tells the monitor of steps and episodes, and stops when the budget is spent."""

    def __init__(self, monitor: Monitor, model: Model, envs: list[Replayable]) -> None:
        super().__init__()
        self.monitor, self.algorithm, self.envs = monitor, model, envs
        self.rewards, self.lengths = np.zeros(len(envs)), np.zeros(len(envs), dtype=int)
        self.generators: State | None = None  # where they were, if a training goes on
        if monitor.env_snapshot is not None:
            self.rewards, self.lengths = monitor.env_snapshot["rewards"].copy(), monitor.env_snapshot["lengths"].copy()
            self.generators = get_generators(model)
        # Steps of a rollout, after which stable-baselines3 learns; unknown (no step is its last) for whole episodes.
        self.rollout_length = 0
        if isinstance(model, OnPolicyAlgorithm):
            self.rollout_length = model.n_steps
        else:
            frequency: Any = model.train_freq  # a TrainFreq, once the model is set up
            if frequency.unit is TrainFrequencyUnit.STEP:
                self.rollout_length = frequency.frequency

    def _on_step(self) -> bool:
        self.rewards += self.locals["rewards"]
        self.lengths += 1
        self.monitor.step(len(self.lengths))
        for index in np.flatnonzero(self.locals["dones"]):
            epsilon = getattr(self.model, "exploration_rate", None)
            info = {key: value for key, value in self.locals["infos"][index].items() if key not in ADDED_BY_SB3}
            self.monitor.episode(Episode(float(self.rewards[index]), int(self.lengths[index]), epsilon, None, info))
            self.rewards[index] = self.lengths[index] = 0
        if self.monitor.running:
            return True
        # The budget is spent. Where a rollout ends with it, let stable-baselines3 learn from that rollout and leave
        # its loop by itself; else stop here.
        at_rollout_end = self.rollout_length > 0 and self.n_calls % self.rollout_length == 0
        return at_rollout_end and self.num_timesteps >= self.model._total_timesteps

    def _on_training_start(self) -> None:
        if isinstance(self.algorithm, OnPolicyAlgorithm):
            self.algorithm._last_episode_starts = self.lengths == 0

    def _on_rollout_start(self) -> None:
        if self.generators is not None:  # what was drawn to come here is not part of the training
            set_generators(self.algorithm, self.generators)
            self.generators = None
        self.monitor.safe_point(self.snapshot)
        if isinstance(self.algorithm, OnPolicyAlgorithm) and self.algorithm.use_sde:
            self.algorithm.policy.reset_noise(len(self.envs))  # after the safe point, so that it is drawn alike later

    def snapshot(self) -> State:
        """Where the environments are, and what the episodes under way have come to."""
        envs = {str(index): env.snapshot() for index, env in enumerate(self.envs)}
        return {"envs": envs, "rewards": self.rewards.copy(), "lengths": self.lengths.copy()}


ADDED_BY_SB3 = {"terminal_observation", "TimeLimit.truncated", "episode"}
