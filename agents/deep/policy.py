"""The greedy policy of a network that does not change."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.deep.features import Features
from agents.deep.learner import Network
from agents.policy import Array, Policy


class NetworkPolicy(Policy):
    """Takes the action with the highest value; ties go to the lowest index.

    Args:
        features: what the network sees of an observation.
        network: nobody else's.
    """

    def __init__(self, features: Features, network: Network) -> None:
        self._features, self._network = features, network

    def act(self, observations: Array, masks: NDArray[np.bool_] | None = None) -> Array:
        """The best legal action for each observation."""
        values = self.action_values(observations)
        best: Array = (values if masks is None else np.where(masks, values, -np.inf)).argmax(axis=1)
        return best

    def action_values(self, observations: Any) -> NDArray[np.float64]:
        """Q(S, .) [N, A]."""
        leaf = observations
        while not isinstance(leaf, np.ndarray):
            leaf = next(iter(leaf.values())) if isinstance(leaf, dict) else leaf[0]
        rows = self._features.rows(self._features.stored_rows(observations, len(leaf)))
        values: NDArray[np.float64] = self._network.values_of_many(rows).astype(np.float64)
        return values
