"""Changing single settings of a specification: `learning_rate`, `agents.q.learning_rate`, `evaluation.seed`."""

from collections.abc import Mapping
from typing import Any

from agents.registry import find_agent
from envs.registry import env_options
from experiments.errors import InputError, unknown
from experiments.specs.labels import label_with
from experiments.specs.loading import parse_spec
from experiments.specs.spec import AgentEntry, EnvEntry, Evaluation, Spec

OWN_KEYS = ("name", "description", "seeds", "steps", "episodes", "engine", "tensorboard")
NO_TASK = ("name", "steps", "episodes", "seeds", "scale", "envs")  # keys of entries that leave them what they are
BUDGET = ("steps", "episodes")  # one of the two
EXPECTED = "a setting's name, evaluation.KEY, agents.LABEL.KEY or envs.LABEL.KEY"


def change_spec(spec: Spec, changes: Mapping[str, Any], place: str, *, searched: bool = False) -> Spec:
    """The specification with some settings changed, all others kept. What is changed shows in the entries' labels.

    Args:
        spec: the specification.
        changes: values by where they go: a setting's name alone (every agent that has it; of none, every environment;
            or the specification's own), "evaluation.KEY", "agents.LABEL.KEY" or "envs.LABEL.KEY".
        place: where the specification came from, for messages.
        searched: may there be ranges in place of values?

    Raises:
        InputError: there is no such setting, or it does not take the value.
    """
    for path, value in changes.items():
        values = spec.model_dump(exclude_unset=True)
        part, _, rest = path.partition(".")
        if not rest:
            _change_by_name(spec, values, path, value)
        elif part == "evaluation":
            if rest not in Evaluation.model_fields:
                raise InputError(f"--change: {unknown('setting of the evaluation', rest, Evaluation.model_fields)}")
            values["evaluation"] = values.get("evaluation", {}) | {rest: value}
        elif part in ("agents", "envs"):
            label, _, key = rest.rpartition(".")
            _change_entries(spec, values, part, label, key, value, path)
        else:
            raise InputError(f"--change: expected {EXPECTED}, got {path!r}")
        spec = parse_spec(values, f"{place} with --change {path}", searched=searched)
    return spec


def _change_by_name(spec: Spec, values: dict[str, Any], key: str, value: Any) -> None:
    """Change a setting wherever there is one of that name."""
    if key in OWN_KEYS:
        if key in (*BUDGET, "seeds"):  # for all, whatever entries have of their own
            for entry in (values, *values["envs"], *values["agents"]):
                for name in BUDGET if key in BUDGET else ("seeds",):
                    entry.pop(name, None)
        values[key] = value
        return
    agents = [number for number, agent in enumerate(spec.agents) if key in find_agent(agent.id).Settings.model_fields]
    envs = [number for number, env in enumerate(spec.envs) if key in env_options(env.id)]
    if not agents and not envs:
        known = [name for agent in spec.agents for name in find_agent(agent.id).Settings.model_fields]
        known += [name for env in spec.envs for name in env_options(env.id)]
        raise InputError(f"--change: {unknown('setting', key, {*OWN_KEYS, *known})}")
    part, numbers = ("agents", agents) if agents else ("envs", envs)
    for number in numbers:
        _change_entry(spec, values, part, number, key, value)


def _change_entries(spec: Spec, values: dict[str, Any], part: str, label: str, key: str, value: Any, path: str) -> None:
    entries: list[AgentEntry] | list[EnvEntry] = spec.agents if part == "agents" else spec.envs
    if not label or not key:
        raise InputError(f"--change: expected {EXPECTED}, got {path!r}")
    numbers = [number for number, entry in enumerate(entries) if label in (entry.label, entry.id)]
    if not numbers:
        kind = "agent" if part == "agents" else "environment"
        raise InputError(f"--change: {unknown(kind, label, [entry.label for entry in entries])}")
    if key in ("id", "settings"):
        raise InputError(f"--change: {key!r} cannot be changed: it would be another {part.removesuffix('s')}")
    for number in numbers:
        _change_entry(spec, values, part, number, key, value)


def _change_entry(spec: Spec, values: dict[str, Any], part: str, number: int, key: str, value: Any) -> None:
    """Change a setting of one entry, and its label with it."""
    entry: AgentEntry | EnvEntry = spec.agents[number] if part == "agents" else spec.envs[number]
    raw = values[part][number]
    if key in type(entry).model_fields:
        for name in BUDGET if key in BUDGET else ():
            raw.pop(name, None)
        raw[key] = value
    else:
        raw["settings"] = raw.get("settings", {}) | {key: value}
    if key not in NO_TASK:
        taken = {one.get("name") for one in values[part]}
        name = label_with(entry.name or entry.id, {key: value})
        raw["name"] = name if name not in taken else label_with(entry.label, {key: value})
    if part == "envs" and raw.get("name", entry.label) != entry.label:
        for agent in values["agents"]:  # those that are limited to the environment by its label
            if agent.get("envs"):
                agent["envs"] = [raw["name"] if name == entry.label else name for name in agent["envs"]]
