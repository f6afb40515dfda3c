"""The greedy policy of a Q-network as one torch module, from observations to actions: to be taken elsewhere."""

from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from agents.deep.features import Features
from agents.deep.settings import DQNSettings
from agents.deep.torch_networks import ValueIterationNetwork, make_q_network, sweeps_on_torch


class PolicyModule(nn.Module):
    """Actions [N] and Q(S, .) [N, A] of observations [N, ...], which it turns into features itself.

    Args:
        settings: the agent's.
        features: of its observations.
        num_actions: A.
        parameters: of the network that acts, by their names.

    Raises:
        ValueError: the observations are put together of others.
    """

    def __init__(
        self, settings: DQNSettings, features: Features, num_actions: int, parameters: Mapping[str, NDArray[Any]]
    ) -> None:
        super().__init__()
        if not isinstance(features.space, spaces.Box | spaces.Discrete):
            raise ValueError(f"expected Box or Discrete observations, got {features.space}")
        self.q_network = make_q_network(settings, features.shape, num_actions)
        self.q_network.put(parameters)
        if isinstance(self.q_network, ValueIterationNetwork):
            self.q_network.sweep = sweeps_on_torch  # which is written in torch's own operations
        self.is_image, self.scale, self.num_features = features.is_image, features.scale, features.shape[0]
        self.first = int(features.space.start) if isinstance(features.space, spaces.Discrete) else None

    def forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Actions [N], values [N, A]."""
        values = self.q_network(self._features(observation))
        return values.argmax(1), values

    def _features(self, observation: Tensor) -> Tensor:
        """What the network is given [N, F] or [N, C, H, W], as `Features.rows` has it."""
        if self.first is not None:
            return functional.one_hot(observation - self.first, self.num_features).to(torch.float32)
        if self.is_image:
            pixels = observation if observation.ndim == 4 else observation[..., None]
            return pixels.permute(0, 3, 1, 2).to(torch.float32) / self.scale
        return observation.to(torch.float32).flatten(1) / self.scale
