"""DQN's update for dense layers on a CPU, with gradients derived by hand: matrix products by BLAS, the rest compiled.

What `agents.deep.torch_learner` does, to rounding; a test compares them update by update. All parameters lie in one
vector, the gradient in another, so that Adam and the target's following are one loop each. torch is not imported.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.deep import kernels
from agents.deep import parameters as of_networks
from agents.deep.batch import Batch, Update
from agents.deep.parameters import Shapes
from agents.deep.settings import DQNSettings
from agents.storage import State
from machine_code.compiling import Function, compiled

Vector = NDArray[Any]  # [P]
Layers = list[tuple[NDArray[Any], NDArray[Any]]]  # weights [inputs, outputs] and biases [outputs] of each
BETAS, EPSILON = (0.9, 0.999), 1e-8  # of Adam, as torch has them
NEGLIGIBLE = 1e-17  # a slope beside epsilon: far below rounding, and its square is a normal number
NO_LEGAL = np.zeros((1, 1), dtype=np.bool_)


@lru_cache
def kernel(function: Function) -> Function:
    """A function in machine code."""
    said = "compiling dqn: once, some seconds; the machine code is kept on disk"
    return compiled(function, {}, "agents/dqn", said if function is kernels.forward_rows else None, inline=True)


class Layout:
    """Where in a vector the parameters of a network are.

    Args:
        settings: the agent's.
        num_inputs: F.
        num_actions: A.
    """

    def __init__(self, settings: DQNSettings, num_inputs: int, num_actions: int) -> None:
        outputs = of_networks.num_outputs(num_actions, settings.dueling)
        self.num_actions, self.dueling = num_actions, settings.dueling
        self.shapes: Shapes = of_networks.dense_shapes(num_inputs, settings.hidden_sizes, outputs)
        self.sizes = np.array([num_inputs, *settings.hidden_sizes, outputs])
        self.length = sum(math.prod(shape) for shape in self.shapes.values())

    def views(self, vector: Vector) -> dict[str, NDArray[Any]]:
        """The parameters in a vector, by their names."""
        found, begin = {}, 0
        for name, shape in self.shapes.items():
            end = begin + math.prod(shape)
            found[name] = vector[begin:end].reshape(shape)
            begin = end
        return found

    def layers(self, vector: Vector) -> Layers:
        """The weights [inputs, outputs] and the biases [outputs] of each layer in a vector."""
        arrays = list(self.views(vector).values())
        return list(zip(arrays[::2], arrays[1::2], strict=True))

    def vector(self, parameters: Mapping[str, NDArray[Any]], number: type[Any]) -> Vector:
        """A new vector of these parameters."""
        return np.concatenate([np.asarray(parameters[name], dtype=number).ravel() for name in self.shapes])


class DenseNetwork:
    """See `agents.deep.learner.Network`."""

    def __init__(
        self, settings: DQNSettings, num_inputs: int, num_actions: int, parameters: Mapping[str, NDArray[Any]]
    ) -> None:
        layout = Layout(settings, num_inputs, num_actions)
        self._hold(layout, layout.vector(of_networks.check(dict(parameters), layout.shapes, np.float32), np.float32))

    @classmethod
    def of(cls, layout: Layout, vector: Vector) -> "DenseNetwork":
        """The network of a vector, which is not copied."""
        made = cls.__new__(cls)
        made._hold(layout, vector)
        return made

    def _hold(self, layout: Layout, vector: Vector) -> None:
        self._layout, self.vector = layout, vector
        self._one, self._other = (np.empty(layout.sizes.max(), vector.dtype) for _ in range(2))
        self._outputs, self._values = self._room(1)
        self._forward, self._duel = kernel(kernels.forward_rows), kernel(kernels.duel)

    def _room(self, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """For the outputs [N, O] and the values [N, A] of so many observations: the same, where nobody duels."""
        outputs = np.empty((count, int(self._layout.sizes[-1])), self.vector.dtype)
        return outputs, np.empty((count, self._layout.num_actions), outputs.dtype) if self._layout.dueling else outputs

    def values_of_many(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Q(S, .) [N, A] of [N, F]."""
        return self._compute(observations, *self._room(len(observations)))

    def values(self, observation: NDArray[Any]) -> NDArray[Any]:
        """The same [A] of one [F]; the next call overwrites it."""
        values: NDArray[Any] = self._compute(observation[None], self._outputs, self._values)[0]
        return values

    def _compute(self, observations: NDArray[Any], outputs: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
        self._forward(observations, self.vector, self._layout.sizes, self._one, self._other, outputs)
        if self._layout.dueling:
            self._duel(outputs, values)
        return values

    def parameters(self) -> Mapping[str, NDArray[Any]]:
        """By their names."""
        return {name: array.copy() for name, array in self._layout.views(self.vector).items()}


class CompiledLearner:
    """See `agents.deep.learner.Learner`.

    Args:
        settings: the agent's.
        num_inputs: F, features.
        num_actions: A.
        rng: for the first values.
        number: float32; float64 where it is compared with torch to many digits.
    """

    def __init__(
        self,
        settings: DQNSettings,
        num_inputs: int,
        num_actions: int,
        rng: np.random.Generator,
        number: type[Any] = np.float32,
    ) -> None:
        self.settings, self.number = settings, number
        self._layout = layout = Layout(settings, num_inputs, num_actions)
        self._online = layout.vector(of_networks.fresh(layout.shapes, rng), number)
        self._target, self._average = self._online.copy(), self._online.copy()
        self._first, self._second, self._gradient = (np.zeros(layout.length, number) for _ in range(3))
        constants = [BETAS[0], 1 - BETAS[0], BETAS[1], 1 - BETAS[1], EPSILON, NEGLIGIBLE, NEGLIGIBLE**2]
        self._constants = np.array(constants, dtype=number)
        self._scratch: dict[int, _Scratch] = {}
        self._acting = DenseNetwork.of(layout, self._online)
        self._layers, self._target_layers, self._gradients = (
            layout.layers(vector) for vector in (self._online, self._target, self._gradient)
        )
        self.num_updates = 0

    @np.errstate(over="ignore", invalid="ignore")  # what comes of it is no number, and says so
    def update(self, batch: Batch, learning_rate: float) -> Update:
        """Gradient descent on the loss of Q(S, A) against R + discount * Q_target(S', a*), by one batch."""
        settings, scratch = self.settings, self._room(len(batch.actions))
        after = batch.next_observations
        next_values = self._forward(self._target_layers, after, scratch.next_hidden, scratch.next_values)
        scores = next_values
        if settings.double:
            scores = self._forward(self._layers, after, scratch.hidden, scratch.scores)
        values = self._forward(self._layers, batch.observations, scratch.hidden, scratch.values)
        minds_legal = batch.next_legal is not None
        legal = batch.next_legal if batch.next_legal is not None else NO_LEGAL
        kernel(kernels.temporal_errors)(
            values, next_values, scores, batch.actions, batch.rewards, batch.terminated, batch.discounts, legal,
            minds_legal, batch.weights, settings.loss == "huber", scratch.slopes, scratch.errors, scratch.sums,
        )  # fmt: skip
        self._backward(batch.observations, scratch)
        norm = math.sqrt(np.dot(self._gradient, self._gradient))
        self._descend(norm, learning_rate)
        self._follow()
        loss, mean_q, mean_error = scratch.sums.tolist()
        return Update(loss, mean_q, norm, mean_error, scratch.errors)

    def _forward(
        self, layers: Layers, observations: NDArray[Any], hidden: list[NDArray[Any]], values: NDArray[Any]
    ) -> NDArray[Any]:
        """Q(S, .) [B, A] of [B, F]; what the layers give is left in `hidden`, each [B, H], the outputs last."""
        inputs = observations
        for number, (weight, bias) in enumerate(layers):
            np.dot(inputs, weight, out=hidden[number])
            kernel(kernels.add_bias if number == len(layers) - 1 else kernels.add_bias_relu)(hidden[number], bias)
            inputs = hidden[number]
        if self._layout.dueling:
            kernel(kernels.duel)(inputs, values)
            return values
        values[:] = inputs
        return values

    def _backward(self, observations: NDArray[Any], scratch: "_Scratch") -> None:
        """The gradient of the loss by every parameter, from its slopes by the values; the last layer first."""
        slopes = scratch.slopes  # [B, A]
        if self._layout.dueling:
            kernel(kernels.duel_back)(slopes, scratch.backward[-1])
            slopes = scratch.backward[-1]  # [B, 1 + A]
        layers, gradients = self._layers, self._gradients
        for number in range(len(layers) - 1, -1, -1):
            inputs = scratch.hidden[number - 1] if number else observations  # [B, inputs]
            of_weight, of_bias = gradients[number]
            np.dot(inputs.T, slopes, out=of_weight)
            kernel(kernels.bias_slopes)(slopes, of_bias)
            if number:
                np.dot(slopes, layers[number][0].T, out=scratch.backward[number - 1])
                slopes = scratch.backward[number - 1]
                kernel(kernels.relu_back)(slopes, inputs)

    def _descend(self, norm: float, learning_rate: float) -> None:
        """One step of Adam, with a gradient that is cut to its longest."""
        self.num_updates += 1
        most = self.settings.max_gradient_norm
        shrink = 1.0 if most is None else min(1.0, most / (norm + 1e-6))  # as torch cuts
        step = learning_rate / (1.0 - BETAS[0] ** self.num_updates)
        root = math.sqrt(1.0 - BETAS[1] ** self.num_updates)
        kernel(kernels.adam)(
            self._online, self._gradient, self._first, self._second,
            self.number(shrink), self.number(step), self.number(root), self._constants,
        )  # fmt: skip

    def _follow(self) -> None:
        """The target network and the averaged one follow the online network."""
        settings = self.settings
        if settings.target == "polyak":
            kernel(kernels.move_towards)(self._target, self._online, self.number(settings.target_rate))
        elif self.num_updates % settings.target_every == 0:
            self._target[:] = self._online
        if settings.average_rate is not None:
            kernel(kernels.move_towards)(self._average, self._online, self.number(settings.average_rate))

    def _room(self, num_rows: int) -> "_Scratch":
        if num_rows not in self._scratch:
            self._scratch[num_rows] = _Scratch(self._layout, num_rows, self.number)
        return self._scratch[num_rows]

    def values(self, observation: NDArray[Any]) -> NDArray[Any]:
        """Q(S, .) [A] of the online network; the next call overwrites it."""
        return self._acting.values(observation)

    def values_of_many(self, observations: NDArray[Any]) -> NDArray[Any]:
        """The same [N, A] of [N, F]."""
        return self._acting.values_of_many(observations)

    def acting(self) -> DenseNetwork:
        """The averaged network where there is one, else the online one: a copy."""
        chosen = self._online if self.settings.average_rate is None else self._average
        return DenseNetwork.of(self._layout, chosen.copy())

    def get_state(self) -> State:
        """The three networks, and Adam's two moments."""
        vectors = dict(zip(of_networks.PARTS, self._vectors(), strict=True))
        named = {
            part: {name: array.copy() for name, array in self._layout.views(vector).items()}
            for part, vector in vectors.items()
        }
        return {**named, "num_updates": self.num_updates}

    def set_state(self, state: State) -> None:
        """Take over what `get_state` gave."""
        parts = {part: of_networks.check(state[part], self._layout.shapes, self.number) for part in of_networks.PARTS}
        self.num_updates = of_networks.count(state)
        for part, vector in zip(of_networks.PARTS, self._vectors(), strict=True):
            vector[:] = self._layout.vector(parts[part], self.number)

    def _vectors(self) -> tuple[Vector, ...]:
        return self._online, self._target, self._average, self._first, self._second


class _Scratch:
    """Arrays for a batch of B rows, made once."""

    def __init__(self, layout: Layout, num_rows: int, number: type[Any]) -> None:
        def room(size: int) -> NDArray[Any]:
            return np.empty((num_rows, size), dtype=number)

        units = [int(size) for size in layout.sizes[1:]]
        self.hidden, self.next_hidden, self.backward = ([room(size) for size in units] for _ in range(3))
        self.values, self.next_values, self.scores, self.slopes = (room(layout.num_actions) for _ in range(4))
        self.errors, self.sums = np.empty(num_rows, dtype=number), np.empty(3)
