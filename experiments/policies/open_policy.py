"""Opening what acts: a run's folder, or a file that `rl-lab export` wrote, which then serves like a run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Space, spaces

from agents.base import Agent
from agents.policy import Spaces, batch_of
from agents.storage import State
from experiments.errors import InputError, located
from experiments.files import read_bytes
from experiments.policies.card import PolicyCard
from experiments.policies.network_file import OnnxAgent, open_session, read_network
from experiments.policies.table_file import read_table, table_agent
from experiments.runs.open_run import OpenRun, open_run
from experiments.runs.own_code import check_trusted
from experiments.runs.run_folder import RunFolder
from experiments.runs.spaces import spaces_from_json

SUFFIXES = {"table": ".npz", "network": ".onnx"}
LARGEST = 4_000_000_000  # bytes of a file


@dataclass(frozen=True)
class OpenPolicy(OpenRun):
    """An exported policy: its environment can be made, and its agent acts."""

    card: PolicyCard = field(kw_only=True)
    acts: Agent = field(kw_only=True)

    def agent(self, env_step: int | None = None, *, to_learn: bool = False) -> Agent:
        """What acts.

        Raises:
            InputError: another moment of its training is asked for, or it is to learn.
        """
        if env_step is not None:
            raise InputError(f"{self.path}: an exported policy holds no other moments of its training: open its run")
        if to_learn:
            raise InputError(f"{self.path}: an exported policy does not learn: open its run")
        return self.acts


def is_policy_file(path: Path) -> bool:
    """Does a path look like that of an exported policy?"""
    return path.suffix in SUFFIXES.values() and not path.is_dir()


def open_policy(path: Path, *, trust_code: bool = False) -> OpenRun:
    """Open a run, or an exported policy.

    Args:
        path: the run's folder, which may lie in an archive; or the policy's file.
        trust_code: import code that this user has not run here, too.

    Raises:
        InputError: it is neither, it is damaged, or its code is not known here.
    """
    if not is_policy_file(path):
        return open_run(path, trust_code=trust_code)
    return parse_policy(read_bytes(path, largest=LARGEST), path, trust_code=trust_code)


def parse_policy(data: bytes, path: Path, *, trust_code: bool = False) -> OpenPolicy:
    """The policy in the bytes of a file.

    Raises:
        InputError: they are damaged, or its code is not known here.
    """
    place = str(path)
    card, state = read_policy(data, path)
    manifest, of = card.manifest, _spaces(card, place)
    if not trust_code:
        env, agent = manifest.run_spec.env, manifest.run_spec.agent
        with located(place):
            check_trusted([env.id, agent.id, *(wrapper.id for wrapper in env.wrappers)])
    acts = OnnxAgent(open_session(data, place), of) if state is None else table_agent(card, state, of, place)
    _check_fits(card, acts, of, place)
    return OpenPolicy(RunFolder(path), manifest, card=card, acts=acts)


def read_policy(data: bytes, path: Path) -> tuple[PolicyCard, State | None]:
    """The card in the bytes of a file, and of what is no network the policy state. No code is imported.

    Raises:
        InputError: they are damaged.
    """
    if path.suffix == SUFFIXES["table"]:
        return read_table(data, str(path))
    return read_network(data, str(path)), None


def _check_fits(card: PolicyCard, acts: Agent, of: Spaces, place: str) -> None:
    """Ask a policy about two observations of its space: what it answers must be actions.

    Raises:
        InputError: they are none; or what the card says was seen is of other observations.
    """
    seen, actions = card.seen, of.action_space
    numbers = {len(ends) for ends in (seen.low, seen.high) if ends is not None}
    size = _num_numbers(of.observation_space)
    if numbers and (size is None or numbers != {size} or seen.low is None or seen.high is None):
        raise InputError(f"{place}: damaged: expected what was seen of {size} numbers")
    if seen.action_shares is not None and len(seen.action_shares) != int(getattr(actions, "n", -1)):
        raise InputError(f"{place}: damaged: expected a share for each action")
    of.observation_space.seed(0)
    with located(f"{place}: damaged: it does not act"):
        policy = acts.policy(0)
        batch = batch_of([of.observation_space.sample() for _ in range(2)])
        chosen, values = policy.act(batch), policy.action_values(batch)
        if len(chosen) != 2 or not all(one in actions for one in chosen):
            raise InputError(f"expected actions of {actions}, got {chosen.tolist()}")
        if isinstance(actions, spaces.Discrete) and (
            values is None or values.shape != (2, actions.n) or np.isnan(values).any()
        ):
            raise InputError(f"expected a value for each action, got {None if values is None else values.tolist()}")


def _num_numbers(space: Space[Any]) -> int | None:
    """How many numbers an observation is; None of those that are put together of others."""
    if isinstance(space, spaces.Discrete):
        return 1
    return int(np.prod(space.shape)) if isinstance(space, spaces.Box) else None


def _spaces(card: PolicyCard, place: str) -> Spaces:
    values = card.manifest.spaces
    if values is None:
        raise InputError(f"{place}: damaged: expected the spaces of its environment")
    return spaces_from_json(values)
