"""Policies without a network, in a .npz file: arrays, and `policy.json` beside them. No pickles, no code.

The arrays are those of the agent's policy state, under their paths (`table/q` [rows, A]; of a sparse table
`table/states_met` is in policy.json, the number of each row's state, as text, since it may have more than 64 bits).
policy.json holds the card, the agent's id and settings are in its run, and the rest of the state.
"""

import io
import json
import zipfile
from typing import Any

import numpy as np

from agents.base import Agent
from agents.policy import Spaces
from agents.registry import make_agent
from agents.storage import State, joined, split
from experiments.errors import InputError, in_words
from experiments.policies.card import PolicyCard, parse_card, to_json

VALUES = "policy.json"
TIME = (1980, 1, 1, 0, 0, 0)  # of every member: equal policies are equal bytes


def table_bytes(card: PolicyCard, state: State) -> bytes:
    """The file of a policy."""
    values, arrays = split(state)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as file:
        text = json.dumps({"card": json.loads(to_json(card)), "state": values}, sort_keys=True)
        file.writestr(zipfile.ZipInfo(VALUES, TIME), text)
        for name, array in sorted(arrays.items()):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy", TIME), member.getvalue())
    return written.getvalue()


def read_table(data: bytes, place: str) -> tuple[PolicyCard, State]:
    """The card and the policy state in a file.

    Raises:
        InputError: it is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if any(member.compress_type != zipfile.ZIP_STORED for member in file.infolist()):
                raise InputError(f"{place}: damaged: expected members that are not packed")  # to whatever size
            values: dict[str, Any] = json.loads(file.read(VALUES))
            arrays = {}
            for name in file.namelist():
                if name != VALUES:
                    with file.open(name) as member:
                        arrays[name.removesuffix(".npy")] = np.lib.format.read_array(member, allow_pickle=False)
        card = parse_card(json.dumps(values["card"]), place)
        return card, joined(values["state"], arrays)
    except InputError:
        raise
    except Exception as error:  # whatever a file that somebody made makes of NumPy and zipfile
        raise InputError(f"{place}: damaged: {in_words(error).removeprefix('BadZipFile: ')}") from None


def table_agent(card: PolicyCard, state: State, of: Spaces, place: str) -> Agent:
    """The agent that acts as the policy says.

    Raises:
        InputError: the state is not this agent's.
    """
    run_spec = card.manifest.run_spec
    try:
        made = make_agent(run_spec.agent.id, of, seed=run_spec.seed, **run_spec.agent.settings)
        made.set_policy_state(state)
    except Exception as error:  # of a state that somebody made
        raise InputError(f"{place}: damaged: {in_words(error)}") from error
    return made
