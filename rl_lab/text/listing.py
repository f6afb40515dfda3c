"""The list command."""

import importlib
import inspect
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from agents.registry import AGENTS, find_agent
from envs.registry import ENTRIES, ENVIRONMENTS, env_options
from experiments.errors import InputError, located, shown, unknown
from experiments.runs.run_folder import find_runs
from experiments.specs.loading import load_spec, suite_names

KINDS = ("envs", "agents", "suites", "runs")
WIDTH = 80  # columns that lists are wrapped at
MOST_RUNS = 10  # that the overview shows


def print_listing(what: str, out: Path) -> None:
    """Print one list, an overview of all, or what there is to know of an agent, an environment or a suite."""
    if what in KINDS:
        listed = {"envs": _envs, "agents": _agents, "suites": _suites}.get(what, lambda: _runs(out))
        lines = listed() or [f"no runs in {out}"]
    elif what in suite_names() or what.endswith(".toml"):
        lines = suite_lines(what)
    elif what in AGENTS or ":" in what:
        lines = _agent(what)
    elif what in ENVIRONMENTS:
        lines = _env(what)
    elif what:
        raise unknown("list", what, [*KINDS, *AGENTS, *ENVIRONMENTS, *suite_names()])
    else:
        lines = _overview(out)
    print("\n".join(lines))


def _overview(out: Path) -> list[str]:
    """Everything by name, on a page."""
    lines = ["envs (more of them: rl-lab list envs; of one: rl-lab list RLLab/Maze-v0)"]
    lines += _wrapped(", ".join(ENVIRONMENTS) + "; every other Gymnasium id, and module:Class of your own")
    lines += ["", "agents (more of them: rl-lab list agents; of one: rl-lab list q_learning)"]
    lines += _wrapped(", ".join(AGENTS) + "; and module:Class of your own")
    lines += ["", "suites (more of them: rl-lab list suites; of one: rl-lab list book-maze)"]
    lines += _wrapped(", ".join(suite_names()))
    runs = _runs(out)
    if not runs:
        return [*lines, "", f"runs: no runs in {out}"]
    lines += ["", f"runs: those in {out}"]
    lines += [f"  {line}" for line in runs[:MOST_RUNS]]
    return lines + [f"  and {len(runs) - MOST_RUNS} more: 'rl-lab list runs'"] * (len(runs) > MOST_RUNS)


def _wrapped(text: str, indent: str = "  ", first: str | None = None) -> list[str]:
    begin = indent if first is None else first
    return textwrap.wrap(text, WIDTH, initial_indent=begin, subsequent_indent=indent, break_on_hyphens=False)


def _named(names: Mapping[str, str]) -> list[str]:
    """A line a name, and more where its description needs them."""
    width = max(map(len, names)) + 2
    return [
        line for name, text in names.items() for line in _wrapped(shown(text), " " * width, f"{shown(name):<{width}}")
    ]


def _envs() -> list[str]:
    more = "Every other Gymnasium id works too, and module:Class of your own. 'rl-lab list ENV' shows its options."
    return [*_named(ENVIRONMENTS), *_wrapped(more, "")]


def _env(env_id: str) -> list[str]:
    """An environment's options and their defaults."""
    lines = _wrapped(f"{env_id}: {ENVIRONMENTS[env_id]}", "  ", "")
    options = env_options(env_id)
    own = ENTRIES[env_id].options  # a maze of the ladder: what makes it one
    if own:
        lines += _wrapped(f"RLLab/Maze-v0 with: {_options(own)}")
    documented = _documented(env_id)
    if documented:
        return lines + documented
    others = {key: value for key, value in options.items() if key not in own}
    return lines + _wrapped(f"options: {_options(others) or 'none'}")


def _documented(env_id: str) -> list[str]:
    """The arguments as the class of an environment explains them, where it has a section of them; by its datasheet."""
    entry = ENTRIES[env_id].entry_point
    if entry is None:
        return []
    module, _, name = entry.partition(":")
    text = inspect.cleandoc(getattr(importlib.import_module(module), name).__doc__ or "")
    section = re.search(r"## Arguments\n(.*?)(\n## |\Z)", text, re.DOTALL)
    items = re.split(r"^- ", section[1], flags=re.MULTILINE)[1:] if section else []
    return [line for item in items for line in _wrapped(" ".join(item.split()).replace("`", ""), "      ", "  ")]


