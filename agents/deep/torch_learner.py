"""DQN's update on torch: the readable one, for every network and device."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.deep import parameters as of_networks
from agents.deep.batch import Batch, Update
from agents.deep.equations import LOSSES, td_targets, values_of_best
from agents.deep.settings import DQNSettings
from agents.deep.torch_networks import QNetwork, make_q_network
from agents.storage import State


class TorchLearner:
    """See `agents.deep.learner.Learner`.

    Args:
        settings: the agent's.
        shape: of features: [F], or [C, H, W] for a CNN.
        num_actions: A.
        rng: for the first values.
        number: float32; float64 where gradients are checked.
    """

    def __init__(
        self,
        settings: DQNSettings,
        shape: tuple[int, ...],
        num_actions: int,
        rng: np.random.Generator,
        number: torch.dtype = torch.float32,
    ) -> None:
        self.settings, self.device, self.number = settings, torch.device(settings.device), number
        self.online, self.target, self.average = (
            make_q_network(settings, shape, num_actions).to(self.device, number) for _ in range(3)
        )
        for network in (self.target, self.average):
            network.requires_grad_(False)
        first = of_networks.fresh(self.online.shapes(), rng, self.online.spread)
        for network in (self.online, self.target, self.average):
            network.put(first)
        self.optimizer = torch.optim.Adam(self.online.parameters(), lr=settings.learning_rate)
        self.loss = LOSSES[settings.loss]
        self.num_updates = 0

    def update(self, batch: Batch, learning_rate: float) -> Update:
        """Gradient descent on the loss of Q(S, A) against R + discount * Q_target(S', a*), by one batch."""
        observations, next_observations = self._tensor(batch.observations), self._tensor(batch.next_observations)
        legal = None if batch.next_legal is None else self._tensor(batch.next_legal)
        with torch.no_grad():
            next_values = self.target(next_observations)  # [B, A]
            scores = self.online(next_observations) if self.settings.double else next_values  # [B, A]
            best = values_of_best(next_values, scores, legal)  # [B]
            rewards, discounts = self._tensor(batch.rewards), self._tensor(batch.discounts)  # [B]
            targets = td_targets(rewards, self._tensor(batch.terminated), best, discounts)  # [B]

        actions = self._tensor(batch.actions)[:, None]  # [B, 1]
        values = self.online(observations).gather(1, actions).squeeze(1)  # [B]
        errors = targets - values  # [B]
        loss = (self._tensor(batch.weights) * self.loss(errors)).mean()

        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        most = self.settings.max_gradient_norm or torch.inf
        norm = nn.utils.clip_grad_norm_(self.online.parameters(), most)
        self.optimizer.param_groups[0]["lr"] = learning_rate
        self.optimizer.step()
        self._follow()
        errors = errors.detach()
        numbers = torch.stack([loss.detach(), values.detach().mean(), norm, errors.abs().mean()]).tolist()
        return Update(numbers[0], numbers[1], numbers[2], numbers[3], errors.cpu().numpy())

    @torch.no_grad()
    def _follow(self) -> None:
        """The target network and the averaged one follow the online network."""
        settings, self.num_updates = self.settings, self.num_updates + 1
        if settings.target == "polyak":
            self.target.move_towards(self.online, settings.target_rate)
        elif self.num_updates % settings.target_every == 0:
            self.target.move_towards(self.online, 1.0)
        if settings.average_rate is not None:
            self.average.move_towards(self.online, settings.average_rate)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        tensor = torch.from_numpy(array).to(self.device)
        return tensor.to(self.number) if tensor.is_floating_point() else tensor

    def values(self, observation: NDArray[Any]) -> NDArray[Any]:
        """Q(S, .) [A] of the online network."""
        values: NDArray[Any] = self.values_of_many(observation[None])[0]
        return values

    @torch.no_grad()
    def values_of_many(self, observations: NDArray[Any]) -> NDArray[Any]:
        """The same [N, A] of [N, ...]."""
        values: NDArray[Any] = self.online(self._tensor(observations)).cpu().numpy()
        return values

    def acting(self) -> "TorchNetwork":
        """The averaged network where there is one, else the online one: a copy."""
        chosen = self.online if self.settings.average_rate is None else self.average
        network = make_q_network(self.settings, chosen.shape, chosen.num_actions).to(self.number)
        network.put(chosen.arrays())
        return TorchNetwork.of(network)

    def get_state(self) -> State:
        """The three networks, and Adam's two moments."""
        names = list(self.online.shapes())
        moments: dict[str, Any] = {"exp_avg": {}, "exp_avg_sq": {}}
        for name, parameter in zip(names, self.online.parameters(), strict=True):
            for key, found in moments.items():
                moment = self.optimizer.state[parameter].get(key, torch.zeros_like(parameter))
                found[name] = moment.detach().cpu().numpy().copy()
        return {
            "online": self.online.arrays(),
            "target": self.target.arrays(),
            "average": self.average.arrays(),
            "first_moment": moments["exp_avg"],
            "second_moment": moments["exp_avg_sq"],
            "num_updates": self.num_updates,
        }

    def set_state(self, state: State) -> None:
        """Take over what `get_state` gave."""
        number = torch.zeros(0, dtype=self.number).numpy().dtype.type
        shapes = self.online.shapes()
        parts = {name: of_networks.check(state[name], shapes, number) for name in of_networks.PARTS}
        self.num_updates = of_networks.count(state)
        for name in ("online", "target", "average"):
            getattr(self, name).put(parts[name])
        self.optimizer.state.clear()
        if self.num_updates:
            for name, parameter in zip(shapes, self.online.parameters(), strict=True):
                self.optimizer.state[parameter] = {
                    "step": torch.tensor(float(self.num_updates)),
                    "exp_avg": torch.from_numpy(parts["first_moment"][name]).clone().to(self.device),
                    "exp_avg_sq": torch.from_numpy(parts["second_moment"][name]).clone().to(self.device),
                }


class TorchNetwork:
    """See `agents.deep.learner.Network`; on the CPU, row by row, so that no row depends on those beside it."""

    def __init__(
        self, settings: DQNSettings, shape: tuple[int, ...], num_actions: int, parameters: Mapping[str, NDArray[Any]]
    ) -> None:
        self._network = make_q_network(settings, shape, num_actions)
        self._network.put(of_networks.check(dict(parameters), self._network.shapes(), np.float32))

    @classmethod
    def of(cls, network: QNetwork) -> "TorchNetwork":
        """This network itself."""
        made = cls.__new__(cls)
        made._network = network
        return made

    @torch.no_grad()
    def values_of_many(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Q(S, .) [N, A]."""
        rows = torch.from_numpy(observations)
        values: NDArray[Any] = torch.cat([self._network(rows[row : row + 1]) for row in range(len(rows))]).numpy()
        return values

    def parameters(self) -> Mapping[str, NDArray[Any]]:
        """By their names."""
        return self._network.arrays()
