"""Opening a run: the only way in for whoever plays, judges or trains it again.

This is the one place that decides whether code may be imported for a run. Listing and comparing import nothing: they
read manifests and logs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium as gym

from agents.base import Agent
from agents.policy import Spaces
from agents.registry import make_agent
from experiments.errors import InputError, located
from experiments.evaluation.environments import check_same_spaces, closing, make_evaluation_env
from experiments.runs.manifest import Manifest
from experiments.runs.run_folder import RunFolder
from experiments.runs.snapshots import nearest_snapshot, read_snapshot
from experiments.runs.spaces import spaces_from_json
from experiments.specs.loading import check_env_entry
from experiments.specs.spec import EnvEntry, RunSpec


@dataclass(frozen=True)
class OpenRun:
    """A run whose code may be used: its environment can be made, and its agent acts."""

    folder: RunFolder
    manifest: Manifest  # as it was when the run was opened

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.folder.path

    @property
    def run_spec(self) -> RunSpec:
        """What was asked for."""
        return self.manifest.run_spec

    def env_entry(self, options: Mapping[str, Any] | None = None) -> EnvEntry:
        """The run's environment, with some options that are other than the run's.

        Raises:
            InputError: an option is wrong.
        """
        entry = self.run_spec.env
        with located(f"{self.path}: envs: {entry.id}"):
            entry = entry.model_copy(update={"settings": entry.settings | dict(options or {})})
            check_env_entry(entry)
        return entry

    def make_env(self, render_mode: str | None = None, options: Mapping[str, Any] | None = None) -> gym.Env[Any, Any]:
        """The environment that the run is judged in.

        Raises:
            InputError: it cannot be made, or the agent does not fit its spaces.
        """
        entry = self.env_entry(options)
        with located(f"{self.path}: envs: {entry.id}"):
            env = make_evaluation_env(entry, render_mode)
            if options:
                check_same_spaces(self.spaces(), env)
        return env

    def spaces(self) -> Spaces:
        """Those that the agent was made for."""
        if self.manifest.spaces is not None:
            return spaces_from_json(self.manifest.spaces)
        with closing(make_evaluation_env(self.run_spec.env)) as env:
            return Spaces.of(env)

    def agent(self, env_step: int | None = None) -> Agent:
        """The trained agent, which can act; as it was at the last snapshot at or before an env step, if one is given.

        Raises:
            InputError: there is no checkpoint yet, or no snapshot; or it is damaged.
        """
        with located(str(self.path)):
            if env_step is not None:
                agent = self._new_agent()
                agent.set_policy_state(read_snapshot(self.path, nearest_snapshot(self.path, env_step)))
                return agent
        if not self.folder.checkpoint.exists():
            raise InputError(f"{self.path}: the run is {self.manifest.status} and has no checkpoint yet")
        self.folder.checkpoint.check()
        with located(str(self.path)):
            agent = self._new_agent()
            agent.load_policy(self.folder.checkpoint.agent)
        return agent

    def _new_agent(self) -> Agent:
        """An agent that waits for a state; of 0.4.0's runs, whose states hold no plans and bins, a prepared one."""
        spec = self.run_spec
        where: gym.Env[Any, Any] | Spaces = self.spaces()
        if self.manifest.format < 3:
            where = make_evaluation_env(spec.env)
        return make_agent(spec.agent.id, where, seed=spec.seed, **spec.agent.settings)


def open_run(path: Path) -> OpenRun:
    """Open a run. Its agent's and its environment's code may be imported then, if it is anyone's but the folder's.

    Raises:
        InputError: this is no run folder, it is damaged, or its code lies among the runs.
    """
    folder = RunFolder(path)
    manifest = folder.read_manifest()
    with located(str(path)):
        for name in (manifest.run_spec.env.id, manifest.run_spec.agent.id):
            _refuse_code_inside(path, name)
    return OpenRun(folder, manifest)


def _refuse_code_inside(folder: Path, name: str) -> None:
    """Raise if a `module:Class` would be imported from among the runs: reading a run folder runs no code from it."""
    parents = folder.resolve().parents
    # <output>/<experiment>/<env>/<agent>/seed-<n>; of a copy elsewhere, what lies beside it too
    output = parents[3] if len(parents) > 4 else parents[0]
    module = name.rpartition(":")[0].split(".")[0]
    found = find_spec(module) if module else None
    places = [] if found is None else [found.origin, *(found.submodule_search_locations or [])]
    if any(place and Path(place).resolve().is_relative_to(output) for place in places):
        raise InputError(f"{name} would be imported from {output}, and code that lies among runs is not run")
