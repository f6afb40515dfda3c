"""The whole learning state of a model, without pickles: arrays, rings and JSON values."""

import operator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.ring import Ring
from agents.sb3.algorithms import ALGORITHMS, OF_POLICY, Algorithm
from agents.storage import State

Model = Any  # of stable-baselines3 or sb3-contrib: one of `ALGORITHMS`
PARTS = ("networks", "counters", "generators")  # of every state
BUFFER_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def get_state(model: Model, *, copied: bool = True) -> State:
    """Networks, optimiser, counters, replay buffer and generators.

    Args:
        model: the model.
        copied: copy the replay buffer; else what is given is good until the model goes on.
    """
    algorithm = _algorithm(model)
    state: State = {
        "networks": {
            name: np.ascontiguousarray(tensor.numpy()).copy() for name, tensor in model.policy.state_dict().items()
        },
    }
    if algorithm.optimizers == OF_POLICY:
        state["optimizer"] = _optimizer_state(model.policy.optimizer)
    else:
        state["optimizers"] = {path: _optimizer_state(one) for path, one in _optimizers(model, algorithm).items()}
    state["counters"] = {name: getattr(model, name) for name in algorithm.counters}
    state["generators"] = get_generators(model)
    if algorithm.tensors:
        known = {name: getattr(model, name) for name in algorithm.tensors}
        state["tensors"] = {name: one.detach().numpy().copy() for name, one in known.items() if one is not None}
    if algorithm.has_replay and (buffer := model.replay_buffer) is not None:
        state["replay"] = {"rows": _ring(model, buffer, copied), "pos": buffer.pos, "full": buffer.full}
    return state


def _algorithm(model: Model) -> Algorithm:
    """The row of a model's algorithm."""
    return ALGORITHMS[type(model).__name__.lower()]


def _optimizers(model: Model, algorithm: Algorithm) -> dict[str, Any]:
    """The optimisers by where they are; those that there are."""
    found = {path: operator.attrgetter(path)(model) for path in algorithm.optimizers}
    return {path: one for path, one in found.items() if one is not None}


def _optimizer_state(optimizer: Any) -> State:
    known = optimizer.state_dict()
    return {
        "state": {
            str(index): {name: _plain(value) for name, value in entry.items()}
            for index, entry in known["state"].items()
        },
        "param_groups": known["param_groups"],
    }


def _plain(value: Any) -> Any:
    return np.ascontiguousarray(value.numpy()).copy() if isinstance(value, torch.Tensor) else value


def _set_optimizer_state(optimizer: Any, state: State) -> None:
    entries = {
        int(index): {
            name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value for name, value in entry.items()
        }
        for index, entry in state["state"].items()
    }
    optimizer.load_state_dict({"state": entries, "param_groups": state["param_groups"]})


def _ring(model: Model, buffer: Any, copied: bool) -> Ring:
    """The rows of a replay buffer, each of as many transitions as there are environments.

    The row after the newest holds its next observation, where these are not kept apart (optimize_memory_usage).
    """
    written = int(buffer.pos)
    if buffer.full:  # a row each time that the environments were stepped, but for the last time before a stop
        stepped = model.num_timesteps // model.n_envs
        written = stepped - (stepped - written) % buffer.buffer_size
    ring = Ring(_buffer_arrays(buffer), written, int(buffer.buffer_size))
    arrays = {name: array[: ring.num_rows] for name, array in ring.arrays.items()}
    return replace(ring, arrays={name: array.copy() for name, array in arrays.items()} if copied else arrays)


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


def get_generators(model: Model) -> State:
    """Where the generators are that stable-baselines3 draws from: NumPy's and torch's own, and the action space's."""
    kind, keys, snapshot, has_gauss, cached = np.random.get_state()  # noqa: NPY002
    return {
        "numpy": {"kind": kind, "keys": keys, "position": snapshot, "has_gauss": has_gauss, "cached": cached},
        "torch": torch.get_rng_state().numpy().copy(),
        "action_space": model.action_space.np_random.bit_generator.state,
    }


def set_generators(model: Model, generators: State) -> None:
    """Put them where `get_generators` found them."""
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
    algorithm = _algorithm(model)
    if algorithm.optimizers == OF_POLICY:
        _set_optimizer_state(model.policy.optimizer, state["optimizer"])
    else:
        for path, optimizer in _optimizers(model, algorithm).items():
            _set_optimizer_state(optimizer, state["optimizers"][path])
    for name in algorithm.tensors:
        if (tensor := getattr(model, name)) is not None:
            tensor.data.copy_(torch.from_numpy(state["tensors"][name]))
    for name in algorithm.counters:
        setattr(model, name, state["counters"][name])
    if algorithm.has_replay and (buffer := model.replay_buffer) is not None:
        replay = state["replay"]
        rows = replay["rows"].arrays if "rows" in replay else replay  # up to version 0.4.0 the arrays lay beside `pos`
        for name, array in _buffer_arrays(buffer).items():
            array[: len(rows[name])] = rows[name]
        buffer.pos, buffer.full = replay["pos"], replay["full"]
    set_generators(model, state["generators"])


def parts(algorithm: str) -> tuple[str, ...]:
    """What a state of an algorithm consists of."""
    row = ALGORITHMS[algorithm]
    found = (*PARTS, "optimizer" if row.optimizers == OF_POLICY else "optimizers")
    return found + ("tensors",) * bool(row.tensors) + ("replay",) * row.has_replay
