"""An experiment's specification: read from TOML, checked in full before anything is written.

Trials = environments x agents x seeds. Every rule of the schema is here, and an unknown key is an error.
"""

import hashlib
import json
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from agents.registry import AGENTS, UnknownAgentError, find_agent
from envs.registry import (
    CHECKED_BY_THEMSELVES,
    ENVIRONMENTS,
    EnvironmentVersionError,
    UnknownEnvironmentError,
    env_options,
)
from experiments.errors import InputError, explain, located, unknown

DEFAULT_STEPS = 100_000  # env steps, where a command or a spec gives no budget
NUM_CURVE_POINTS = 10  # after the one at step 0
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]*")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Budget(_Strict):
    """How long a run trains: env steps or episodes, one of the two."""

    steps: Annotated[int, Field(ge=1)] | None = None
    episodes: Annotated[int, Field(ge=1)] | None = None

    def __str__(self) -> str:
        return f"{self.steps:,} env steps" if self.steps is not None else f"{self.episodes:,} episodes"


class Evaluation(_Strict):
    """When and on which episodes an agent is judged."""

    every: Annotated[int, Field(ge=1)] | None = None  # env steps; None: ten times evenly over the budget
    episodes: int = Field(10, ge=1)  # a curve point
    final_episodes: int = Field(100, ge=1)  # the final score, on episodes that no curve has seen
    seed: int = Field(0, ge=0)  # the episodes depend on this alone


class _Entry(_Strict):
    """An environment or an agent with its settings: keys that are not the entry's own are the settings."""

    id: str
    name: str | None = None
    settings: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather_settings(cls, values: Any) -> Any:
        if not isinstance(values, dict) or isinstance(values.get("settings"), dict):
            return values
        own = {key: value for key, value in values.items() if key in cls.model_fields and key != "settings"}
        return own | {"settings": {key: value for key, value in values.items() if key not in own}}

    def changed_settings(self) -> dict[str, Any]:
        """The settings that differ from their defaults."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """The entry's name, else its id with a short digest of its non-default settings: a folder's name."""
        if self.name is not None:
            return self.name
        label = re.sub(r"[^A-Za-z0-9._=+-]", "-", self.id)
        changed = self.changed_settings()
        if changed:
            canonical = json.dumps(changed, sort_keys=True)
            label += "-" + hashlib.sha256(canonical.encode()).hexdigest()[:6]
        return label

    def labelled(self) -> Self:
        """The same entry as trials and run folders hold it: its label for a name, no setting that is a default anyhow.

        What a run is can then be read, and compared with another, without importing a class.
        """
        changed = {key: value for key, value in self.changed_settings().items() if key in self.settings}
        return self.model_copy(update={"name": self.label, "settings": changed})


class EnvEntry(_Entry):
    """An environment: `steps` or `episodes` override the experiment's, `reset_seed` begins every episode alike."""

    steps: Annotated[int, Field(ge=1)] | None = None
    episodes: Annotated[int, Field(ge=1)] | None = None
    reset_seed: Annotated[int, Field(ge=0)] | None = None

    def changed_settings(self) -> dict[str, Any]:
        """The options that differ from their defaults, and the reset seed."""
        defaults = env_options(self.id)
        changed = {key: value for key, value in self.settings.items() if value != defaults.get(key)}
        changed = {key: float(value) if type(defaults[key]) is float else value for key, value in changed.items()}
        return changed if self.reset_seed is None else changed | {"reset_seed": self.reset_seed}


class AgentEntry(_Entry):
    """An agent; `envs` limits it to the environments of these labels or ids."""

    envs: list[str] | None = None

    def changed_settings(self) -> dict[str, Any]:
        """The settings without which the agent would be another one, as they are resolved."""
        settings = find_agent(self.id).Settings
        resolved = settings(**self.settings).model_dump(mode="json")
        changed = {}
        for key in self.settings:  # left out, would it be the same? (A preset may hold another value than the default.)
            others = {name: value for name, value in self.settings.items() if name != key}
            if settings(**others).model_dump(mode="json")[key] != resolved[key]:
                changed[key] = resolved[key]
        return changed


class Trial(_Strict):
    """One run: one environment, one agent, one seed."""

    experiment: str
    env: EnvEntry
    agent: AgentEntry
    seed: int
    budget: Budget
    evaluation: Evaluation

    @model_validator(mode="after")
    def _stays_below_the_output(self) -> Self:
        for label in (self.experiment, self.env.label, self.agent.label):
            check_label("label", label)
        return self

    @property
    def folder(self) -> Path:
        """The run folder, below the output folder."""
        return Path(self.experiment) / self.env.label / self.agent.label / f"seed-{self.seed}"

    def __str__(self) -> str:
        return f"{self.env.label} / {self.agent.label} / seed {self.seed}"


def _seeds(value: Any) -> Any:
    numbers = value if isinstance(value, list) else [value]
    least = 0 if isinstance(value, list) else 1
    if not numbers or any(type(one) is not int or one < least for one in numbers) or len(set(numbers)) < len(numbers):
        expected = "a count of at least 1 or a list of different seeds of at least 0"
        raise PydanticCustomError("seeds", "Input should be {expected}", {"expected": expected})
    return value


