"""An experiment's specification: its schema, and the runs that it means.

Runs = environments x agents x seeds. Reading one, and checking the names in it: `experiments.specs.loading`.
"""

import hashlib
import itertools
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from agents.base import Engine
from agents.registry import find_agent
from agents.space import Dimension, is_dimension
from envs.registry import env_options, plain
from experiments.specs.expansion import checked_seeds, expanded
from experiments.specs.figure import Figure
from experiments.specs.labels import check_label, folder_name
from experiments.specs.tuning import Tuning

DEFAULT_STEPS = 100_000  # env steps, where a command or a spec gives no budget
MOST_EPISODES = 1_000_000  # of an evaluation
MOST_UNITS = 10**15  # env steps or episodes of a budget
LARGEST_END = 1e100  # of a scale: what is between its ends stays finite
NUM_CURVE_POINTS = 10  # after the one at step 0


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Budget(_Strict):
    """How long a run trains: env steps or episodes, one of the two."""

    steps: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None
    episodes: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None

    def covers(self, other: "Budget") -> bool:
        """Is it as long as another of the same unit, or longer?"""
        if other.steps is not None:
            return (self.steps or 0) >= other.steps
        return (self.episodes or 0) >= (other.episodes or 0)

    def __str__(self) -> str:
        number, unit = (self.steps, "env step") if self.steps is not None else (self.episodes, "episode")
        return f"{number:,} {unit}{'' if number == 1 else 's'}"


class Evaluation(_Strict):
    """When and on which episodes an agent is judged."""

    every: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None  # env steps; None: ten times evenly over the budget
    episodes: int = Field(10, ge=1, le=MOST_EPISODES)  # a curve point
    final_episodes: int = Field(100, ge=1, le=MOST_EPISODES)  # the final score, on episodes that no curve has seen
    seed: int = Field(0, ge=0)  # the episodes depend on this alone
    purpose: Literal["comparison", "tuning"] = "comparison"  # and on this: they share none


class _Entry(_Strict):
    """An environment or an agent with its settings: keys that are not the entry's own are the settings."""

    id: str
    name: str | None = None
    settings: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather_settings(cls, values: Any) -> Any:
        """Keys that are not the entry's own are settings; one that has the name of such a key stands in `settings`."""
        if not isinstance(values, dict):
            return values
        own = {key: value for key, value in values.items() if key in cls.model_fields and key != "settings"}
        beside = {key: value for key, value in values.items() if key not in own}
        if "settings" in values and not isinstance(values["settings"], dict):
            return own | {"settings": values["settings"]}  # pydantic says what was expected
        if "settings" in values:
            within = beside.pop("settings")
            if twice := sorted(beside.keys() & within.keys()):
                expected = f"{twice[0]} in it or beside it"
                raise PydanticCustomError("twice", "settings: Input should be {expected}", {"expected": expected})
            beside |= within
        return own | {"settings": beside}

    def changed_settings(self) -> dict[str, JsonValue]:
        """The settings that differ from their defaults."""
        raise NotImplementedError

    def changed(self) -> dict[str, JsonValue]:
        """All in which the entry differs from what its id alone stands for."""
        return self.changed_settings()

    @property
    def label(self) -> str:
        """The entry's name, else its id with a short digest of its non-default settings: a folder's name."""
        if self.name is not None:
            return self.name
        label = re.sub(r"[^\w.=+-]", "-", self.id)
        changed = self.changed()
        if changed:
            canonical = json.dumps(changed, sort_keys=True)
            label += "-" + hashlib.sha256(canonical.encode()).hexdigest()[:6]
        return label

    def labelled(self) -> Self:
        """The same entry as runs and run folders hold it: its label for a name, no setting that is a default anyhow.

        What a run is can then be read, and compared with another, without importing a class.
        """
        changed = {key: value for key, value in self.changed_settings().items() if key in self.settings}
        return self.model_copy(update={"name": self.label, "settings": changed})


class WrapperEntry(_Strict):
    """A wrapper around an environment: `module:Class`, and its arguments beside the environment."""

    id: str
    settings: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather_settings(cls, values: Any) -> Any:
        if isinstance(values, str):
            return {"id": values}
        if not isinstance(values, dict) or isinstance(values.get("settings"), dict):
            return values
        return {"id": values.get("id"), "settings": {key: value for key, value in values.items() if key != "id"}}


