"""The greedy policy of stable-baselines3's networks as one torch module, from observations to actions."""

import copy
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor, nn

from agents.sb3.algorithms import ALGORITHMS
from agents.sb3.network import Network


class PolicyModule(nn.Module):
    """Actions [N, ...] of observations [N, ...]; of discrete ones values [N, A] too: Q-values, or probabilities.

    Args:
        network: not changed.

    Raises:
        ValueError: the observations are put together of others.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        space: Any = network.observation_space
        if getattr(network, "flattened_from", None) is not None or not isinstance(space, spaces.Box | spaces.Discrete):
            raise ValueError(f"expected Box or Discrete observations, got {space}")
        self.of = copy.deepcopy(network)
        row = ALGORITHMS[network.of_algorithm]  # type: ignore[index]
        self.q_name, self.actions = row.values, network.action_space
        self.channels_last = isinstance(space, spaces.Box) and len(space.shape) == 3
        if isinstance(self.actions, spaces.Box):
            low, high = (torch.from_numpy(np.asarray(end)) for end in (self.actions.low, self.actions.high))
            self.low, self.high = nn.Buffer(low), nn.Buffer(high)

    def forward(self, observation: Tensor) -> Any:
        """Actions, and values where there are some."""
        if self.channels_last:  # as stable-baselines3's own wrapper turns images
            observation = observation.permute(0, 3, 1, 2)
        network: Any = self.of
        if self.q_name is not None:
            values = getattr(network, self.q_name)(observation)
            values = values.mean(dim=1) if values.ndim == 3 else values  # of quantiles [N, quantiles, A]
            return values.argmax(1), values
        if isinstance(self.of, ActorCriticPolicy):
            extracted = network.extract_features(observation, network.pi_features_extractor)
            outputs = network.action_net(network.mlp_extractor.forward_actor(extracted))
            if isinstance(self.actions, spaces.Discrete):
                probabilities = torch.softmax(outputs, 1)
                return outputs.argmax(1), probabilities
            if not isinstance(self.actions, spaces.Box):
                raise ValueError(f"expected Discrete or Box actions, got {self.actions}")
            return torch.clamp(outputs, self.low, self.high)
        actor = network.actor
        if hasattr(actor, "get_action_dist_params"):  # SAC's: the mean, squashed
            squashed = torch.tanh(actor.get_action_dist_params(observation)[0])
        else:
            squashed = actor(observation)
        return self.low + 0.5 * (squashed + 1.0) * (self.high - self.low)
