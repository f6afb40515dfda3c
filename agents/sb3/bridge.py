"""The only file that imports stable-baselines3 (and torch, which comes with it)."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import TrainFrequencyUnit
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.base import Episode, Monitor, Settings
from agents.env_snapshot import Replayable
from agents.storage import State

Model = DQN | PPO
ALGORITHMS: dict[str, type[DQN] | type[PPO]] = {"dqn": DQN, "ppo": PPO}
NOT_ARGUMENTS = {"preset", "num_envs", "learning_rate_schedule"}  # settings that are not the constructor's
COUNTERS = ("num_timesteps", "_n_updates", "_episode_num", "_total_timesteps", "_current_progress_remaining")
DQN_COUNTERS = ("_n_calls", "exploration_rate")
BUFFER_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


class _Spaces(gym.Env[Any, Any]):
    """Stands in for the environment while a model is built: it only has spaces."""

    def __init__(self, observation_space: gym.Space[Any], action_space: gym.Space[Any]) -> None:
        self.observation_space, self.action_space = observation_space, action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return self.observation_space.sample(), {}


def make_model(settings: Settings, observation_space: gym.Space[Any], action_space: gym.Space[Any], seed: int) -> Model:
    """A model with fresh networks."""
    arguments = settings.model_dump(exclude=NOT_ARGUMENTS)
    if arguments["policy_kwargs"] is not None:
        arguments["policy_kwargs"] = {name: _class_by_name(value) for name, value in arguments["policy_kwargs"].items()}
    if "train_freq" in arguments:
        arguments["train_freq"] = (arguments["train_freq"], arguments.pop("train_freq_unit"))
    if getattr(settings, "learning_rate_schedule", "constant") == "linear":
        initial = arguments["learning_rate"]
        arguments["learning_rate"] = lambda remaining: initial * remaining
    env = DummyVecEnv([lambda: _Spaces(observation_space, action_space)] * getattr(settings, "num_envs", 1))
    algorithm: Any = ALGORITHMS[getattr(settings, "algorithm", "")]
    model: Model = algorithm(env=env, seed=seed, device="cpu", **arguments)
    return model


def _class_by_name(value: Any) -> Any:
    """torch's class of that name, for `activation_fn = "Tanh"` and `optimizer_class = "RMSprop"`."""
    for module in (torch.nn, torch.optim):
        if isinstance(value, str) and isinstance(found := getattr(module, value, None), type):
            return found
    return value


def learn(model: Model, env: gym.Env[Any, Any], num_envs: int, seed: int, monitor: Monitor) -> None:
    """Train until the monitor's budget is spent."""
    snapshots = [None] * num_envs if monitor.env_snapshot is None else _in_order(monitor.env_snapshot["envs"])
    copies = [env] + [_copy(env) for _ in range(num_envs - 1)]
    for index, copy in enumerate(copies[1:], start=1):
        copy.action_space.seed(seed + index)
    replayable = [Replayable(copy, snapshot) for copy, snapshot in zip(copies, snapshots, strict=True)]
    model.set_env(DummyVecEnv([_same(one) for one in replayable]))
    assert model.env is not None
    model.env.seed(seed)  # environment i with seed + i, at its next reset
    reporter = _Reporter(monitor, model, replayable)
    while monitor.running:  # more than once only for a budget of episodes that were longer than expected
        model.learn(
            max(1, monitor.max_steps - model.num_timesteps),
            callback=reporter,
            reset_num_timesteps=False,
            log_interval=None,  # type: ignore[arg-type]  # no console tables
        )
    monitor.safe_point(reporter.snapshot)


def _in_order(numbered: State) -> list[State]:
    return [numbered[str(index)] for index in range(len(numbered))]


def _same(env: gym.Env[Any, Any]) -> Any:
    return lambda: env


