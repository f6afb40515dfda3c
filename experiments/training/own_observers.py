"""Observers of the user's own, `module:Class` in a spec: they hear of a run, change nothing in it, and may fail.

Each is called behind a guard: what it raises is a warning and its end, what it answers is not asked for, what it draws
from global generators is given back, and what it is told is a copy.
"""

import copy
import importlib
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agents.base import Episode
from experiments.errors import InputError, in_words
from experiments.specs.spec import RunSpec
from experiments.training.observers import Evaluated, Observer, Progress

_log = logging.getLogger(__name__)


def find_observer(name: str) -> Callable[[RunSpec, Path], Observer]:
    """The class of an observer, `module:Class`.

    Raises:
        InputError: there is none, or it is no `Observer`.
    """
    module_name, colon, attribute = name.rpartition(":")
    if not colon or ":" in module_name:
        raise InputError(f"observers: expected module:Class, got {name!r}")
    try:
        found = getattr(importlib.import_module(module_name), attribute, None)
    except ImportError as error:
        raise InputError(f"observers: cannot import module {module_name!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Observer)):
        expected = "a subclass of experiments.training.observers.Observer"
        raise InputError(f"observers: {name}: expected {expected}, got {'nothing' if found is None else repr(found)}")
    made: Callable[[RunSpec, Path], Observer] = found
    return made


def own_observers(run_spec: RunSpec, folder: Path) -> list[Observer]:
    """The observers that a spec names, each behind a guard; one that cannot be made is left out, and it is said."""
    guards: list[Observer] = []
    for name in run_spec.observers:
        try:
            with _generators_kept():
                guards.append(Guard(name, find_observer(name)(run_spec, folder)))
        except Exception as error:
            _log.warning("%s: observer %s: %s; the run goes on without it", folder, name, in_words(error))
    return guards


class Guard(Observer):
    """Stands between a run and an observer of the user's own.

    Args:
        name: of the observer, for messages.
        observer: who is called, until it fails.
    """

    def __init__(self, name: str, observer: Observer) -> None:
        self._name, self._observer = name, observer
        self._failed = False

    def progress(self, progress: Progress) -> None:
        """Hand it on."""
        self._call(lambda: self._observer.progress(progress))

    def episode(self, env_step: int, episode: Episode, metrics: Mapping[str, float]) -> None:
        """Hand a copy on."""
        self._call(lambda: self._observer.episode(env_step, _copied(episode), dict(metrics)))

    def evaluated(self, evaluated: Evaluated) -> bool:
        """Hand a copy on; the answer does not stop the run."""
        episodes: Sequence[Any] = [replace(one, info=copy.deepcopy(one.info)) for one in evaluated.episodes]
        self._call(lambda: self._observer.evaluated(replace(evaluated, episodes=episodes)))
        return False

    def checkpointed(self, env_step: int) -> None:
        """Hand it on."""
        self._call(lambda: self._observer.checkpointed(env_step))

    def close(self) -> None:
        """Hand it on."""
        self._call(self._observer.close)

    def _call(self, call: Callable[[], object]) -> None:
        if self._failed:
            return
        try:
            with _generators_kept():
                call()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._failed = True
            _log.warning("observer %s: %s; the run goes on without it", self._name, in_words(error))


def _copied(episode: Episode) -> Episode:
    return episode._replace(info=copy.deepcopy(episode.info))


@contextmanager
def _generators_kept() -> Iterator[None]:
    """Global generators are afterwards where they were: stable-baselines3's agents draw from them."""
    torch: Any = sys.modules.get("torch")
    pythons: Any = sys.modules.get("random")
    numpys = np.random.get_state()  # noqa: NPY002
    before = pythons.getstate() if pythons else None, torch.get_rng_state() if torch else None
    try:
        yield
    finally:
        np.random.set_state(numpys)  # noqa: NPY002
        if pythons:
            pythons.setstate(before[0])
        if torch:
            torch.set_rng_state(before[1])
