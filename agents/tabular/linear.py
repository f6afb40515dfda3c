"""Linear Q-learning and linear SARSA(lambda) over tile coding (Sutton & Barto, 2nd ed., sections 9.4, 10.1 and 12.7).

Q(S, a) is the sum of the weights of the tiles that S is in. `memory.states` holds the tiles of S, `memory.actions`
those of S'; the row of a state, where its values are put for the behaviour policy and its visits are counted, is its
first tile.
"""

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from agents.base import Settings, Transition
from agents.policy import Policy, Spaces, ValuesPolicy, first_best, legal_actions
from agents.seeding import Rng
from agents.storage import State
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import best_value
from agents.tabular.learning import step_size_by_visits
from agents.tabular.legal import choose_legal
from agents.tabular.memory import NUM_ACTIVE, IntArray, Memory, Parameters
from agents.tabular.sarsa import choose_next, take_chosen
from agents.tabular.settings import TabularSettings, TraceSettings
from agents.tabular.tile_coding import TileCoder, check_tiles
from agents.tabular.traces import cut, fade, visit
from agents.td import td_target


def linear_q(
    memory: Memory,
    parameters: Parameters,
    rng: Rng,
    state: int,
    action: int,
    reward: float,
    next_state: int,
    terminated: bool,
    truncated: bool,
) -> float:
    """The weights of S's tiles move by the error R + discount * max_a Q(S', a) - Q(S, A), shared out evenly."""
    value = value_of(memory, parameters, memory.states, action)
    evaluate(memory, parameters, memory.actions, next_state)
    next_value = best_value(memory.q, next_state, parameters.num_actions)
    error = td_target(reward, terminated, next_value, parameters.discount) - value
    step = step_size_by_visits(memory, parameters, state, action) / parameters.n
    for index in range(parameters.n):
        memory.weights[memory.states[index], action] += step * error
    return error


def linear_sarsa_lambda(
    memory: Memory,
    parameters: Parameters,
    rng: Rng,
    state: int,
    action: int,
    reward: float,
    next_state: int,
    terminated: bool,
    truncated: bool,
) -> float:
    """Every weight moves by the error R + discount * Q(S', A') - Q(S, A), in proportion to its trace."""
    value = value_of(memory, parameters, memory.states, action)
    next_value = 0.0
    if not terminated:
        evaluate(memory, parameters, memory.actions, next_state)
        next_value = memory.q[next_state, choose_next(memory, parameters, rng, next_state)]
    error = td_target(reward, terminated, next_value, parameters.discount) - value
    for index in range(parameters.n):
        visit(memory, parameters, memory.states[index], action)
    move_weights(memory, parameters, error, step_size_by_visits(memory, parameters, state, action) / parameters.n)
    return error


def value_of(memory: Memory, parameters: Parameters, tiles: IntArray, action: int) -> float:
    """Q(s, a) of the state that these tiles [T] are of."""
    value = 0.0
    for index in range(parameters.n):
        value += memory.weights[tiles[index], action]
    return value


def evaluate(memory: Memory, parameters: Parameters, tiles: IntArray, state: int) -> None:
    """Put the values of all actions into the row of a state."""
    for action in range(parameters.num_actions):
        memory.q[state, action] = value_of(memory, parameters, tiles, action)


def move_weights(memory: Memory, parameters: Parameters, error: float, step: float) -> None:
    """w += step * error * trace, for all weights that have one; then the traces fade."""
    for index in range(memory.counters[NUM_ACTIVE]):
        pair = memory.active[index]
        tile, action = pair // parameters.num_actions, pair % parameters.num_actions
        memory.weights[tile, action] += step * error * memory.traces[tile, action]
    fade(memory, parameters)


class TileSettings(TabularSettings):
    """Settings of tile coding."""

    num_tilings: int = Field(8, ge=1, le=256, description="grids; the textbook's for mountain car")
    num_tiles: int = Field(8, ge=1, le=1000, description="along each dimension of a grid; the textbook's")
    num_weights: int = Field(4096, ge=8, le=10_000_000, description="places; more tiles than that are hashed into them")

    def parameters(self, num_actions: int) -> Parameters:
        """As plain numbers."""
        return super().parameters(num_actions)._replace(n=self.num_tilings)


class TileTraceSettings(TileSettings, TraceSettings):
    """Settings of tile coding with traces."""