class Spec(_Strict):
    """An experiment."""

    name: str
    description: str = ""
    seeds: Annotated[int | list[int], BeforeValidator(_seeds)] = 1  # a count (0 ... n - 1) or a list
    steps: Annotated[int, Field(ge=1)] | None = None
    episodes: Annotated[int, Field(ge=1)] | None = None
    evaluation: Evaluation = Evaluation()
    envs: list[EnvEntry] = Field(min_length=1)
    agents: list[AgentEntry] = Field(min_length=1)

    def seed_list(self) -> list[int]:
        """The seeds, one by one."""
        return list(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    def budget(self, env: EnvEntry) -> Budget:
        """The budget in an environment: its own, else the experiment's."""
        if env.steps is not None or env.episodes is not None:
            return Budget(steps=env.steps, episodes=env.episodes)
        if self.steps is None and self.episodes is None:
            return Budget(steps=DEFAULT_STEPS)
        return Budget(steps=self.steps, episodes=self.episodes)

    def trials(self) -> list[Trial]:
        """Every trial, seed by seed, so that an interrupted experiment has something of everything."""
        return [
            Trial(
                experiment=self.name,
                env=env.labelled(),
                agent=agent.labelled(),
                seed=seed,
                budget=self.budget(env),
                evaluation=self.evaluation,
            )
            for seed in self.seed_list()
            for env in self.envs
            for agent in self.agents
            if agent.envs is None or env.label in agent.envs or env.id in agent.envs
        ]


def parse_spec(values: dict[str, Any], place: str) -> Spec:
    """Check the values of a specification.

    Raises:
        InputError: with the place, what was expected and what came.
    """
    try:
        spec = Spec.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{place}: {explain(error, _known_keys(error))}") from error
    with located(place):
        _check(spec)
    return spec


def _known_keys(error: ValidationError) -> list[str]:
    """The keys that are known where the first problem is."""
    location = error.errors(include_url=False)[0]["loc"]
    models: dict[Any, type[BaseModel]] = {"evaluation": Evaluation, "envs": EnvEntry, "agents": AgentEntry}
    model = models.get(location[0], Spec) if len(location) > 1 else Spec
    return list(model.model_fields)


def _check(spec: Spec) -> None:
    check_label("name", spec.name)
    budgets = [("the experiment", spec.steps, spec.episodes)]
    budgets += [(f"envs: {env.id}", env.steps, env.episodes) for env in spec.envs]
    for place, steps, episodes in budgets:
        if steps is not None and episodes is not None:
            raise InputError(f"{place}: expected steps or episodes, came both")
    for env in spec.envs:
        check_env_entry(env)
    for agent in spec.agents:
        check_agent_entry(agent)
    labels = [env.label for env in spec.envs]
    names = {name for env in spec.envs for name in (env.id, env.label)}
    for agent in spec.agents:
        for name in agent.envs or []:
            if name not in names:
                raise InputError(f"agents: {agent.id}: envs: {unknown('environment', name, names)}")
    folders = [trial.folder for trial in spec.trials()]
    if len(set(labels)) < len(labels) or len(set(folders)) < len(folders):
        twice = next(
            label
            for label in [*labels, *(agent.label for agent in spec.agents)]
            if [*labels, *(agent.label for agent in spec.agents)].count(label) > 1
        )
        raise InputError(f'two entries have the label {twice!r}: give one of them a name of its own (name = "...")')
    if not folders:
        raise InputError("agents: no agent is left for any environment")


def check_label(key: str, label: str) -> None:
    """Raise where a label could not be a folder's name, or is a path."""
    if not LABEL.fullmatch(label):
        raise InputError(
            f"{key}: expected a plain name (letters, digits, '.', '_', '-', '+', '='), no path, came {label!r}"
        )


def check_env_entry(entry: EnvEntry) -> None:
    """Check an environment's id, label and option names; their values are checked when it is made."""
    with located("envs"):
        try:
            options = env_options(entry.id)
        except UnknownEnvironmentError as error:
            if ":" in entry.id or isinstance(error, EnvironmentVersionError):
                raise
            import gymnasium

            choices = set(ENVIRONMENTS) | set(gymnasium.registry)
            hint = unknown("environment", entry.id, choices).args[0].split(";")[0]
            raise InputError(f"{hint}; 'rl-lab list envs' shows the lab's, and every Gymnasium id works") from error
        for key in entry.settings:
            if key not in options:
                raise InputError(f"{entry.id}: {unknown('option', key, [*options, 'name', 'reset_seed'])}")
            if entry.id not in CHECKED_BY_THEMSELVES:
                _check_option_type(entry.id, key, entry.settings[key], options[key])
        if entry.name is not None:
            check_label("name", entry.name)


def _check_option_type(env_id: str, key: str, value: Any, default: Any) -> None:
    """A foreign environment checks little: "False" would pass for true. So its defaults say which types it takes."""
    kinds: list[tuple[type, tuple[type, ...], str]] = [
        (bool, (bool,), "true or false"),
        (int, (int, float), "a number"),
        (float, (int, float), "a number"),
    ]
    for kind, accepted, expected in kinds:
        if type(default) is kind and value is not None and type(value) not in accepted:
            raise InputError(f"{env_id}: {key}: expected {expected}, came {value!r}")


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
            settings_class(**entry.settings)
        except ValidationError as error:
            raise InputError(f"{entry.id}: {explain(error, settings_class.model_fields)}") from error
        if entry.name is not None:
            check_label("name", entry.name)


def suite_names() -> list[str]:
    """The names of the bundled suites."""
    folder = resources.files("experiments") / "suites"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_spec(source: str) -> Spec:
    """Read a specification: a TOML file, or the name of a bundled suite.

    Raises:
        InputError: there is no such file or suite, or it is wrong.
    """
    path = Path(source)
    if source in suite_names():
        text = (resources.files("experiments") / "suites" / f"{source}.toml").read_text(encoding="utf-8")
    elif path.suffix == ".toml" or path.exists():
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise InputError(f"{source}: cannot read the spec: {reason}") from error
    else:
        raise InputError(f"{unknown('suite', source, suite_names())}; or give a file that ends in .toml")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: broken TOML: {error}") from error
    return parse_spec(values, source)
