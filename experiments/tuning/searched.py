"""What is searched: one agent of a specification, in its environments, over a space of settings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue, ValidationError

from agents.registry import find_agent
from agents.space import Choices, Dimension, takes_fractions
from experiments.errors import InputError
from experiments.specs.spec import AgentEntry, EnvEntry, RunSpec, Spec
from experiments.specs.tuning import FIRST_SEED

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Settings = dict[str, JsonValue]


class NothingToSearchError(InputError):
    """An agent has no settings to search, or all are fixed."""


@dataclass(frozen=True)
class Searched:
    """One agent of a specification, with what is searched of its settings."""

    spec: Spec
    agent: AgentEntry  # its settings are those that stay
    space: Mapping[str, Dimension]

    @classmethod
    def of(cls, spec: Spec, agent: AgentEntry) -> "Searched":
        """What the spec asks for; where it asks for nothing, the agent's own search space.

        Raises:
            NothingToSearchError: there is nothing.
        """
        settings_class = find_agent(agent.id).Settings
        space = dict(agent.space)
        if not space:
            idle = settings_class(**agent.settings).without_effect()
            own = settings_class.search_space
            space = {name: one for name, one in own.items() if name not in agent.settings and name not in idle}
        if not space:
            example = "learning_rate = { low = 0.01, high = 0.5, log = true }"
            raise NothingToSearchError(f"agents: {agent.label}: expected something to search, such as {example}")
        return cls(spec, agent.model_copy(update={"space": {}, "name": agent.name or agent.label}), space)

    @property
    def label(self) -> str:
        """The agent's label; where a spec has others of it for other environments, with its own one, or a number."""
        same = [one.envs for one in self.spec.agents if one.label == self.agent.label]
        if len(same) == 1:
            return self.agent.label
        own = self.envs[0].label if len(self.envs) == 1 else 1 + same.index(self.agent.envs)
        return f"{self.agent.label}-{own}"

    @property
    def experiment(self) -> str:
        """The name of the experiment that the candidates' runs are of."""
        return f"{self.spec.name}-tuning"

    @property
    def envs(self) -> list[EnvEntry]:
        """The environments that a candidate is tried in."""
        names = self.agent.envs
        return [env for env in self.spec.envs if names is None or env.label in names or env.id in names]

    def distributions(self) -> dict[str, "BaseDistribution"]:
        """The space as Optuna has it; choices that are no plain values as their JSON."""
        return {name: self._distribution(name, dimension) for name, dimension in self.space.items()}

    def _distribution(self, name: str, dimension: Dimension) -> "BaseDistribution":
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if isinstance(dimension, Choices):
            return CategoricalDistribution([_plain(one) for one in dimension.choices])
        low, high, step = dimension.low, dimension.high, dimension.step
        if takes_fractions(find_agent(self.agent.id).Settings, name):
            return FloatDistribution(float(low), float(high), log=dimension.log, step=step)
        return IntDistribution(int(low), int(high), log=dimension.log, step=int(step or 1))

    def grid(self) -> dict[str, list[Any]]:
        """The values of each setting in a grid, as Optuna has them."""
        settings_class, count = find_agent(self.agent.id).Settings, self.spec.tuning.grid_points
        return {
            name: [_plain(one) for one in dimension.choices]
            if isinstance(dimension, Choices)
            else list(dimension.points(count, whole=not takes_fractions(settings_class, name)))
            for name, dimension in self.space.items()
        }

    def settings(self, params: Mapping[str, Any]) -> Settings:
        """An agent's settings, from what Optuna has chosen; what has no effect beside the others is left out."""
        chosen = dict(params)
        for name, dimension in self.space.items():
            if isinstance(dimension, Choices):
                chosen[name] = next(one for one in dimension.choices if _plain(one) == params[name])
        settings_class = find_agent(self.agent.id).Settings
        try:
            idle = settings_class(**self.agent.settings | chosen).without_effect()
        except ValidationError:  # settings that do not go together: the candidate fails when it is tried
            idle = {}
        return self.agent.settings | {name: value for name, value in chosen.items() if name not in idle}

    def candidate_label(self, number: int) -> str:
        """What a candidate's runs are called."""
        return f"{self.label}-c{number:03d}"

    def run_specs(self, number: int, settings: Settings) -> list[RunSpec]:
        """A candidate's runs: seed by seed, in every environment; seeds and episodes are tuning's own."""
        agent = AgentEntry(id=self.agent.id, name=self.candidate_label(number), settings=settings)
        return [
            RunSpec(
                experiment=self.experiment,
                env=env.labelled(),
                agent=agent.labelled(),
                seed=FIRST_SEED + seed,
                budget=self.spec.budget(env, self.agent),
                evaluation=self.spec.evaluation.model_copy(update={"purpose": "tuning"}),
                engine=self.spec.engine,
            )
            for seed in range(self.spec.tuning.seeds)
            for env in self.envs
        ]

    def identity(self) -> str:
        """All that a candidate's score depends on beside its settings, as JSON: a study is of one such thing."""
        one = self.run_specs(0, {})
        tasks = [[run.env.task(), run.budget.model_dump(), run.evaluation.model_dump(), run.seed] for run in one]
        space = {name: dimension.model_dump() for name, dimension in sorted(self.space.items())}
        values = {"agent": self.agent.id, "settings": self.agent.settings, "space": space, "runs": tasks}
        return json.dumps(values, sort_keys=True)


def _plain(value: JsonValue) -> Any:
    """A choice as Optuna takes it."""
    return value if value is None or isinstance(value, bool | int | float | str) else json.dumps(value)
