"""The parameters of a network of dense layers: names, shapes, first values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.storage import State

Parameters = dict[str, NDArray[Any]]  # by their names, such as "dense0.weight"
Shapes = Mapping[str, tuple[int, ...]]


def num_outputs(num_actions: int, dueling: bool) -> int:
    """What the last layer gives: a value an action; of a duelling network a state's value, and advantages."""
    return num_actions + 1 if dueling else num_actions


def dense_shapes(num_inputs: int, hidden_sizes: Sequence[int], outputs: int) -> dict[str, tuple[int, ...]]:
    """The shapes of dense layers: weights are [inputs, outputs], biases [outputs]; the last is the head."""
    shapes: dict[str, tuple[int, ...]] = {}
    for number, size in enumerate(hidden_sizes):
        shapes |= {f"dense{number}.weight": (num_inputs, size), f"dense{number}.bias": (size,)}
        num_inputs = size
    return shapes | {"head.weight": (num_inputs, outputs), "head.bias": (outputs,)}


def fresh(shapes: Shapes, rng: np.random.Generator, spread: float = 1.0) -> Parameters:
    """First values, uniform within 1 / sqrt(inputs) of 0: torch's own way; weights within `spread` times that."""
    parameters: Parameters = {}
    inputs = 1
    for name, shape in shapes.items():
        if name.endswith("weight"):  # of a convolution [outputs, inputs, 3, 3]
            inputs = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
        bound = 1.0 / np.sqrt(inputs)
        parameters[name] = rng.uniform(-bound, bound, shape) * (spread if name.endswith("weight") else 1.0)
    return parameters


def check(got: State, shapes: Shapes, number: type[Any]) -> Parameters:
    """Parameters that were read.

    Raises:
        ValueError: they are of another network.
    """
    if set(got) != set(shapes):
        raise ValueError(f"expected the parameters {', '.join(shapes)}, got {', '.join(got)}")
    for name, shape in shapes.items():
        if got[name].shape != shape or got[name].dtype != number:
            expected = f"{np.dtype(number)} {list(shape)}"
            raise ValueError(f"{name}: expected {expected}, got {got[name].dtype} {list(got[name].shape)}")
        if not np.isfinite(got[name]).all():
            raise ValueError(f"{name}: expected numbers, got others")
    return {name: got[name] for name in shapes}


PARTS = ("online", "target", "average", "first_moment", "second_moment")  # of a learner's state


def count(state: State) -> int:
    """The updates that a learner's state tells of.

    Raises:
        ValueError: it is no number of updates.
    """
    num_updates = state["num_updates"]
    if type(num_updates) is not int or not 0 <= num_updates < 1 << 63:
        raise ValueError(f"num_updates: expected a number of updates, got {num_updates!r}")
    return num_updates
