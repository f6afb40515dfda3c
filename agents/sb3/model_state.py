"""The whole learning state of a model, without pickles: arrays, rings and JSON values."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import DQN, PPO

from agents.ring import Ring
from agents.storage import State

Model = DQN | PPO
COUNTERS = ("num_timesteps", "_n_updates", "_episode_num", "_total_timesteps", "_current_progress_remaining")
DQN_COUNTERS = ("_n_calls", "exploration_rate")
PARTS = ("networks", "optimizer", "counters", "generators")  # of a state
BUFFER_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def get_state(model: Model, *, copied: bool = True) -> State:
    """Networks, optimiser, counters, replay buffer and generators.

    Args:
        model: the model.
        copied: copy the replay buffer; else what is given is good until the model goes on.
    """
    optimizer = model.policy.optimizer.state_dict()
    state: State = {
        "networks": {
            name: np.ascontiguousarray(tensor.numpy()).copy() for name, tensor in model.policy.state_dict().items()
        },
        "optimizer": {
            "state": {
                str(index): {name: np.ascontiguousarray(tensor.numpy()).copy() for name, tensor in entry.items()}
                for index, entry in optimizer["state"].items()
            },
            "param_groups": optimizer["param_groups"],
        },
        "counters": {name: getattr(model, name) for name in _counters(model)},
        "generators": get_generators(model),
    }
    if isinstance(model, DQN) and (buffer := model.replay_buffer) is not None:
        state["replay"] = {"rows": _ring(model, buffer, copied), "pos": buffer.pos, "full": buffer.full}
    return state


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
    optimizer = state["optimizer"]
    entries = {
        int(index): {name: torch.from_numpy(array) for name, array in entry.items()}
        for index, entry in optimizer["state"].items()
    }
    model.policy.optimizer.load_state_dict({"state": entries, "param_groups": optimizer["param_groups"]})
    for name in _counters(model):
        setattr(model, name, state["counters"][name])
    if isinstance(model, DQN) and (buffer := model.replay_buffer) is not None:
        replay = state["replay"]
        rows = replay["rows"].arrays if "rows" in replay else replay  # up to version 0.4.0 the arrays lay beside `pos`
        for name, array in _buffer_arrays(buffer).items():
            array[: len(rows[name])] = rows[name]
        buffer.pos, buffer.full = replay["pos"], replay["full"]
    set_generators(model, state["generators"])


def _counters(model: Model) -> tuple[str, ...]:
    return COUNTERS + (DQN_COUNTERS if isinstance(model, DQN) else ())


def parts(algorithm: str) -> tuple[str, ...]:
    """What a state of an algorithm consists of."""
    return (*PARTS, "replay") if algorithm == "dqn" else PARTS
