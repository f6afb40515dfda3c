"""Reading a specification and checking it in full, before anything is written."""

import math
import re
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from agents.base import Engine, Settings
from agents.registry import AGENTS, UnknownAgentError, find_agent
from agents.space import Choices, Range, is_dimension, takes_fractions
from envs.registry import (
    CHECKED_BY_THEMSELVES,
    ENVIRONMENTS,
    EnvironmentVersionError,
    UnknownEnvironmentError,
    env_options,
    find_options,
    find_wrapper,
)
from experiments.errors import InputError, explain, located, unknown
from experiments.files import read_text
from experiments.specs.expansion import MOST_RUNS
from experiments.specs.figure import Figure
from experiments.specs.labels import check_label
from experiments.specs.spec import AgentEntry, EnvEntry, Evaluation, GivenScale, Spec, WrapperEntry
from experiments.specs.tuning import Tuning


def parse_spec(values: dict[str, Any], place: str, *, searched: bool = False) -> Spec:
    """Check the values of a specification; only one that is to be searched may have ranges in place of values.

    Raises:
        InputError: with the place, what was expected and what came.
    """
    try:
        spec = Spec.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{place}: {explain(error, _known_keys(error))}") from error
    with located(place):
        _check(spec)
        for agent in spec.agents if not searched else ():
            for name in agent.space:
                raise InputError(f"agents: {agent.id}: {name}: expected a value, got a range (for rl-lab tune)")
    return spec


def _known_keys(error: ValidationError) -> list[str]:
    """The keys that are known where the first problem is."""
    location = error.errors(include_url=False)[0]["loc"]
    models: dict[Any, type[BaseModel]] = {
        "figure": Figure,
        "evaluation": Evaluation,
        "tuning": Tuning,
        "envs": EnvEntry,
        "agents": AgentEntry,
    }
    model = models.get(location[0], Spec) if len(location) > 1 else Spec
    if location[0] == "envs" and len(location) > 3:
        parts: dict[str, type[BaseModel]] = {"scale": GivenScale, "wrappers": WrapperEntry}
        model = parts.get(str(location[2]), model)
    if location[0] == "agents" and "space" in location:
        model = Choices if "choices" in location else Range
    return list(model.model_fields)


def _check(spec: Spec) -> None:
    check_label("name", spec.name)
    counts = [spec.seeds if agent.seeds is None else agent.seeds for agent in spec.agents]
    if sum(count if isinstance(count, int) else len(count) for count in counts) * len(spec.envs) > MOST_RUNS:
        raise InputError(f"expected at most {MOST_RUNS:,} trials (environments x agents x seeds), got more")
    budgets = [("the experiment", spec.steps, spec.episodes)]
    budgets += [(f"envs: {env.id}", env.steps, env.episodes) for env in spec.envs]
    budgets += [(f"agents: {agent.id}", agent.steps, agent.episodes) for agent in spec.agents]
    for place, steps, episodes in budgets:
        if steps is not None and episodes is not None:
            raise InputError(f"{place}: expected steps or episodes, got both")
    for env in spec.envs:
        check_env_entry(env)
        for name, default in env_options(env.id).items():
            if isinstance(default, int | float) and is_dimension(env.settings.get(name)):
                raise InputError(f"envs: {env.label}: {name}: expected a value, got a range, as agents' settings have")
    for agent in spec.agents:
        check_agent_entry(agent)
    if spec.figure is not None:
        _check_figure(spec.figure, spec.agents)
    labels = [env.label for env in spec.envs]
    names = {name for env in spec.envs for name in (env.id, env.label)}
    for agent in spec.agents:
        for name in agent.envs or []:
            if name not in names:
                raise InputError(f"agents: {agent.id}: envs: {unknown('environment', name, names)}")
    folders = [run_spec.folder for run_spec in spec.run_specs()]
    if len(set(labels)) < len(labels) or len(set(folders)) < len(folders):
        twice = next(
            label
            for label in [*labels, *(agent.label for agent in spec.agents)]
            if [*labels, *(agent.label for agent in spec.agents)].count(label) > 1
        )
        raise InputError(f'two entries have the label {twice!r}: give one of them a name of its own (name = "...")')
    if not folders:
        raise InputError("agents: no agent is left for any environment")


