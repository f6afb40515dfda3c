"""What learns from batches and says what actions are worth: a protocol, which two ways of computing it fill."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.deep.batch import Batch, Update
from agents.deep.features import Features
from agents.deep.settings import DQNSettings
from agents.storage import State


class Learner(Protocol):
    """An online network, its target network, the averaged one, and the optimiser."""

    def values(self, observation: NDArray[Any]) -> NDArray[Any]:
        """Q(S, .) [A] of the online network, of the features [...] of one observation."""

    def values_of_many(self, observations: NDArray[Any]) -> NDArray[Any]:
        """The same [N, A] of [N, ...]."""

    def update(self, batch: Batch, learning_rate: float) -> Update:
        """One step of gradient descent, and the target follows."""

    def acting(self) -> "Network":
        """The network that acts greedily, as it is now: nothing that is learned later changes it."""

    def get_state(self) -> State:
        """All of it."""

    def set_state(self, state: State) -> None:
        """Take over what `get_state` gave.

        Raises:
            ValueError: it is of other networks.
        """


class Network(Protocol):
    """Says what actions are worth, and does not change."""

    def values_of_many(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Q(S, .) [N, A] of features [N, ...]; of each row the same, whichever others are beside it."""

    def parameters(self) -> Mapping[str, NDArray[Any]]:
        """By their names."""


def is_compiled(settings: DQNSettings, features: Features) -> bool:
    """Who computes the updates, by settings and spaces alone: it changes what is learned by rounding."""
    if settings.learner == "auto":
        return settings.device == "cpu" and not features.is_image
    if settings.learner == "compiled" and features.is_image:
        raise ValueError("learner: expected 'torch' for images, or network = 'mlp', got 'compiled'")
    return settings.learner == "compiled"


def make_learner(settings: DQNSettings, features: Features, num_actions: int, rng: np.random.Generator) -> Learner:
    """The learner that the settings ask for. torch is imported where it is one of torch's."""
    if is_compiled(settings, features):
        from agents.deep.compiled_learner import CompiledLearner

        return CompiledLearner(settings, features.shape[0], num_actions, rng)
    from agents.deep.torch_learner import TorchLearner

    return TorchLearner(settings, features.shape, num_actions, rng)


def make_network(
    settings: DQNSettings, features: Features, num_actions: int, parameters: Mapping[str, NDArray[Any]]
) -> Network:
    """A network that acts, from its parameters.

    Raises:
        ValueError: the parameters are of another network.
    """
    if is_compiled(settings, features):
        from agents.deep.compiled_learner import DenseNetwork

        return DenseNetwork(settings, features.shape[0], num_actions, parameters)
    from agents.deep.torch_learner import TorchNetwork

    return TorchNetwork(settings, features.shape, num_actions, parameters)