class GivenScale(_Strict):
    """The scale of an environment's scores as the user knows it: at the floor a score is 0, at the ceiling 1.

    An end that is not given is found elsewhere: the floor is measured, the ceiling is what the environment tells of.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    floor: float | None = None
    ceiling: float | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if any(abs(end or 0.0) > LARGEST_END for end in (self.floor, self.ceiling)):
            raise PydanticCustomError("scale", "Input should be ends between -1e100 and 1e100")
        if self.floor == self.ceiling:
            wanted = "a floor, a ceiling or both" if self.floor is None else "two different ends"
            raise PydanticCustomError("scale", "Input should be {wanted}", {"wanted": wanted})
        return self


class EnvEntry(_Entry):
    """An environment: `steps` or `episodes` override the experiment's, `reset_seed` begins every episode alike.

    `wrappers` are put around it, the first one innermost; `evaluation` are options that are others where agents are
    judged, such as the other side of a split; `scale` is how its scores are read, and no part of the task.
    """

    steps: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None
    episodes: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None
    reset_seed: Annotated[int, Field(ge=0)] | None = None
    max_episode_steps: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None
    wrappers: list[WrapperEntry] = []
    evaluation: dict[str, Any] = {}
    scale: GivenScale | None = None

    def changed_settings(self) -> dict[str, JsonValue]:
        """The options that differ from their defaults."""
        defaults = env_options(self.id)
        changed = {key: plain(value) for key, value in self.settings.items()}
        changed = {key: value for key, value in changed.items() if value != plain(defaults.get(key))}
        return {
            key: float(value) if type(defaults.get(key)) is float and isinstance(value, int) else value
            for key, value in changed.items()
        }

    def changed(self) -> dict[str, JsonValue]:
        """The options that differ, the reset seed, the limit and the wrappers."""
        others = {key: value for key, value in self.task().items() if key not in ("id", "settings")}
        return self.changed_settings() | {key: value for key, value in others.items() if value is not None}

    def task(self) -> dict[str, JsonValue]:
        """What must be the same in runs that are compared: id, options, reset seed, limit and wrappers where given."""
        task: dict[str, JsonValue] = {"id": self.id, "settings": self.settings, "reset_seed": self.reset_seed}
        if self.max_episode_steps is not None:
            task["max_episode_steps"] = self.max_episode_steps
        if self.wrappers:
            task["wrappers"] = [wrapper.model_dump() for wrapper in self.wrappers]
        if self.evaluation:
            task["evaluation"] = self.evaluation
        return task


class AgentEntry(_Entry):
    """An agent: `steps` or `episodes`, and `seeds`, override the experiment's and the environment's.

    `envs` limits it to the environments of these labels or ids. `space` are settings that `rl-lab tune` searches: in a
    spec, those that have a range or choices in place of a value.
    """

    envs: list[str] | None = None
    space: dict[str, Dimension] = {}
    steps: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None
    episodes: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None
    seeds: Annotated[int | list[int], BeforeValidator(checked_seeds)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _gather_space(cls, values: Any) -> Any:
        """Ranges and choices that stand in place of a setting's value are the space."""
        if not isinstance(values, dict) or not isinstance(values.get("space", {}), dict):
            return values
        beside = {key: value for key, value in values.items() if key not in cls.model_fields and is_dimension(value)}
        if not beside:
            return values
        return {key: value for key, value in values.items() if key not in beside} | {
            "space": values.get("space", {}) | beside
        }

    def changed_settings(self) -> dict[str, JsonValue]:
        """The settings without which the agent would be another one, as they are resolved."""
        settings = find_agent(self.id).Settings
        resolved = settings(**self.settings).model_dump(mode="json")
        changed = {}
        for key in self.settings:  # left out, would it be the same? (A preset may hold another value than the default.)
            others = {name: value for name, value in self.settings.items() if name != key}
            if settings(**others).model_dump(mode="json")[key] != resolved[key]:
                changed[key] = resolved[key]
        return changed

    def labelled(self) -> Self:
        """As every entry's; budget and seeds are the run's then."""
        return super().labelled().model_copy(update={"steps": None, "episodes": None, "seeds": None, "space": {}})


class RunSpec(_Strict):
    """One run: one environment, one agent, one seed."""

    experiment: str
    env: EnvEntry
    agent: AgentEntry
    seed: int
    budget: Budget
    evaluation: Evaluation
    engine: Engine = "auto"  # changes no result
    tensorboard: bool = False  # write event files too
    observers: list[str] = []  # of the user's own, `module:Class`; they change no result

    @model_validator(mode="after")
    def _stays_below_the_output(self) -> Self:
        for label in (self.experiment, self.env.label, self.agent.label):
            check_label("label", label)
        return self

    @property
    def folder(self) -> Path:
        """The run folder, below the output folder."""
        names = (folder_name(label) for label in (self.experiment, self.env.label, self.agent.label))
        return Path(*names) / f"seed-{self.seed}"

    def __str__(self) -> str:
        return f"{self.env.label} / {self.agent.label} / seed {self.seed}"


class Spec(_Strict):
    """An experiment."""

    name: str
    description: str = ""
    seeds: Annotated[int | list[int], BeforeValidator(checked_seeds)] = 1  # a count (0 ... n - 1) or a list
    steps: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None
    episodes: Annotated[int, Field(ge=1, le=MOST_UNITS)] | None = None
    evaluation: Evaluation = Evaluation()
    engine: Engine = "auto"
    tensorboard: bool = False
    observers: list[str] = []
    envs: list[EnvEntry] = Field(min_length=1)
    agents: Annotated[list[AgentEntry], BeforeValidator(expanded)] = Field(min_length=1)
    figure: Figure | None = None  # instead of learning curves
    tuning: Tuning = Tuning()  # how `rl-lab tune` searches

    def seeds_of(self, agent: AgentEntry) -> list[int]:
        """An agent's seeds, one by one: its own, else the experiment's."""
        seeds = self.seeds if agent.seeds is None else agent.seeds
        return list(range(seeds)) if isinstance(seeds, int) else seeds

    def budget(self, env: EnvEntry, agent: AgentEntry) -> Budget:
        """The budget of an agent in an environment: its own, else the environment's, else the experiment's."""
        for entry in (agent, env, self):
            if entry.steps is not None or entry.episodes is not None:
                return Budget(steps=entry.steps, episodes=entry.episodes)
        return Budget(steps=DEFAULT_STEPS)

    def run_specs(self) -> list[RunSpec]:
        """Every run, seed by seed, so that an interrupted experiment has something of everything."""
        seeds = {agent.label: self.seeds_of(agent) for agent in self.agents}
        return [
            RunSpec(
                experiment=self.name,
                env=env.labelled(),
                agent=agent.labelled(),
                seed=seed,
                budget=self.budget(env, agent),
                evaluation=self.evaluation,
                engine=self.engine,
                tensorboard=self.tensorboard,
                observers=self.observers,
            )
            for seed in dict.fromkeys(itertools.chain(*seeds.values()))
            for env in self.envs
            for agent in self.agents
            if seed in seeds[agent.label] and (agent.envs is None or env.label in agent.envs or env.id in agent.envs)
        ]
