"""The settings of the tabular agents: each default, range and meaning."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from agents.base import Settings
from agents.space import Choices, Dimension, Range
from agents.tabular.memory import (
    ACCUMULATING,
    BOLTZMANN,
    CONSTANT,
    DUTCH,
    EPSILON_GREEDY,
    EXPONENTIAL,
    LINEAR,
    POLYNOMIAL,
    REPLACING,
    UCB,
    VISITS,
    Parameters,
)
from agents.tabular.mirror import Mirror
from agents.tabular.presets import LANDER_TABLE, LANDER_TILES

SPACE: dict[str, Dimension] = {  # of every tabular agent
    "learning_rate": Range(low=0.02, high=1.0, log=True),
    "epsilon_decay": Choices(choices=[0.9, 0.95, 0.98, 0.99, 0.995, 0.998]),
    "epsilon_min": Choices(choices=[0.0, 0.01, 0.05, 0.1]),
    "initial_values": Choices(choices=["zero", "random"]),
}
InitialValues = Literal["zero", "random"] | float
SCHEDULES = {"constant": CONSTANT, "linear": LINEAR, "exponential": EXPONENTIAL, "visits": VISITS}
LEARNING_RATES = {"constant": CONSTANT, "linear": LINEAR, "visits": VISITS, "polynomial": POLYNOMIAL}
EXPLORATIONS = {"epsilon_greedy": EPSILON_GREEDY, "boltzmann": BOLTZMANN, "ucb": UCB}
TRACES = {"accumulating": ACCUMULATING, "replacing": REPLACING, "dutch": DUTCH}


class TabularSettings(Settings):
    """Settings of every tabular agent."""

    search_space: ClassVar[Mapping[str, Dimension]] = SPACE

    learning_rate: float = Field(0.1, ge=0, le=1, description="share of the error that an update takes; the book's")
    learning_rate_schedule: Literal["constant", "linear", "visits", "polynomial"] = Field(
        "constant",
        description="'linear' goes to learning_rate_min over learning_rate_decay_steps, 'visits' is 1 / N(s, a), "
        "'polynomial' 1 / N(s, a) ** learning_rate_power",
    )
    learning_rate_min: float = Field(0.0, ge=0, le=1, description="where 'linear' ends")
    learning_rate_decay_steps: int = Field(100_000, ge=1, description="length of 'linear', in env steps")
    learning_rate_power: float = Field(
        0.8, gt=0.5, le=1, description="of 'polynomial'; Even-Dar & Mansour 2003 advise about 0.8"
    )
    discount: float = Field(0.99, ge=0, le=1, description="weight of the next step's value; the book's")
    exploration: Literal["epsilon_greedy", "boltzmann", "ucb"] = Field(
        "epsilon_greedy",
        description="'boltzmann' draws in proportion to exp(Q / temperature), 'ucb' takes the highest upper bound",
    )
    epsilon: float = Field(1.0, ge=0, le=1, description="probability of a random action at the start; the book's")
    epsilon_schedule: Literal["exponential", "linear", "constant", "visits"] = Field(
        "exponential",
        description="'exponential' multiplies by epsilon_decay after every episode, 'linear' goes to epsilon_min over "
        "epsilon_decay_steps, 'visits' is epsilon / N(s), 'constant' stays",
    )
    epsilon_decay: float = Field(0.995, gt=0, le=1, description="factor of 'exponential'; the book's")
    epsilon_min: float = Field(0.01, ge=0, le=1, description="where the decay ends; the book's")
    epsilon_decay_steps: int = Field(10_000, ge=1, description="length of 'linear', in env steps (or episodes)")
    temperature: float = Field(1.0, gt=0, description="of 'boltzmann' at the start, in the unit of the return")
    temperature_schedule: Literal["exponential", "linear", "constant"] = Field(
        "constant", description="as epsilon's, with the three settings below"
    )
    temperature_decay: float = Field(0.995, gt=0, le=1, description="factor of 'exponential'")
    temperature_min: float = Field(0.01, gt=0, description="where the decay ends")
    temperature_decay_steps: int = Field(10_000, ge=1, description="length of 'linear', in env steps (or episodes)")
    decay_every: Literal["step", "episode"] | None = Field(
        None, description="when a schedule moves; without it 'linear' at every step, 'exponential' after every episode"
    )
    decay_share: float | None = Field(
        None, gt=0, le=1, description="of the run's env steps, over which 'linear' schedules go instead of decay_steps"
    )
    confidence: float = Field(2.0, ge=0, description="c of 'ucb': Q + c * sqrt(ln N(s) / N(s, a)); the textbook's")
    count_bonus: float = Field(
        0.0, ge=0, description="added to every reward, times 1 / sqrt(N(s, a)): curiosity (Strehl & Littman 2008)"
    )
    initial_values: InitialValues = Field(
        "zero", description="of a state not met yet: 'zero', 'random' in [0, 1), or a number (optimistic when high)"
    )
    table: Literal["auto", "dense", "sparse"] = Field(
        "auto", description="'dense' has a row for every state, 'sparse' for those met; 'auto' is dense when small"
    )
    bins: Literal["uniform", "quantile"] = Field(
        "uniform", description="where the edges of Box observations lie: evenly, or where random play is found"
    )
    edges: Annotated[list[float] | list[list[float]] | None, Field(union_mode="left_to_right")] = Field(
        None, description="bin edges of Box observations: one list for all dimensions, or one list for each"
    )
    num_edges: int = Field(
        10, ge=1, le=10_000, description="where edges are not given: evenly between the bounds, or between -1 and 1"
    )

    mirror: Mirror | None = Field(
        None, description="of Box observations: what changes in a mirror; a state and its image share a row"
    )

    @model_validator(mode="after")
    def _edges_or_quantiles(self) -> Self:
        if self.edges is not None and self.bins == "quantile":
            raise ValueError("bins: expected 'uniform' where edges are given, got 'quantile'")
        return self

    @model_validator(mode="after")
    def _shares_are_of_steps(self) -> Self:
        if self.decay_share is not None and self.decay_every == "episode":
            raise ValueError("decay_share: expected schedules that move at every step, got decay_every = 'episode'")
        return self

    @property
    def fades_linearly(self) -> bool:
        """Does the rate of exploration go down in a straight line?"""
        kind = {"epsilon_greedy": self.epsilon_schedule, "boltzmann": self.temperature_schedule}
        return kind.get(self.exploration) == "linear"

    def without_effect(self) -> dict[str, str]:
        """What the other settings leave without effect, and why."""
        kinds = {"epsilon": "epsilon_greedy", "temperature": "boltzmann"}
        rules: list[tuple[bool, str, str]] = []  # whether it has an effect, which setting, and why it has none
        for name, kind in kinds.items():
            schedule = getattr(self, f"{name}_schedule")
            of_it = ("", "_schedule", "_decay", "_min", "_decay_steps")
            rules += [
                (self.exploration == kind, name + one, f"exploration is {self.exploration!r}, not {kind!r}")
                for one in of_it
            ]
            why = f"{name}_schedule is {schedule!r}"
            rules.append((schedule == "exponential", f"{name}_decay", f"{why}, not 'exponential'"))
            rules.append((schedule == "linear", f"{name}_decay_steps", f"{why}, not 'linear'"))
            rules.append((schedule != "constant", f"{name}_min", why))
            if self.exploration == kind:
                rules.append((schedule in ("linear", "exponential"), "decay_every", why))
        ucb = self.exploration == "ucb"
        rules.append((not ucb, "decay_every", "exploration is 'ucb'"))
        rules.append((ucb, "confidence", f"exploration is {self.exploration!r}, not 'ucb'"))
        rate = f"learning_rate_schedule is {self.learning_rate_schedule!r}"
        rules.append((self.learning_rate_schedule in ("constant", "linear"), "learning_rate", rate))
        for name in ("learning_rate_min", "learning_rate_decay_steps"):
            rules.append((self.learning_rate_schedule == "linear", name, f"{rate}, not 'linear'"))
        rules.append((self.learning_rate_schedule == "polynomial", "learning_rate_power", f"{rate}, not 'polynomial'"))
        rules.append((self.edges is None, "num_edges", "edges are given"))
        is_linear = self.fades_linearly or self.learning_rate_schedule == "linear"
        rules.append((is_linear, "decay_share", "no schedule is 'linear'"))
        for name in ("epsilon_decay_steps", "temperature_decay_steps", "learning_rate_decay_steps"):
            rules.append((self.decay_share is None, name, "decay_share is given"))
        found: dict[str, str] = {}
        for has_effect, name, why in rules:
            if not has_effect:
                found.setdefault(name, why)
        return found

    def parameters(self, num_actions: int) -> Parameters:
        """As plain numbers."""
        boltzmann = self.exploration == "boltzmann"
        schedule = self.temperature_schedule if boltzmann else self.epsilon_schedule
        initial = self.temperature if boltzmann else self.epsilon
        every = self.decay_every or ("step" if schedule == "linear" else "episode")
        counts = (
            self.learning_rate_schedule not in ("constant", "linear")
            or self.exploration == "ucb"
            or schedule == "visits"
            or self.count_bonus > 0
        )
        return Parameters(
            num_actions=num_actions,
            discount=self.discount,
            learning_rate=self.learning_rate,
            learning_rate_schedule=LEARNING_RATES[self.learning_rate_schedule],
            learning_rate_power=self.learning_rate_power,
            clocks=self.learning_rate_schedule == "linear",
            least_learning_rate=min(self.learning_rate, self.learning_rate_min),  # a decay never rises
            learning_rate_decay_length=self.learning_rate_decay_steps,
            exploration=EXPLORATIONS[self.exploration],
            schedule=SCHEDULES[schedule],
            initial_rate=initial,
            least_rate=min(initial, self.temperature_min if boltzmann else self.epsilon_min),  # a decay never rises
            decay=self.temperature_decay if boltzmann else self.epsilon_decay,
            decay_length=self.temperature_decay_steps if boltzmann else self.epsilon_decay_steps,
            every_step=every == "step" and schedule in ("linear", "exponential"),
            confidence=self.confidence,
            count_bonus=self.count_bonus,
            counts_visits=counts,
        )


EXPLORING = tuple(
    name
    for name in TabularSettings.model_fields
    if name.startswith(("epsilon", "temperature", "exploration", "confidence", "decay_every"))
)
BINNING = ("bins", "edges", "num_edges")


class NStepSettings(TabularSettings):
    """Settings of the n-step agents."""

    search_space: ClassVar[Mapping[str, Dimension]] = {**SPACE, "n": Choices(choices=[2, 4, 8, 16])}

    n: int = Field(4, ge=1, le=10_000, description="steps of reward before a value stands in")

    def parameters(self, num_actions: int) -> Parameters:
        """As plain numbers."""
        return super().parameters(num_actions)._replace(n=self.n)


class TraceSettings(TabularSettings):
    """Settings of the agents with eligibility traces."""

    search_space: ClassVar[Mapping[str, Dimension]] = {**SPACE, "trace_decay": Range(low=0.0, high=1.0)}

    trace_decay: float = Field(0.9, ge=0, le=1, description="lambda: what a trace keeps at every step, times discount")
    traces: Literal["accumulating", "replacing", "dutch"] = Field(
        "replacing", description="what a visit does to a trace: add 1, set it to 1, or in between"
    )

    def parameters(self, num_actions: int) -> Parameters:
        """As plain numbers."""
        parameters = super().parameters(num_actions)
        return parameters._replace(trace_decay=self.trace_decay, trace_kind=TRACES[self.traces])


class BackwardSettings(TabularSettings):
    """Settings of the agents that go backwards through finished episodes."""

    search_space: ClassVar[Mapping[str, Dimension]] = {**SPACE, "trace_decay": Range(low=0.5, high=1.0)}

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"lander": LANDER_TABLE}
    rivals: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("epsilon_decay_steps", "temperature_decay_steps", "learning_rate_decay_steps"), "decay_share"
    )
    preset: Literal["lander"] | None = Field(
        None, description="'lander': what lands on LunarLander; what is set beside it wins"
    )
    trace_decay: float = Field(
        0.9, ge=0, le=1, description="lambda: how much of what really came counts, against what the table says of it"
    )

    def parameters(self, num_actions: int) -> Parameters:
        """As plain numbers."""
        return super().parameters(num_actions)._replace(trace_decay=self.trace_decay)


class MonteCarloSettings(TabularSettings):
    """Settings of the Monte Carlo agents."""

    visits: Literal["first", "every"] = Field("first", description="which visits of an episode count")

    def parameters(self, num_actions: int) -> Parameters:
        """As plain numbers."""
        return super().parameters(num_actions)._replace(first_visit=self.visits == "first")


class DynaSettings(TabularSettings):
    """Settings of `dyna_q`."""

    search_space: ClassVar[Mapping[str, Dimension]] = {**SPACE, "planning_steps": Choices(choices=[5, 10, 20, 50])}

    planning_steps: int = Field(10, ge=0, le=100_000, description="imagined updates after every real one")

    def parameters(self, num_actions: int) -> Parameters:
        """As plain numbers."""
        return super().parameters(num_actions)._replace(planning_steps=self.planning_steps, clocks=True)


class DynaPlusSettings(DynaSettings):
    """Settings of `dyna_q_plus`."""

    kappa: float = Field(0.001, ge=0, description="bonus of an action, times sqrt(steps since it was last tried)")

    def parameters(self, num_actions: int) -> Parameters:
        """As plain numbers."""
        return super().parameters(num_actions)._replace(kappa=self.kappa)


class TileSettings(TabularSettings):
    """Settings of tile coding."""

    search_space: ClassVar[Mapping[str, Dimension]] = {
        **SPACE,
        "num_tilings": Choices(choices=[4, 8, 16]),
        "num_tiles": Range(low=2, high=12),
    }

    num_tilings: int = Field(8, ge=1, le=256, description="grids; the textbook's for mountain car")
    num_tiles: int = Field(
        8, ge=1, le=1000, description="along each dimension of a grid, where edges are not given; the textbook's"
    )
    num_weights: int = Field(4096, ge=8, le=10_000_000, description="places; more tiles than that are hashed into them")

    def without_effect(self) -> dict[str, str]:
        """Tiles take the place of bins."""
        idle = super().without_effect()
        idle |= dict.fromkeys(("bins", "num_edges"), "tiles (num_tiles or edges, num_tilings) take the place of bins")
        return idle | ({} if self.edges is None else {"num_tiles": "edges are given"})

    def parameters(self, num_actions: int) -> Parameters:
        """As plain numbers."""
        return super().parameters(num_actions)._replace(num_tilings=self.num_tilings)


class TileTraceSettings(TileSettings, TraceSettings):
    """Settings of tile coding with traces."""

    search_space: ClassVar[Mapping[str, Dimension]] = {**TileSettings.search_space, **TraceSettings.search_space}


class BackwardTileSettings(BackwardSettings, TileSettings):
    """Settings of tile coding that goes backwards through finished episodes."""

    search_space: ClassVar[Mapping[str, Dimension]] = {**TileSettings.search_space, **BackwardSettings.search_space}

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"lander": LANDER_TILES}