def _check_figure(figure: Figure, agents: Sequence[AgentEntry]) -> None:
    """Its settings are settings of every agent; whether its column is there is known when a run has ended."""
    _check_formulas(figure)
    if figure.x in ("episode", "env_step"):
        if figure.lines is not None:
            raise InputError(f"figure: lines: expected none where x is {figure.x!r} (a line for each agent)")
        return
    for agent in agents:
        settings = find_agent(agent.id).Settings.model_fields
        for key, name in (("x", figure.x), ("lines", figure.lines)):
            if name is not None and name not in settings:
                raise InputError(f"figure: {key}: {unknown('setting', name, ['episode', 'env_step', *settings])}")
        if type(settings[figure.x].default) not in (int, float):
            raise InputError(f"figure: x: expected a setting that is a number, got {figure.x}")


def _check_formulas(figure: Figure) -> None:
    """Raise where a text has a formula between dollar signs that cannot be set."""
    texts = {"title": figure.title, "xlabel": figure.xlabel, "ylabel": figure.ylabel, "symbol": figure.symbol}
    texts |= {f"marks.{label}": label for label in (*figure.marks, *figure.marks_x)}
    for key, text in texts.items():
        if text is not None and "$" in text:
            from matplotlib.mathtext import MathTextParser

            try:
                MathTextParser("path").parse(text)
            except ValueError as error:
                reason = " ".join(str(error).split())
                raise InputError(f"figure: {key}: expected a formula between $ signs, got {text!r}: {reason}") from None


def check_engine(engine: str) -> str:
    """Raise where there is no such engine.

    Raises:
        InputError: the name is unknown.
    """
    if engine not in get_args(Engine):
        raise unknown("engine", engine, get_args(Engine))
    return engine


def check_env_entry(entry: EnvEntry) -> None:
    """Check an environment's id, label and option names; their values are checked when it is made."""
    with located("envs"):
        try:
            options, are_all = find_options(entry.id)
        except UnknownEnvironmentError as error:
            if ":" in entry.id or isinstance(error, EnvironmentVersionError):
                raise
            import gymnasium

            if entry.id in AGENTS:
                raise InputError(f"{entry.id!r} is an agent: expected an environment first, then the agent") from error
            if Path(f"{entry.id}.py").is_file():
                raise InputError(f"{entry.id}.py is here: expected its class too, {entry.id}:Class") from error
            choices = set(ENVIRONMENTS) | set(gymnasium.registry)
            hint = unknown("environment", entry.id, choices).args[0].split(";")[0]
            raise InputError(f"{hint}; 'rl-lab list envs' shows the lab's, and every Gymnasium id works") from error
        for key, value in [*entry.settings.items(), *entry.evaluation.items()]:
            if key not in options and are_all:
                own = set(EnvEntry.model_fields) - {"id", "settings"}
                raise InputError(f"{entry.id}: {unknown('option', key, [*options, *own])}")
            if entry.id not in CHECKED_BY_THEMSELVES:
                _check_option_type(entry.id, key, value, options.get(key))
        for settings in (entry.settings, entry.evaluation, *(wrapper.settings for wrapper in entry.wrappers)):
            for key, value in settings.items():
                if not _is_finite(value):
                    raise InputError(
                        f"{entry.id}: {key}: expected finite numbers, which a run's record can hold, got {value!r}"
                    )
        for wrapper in entry.wrappers:
            with located(f"{entry.id}: wrappers"):
                find_wrapper(wrapper.id)
        if entry.name is not None:
            check_label("name", entry.name)


def _is_finite(value: Any) -> bool:
    """Has a value, however deep, no number that is infinite or nan?"""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return all(map(_is_finite, value)) if isinstance(value, list | tuple) else True


