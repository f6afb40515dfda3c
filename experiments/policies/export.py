"""Exporting a run's policy: the file, its card, and the proof that they are the same policy."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from agents.policy import Spaces
from experiments.comparison.bootstrap import bootstrap, mean
from experiments.errors import InputError, located
from experiments.evaluation.environments import closing
from experiments.evaluation.episode_seeds import seeds_of
from experiments.files import read_bytes, replace_file
from experiments.policies.card import Kind, PolicyCard, Score, markdown
from experiments.policies.network_file import MISSING, with_card
from experiments.policies.open_policy import LARGEST, SUFFIXES, parse_policy, read_policy
from experiments.policies.parity import check_parity, play, seen_in
from experiments.policies.table_file import table_bytes
from experiments.results.stored_run import StoredRun
from experiments.runs.open_run import open_run
from experiments.runs.provenance import versions
from experiments.runs.snapshots import nearest_snapshot

NUM_OBSERVATIONS = 10_000


@dataclass(frozen=True)
class Exported:
    """What was written."""

    file: Path
    card_file: Path
    card: PolicyCard
    num_bytes: int
    replaced: bool  # another policy, which was in its place


def export_policy(run: Path, file: Path, *, at: int | None = None, trust_code: bool = False) -> Exported:
    """Write a run's greedy policy into a file, and its model card beside it.

    Args:
        run: the run's folder.
        file: ends in .npz of tables, tiles, plans and rules; in .onnx of networks.
        at: the policy as it was at the last snapshot at or before this env step; None: as it is.
        trust_code: import the run's `module:Class` although this user has not run that code here.

    Raises:
        InputError: something is wrong; or what was written is not the same policy. There is no file then.
    """
    opened = open_run(run, trust_code=trust_code)
    if at is None and not opened.manifest.finished:
        raise InputError(f"{run}: expected a run that has finished (or --at ENV_STEP: a snapshot of one that has not)")
    if at is not None and opened.manifest.finished and at > (opened.manifest.env_steps or 0):
        raise InputError(f"--at: expected at most the run's {opened.manifest.env_steps:,} env steps, got {at:,}")
    step = None if at is None else nearest_snapshot(opened.path, at)
    agent = opened.agent(step)
    if agent.seeded_policy:
        raise InputError(f"{run}: {opened.run_spec.agent.id} draws its actions: there is no policy to export")
    with located(f"{run}: agents: {opened.run_spec.agent.id}"):
        module = agent.torch_module()
    kind: Kind = "table" if module is None else "network"
    if file.suffix != SUFFIXES[kind]:
        what = "a network" if module is not None else "no network"
        raise InputError(f"{file}: expected a file that ends in {SUFFIXES[kind]}, since {run} has {what}")
    card_file = file.with_suffix(".md")
    _check_free(file, card_file)
    spaces = opened.spaces()
    with closing(opened.make_env()) as env, located(f"{run}: envs: {opened.run_spec.env.id}"):
        policy = agent.policy(0)
        met = play(policy, env, NUM_OBSERVATIONS, seeds_of(opened.run_spec.evaluation, "curve", 1)[0])
    manifest: dict[str, JsonValue] = json.loads(opened.manifest.to_json())
    card = PolicyCard(
        kind=kind,
        made_with={name: version for name, version in versions().items() if version is not None},
        run=manifest,
        at=step,
        seen=seen_in(met, *spaces),
        score=None if at is not None else _score(StoredRun(opened.folder, opened.manifest)),
    )
    network = None
    if module is not None:
        with located(f"{run}: agents: {opened.run_spec.agent.id}"):
            network = _network(module, spaces)

    def written(card: PolicyCard) -> bytes:
        return table_bytes(card, agent.policy_state()) if network is None else with_card(network, card)

    exported = parse_policy(written(card), file, trust_code=True).agent().policy(0)
    with located(f"{run}"):
        parity = check_parity(policy, exported, met.observations, exact=network is None)
    card = card.model_copy(update={"parity": parity})
    data, replaced = written(card), file.exists()
    replace_file(file, data)
    replace_file(card_file, markdown(card, file.stem).encode())
    return Exported(file, card_file, card, len(data), replaced)


def _check_free(file: Path, card_file: Path) -> None:
    """Raise where something else than an exported policy would be replaced."""
    if not file.parent.is_dir():
        raise InputError(f"{file}: the folder {file.parent} does not exist")
    for path in (file, card_file):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise InputError(f"{path}: expected a file, or nothing, in the place of what is written")
    if file.exists():
        try:
            read_policy(read_bytes(file, largest=LARGEST, follow=False), file)
        except InputError:
            raise InputError(f"{file}: is there already, and is no exported policy: it is left as it is") from None
    elif card_file.exists():
        raise InputError(f"{card_file}: is there already; the policy's card would take its place")


def _network(module: Any, of: Spaces) -> bytes:
    """A network's bytes."""
    from agents.deep.onnx_bytes import onnx_bytes

    try:
        return onnx_bytes(module, *of)
    except ImportError:
        raise InputError(f"exporting a network {MISSING}") from None


def _score(run: StoredRun) -> Score | None:
    """The run's final score, if it has finished."""
    if not run.finished:
        return None
    scores = np.asarray(run.final_scores())
    found = bootstrap(mean, [scores])
    measure = run.manifest.measure or "return"
    return Score(measure=measure, mean=found.value, low=found.low, high=found.high, episodes=len(scores))