def _options(options: Mapping[str, object]) -> str:
    return ", ".join(f"{option}={_default(default)}" for option, default in options.items())


def _default(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_default, value))}]"
    if isinstance(value, float):
        return f"{value:.6g}" if value % 1 else str(value)
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _agents() -> list[str]:
    more = "module:Class of your own works too. 'rl-lab list NAME' explains an agent's settings."
    return [*_named({name: description for name, (_, description) in AGENTS.items()}), *_wrapped(more, "")]


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
        lines += _wrapped(f"{field.description or 'see its documentation'}{allowed}", "      ")
    for preset, values in settings.presets.items():
        lines.append(f"preset = {preset!r} is")
        lines += _wrapped(", ".join(f"{key} = {_default(value)}" for key, value in values.items()))
    return lines


def _limit(limit: object) -> str:
    """Such as ">= 0"."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    return next((f"{sign} {getattr(limit, name)}" for name, sign in signs.items() if hasattr(limit, name)), "")


def _suites() -> list[str]:
    width = max(map(len, suite_names())) + 2
    described = {name: load_spec(name).description for name in suite_names()}
    return [
        f"{name:<{width}}{textwrap.shorten(text, WIDTH - width, placeholder=' ...')}"
        for name, text in described.items()
    ]


def suite_lines(source: str) -> list[str]:
    """What is in a suite, or a specification of one's own: its runs, its environments, its agents with settings."""
    spec = load_spec(source)
    run_specs = spec.run_specs()
    lines = _wrapped(f"{shown(spec.name)}: {shown(spec.description)}".removesuffix(": "), "  ", "")
    budgets = list(dict.fromkeys(str(run_spec.budget) for run_spec in run_specs))
    counts = sorted({len(spec.seeds_of(agent)) for agent in spec.agents})
    seeds = f"{' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))} seed{'s' * (counts[-1] > 1)}"
    each = " or ".join(budgets) if len(budgets) < 4 else "the budgets below"
    what = f"{len(run_specs)} runs with {seeds}, each of {each}"
    count = spec.evaluation.final_episodes
    episodes = f"{count} final episode{'s' * (count > 1)} (evaluation seed {spec.evaluation.seed})"
    lines += _wrapped(f"{what}; judged on {episodes}")
    lines += ["environments"]
    for env in spec.envs:
        lines += _entry(env.label, env.id, {**env.changed(), "scale": env.scale and env.scale.model_dump()}, "")
    lines += ["agents"]
    for agent in spec.agents:
        own = [] if agent.envs is None else [f"in {', '.join(agent.envs)}"]
        if agent.steps is not None or agent.episodes is not None:
            own.append(f"for {spec.budget(spec.envs[0], agent)}")
        if agent.seeds is not None:
            own.append(f"of {len(spec.seeds_of(agent))} seeds")
        lines += _entry(agent.label, agent.id, agent.changed_settings(), "".join(f" {one}" for one in own))
    lines += ["commands", f"  rl-lab run {source}"]
    settings = (one for agent in spec.agents for one in agent.changed_settings().items())
    setting = next((key for key, value in settings if isinstance(value, float)), None)
    return lines + ([f"  rl-lab run {source} --change {setting}=..."] if setting else [])


def _entry(label: str, entry_id: str, settings: Mapping[str, object], limited: str) -> list[str]:
    given = {key: value for key, value in settings.items() if value is not None}
    name = label if label == entry_id else f"{label}: {entry_id}"
    text = f"{name}{limited}" + (f" with {_options(given)}" if given else "")
    return _wrapped(shown(text), "      ", "  ")


def _runs(out: Path) -> list[str]:
    lines = []
    for run in find_runs(out) if out.is_dir() else []:
        try:
            status: str = run.read_manifest().status
        except InputError:
            status = "damaged"
        lines.append(f"{status:<12} {shown(str(run.path))}")
    return lines
