"""The network that acts: made without the algorithm, its buffers and its generators, so that a policy opens quickly."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, iterate
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.base import Settings
from agents.policy import Policy, Spaces, first_best
from agents.sb3.algorithms import ALGORITHMS, Algorithm
from agents.storage import State

Network = BasePolicy


class _SpacesEnv(gym.Env[Any, Any]):
    """Stands in for the environment while a model is built: it only has spaces."""

    def __init__(self, of: Spaces) -> None:
        self.observation_space, self.action_space = of

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return self.observation_space.sample(), {}


def spaces_env(of: Spaces, count: int) -> DummyVecEnv:
    """What stands in for `count` environments while a model is built."""
    return DummyVecEnv([lambda: _SpacesEnv(of)] * count)


def policy_kwargs(settings: Settings) -> dict[str, Any] | None:
    """The settings of that name, with torch's classes in the place of their names."""
    given = getattr(settings, "policy_kwargs", None)
    return None if given is None else {name: _class_by_name(value) for name, value in given.items()}


def _class_by_name(value: Any) -> Any:
    """torch's class of that name, for `activation_fn = "Tanh"` and `optimizer_class = "RMSprop"`."""
    for module in (torch.nn, torch.optim):
        if isinstance(value, str) and isinstance(found := getattr(module, value, None), type):
            return found
    return value


def network_space(space: spaces.Space[Any]) -> spaces.Space[Any]:
    """What a network sees of observations: flat where stable-baselines3 knows no other form, as of a Tuple."""
    inner = space.spaces.values() if isinstance(space, spaces.Dict) else ()
    is_nested = isinstance(space, spaces.Tuple) or any(isinstance(one, spaces.Tuple | spaces.Dict) for one in inner)
    if is_nested or not all(_begins_at_0(one) for one in (space, *inner)):
        return spaces.flatten_space(space)
    return space


def _begins_at_0(space: spaces.Space[Any]) -> bool:
    """Do the numbers of a space begin at 0, if they are whole ones?"""
    return not np.any(getattr(space, "start", 0))


def family(settings: Any, space: spaces.Space[Any]) -> str:
    """The network family: of Dict observations the one that takes them, if no other is asked for."""
    is_plain = settings.policy == "MlpPolicy" and isinstance(network_space(space), spaces.Dict)
    return "MultiInputPolicy" if is_plain else str(settings.policy)


def remember(network: Any, algorithm: str, space: spaces.Space[Any]) -> None:
    """Note of which algorithm a network is, and of which observations it sees the flat form, if it does."""
    network.of_algorithm = algorithm
    network.flattened_from = space if network_space(space) is not space else None


def as_seen(network: Any, observations: Any) -> Any:
    """One observation, or a batch, as a network sees it."""
    space = getattr(network, "flattened_from", None)
    if space is None:
        return observations
    leaf, of_space = observations, space
    while isinstance(of_space, spaces.Dict | spaces.Tuple):  # is it a batch? Then its leaves have one more dimension
        key, of_space = next(
            iter(of_space.spaces.items() if isinstance(of_space, spaces.Dict) else enumerate(of_space))
        )
        leaf = leaf[key]
    if np.ndim(leaf) == len(of_space.shape or ()):
        return spaces.flatten(space, observations)
    rows = iterate(batch_space(space, len(leaf)), observations)
    return np.array([spaces.flatten(space, row) for row in rows])


def make_network(settings: Any, of: Spaces, seed: int) -> Network:
    """A fresh network: the one that a model of the same seed begins with. Touches no global generator."""
    algorithm = ALGORITHMS[settings.algorithm].load()
    flat = Spaces(network_space(of.observation_space), of.action_space)
    seen = BaseAlgorithm._wrap_env(spaces_env(flat, 1)).observation_space  # as a model sees it: images channels first
    arguments = (policy_kwargs(settings) or {}) | {"optimizer_class": _NoOptimizer}
    if getattr(settings, "use_sde", False):
        arguments["use_sde"] = True
    with _torch_seeded(seed):
        network: Any = algorithm.policy_aliases[family(settings, of.observation_space)](
            seen, of.action_space, lambda remaining: settings.learning_rate, **arguments
        )
    network.set_training_mode(False)
    remember(network, settings.algorithm, of.observation_space)
    made: Network = network
    return made


