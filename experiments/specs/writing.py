"""Writing a specification down as it was resolved, so that it runs again by itself."""

import contextlib
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.errors import InputError
from experiments.files import make_folder, read_bytes, replace_file
from experiments.specs.labels import folder_name
from experiments.specs.spec import AgentEntry, EnvEntry, Spec

FILE = "spec.toml"
LARGEST = 10_000_000  # bytes


def spec_text(spec: Spec) -> str:
    """The specification as TOML, which `rl-lab run` takes; what was not asked for is left out."""
    import tomli_w

    values = spec.model_dump(exclude_unset=True)
    for part, own in (("envs", EnvEntry.model_fields), ("agents", AgentEntry.model_fields)):
        values[part] = [_beside(entry, own) for entry in values[part]]
    return tomli_w.dumps(_known(values))


def _beside(entry: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with its settings beside its own keys, where none has the name of one of these."""
    settings: dict[str, Any] = entry.get("settings", {})
    if settings.keys() & own.keys():
        return entry
    return {key: value for key, value in entry.items() if key != "settings"} | settings


def _known(values: Any) -> Any:
    """Without what TOML cannot hold: nothing stands for nothing there."""
    if isinstance(values, dict):
        return {key: _known(value) for key, value in values.items() if value is not None}
    return [_known(value) for value in values] if isinstance(values, list) else values


def write_spec(spec: Spec, out: Path) -> Path:
    """Write a specification into its experiment's folder below `out`.

    It is called `spec.toml`; where another one is there already, `spec-2.toml`, and so on.
    """
    data = spec_text(spec).encode()
    folder = make_folder(out, folder_name(spec.name))
    for number in itertools.count(1):
        path = folder / (FILE if number == 1 else f"spec-{number}.toml")
        if not path.exists() and not path.is_symlink():
            replace_file(path, data)
            return path
        with contextlib.suppress(InputError):  # whatever is there: it stays
            if read_bytes(path, largest=LARGEST, follow=False) == data:
                return path
    raise AssertionError
