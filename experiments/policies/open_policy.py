"""Opening what acts: a run's folder, or a file that `rl-lab export` wrote, which then serves like a run."""

from dataclasses import dataclass, field
from pathlib import Path

from agents.base import Agent
from agents.policy import Spaces
from experiments.errors import InputError, located
from experiments.files import read_bytes
from experiments.policies.card import PolicyCard
from experiments.policies.network_file import NetworkAgent, open_network
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
    if path.suffix == SUFFIXES["table"]:
        card, state = read_table(data, place)
    else:
        card, session = open_network(data, place)
    manifest = card.manifest
    if not trust_code:
        env, agent = manifest.run_spec.env, manifest.run_spec.agent
        with located(place):
            check_trusted([env.id, agent.id, *(wrapper.id for wrapper in env.wrappers)])
    if path.suffix == SUFFIXES["table"]:
        acts = table_agent(card, state, place)
    else:
        acts = NetworkAgent(session, _spaces(card, place))
    return OpenPolicy(RunFolder(path), manifest, card=card, acts=acts)


def _spaces(card: PolicyCard, place: str) -> Spaces:
    values = card.manifest.spaces
    if values is None:
        raise InputError(f"{place}: damaged: expected the spaces of its environment")
    return spaces_from_json(values)
