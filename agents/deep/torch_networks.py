"""Networks on torch that say what actions are worth: dense layers, convolutions before them, or planning."""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from agents.deep import parameters as of_networks
from agents.deep import sweeps
from agents.deep.equations import dueling_values
from agents.deep.settings import DQNSettings
from machine_code.compiling import compiled

CHANNELS = (32, 64)  # of the two convolutions
PLACES = 32  # what is seen of a cell, numbers
DIRECTIONS = 5  # from which a cell's value may come: itself, up, right, down, left
ROBOT_CHANNEL = 1  # of the mazes' grids


class QNetwork(nn.Module):
    """Q(S, .) [N, A] of features."""

    spread = 1.0  # of the first weights, in the usual one's

    def __init__(self, shape: tuple[int, ...], num_actions: int) -> None:
        super().__init__()
        self.shape, self.num_actions = shape, num_actions

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Q(S, .) [N, A]."""

    def _named(self) -> dict[str, nn.Parameter]:
        return dict(self.named_parameters())

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the parameters, by their names."""
        return {name: tuple(parameter.shape) for name, parameter in self._named().items()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Copies of the parameters."""
        return {name: parameter.detach().cpu().numpy().copy() for name, parameter in self._named().items()}

    @torch.no_grad()
    def put(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over parameters."""
        for name, parameter in self._named().items():
            parameter.copy_(torch.from_numpy(np.asarray(arrays[name])))

    def move_towards(self, other: "QNetwork", rate: float) -> None:
        """Every parameter moves by this share of the way."""
        for mine, its in zip(self.parameters(), other.parameters(), strict=True):
            mine.lerp_(its, rate)


def make_q_network(settings: DQNSettings, shape: tuple[int, ...], num_actions: int) -> QNetwork:
    """The network that the settings ask for, of features [F], or [C, H, W]."""
    if settings.network == "vin":
        return ValueIterationNetwork(settings, shape, num_actions)
    return LayeredNetwork(settings, shape, num_actions)


class LayeredNetwork(QNetwork):
    """Q(S, .) [N, A] of features [N, F] by dense layers, or of [N, C, H, W] by two convolutions before them."""

    def __init__(self, settings: DQNSettings, shape: tuple[int, ...], num_actions: int) -> None:
        super().__init__(shape, num_actions)
        self.dueling = settings.dueling
        self.convolutions = nn.ModuleList()
        num_inputs = shape[0]
        if len(shape) == 3:
            for channels, stride in zip(CHANNELS, (1, 2), strict=True):
                self.convolutions.append(nn.Conv2d(num_inputs, channels, 3, stride, padding=1))
                num_inputs = channels
            num_inputs *= ((shape[1] + 1) // 2) * ((shape[2] + 1) // 2)
        outputs = of_networks.num_outputs(num_actions, settings.dueling)
        shapes = of_networks.dense_shapes(num_inputs, settings.hidden_sizes, outputs)
        self.dense = nn.ParameterList([nn.Parameter(torch.empty(size)) for size in shapes.values()])
        self._dense_names = list(shapes)

    def forward(self, features: Tensor) -> Tensor:
        """Q(S, .) [N, A]."""
        for convolution in self.convolutions:
            features = torch.relu(convolution(features))
        hidden = features.flatten(1)  # [N, F]
        *layers, last = zip(self.dense[::2], self.dense[1::2], strict=True)
        for weight, bias in layers:
            hidden = torch.relu(hidden @ weight + bias)
        outputs = hidden @ last[0] + last[1]
        return dueling_values(outputs) if self.dueling else outputs

    def _named(self) -> dict[str, nn.Parameter]:
        convolutions = {f"convolution{name}": parameter for name, parameter in self.convolutions.named_parameters()}
        return convolutions | dict(zip(self._dense_names, self.dense, strict=True))


class ValueIterationNetwork(QNetwork):
    """Q(S, .) [N, A] by planning in what is seen (Tamar et al. 2016), of mazes' grids [N, 3, 2R + 1, 2C + 1].

    Of each cell and what lies around it, a convolution says what every action is rewarded with and where it leads: to
    the cell itself or to one beside it, as in value propagation networks (Nardelli et al. 2019). Then values are swept
    over the cells as value iteration does, and those of the robot's cell are the answer. What is learned is the same
    for all cells, so that it holds in mazes that were never seen, and of any size.
    """

    spread = math.sqrt(6.0)  # He et al. 2015; with less, all cells look alike for long

    def __init__(self, settings: DQNSettings, shape: tuple[int, ...], num_actions: int) -> None:
        super().__init__(shape, num_actions)
        self.num_sweeps, self.discount = settings.num_sweeps, settings.discount
        self.sweep: Callable[..., Any] | None = None  # how it plans; None: the quickest there is
        self.seen = nn.Conv2d(shape[0], PLACES, 3, stride=2)
        self.rewards = nn.Conv2d(PLACES, num_actions, 1)
        self.transitions = nn.Conv2d(PLACES, num_actions * DIRECTIONS, 1)
        self.goes_on = nn.Conv2d(PLACES, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Q(S, .) [N, A]."""
        seen = torch.relu(self.seen(features))  # [N, P, R, C]
        count, _, rows, cols = seen.shape
        rewards = self.rewards(seen)  # [N, A, R, C]
        scores = self.transitions(seen).view(count, self.num_actions, DIRECTIONS, rows, cols)
        transitions = self.discount * torch.softmax(scores, 2)  # [N, A, D, R, C]
        goes_on = torch.sigmoid(self.goes_on(seen)).squeeze(1)  # [N, R, C]: nothing follows in an exit
        swept = self.sweep
        if swept is None:
            swept = CompiledSweeps.apply if features.device.type == "cpu" else sweeps_on_torch
        q_values: Tensor = swept(rewards, transitions, goes_on, self.num_sweeps)
        here = functional.max_pool2d(features[:, ROBOT_CHANNEL], 3, 2)  # [N, R, C]: 1 in the robot's cell
        there: Tensor = (q_values * here[:, None]).sum((2, 3))
        return there


def sweeps_on_torch(rewards: Tensor, transitions: Tensor, goes_on: Tensor, num_sweeps: int) -> Tensor:
    """Q [N, A, R, C] after sweeps of value iteration: the readable way, and the one on a GPU.

    Args:
        rewards: [N, A, R, C].
        transitions: the shares of the cells beside, times the discount [N, A, D, R, C].
        goes_on: what a cell's value is worth to those that lead there [N, R, C].
        num_sweeps: how many.
    """
    values, q_values = torch.zeros_like(goes_on), rewards
    for _ in range(num_sweeps):
        q_values = rewards + (transitions * beside(values)[:, None]).sum(2)  # [N, A, R, C]
        values = goes_on * q_values.amax(1)  # [N, R, C]
    return q_values


class CompiledSweeps(torch.autograd.Function):
    """The same in machine code, equal to rounding, several times as quick (see `agents.deep.sweeps`)."""

    @staticmethod
    def forward(context: Any, rewards: Tensor, transitions: Tensor, goes_on: Tensor, num_sweeps: int) -> Tensor:
        """Q [N, A, R, C]."""
        given = [tensor.detach().contiguous().numpy() for tensor in (rewards, transitions, goes_on)]
        count, num_actions, rows, cols = rewards.shape
        values = np.zeros((num_sweeps, count, rows + 2, cols + 2), given[0].dtype)
        best = np.zeros((num_sweeps - 1, count, rows, cols), np.int8)
        q_values = np.empty((count, num_actions, rows, cols), given[0].dtype)
        compiled_sweep(sweeps.sweep)(*given, values, q_values, best)
        context.known = (*given[1:], values, best)
        return torch.from_numpy(q_values)

    @staticmethod
    def backward(context: Any, *slopes: Any) -> tuple[Tensor | None, ...]:
        """By rewards, transitions and what goes on."""
        transitions, goes_on, values, best = context.known
        by_q_values = slopes[0].contiguous().numpy()
        found = [np.zeros_like(one) for one in (by_q_values, transitions, goes_on)]
        room = np.zeros((2, *values.shape[2:]), values.dtype)
        compiled_sweep(sweeps.sweep_back)(by_q_values, transitions, goes_on, values, best, room, *found)
        return (*map(torch.from_numpy, found), None)


@lru_cache
def compiled_sweep(function: Callable[..., None]) -> Callable[..., None]:
    """A function of `agents.deep.sweeps` in machine code."""
    return compiled(function, {}, "agents/dqn", inline=True)


def beside(values: Tensor) -> Tensor:
    """The values [N, D, R, C] of each cell and of those above, right, below, left of it, for values [N, R, C].

    Beyond the border lies 0.
    """
    around = functional.pad(values, (1, 1, 1, 1))
    rows, cols = slice(1, -1), slice(1, -1)
    up, down, right, left = slice(None, -2), slice(2, None), slice(2, None), slice(None, -2)
    parts = [around[:, rows, cols], around[:, up, cols], around[:, rows, right], around[:, down, cols]]
    return torch.stack([*parts, around[:, rows, left]], 1)