def _check_option_type(env_id: str, key: str, value: Any, default: Any) -> None:
    """A foreign environment checks little: "False" would pass for true. So its defaults say which types it takes."""
    kinds: list[tuple[type, tuple[type, ...], str]] = [
        (bool, (bool,), "true or false"),
        (int, (int, float), "a number"),
        (float, (int, float), "a number"),
    ]
    for kind, accepted, expected in kinds:
        if type(default) is kind and value is not None and type(value) not in accepted:
            raise InputError(f"{env_id}: {key}: expected {expected}, got {value!r}")


def check_agent_entry(entry: AgentEntry) -> None:
    """Check an agent's id, label and settings."""
    with located("agents"):
        try:
            settings_class = find_agent(entry.id).Settings
        except UnknownAgentError as error:
            if ":" in entry.id:
                raise
            raise unknown("agent", entry.id, AGENTS) from error
        try:
            idle = settings_class(**entry.settings).without_effect()
            _check_space(entry, settings_class)
        except ValidationError as error:
            own = set(AgentEntry.model_fields) - {"id", "settings"}
            raise InputError(f"{entry.id}: {explain(error, [*settings_class.model_fields, *own])}") from error
        for name in entry.settings:
            if name in idle:
                raise InputError(f"{entry.id}: {name} has no effect: {idle[name]}; leave it out, or change that")
        if entry.name is not None:
            check_label("name", entry.name)


def _check_space(entry: AgentEntry, settings_class: type[Settings]) -> None:
    """Check that the settings take what is searched: the ends of ranges, and every choice."""
    for name, dimension in entry.space.items():
        if name in entry.settings:
            raise InputError(f"{entry.id}: {name}: expected a value or a range, got both")
        if name not in settings_class.model_fields:
            raise InputError(f"{entry.id}: {unknown('setting', name, settings_class.model_fields)}")
        for value in dimension.ends():
            fraction = isinstance(dimension, Range) and takes_fractions(settings_class, name)
            if isinstance(dimension, Range) and not fraction and type(dimension.step or 1) is not int:
                raise InputError(f"{entry.id}: {name}: expected a whole step, got {dimension.step}")
            settings_class(**{**entry.settings, name: float(value) if fraction else value})  # type: ignore[arg-type]


LARGEST_SPEC = 10_000_000  # bytes


def suite_names() -> list[str]:
    """The names of the bundled suites."""
    folder = resources.files("experiments.specs") / "suites"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_spec(source: str, *, searched: bool = False) -> Spec:
    """Read a specification: a TOML file, or the name of a bundled suite. Is it to be searched for settings?

    Raises:
        InputError: there is no such file or suite, or it is wrong.
    """
    path = Path(source)
    if source in suite_names():
        text = (resources.files("experiments.specs") / "suites" / f"{source}.toml").read_text(encoding="utf-8")
    elif path.is_dir() and (path / "spec.toml").is_file():
        raise InputError(f"{source}: expected a spec, got a folder (did you mean {path / 'spec.toml'}?)")
    elif path.suffix == ".toml" or path.exists():
        text = read_text(path, largest=LARGEST_SPEC, wrong="cannot read the spec")
    else:
        raise InputError(f"{unknown('suite', source, suite_names())}; or give a file that ends in .toml")
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # such as brackets within brackets, or a number of 5,000 digits
        raise InputError(f"{source}: broken TOML: {error}{_comma_hint(text, error)}") from error
    return parse_spec(values, source, searched=searched)


def _comma_hint(text: str, error: BaseException) -> str:
    """Where TOML breaks at a comma in a number: numbers have a decimal point there."""
    found = re.search(r"at line (\d+)", str(error))
    lines = text.splitlines()
    line = lines[int(found[1]) - 1] if found and int(found[1]) <= len(lines) else ""
    number = re.search(r"=\s*(-?\d+,\d+)\s*(#.*)?$", line)
    return f" (with a decimal point: {number[1].replace(',', '.')}?)" if number else ""
