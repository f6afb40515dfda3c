"""Observers of the user's own, `module:Class` in a spec: they hear of a run, change nothing in it, and may fail.

Each is called behind a guard: what it raises is a warning and its end, what it answers is not asked for, what it draws
from global generators is given back, and what it is told is a copy.
"""

import copy
import importlib
import logging
import os
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
    if not colon or ":" in module_name or not module_name or module_name.startswith("."):
        raise InputError(f"observers: expected module:Class, got {name!r}")
    try:
        found = getattr(importlib.import_module(module_name), attribute, None)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever user code makes of being imported
        said = str(error) if isinstance(error, ImportError) else in_words(error)
        raise InputError(f"observers: cannot import module {module_name!r}: {said}") from error
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
            with _process_kept():
                made = find_observer(name)(run_spec.model_copy(deep=True), Path(folder))
            if not isinstance(made, Observer):
                raise TypeError(f"expected an Observer, got {type(made).__name__}")
            guards.append(Guard(name, made))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
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
            with _process_kept():
                call()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._failed = True
            _log.warning("observer %s: %s; the run goes on without it", self._name, in_words(error))


def _copied(episode: Episode) -> Episode:
    return episode._replace(info=copy.deepcopy(episode.info))


class _Unclosable:
    """A stream that nobody closes but its owner."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def close(self) -> None:
        """Nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _process_kept() -> Iterator[None]:
    """What belongs to the whole process is afterwards as it was: generators, torch's modes, the folder, the streams."""
    torch: Any = sys.modules.get("torch")
    pythons: Any = sys.modules.get("random")
    numpys, drawn = np.random.get_state(), pythons.getstate() if pythons else None  # noqa: NPY002
    folder, streams = Path.cwd(), (sys.stdout, sys.stderr)
    if torch:
        torchs = torch.get_rng_state(), torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads()
    unclosable: tuple[Any, Any] = (_Unclosable(streams[0]), _Unclosable(streams[1]))
    sys.stdout, sys.stderr = unclosable
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        os.chdir(folder)
        np.random.set_state(numpys)  # noqa: NPY002
        if pythons:
            pythons.setstate(drawn)
        if torch:
            torch.set_rng_state(torchs[0])
            torch.set_grad_enabled(torchs[1])
            torch.set_default_dtype(torchs[2])
            torch.set_num_threads(torchs[3])