@contextmanager
def _torch_seeded(seed: int) -> Iterator[None]:
    """torch's generator begins from a seed, and is where it was afterwards."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)


class _NoOptimizer:
    """In the place of an optimiser: a network that only acts has no use for one, and torch's take seconds to load."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pass


def _row(network: Any) -> Algorithm:
    """The row of the algorithm that a network is of."""
    return ALGORITHMS[network.of_algorithm]


def frozen(network: Network) -> "NetworkPolicy":
    """The greedy policy of a network as it is now."""
    shared: dict[int, Any] = {}  # what acting has no use for, or what cannot be copied deeply
    for module in network.modules():
        if (optimizer := getattr(module, "optimizer", None)) is not None:
            shared[id(optimizer)] = None
        if (distribution := getattr(module, "action_dist", None)) is not None:  # it keeps tensors of the last batch
            shared[id(distribution)] = copy.copy(distribution)
    for target in _row(network).targets:
        shared[id(getattr(network, target.removesuffix(".")))] = None
    return NetworkPolicy(copy.deepcopy(network, shared))


class NetworkPolicy(Policy):
    """The greedy policy of a network: of the highest value (DQN) or probability (PPO); the mean of continuous actions.

    Args:
        network: not copied.
    """

    def __init__(self, network: Network) -> None:
        self._network = network

    def act(self, observations: Any, masks: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """The best legal action for each observation; one forward pass for all.

        Raises:
            ValueError: masks are given, and the actions are not discrete.
        """
        if masks is None:
            return np.asarray(self._network.predict(as_seen(self._network, observations), deterministic=True)[0])
        return np.asarray(np.where(masks, self.values(observations), -np.inf).argmax(axis=1))

    def action(self, observation: Any, mask: NDArray[np.bool_] | None = None) -> Any:
        """The best legal action for one observation.

        Raises:
            ValueError: a mask is given, and the actions are not discrete.
        """
        if mask is not None:
            return first_best(self.values(observation)[0].tolist(), mask)
        action = self._network.predict(as_seen(self._network, observation), deterministic=True)[0]
        return int(action) if isinstance(self._network.action_space, spaces.Discrete) else action

    def values(self, observations: Any) -> NDArray[np.float64]:
        """The action values [N, A].

        Raises:
            ValueError: the actions are not discrete.
        """
        values = self.action_values(observations)
        if values is None:
            raise ValueError(f"a mask needs discrete actions, got {self._network.action_space}")
        return values

    def action_values(self, observations: Any) -> NDArray[np.float64] | None:
        """Q-values (DQN) or probabilities (PPO, A2C) [N, A], N = 1 for one; None: actions are not discrete."""
        if not isinstance(self._network.action_space, spaces.Discrete):
            return None
        tensor, _ = self._network.obs_to_tensor(as_seen(self._network, observations))
        with torch.no_grad():
            network: Any = self._network
            if (name := _row(network).values) is not None:
                values = getattr(network, name)(tensor)
                values = values.mean(dim=1) if values.ndim == 3 else values  # of quantiles [N, quantiles, A]
            else:
                values = network.get_distribution(tensor).distribution.probs
        return np.asarray(values.numpy(), dtype=np.float64)


def get_network_state(network: Network) -> State:
    """The parameters, by their names: those that act and judge, without the target networks'."""
    targets = tuple(_row(network).targets)
    parameters = network.state_dict().items()
    return {name: np.ascontiguousarray(one.numpy()).copy() for name, one in parameters if not name.startswith(targets)}


def set_network_state(network: Network, state: State) -> None:
    """Take over parameters; a target network that they lack is the network itself."""
    parameters = {name: torch.from_numpy(array) for name, array in state.items()}
    for target, online in _row(network).targets.items():
        own = {name.removeprefix(online): one for name, one in parameters.items() if name.startswith(online)}
        parameters = {target + name: one for name, one in own.items()} | parameters
    network.load_state_dict(parameters)
