"""The user's own code behind a run: which it was, and whether it is known here.

A run's `code` names every module of one's own that was loaded for it, with the SHA-256 of its source: those of
`module:` agents, environments, wrappers and factories, of their base classes, and the local modules that these import.
Of an installed package it names the version. What has no source, such as a notebook's cell, is "source unknown".

Who trains a run vouches for its code: its digests are kept in the user's own folder, and by them a run's code is known
again wherever the run lies.
"""

import ast
import contextlib
import glob
import hashlib
import json
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module, metadata
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium as gym

from agents.base import Agent
from experiments.errors import InputError
from experiments.files import open_regular, read_text, replace_file

Code = dict[str, str]  # module -> SHA-256 of its source, "version ...", or UNKNOWN
UNKNOWN, VERSION = "source unknown", "version "
# Code of the lab, and of what it stands on. Its versions are in every manifest.
THE_LABS = ("rl_lab", "experiments", "agents", "envs", "machine_code", "gymnasium", "stable_baselines3", "numpy")
TRUSTED = ("rl_lab", "experiments", "agents", "envs", "machine_code", "gymnasium", "stable_baselines3")
WRITE_FILES = ("RecordVideo", "Monitor")
RECORDS = "code-that-was-run"

_loaded: dict[str, tuple[str, Path]] = {}  # what was loaded: digest when it was first seen, and where from


def code_of(classes: Iterable[Any]) -> Code:
    """The code behind classes and functions, as it is loaded in this process."""
    roots = [module for one in classes for module in _modules_behind(one)]
    waiting, seen, code = list(roots), set[str](), Code()
    while waiting:
        name = waiting.pop()
        if name in seen or _is_pythons_or_the_labs(name):
            continue
        seen.add(name)
        module = sys.modules.get(name)
        identity = _identity(name, module)
        if identity.startswith(VERSION):
            code |= {name: identity} if name in roots else {}
            continue
        code[name] = identity
        waiting += [] if module is None else _imports_of(module)
    return dict(sorted(code.items()))


def _modules_behind(one: Any) -> list[str]:
    bases = one.__mro__ if isinstance(one, type) else (one,)
    return [base.__module__ for base in bases if getattr(base, "__module__", None)]


def _imports_of(module: ModuleType) -> list[str]:
    """The modules that a module imports, has something of, or lies in: all that are loaded."""
    values = list(vars(module).values())
    names = {one.__name__ if isinstance(one, ModuleType) else getattr(one, "__module__", None) for one in values}
    parts = module.__name__.split(".")
    names |= {".".join(parts[:length]) for length in range(1, len(parts))}
    names |= set(_said_imports(module))
    return [name for name in names if isinstance(name, str) and name in sys.modules]