class LinearAgent(TabularAgent):
    """Learns weights of tiles instead of a table's rows, so that what is learned in a state holds near it."""

    Settings: ClassVar[type[Settings]] = TileSettings
    settings: TileSettings
    needs: ClassVar[tuple[str, ...]] = ("weights", "ring")
    long_updates = True

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> None:
        resolved = self.Settings(**settings)
        assert isinstance(resolved, TileSettings)
        space = check_tiles(env.observation_space, self.name)
        self.coder = TileCoder(space, resolved.num_tilings, resolved.num_tiles, resolved.num_weights)
        super().__init__(env, seed=seed, **settings)
        initial = self.settings.initial_values
        if initial == "random" or self.settings.table == "sparse":
            raise ValueError(f"{self.name}: expected initial_values of 'zero' or a number, and no sparse table")
        self._first_weight = (0.0 if isinstance(initial, str) else float(initial)) / self.settings.num_tilings
        self.table.memory.weights[:] = self._first_weight

    def _table_kind(self) -> str:
        return "dense"

    def _first_bins(self) -> None:
        return None

    def _num_states(self) -> int:
        return self.coder.size

    def row(self, observation: Any) -> int:
        """The first tile."""
        return self.coder(observation)[0]

    def select_action(self, observation: Any, *, explore: bool, mask: NDArray[np.bool_] | None = None) -> int:
        """An action of the behaviour policy when exploring; else the best, ties to the lowest index."""
        values = self.action_values(observation)
        if not explore:
            return first_best(values.tolist(), mask)
        state = self.row(observation)
        self.table.memory.q[state] = values
        if mask is not None:
            return choose_legal(self.table.view, self.parameters, self._draws, state, legal_actions(mask))
        return self._act(self.table.view, self.parameters, self._draws, state)

    def update(self, transition: Transition) -> float | None:
        """Learn from one transition; the error."""
        memory = self.table.memory
        memory.states[:] = self.coder(transition.observation)
        memory.actions[:] = self.coder(transition.next_observation)
        return super().update(transition)

    def action_values(self, observation: Any) -> NDArray[np.float64]:
        """Q(S, .) [A]."""
        return self._values(self.table.memory.weights, observation)

    def _values(self, weights: NDArray[np.float64], observation: Any) -> NDArray[np.float64]:
        values = np.zeros(self.num_actions)
        for tile in self.coder.places(observation):
            values += weights[tile]
        return values

    def policy(self, seed: int) -> Policy:
        """The greedy policy of the weights as they are now."""
        weights = self.table.memory.weights.copy()
        return ValuesPolicy(lambda observation: self._values(weights, observation).tolist())

    def table_size(self) -> dict[str, Any]:
        """The weights, the bytes of all arrays, and how many tiles met in a place that was taken."""
        kind = "hashed tiles" if self.coder.is_hashed else "tiles"
        collisions = self.coder.num_collisions
        return {"kind": kind, "states": self.coder.size, "bytes": self.table.num_bytes, "collisions": collisions}

    def policy_state(self) -> State:
        """The weights that are others than at first, and their places."""
        weights = self.table.memory.weights
        places = np.flatnonzero((weights != self._first_weight).any(axis=1))
        return {"places": places, "weights": weights[places]}

    def set_policy_state(self, state: State) -> None:
        """Take over a state that `policy_state` or `get_state` gave.

        Raises:
            ValueError: its arrays are not of this agent's weights.
        """
        if "places" not in state:
            self.set_state(state)
            return
        places, weights = state["places"], self.table.memory.weights
        if state["weights"].shape != (len(places), self.num_actions) or state["weights"].dtype != weights.dtype:
            raise ValueError(f"weights: expected {weights.dtype} [{len(places)}, {self.num_actions}]")
        if len(places) and not 0 <= places.min() <= places.max() < len(weights):
            raise ValueError(f"places: expected numbers from 0 to {len(weights) - 1}")
        weights[:] = self._first_weight
        weights[places] = state["weights"]

    def get_state(self) -> State:
        """As of every table, and the tiles that were met."""
        return super().get_state() | {"tiles_met": [str(tile) for tile in sorted(self.coder.met)]}

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave."""
        super().set_state(state)
        self.coder.forget()
        self.coder.meet(int(tile) for tile in state["tiles_met"])


class LinearQ(LinearAgent):
    """Linear Q-learning."""

    name = "linear_q"
    update_rule = staticmethod(linear_q)


class LinearSarsaLambda(LinearAgent):
    """Linear SARSA(lambda)."""

    Settings: ClassVar[type[Settings]] = TileTraceSettings
    name = "linear_sarsa_lambda"
    needs = ("weights", "ring", "traces")
    update_rule = staticmethod(linear_sarsa_lambda)
    parts = {"act": take_chosen, "forget": cut}  # noqa: RUF012
