"""The list command."""

from pathlib import Path

from agents.registry import AGENTS, find_agent
from envs.registry import ENTRIES, ENVIRONMENTS, env_options
from experiments.errors import InputError, unknown
from experiments.loading import load_spec, suite_names
from experiments.run_folder import find_runs

KINDS = ("envs", "agents", "suites", "runs")


def print_listing(what: str, out: Path) -> None:
    """Print one list, or all of them."""
    if what and what not in KINDS:
        raise unknown("list", what, KINDS)
    for kind in [what] if what else KINDS:
        lines = {"envs": _envs, "agents": _agents, "suites": _suites}.get(kind, lambda: _runs(out))()
        if not what:
            print(f"{kind}:")
        for line in lines:
            print(line if what else f"  {line}")


def _envs() -> list[str]:
    lines = []
    width = max(map(len, ENVIRONMENTS)) + 1
    for name, description in ENVIRONMENTS.items():
        options = env_options(name)
        heading = "options"
        if ENTRIES[name].options:  # a maze of the ladder: only what makes it one
            options, heading = {key: options[key] for key in ENTRIES[name].options}, "RLLab/Maze-v0 with"
        shown = ", ".join(f"{option}={_default(default)}" for option, default in options.items())
        lines += [f"{name:<{width}} {description}", f"{'':<{width}} {heading}: {shown or 'none'}"]
    return [*lines, "Every other Gymnasium id works too, and module:Class of your own."]


def _default(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _agents() -> list[str]:
    lines = []
    for name, (_, description) in AGENTS.items():
        fields = find_agent(name).Settings.model_fields
        settings = ", ".join(f"{key}={_default(field.default)}" for key, field in fields.items())
        lines += [f"{name:<20} {description}", f"{'':<20} settings: {settings or 'none'}"]
    return [*lines, "module:Class of your own works too."]


def _suites() -> list[str]:
    return [f"{name:<20} {load_spec(name).description}" for name in suite_names()]


def _runs(out: Path) -> list[str]:
    lines = []
    for run in find_runs(out) if out.is_dir() else []:
        try:
            status = run.read_manifest()["status"]
        except InputError:
            status = "damaged"
        lines.append(f"{status:<12} {run.path}")
    return lines or [f"no runs in {out}"]