def _said_imports(module: ModuleType) -> Iterator[str]:
    """The modules that a module's source imports, at whichever place; what it takes from one may be a number."""
    path = getattr(module, "__file__", None)
    if path is None:
        return
    try:
        tree = ast.parse(read_text(Path(path)))
    except (InputError, ValueError, SyntaxError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            with contextlib.suppress(ImportError, ValueError):
                base = resolve_name(base, module.__package__) if node.level else base
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


@lru_cache(maxsize=4096)
def _is_pythons_or_the_labs(name: str) -> bool:
    """Is a module the lab's, or Python's?"""
    top = name.split(".")[0]
    return top in THE_LABS or (top in sys.stdlib_module_names and top != "__main__")


def _identity(name: str, module: ModuleType | None) -> str:
    path = getattr(module, "__file__", None)
    if path is None or name == "__main__":
        return UNKNOWN
    if name not in _loaded:
        identity = _identity_at(name, Path(path))
        if identity.startswith(VERSION):
            return identity
        _loaded[name] = (identity, Path(path))
    return _loaded[name][0]


def _identity_at(name: str, path: Path) -> str:
    """What a module is whose source lies at a path."""
    if _is_installed(path):
        return VERSION + _version(name)
    return (_digest(path) if path.suffix == ".py" else None) or UNKNOWN


def _digest(path: Path) -> str | None:
    try:
        with open_regular(path) as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None


@lru_cache(maxsize=1)
def _installed_folders() -> tuple[Path, ...]:
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    folders.add(site.getusersitepackages())
    return tuple(Path(folder).resolve() for folder in folders if folder)


@lru_cache(maxsize=4096)
def _is_installed(path: Path) -> bool:
    return any(path.resolve().is_relative_to(folder) for folder in _installed_folders())


@lru_cache(maxsize=256)
def _version(name: str) -> str:
    top = name.split(".")[0]
    with contextlib.suppress(metadata.PackageNotFoundError, ValueError):
        return metadata.version(top)
    return "unknown"


def stale_modules() -> list[str]:
    """The modules of one's own that are loaded here, and whose source is another now."""
    return sorted(name for name, (digest, path) in _loaded.items() if (_digest(path) or UNKNOWN) != digest)


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The modules in which two runs' code differs, as far as both tell."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


# -- what this user has run -----------------------------------------------------------------------------------


def remember(code: Code) -> None:
    """Note that this user has run this code. Where nothing can be noted, nothing is."""
    own = {name: identity for name, identity in code.items() if identity != UNKNOWN}
    text = json.dumps(own, sort_keys=True).encode()
    key = hashlib.sha256(text).hexdigest()[:16]
    for name in own:
        path = _records() / f"{name}-{key}.json"
        if not path.exists():
            with contextlib.suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                replace_file(path, text)


def _records() -> Path:
    """The user's own folder. Nothing that lies among runs or in a working folder can stand in for it."""
    given, base = os.environ.get("RL_LAB_DATA"), os.environ.get("XDG_DATA_HOME")
    if given:
        return Path(given) / RECORDS
    try:
        return (Path(base) if base else Path.home() / ".local" / "share") / "rl-lab" / RECORDS
    except RuntimeError:  # there is no home
        return Path(os.devnull) / RECORDS


def _known(module: str) -> Iterator[Code]:
    """What this user has run with a module in it."""
    for path in sorted(_records().glob(f"{glob.escape(module)}-*.json")):
        with contextlib.suppress(InputError, ValueError, TypeError, AttributeError, RecursionError):
            yield {str(name): str(identity) for name, identity in json.loads(read_text(path)).items()}


def check_trusted(names: Iterable[str]) -> None:
    """Raise where names of a run's environment, agent or wrappers would run code that this user has not run.

    Of the lab's, Gymnasium's and stable-baselines3's modules only classes of environments, wrappers and agents are
    taken, no functions: called with a run's settings, some write, remove or unpickle files.

    Raises:
        InputError: the code is unknown here.
    """
    for name in names:
        module, _, attribute = name.rpartition(":")
        if not module or ":" in module:  # a registered name, or none at all
            continue
        is_known = _is_class_of_ours(module, attribute) if module.split(".")[0] in TRUSTED else _was_run(module)
        if not is_known:
            raise InputError(_refusal(name))


def _is_class_of_ours(module: str, attribute: str) -> bool:
    """Is it a class of an environment, a wrapper or an agent? (Importing these modules does nothing else.)"""
    try:
        candidate = getattr(import_module(module), attribute, None)
    except ImportError:
        return True  # who asks for it says that there is none
    if candidate is None:
        return True
    if not isinstance(candidate, type) or candidate.__module__.split(".")[0] not in TRUSTED:
        return False
    return issubclass(candidate, gym.Env | Agent) and attribute not in WRITE_FILES


def _refusal(name: str) -> str:
    return f"{name} is code that you have not run here, or that has changed since: --trust-code runs it all the same"


def _was_run(module: str) -> bool:
    """Has this user run the module as it lies there now, with the modules of one's own that it came with?"""
    if _is_loaded(module):
        return True
    parts = module.split(".")
    above = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]  # the packages are imported too
    here = {name: None if path is None else _identity_at(name, path) for name in above for path in [_source(name)]}
    for code in _known(module):
        for name in code.keys() - here.keys():
            path = _source(name)
            here[name] = None if path is None else _identity_at(name, path)
        installed = str(here[module]).startswith(VERSION)
        if all(here[name] == identity for name, identity in code.items()) and (
            installed or all(name in code or here[name] is None for name in above)
        ):
            return True
    return False


def _is_loaded(module: str) -> bool:
    """Is it a module of one's own that this process has loaded already?"""
    loaded = sys.modules.get(module)
    if loaded is None or _is_pythons_or_the_labs(module):
        return False
    path = getattr(loaded, "__file__", None)
    return module == "__main__" or (path is not None and not _is_installed(Path(path)))


def _source(name: str) -> Path | None:
    """Where a module's source lies that would be imported; found without importing the packages above it."""
    path: list[str] | None = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:length]), path)
        if spec is None:
            return None
        path = None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)
        if length < len(parts) and path is None:
            return None
    return Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None
