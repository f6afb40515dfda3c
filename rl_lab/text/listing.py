"""The list command."""

from pathlib import Path
from typing import get_args

from agents.registry import AGENTS, find_agent
from agents.tabular.settings import TabularSettings
from envs.registry import ENTRIES, ENVIRONMENTS, env_options
from experiments.errors import InputError, located, shown, unknown
from experiments.runs.run_folder import find_runs
from experiments.specs.loading import load_spec, suite_names

KINDS = ("envs", "agents", "suites", "runs")


def print_listing(what: str, out: Path) -> None:
    """Print one list, or all of them."""
    if what in AGENTS or ":" in what:
        print("\n".join(_agent(what)))
        return
    if what and what not in KINDS:
        raise unknown("list", what, [*KINDS, *AGENTS])
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
        shared = _shared() if issubclass(find_agent(name).Settings, TabularSettings) else {}
        own = {key: field.default for key, field in fields.items() if shared.get(key, ...) != field.default}
        settings = ", ".join(f"{key}={_default(default)}" for key, default in own.items())
        first = "those of all tabular agents" if shared else "" if own else "none"
        both = ", and " if first and own else ""
        lines += [f"{name:<23} {description}", f"{'':<23} settings: {first}{both}{settings}"]
    common = ", ".join(f"{key}={_default(default)}" for key, default in _shared().items())
    lines += [f"Settings of all tabular agents: {common}"]
    return [*lines, "'rl-lab list NAME' explains an agent's settings; module:Class of your own works too."]


def _shared() -> dict[str, object]:
    return {key: field.default for key, field in TabularSettings.model_fields.items()}


def _agent(name: str) -> list[str]:
    """Every setting of an agent: its default, what it may be, and what it means."""
    with located(f"agents: {name}"):
        settings = find_agent(name).Settings
    lines = [f"{name}: {AGENTS[name][1]}" if name in AGENTS else name]
    for key, field in settings.model_fields.items():
        lines.append(f"  {key} = {_default(field.default)}")
        limits = ", ".join(_limit(limit) for limit in field.metadata if _limit(limit))
        choices = [repr(choice) for choice in get_args(field.annotation) if isinstance(choice, str)]
        allowed = f" [{' | '.join(choices) or limits}]" if choices or limits else ""
        lines.append(f"      {field.description or 'see its documentation'}{allowed}")
    return lines


def _limit(limit: object) -> str:
    """Such as ">= 0"."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    return next((f"{sign} {getattr(limit, name)}" for name, sign in signs.items() if hasattr(limit, name)), "")


def _suites() -> list[str]:
    return [f"{name:<20} {load_spec(name).description}" for name in suite_names()]


def _runs(out: Path) -> list[str]:
    lines = []
    for run in find_runs(out) if out.is_dir() else []:
        try:
            status: str = run.read_manifest().status
        except InputError:
            status = "damaged"
        lines.append(f"{status:<12} {shown(str(run.path))}")
    return lines or [f"no runs in {out}"]
