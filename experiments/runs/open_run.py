"""Opening a run: the only way in for whoever plays, judges or trains it again.

This is the one place that decides whether code may be imported for a run: the lab's, Gymnasium's and
stable-baselines3's own; code that this user has run (see `experiments.runs.own_code`); or any, where the user says so.
Listing and comparing import nothing: they read manifests and logs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym

from agents.base import Agent
from agents.policy import Spaces
from agents.registry import make_agent
from experiments.errors import InputError, located
from experiments.evaluation.environments import check_same_spaces, closing, make_evaluation_env
from experiments.runs.archive import unpacked
from experiments.runs.manifest import Manifest
from experiments.runs.own_code import check_trusted
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

    @property
    def whose(self) -> str:
        """Whose run it is, in words, such as "q_learning, seed 0"."""
        return f"{self.run_spec.agent.label}, seed {self.run_spec.seed}"

    def how_far(self, env_step: int | None = None) -> str:
        """How far its agent has trained at an env step, or by now, such as "after 20,000 env steps"."""
        if env_step is None:
            env_step = self.manifest.env_steps
        return "in training" if env_step is None else f"after {env_step:,} env steps"

    def env_entry(self, options: Mapping[str, Any] | None = None) -> EnvEntry:
        """The run's environment, with some options that are other than the run's.

        Raises:
            InputError: an option is wrong.
        """
        entry = self.run_spec.env
        with located(f"{self.path}: envs: {entry.id}"):
            given = dict(options or {})
            rest = {key: value for key, value in entry.evaluation.items() if key not in given}
            entry = entry.model_copy(update={"settings": entry.settings | given, "evaluation": rest})
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

    def agent(self, env_step: int | None = None, *, to_learn: bool = False) -> Agent:
        """The trained agent, which can act.

        Args:
            env_step: as it was at the last snapshot at or before this env step of its training.
            to_learn: it is to go on learning; of a snapshot it does so without what only learning needs.

        Raises:
            InputError: there is no checkpoint yet, or no snapshot; or it is damaged.
        """
        with located(str(self.path)):
            if env_step is not None:
                agent = self._new_agent()
                agent.set_policy_state(read_snapshot(self.path, nearest_snapshot(self.path, env_step)))
                return agent
        if not self.folder.checkpoint.exists():
            why = f"the run is {self.manifest.status} and has no checkpoint yet"
            if self.manifest.finished:
                why = "has no checkpoint: it was removed, or left out of an archive (archive --with-checkpoints)"
            raise InputError(f"{self.path}: {why}")
        self.folder.checkpoint.check()
        with located(str(self.path)):
            agent = self._new_agent()
            if to_learn:
                agent.load(self.folder.checkpoint.agent)
            else:
                agent.load_policy(self.folder.checkpoint.agent)
        return agent

    def _new_agent(self) -> Agent:
        """An agent that waits for a state; of 0.4.0's runs, whose states hold no plans and bins, a prepared one."""
        spec = self.run_spec
        where: gym.Env[Any, Any] | Spaces = self.spaces()
        if self.manifest.format < 3:
            where = make_evaluation_env(spec.env)
        return make_agent(spec.agent.id, where, seed=spec.seed, **spec.agent.settings)


def open_run(path: Path, *, trust_code: bool = False) -> OpenRun:
    """Open a run. Its agent's, environment's and wrappers' code may be imported then.

    Args:
        path: the run's folder; it may lie in an archive.
        trust_code: import code that this user has not run here, too.

    Raises:
        InputError: this is no run folder, it is damaged, or its code is not known here.
    """
    folder = RunFolder(unpacked(path))
    manifest = folder.read_manifest()
    if not trust_code:
        env, agent = manifest.run_spec.env, manifest.run_spec.agent
        with located(str(path)):
            check_trusted([env.id, agent.id, *(wrapper.id for wrapper in env.wrappers)])
    return OpenRun(folder, manifest)
