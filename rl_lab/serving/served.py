"""The policies that are served, by name; each can be replaced by a new version while it answers."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents.policy import Policy, Spaces
from experiments.errors import InputError, in_words
from experiments.files import read_bytes
from experiments.policies.card import PolicyCard
from experiments.policies.open_policy import LARGEST, SUFFIXES, is_policy_file, parse_policy
from rl_lab.serving.questions import space_schema

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What a policy says of N observations."""

    actions: list[Any]  # [N]
    values: list[Any] | None  # [N][A]; a value that is not finite is None
    outside: NDArray[np.bool_] | None  # [N, D] numbers outside what the policy had met when it was exported


@dataclass(frozen=True)
class Served:
    """One version of a policy."""

    name: str
    version: str  # the beginning of the file's SHA-256
    card: PolicyCard
    spaces: Spaces
    policy: Policy

    @classmethod
    def load(cls, path: Path, name: str, *, trust_code: bool) -> "Served":
        """Read a file.

        Raises:
            InputError: it is no exported policy, or its observations have no form in JSON.
        """
        if not is_policy_file(path):
            expected = " or ".join(SUFFIXES.values())
            raise InputError(f"{path}: expected a policy's file ({expected}); rl-lab export makes one of a run")
        data = read_bytes(path, largest=LARGEST)
        opened = parse_policy(data, path, trust_code=trust_code)
        of = opened.spaces()
        space_schema(of.observation_space)
        return cls(name, hashlib.sha256(data).hexdigest()[:12], opened.card, of, opened.agent().policy(0))

    @property
    def num_actions(self) -> int | None:
        """A; None where actions are not discrete."""
        space = self.spaces.action_space
        return int(space.n) if isinstance(space, spaces.Discrete) else None

    def answer(self, observations: Any, count: int, masks: NDArray[np.bool_] | None) -> Answer:
        """What the policy says of a batch of observations [N, ...]."""
        decide = getattr(self.policy, "decide", None)
        if decide is not None and masks is None:
            actions, values = decide(observations)
        else:
            actions, values = self.policy.act(observations, masks), self.policy.action_values(observations)
        rows = None if values is None else values.tolist()
        if rows is not None and not np.isfinite(values).all():
            rows = [[value if np.isfinite(value) else None for value in row] for row in rows]
        return Answer(actions.tolist(), rows, self._outside(observations, count))

    def _outside(self, observations: Any, count: int) -> NDArray[np.bool_] | None:
        seen = self.card.seen
        if seen.low is None or seen.high is None or not isinstance(observations, np.ndarray):
            return None
        flat = observations.reshape(count, -1)
        outside: NDArray[np.bool_] = (flat < np.asarray(seen.low)) | (flat > np.asarray(seen.high))
        return outside

    def describe(self) -> dict[str, Any]:
        """What `/v1/policy` says."""
        manifest = self.card.manifest
        score = None if self.card.score is None else self.card.score.model_dump()
        return {
            "name": self.name,
            "version": self.version,
            "kind": self.card.kind,
            "agent": manifest.run_spec.agent.id,
            "environment": manifest.run_spec.env.id,
            "env_settings": dict(manifest.run_spec.env.settings),
            "env_steps": self.card.env_steps,
            "seed": manifest.run_spec.seed,
            "score": score,
            "observation": space_schema(self.spaces.observation_space),
            "num_actions": self.num_actions,
            "seen": json.loads(self.card.seen.model_dump_json()),
        }


class Policies:
    """The policies that are served.

    Args:
        files: of exported policies, or folders with some; each is called by its name without the ending.
        trust_code: import their `module:Class` although this user has not run that code here.

    Raises:
        InputError: one is none, or two have one name.
    """

    def __init__(self, files: Sequence[Path], *, trust_code: bool = False) -> None:
        self._files: dict[str, Path] = {}
        self._trust_code = trust_code
        self._stamps: dict[str, tuple[int, int, int] | None] = {}
        self._served: dict[str, Served] = {}
        for path in _expanded(files):
            name = path.stem
            if name in self._files:
                raise InputError(f"{path}: there is another policy called {name!r}: {self._files[name]}")
            self._files[name] = path
            self._stamps[name] = _stamp(path)
            self._served[name] = Served.load(path, name, trust_code=trust_code)

    def get(self, name: str | None) -> Served | None:
        """A policy by its name; None: the first."""
        return next(iter(self._served.values())) if name is None else self._served.get(name)

    def all(self) -> list[Served]:
        """All of them."""
        return list(self._served.values())

    def refresh(self) -> list[tuple[str, bool]]:
        """Take over files that have changed; their names, and whether they were sound. One that is not changes nothing.

        Requests under way are answered by the version that they began with.
        """
        changed = []
        for name, path in self._files.items():
            stamp = _stamp(path)
            if stamp is None or stamp == self._stamps[name]:
                continue
            self._stamps[name] = stamp
            try:
                self._served[name] = Served.load(path, name, trust_code=self._trust_code)
                changed.append((name, True))
            except Exception as error:  # whatever a file that somebody made brings about
                _log.warning("%s; the version before goes on", in_words(error))
                changed.append((name, False))
        return changed


def _expanded(files: Sequence[Path]) -> list[Path]:
    """The files, and those in the folders among them.

    Raises:
        InputError: a folder has none.
    """
    found: list[Path] = []
    for path in files:
        inside = sorted(one for one in path.iterdir() if is_policy_file(one)) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: expected exported policies ({' or '.join(SUFFIXES.values())}) in it, got none")
        found += inside
    return found


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