def _copy(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    assert env.spec is not None
    return gym.make(env.spec, disable_env_checker=True)


class _Reporter(BaseCallback):
    """Tells the monitor of steps and episodes, and stops when the budget is spent."""

    def __init__(self, monitor: Monitor, model: Model, envs: list[Replayable]) -> None:
        super().__init__()
        self.monitor, self.algorithm, self.envs = monitor, model, envs
        self.rewards, self.lengths = np.zeros(len(envs)), np.zeros(len(envs), dtype=int)
        self.generators: State | None = None  # where they were, if a training goes on
        if monitor.env_snapshot is not None:
            self.rewards, self.lengths = monitor.env_snapshot["rewards"].copy(), monitor.env_snapshot["lengths"].copy()
            self.generators = _get_generators(model)
        # Steps of a rollout, after which stable-baselines3 learns; unknown (no step is its last) for whole episodes.
        self.rollout_length = 0
        if isinstance(model, PPO):
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
        if isinstance(self.algorithm, PPO):
            self.algorithm._last_episode_starts = self.lengths == 0

    def _on_rollout_start(self) -> None:
        if self.generators is not None:  # what was drawn to come here is not part of the training
            _set_generators(self.algorithm, self.generators)
            self.generators = None
        self.monitor.safe_point(self.snapshot)
        if isinstance(self.algorithm, PPO) and self.algorithm.use_sde:
            self.algorithm.policy.reset_noise(len(self.envs))  # after the safe point, so that it is drawn alike later

    def snapshot(self) -> State:
        """Where the environments are, and what the episodes under way have come to."""
        envs = {str(index): env.snapshot() for index, env in enumerate(self.envs)}
        return {"envs": envs, "rewards": self.rewards.copy(), "lengths": self.lengths.copy()}


ADDED_BY_SB3 = {"terminal_observation", "TimeLimit.truncated", "episode"}


def action_values(model: Model, observation: Any) -> NDArray[np.float64]:
    """Q-values, or the policy's probabilities, [A]."""
    tensor, _ = model.policy.obs_to_tensor(observation)
    with torch.no_grad():
        if isinstance(model, DQN):
            values = model.q_net(tensor)
        else:
            distribution: Any = model.policy.get_distribution(tensor).distribution
            values = distribution.probs
    return np.asarray(values[0].numpy(), dtype=np.float64)


# -- the state, without pickles ---------------------------------------------------------------------------


def get_state(model: Model) -> State:
    """Networks, optimiser, counters, replay buffer and generators, as arrays and JSON values."""
    optimizer = model.policy.optimizer.state_dict()
    state: State = {
        "networks": {
            name: np.ascontiguousarray(tensor.numpy()).copy() for name, tensor in model.policy.state_dict().items()
        },
        "optimizer": {
            "state": {
                str(index): {name: np.ascontiguousarray(tensor.numpy()).copy() for name, tensor in entry.items()}
                for index, entry in optimizer["state"].items()
            },
            "param_groups": optimizer["param_groups"],
        },
        "counters": {name: getattr(model, name) for name in _counters(model)},
        "generators": _get_generators(model),
    }
    if isinstance(model, DQN) and (buffer := model.replay_buffer) is not None:
        # The row after the last holds its next observation, where these are not kept apart (optimize_memory_usage).
        filled = buffer.buffer_size if buffer.full else min(buffer.pos + 1, buffer.buffer_size)
        arrays = _buffer_arrays(buffer)
        state["replay"] = {name: array[:filled].copy() for name, array in arrays.items()}
        state["replay"] |= {"pos": buffer.pos, "full": buffer.full}
    return state


def _buffer_arrays(buffer: Any) -> dict[str, NDArray[Any]]:
    """The arrays of a replay buffer by their names; of dictionaries of observations, one a key."""
    arrays: dict[str, NDArray[Any]] = {}
    for name in BUFFER_ARRAYS:
        found = getattr(buffer, name, None)
        if isinstance(found, dict):
            arrays |= {f"{name}.{key}": array for key, array in found.items()}
        elif found is not None:
            arrays[name] = found
    return arrays


def _get_generators(model: Model) -> State:
    """Where the generators are that stable-baselines3 draws from: NumPy's and torch's own, and the action space's."""
    kind, keys, snapshot, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    return {
        "numpy": {"kind": kind, "keys": keys, "position": snapshot, "has_gauss": has_gauss, "cached": cached},
        "torch": torch.get_rng_state().numpy().copy(),
        "action_space": model.action_space.np_random.bit_generator.state,
    }


def _set_generators(model: Model, generators: State) -> None:
    saved = generators["numpy"]
    np.random.set_state(  # noqa: NPY002
        (saved["kind"], saved["keys"], saved["position"], saved["has_gauss"], saved["cached"])
    )
    torch.set_rng_state(torch.from_numpy(generators["torch"]))
    model.action_space.np_random.bit_generator.state = generators["action_space"]


def set_state(model: Model, state: State) -> None:
    """Take over a state that `get_state` gave, the global generators included."""
    networks = {name: torch.from_numpy(array) for name, array in state["networks"].items()}
    model.policy.load_state_dict(networks)
    optimizer = state["optimizer"]
    entries = {
        int(index): {name: torch.from_numpy(array) for name, array in entry.items()}
        for index, entry in optimizer["state"].items()
    }
    model.policy.optimizer.load_state_dict({"state": entries, "param_groups": optimizer["param_groups"]})
    for name in _counters(model):
        setattr(model, name, state["counters"][name])
    if isinstance(model, DQN) and (buffer := model.replay_buffer) is not None:
        replay = state["replay"]
        for name, array in _buffer_arrays(buffer).items():
            array[: len(replay[name])] = replay[name]
        buffer.pos, buffer.full = replay["pos"], replay["full"]
    _set_generators(model, state["generators"])


def _counters(model: Model) -> tuple[str, ...]:
    return COUNTERS + (DQN_COUNTERS if isinstance(model, DQN) else ())
