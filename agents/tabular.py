"""What tabular control agents share: a table of action values, bins for Box observations, epsilon-greedy actions.

An algorithm is its `target`, and nothing else; see `agents.q_learning` for the shortest.
"""

from abc import abstractmethod
from typing import Annotated, Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pydantic import Field

from agents.base import OnlineAgent, Settings, Transition, require_discrete_actions
from agents.discretiser import Discretiser
from agents.schedules import EpsilonSchedule, decayed, linear
from agents.storage import State
from agents.table import InitialValues, QTable
from agents.td import moved_towards


class TabularSettings(Settings):
    """Settings of the tabular control agents."""

    learning_rate: float = Field(0.1, ge=0, le=1, description="share of the TD error that an update takes; the book's")
    discount: float = Field(0.99, ge=0, le=1, description="weight of the next step's value; the book's")
    epsilon: float = Field(1.0, ge=0, le=1, description="probability of a random action at the start; the book's")
    epsilon_schedule: EpsilonSchedule = Field(
        "exponential",
        description="'exponential' multiplies by epsilon_decay after every episode, 'linear' goes to epsilon_min over "
        "epsilon_decay_steps, 'constant' stays",
    )
    epsilon_decay: float = Field(0.995, gt=0, le=1, description="factor an episode (exponential); the book's")
    epsilon_min: float = Field(0.01, ge=0, le=1, description="where the decay ends; the book's")
    epsilon_decay_steps: int = Field(10_000, ge=1, description="env steps of the decay (linear)")
    initial_values: InitialValues = Field(
        "zero", description="of a state not met yet: 'zero', 'random' in [0, 1), or a number (optimistic when high)"
    )
    edges: Annotated[list[float] | list[list[float]] | None, Field(union_mode="left_to_right")] = Field(
        None, description="bin edges of Box observations: one list for all dimensions, or one list for each"
    )
    num_edges: int = Field(
        10, ge=1, le=10_000, description="where edges are not given: evenly between the bounds, or between -1 and 1"
    )


class TabularAgent(OnlineAgent):
    """Q(S, A) moves towards a target; actions are epsilon-greedy."""

    Settings: ClassVar[type[Settings]] = TabularSettings
    settings: TabularSettings
    name: ClassVar[str]  # for messages

    def __init__(self, env: gym.Env[Any, Any], *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        self.num_actions = require_discrete_actions(self.name, env.action_space)
        self.discretiser: Discretiser | None = None
        space = env.observation_space
        if isinstance(space, spaces.Box):
            try:
                self.discretiser = Discretiser.for_space(space, self.settings.edges, self.settings.num_edges)
            except ValueError as error:
                raise ValueError(f"{self.name}: {error}") from error
        elif not isinstance(space, spaces.Discrete):
            raise ValueError(f"{self.name} needs Discrete or Box observations, came {space}")
        self.table = QTable(self.num_actions, self.settings.initial_values, seed)
        self.epsilon = self.settings.epsilon
        self.epsilon_floor = min(self.settings.epsilon, self.settings.epsilon_min)  # a decay never rises

    def state(self, observation: Any) -> int:
        """The table's state of an observation."""
        return int(observation) if self.discretiser is None else self.discretiser(observation)

    @property
    def current_epsilon(self) -> float:
        """Probability of a random action now."""
        if self.settings.epsilon_schedule == "linear":
            settings = self.settings
            return linear(settings.epsilon, self.epsilon_floor, settings.epsilon_decay_steps, self.num_steps)
        return self.epsilon

    def select_action(self, observation: Any, *, explore: bool) -> int:
        """Epsilon-greedy, ties drawn, when exploring; else greedy, ties to the lowest index."""
        if explore and self.exploration_rng.random() < self.current_epsilon:
            return int(self.exploration_rng.integers(self.num_actions))
        q_values = self.q_values(self.state(observation))
        best = max(q_values)
        if explore and (num_ties := q_values.count(best)) > 1:
            ties = [action for action, value in enumerate(q_values) if value == best]
            return ties[int(self.exploration_rng.integers(num_ties))]
        return q_values.index(best)

    def q_values(self, state: int) -> list[float]:
        """What actions are chosen by [A]."""
        return self.table[state]

    @abstractmethod
    def target(self, reward: float, terminated: bool, next_observation: Any) -> float:
        """What Q(S, A) should move towards: the algorithm."""

    def update(self, transition: Transition) -> float:
        """One update; its TD error."""
        target = self.target(transition.reward, transition.terminated, transition.next_observation)
        error = self.move(self.table, transition, target)
        if (transition.terminated or transition.truncated) and self.settings.epsilon_schedule == "exponential":
            self.epsilon = decayed(self.epsilon, self.settings.epsilon_decay, self.epsilon_floor)
        return error

    def move(self, table: QTable, transition: Transition, target: float) -> float:
        """Move Q(S, A) of a table towards a target; the TD error."""
        row = table.row(self.state(transition.observation))
        q_value = float(table.values[row, transition.action])
        table.values[row, transition.action] = moved_towards(q_value, target, self.settings.learning_rate)
        return target - q_value

    def action_values(self, observation: Any) -> NDArray[np.float64]:
        """Q(S, .) [A]."""
        return np.array(self.q_values(self.state(observation)))

    def get_state(self) -> State:
        """Counters, generator, epsilon and the table."""
        return super().get_state() | {
            "epsilon": self.epsilon,
            "table_entropy": self.table.entropy,
            "states": self.table.states,
            "q_values": self.table.used().copy(),
        }

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave."""
        super().set_state(state)
        self.epsilon = state["epsilon"]
        self.table.entropy = state["table_entropy"]
        self.table.replace(state["states"], state["q_values"])
