"""Linear Q-learning and linear SARSA(lambda) over tile coding (Sutton & Barto, 2nd ed., sections 9.4, 10.1 and 12.7).

Q(S, a) is the sum of the weights of the tiles that S is in. The row of a state, where its values are put for the
behaviour policy and its visits are counted, is its first tile.
"""

from typing import Annotated, Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.base import Settings, TableSize, Transition
from agents.policy import Policy, Spaces, first_best
from agents.seeding import Rng
from agents.storage import State
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import best_value
from agents.tabular.learning import step_size_by_visits
from agents.tabular.memory import TILES, FloatArray, IntArray, Layout, Memory, PairFloats, Parameters, Step
from agents.tabular.policies import TilesPolicy, sum_of_tiles
from agents.tabular.sarsa import choose_next, take_chosen
from agents.tabular.settings import TileSettings, TileTraceSettings
from agents.tabular.table import check_row_numbers
from agents.tabular.tile_coding import check_tiles, tile_coder
from agents.tabular.traces import PairList, cut, move_all, visit
from agents.td import td_target

TileNumbers = Annotated[IntArray, Layout(np.int64, TILES, stored=False)]  # [T]


class Tiles(NamedTuple):
    """Weights, and the tiles of the step that is learned from."""

    weights: PairFloats
    tiles: TileNumbers  # of S
    next_tiles: TileNumbers  # of S'


class TilesAndTraces(NamedTuple):
    """The same with eligibility traces of the weights."""

    weights: PairFloats
    tiles: TileNumbers
    next_tiles: TileNumbers
    traces: PairFloats
    active: PairList


def linear_q(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """The weights of S's tiles move by the error R + discount * max_a Q(S', a) - Q(S, A), shared out evenly."""
    weights, tiles, action = memory.own.weights, memory.own.tiles, step.action
    evaluate(memory, parameters, step.next_state)
    next_value = best_value(memory.q, step.next_state, parameters.num_actions)
    value = value_of(memory.own.weights, parameters, tiles, 0, action)
    error = td_target(step.reward, step.terminated, next_value, parameters.discount) - value
    share = step_size_by_visits(memory, parameters, step.state, action) / parameters.num_tilings
    for index in range(parameters.num_tilings):
        weights[tiles[index], action] += share * error
    return error


def linear_sarsa_lambda(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """Every weight moves by the error R + discount * Q(S', A') - Q(S, A), in proportion to its trace."""
    tiles, action = memory.own.tiles, step.action
    value = value_of(memory.own.weights, parameters, tiles, 0, action)
    next_value = 0.0
    if not step.terminated:
        evaluate(memory, parameters, step.next_state)
        next_value = memory.q[step.next_state, choose_next(memory, parameters, rng, step.next_state)]
    error = td_target(step.reward, step.terminated, next_value, parameters.discount) - value
    for index in range(parameters.num_tilings):
        visit(memory, parameters, tiles[index], action)
    share = step_size_by_visits(memory, parameters, step.state, action) / parameters.num_tilings
    move_all(memory.own.weights, memory, parameters, error, share, False)
    return error


def value_of(weights: FloatArray, parameters: Parameters, tiles: IntArray, first: int, action: int) -> float:
    """Q(s, a) of the state that the T tiles from a place on are of."""
    value = 0.0
    for index in range(first, first + parameters.num_tilings):
        value += weights[tiles[index], action]
    return value


def evaluate(memory: Memory, parameters: Parameters, next_state: int) -> None:
    """Put the values of all actions in S' into its row."""
    for action in range(parameters.num_actions):
        memory.q[next_state, action] = value_of(memory.own.weights, parameters, memory.own.next_tiles, 0, action)


class LinearAgent(TabularAgent, abstract=True):
    """Learns weights of tiles instead of a table's rows, so that what is learned in a state holds near it."""

    Settings: ClassVar[type[Settings]] = TileSettings
    settings: TileSettings
    Arrays: ClassVar[type[Any]] = Tiles

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> None:
        resolved = self.Settings(**settings)
        assert isinstance(resolved, TileSettings)
        self.coder = tile_coder(check_tiles(env.observation_space, self.name), resolved, self.name)
        super().__init__(env, seed=seed, **settings)
        if self.settings.initial_values == "random" or self.settings.table == "sparse":
            raise ValueError(f"{self.name}: expected initial_values of 'zero' or a number, and no sparse table")
        self.weights[:] = self._initial_weight

    @property
    def weights(self) -> NDArray[np.float64]:
        """[R, A]."""
        weights: NDArray[np.float64] = self.table.memory.own.weights
        return weights

    @property
    def _initial_weight(self) -> float:
        initial = self.settings.initial_values
        return 0.0 if isinstance(initial, str) else float(initial) / self.settings.num_tilings

    def _table_kind(self) -> str:
        return "dense"

    def _num_states(self) -> int:
        return self.coder.size

    def row(self, observation: Any) -> int:
        """The first tile; the values of all actions are put into its row."""
        places = self.coder(self._seen_observation(observation))
        self.table.memory.q[places[0]] = sum_of_tiles(self.weights, places)
        return places[0]

    def _seen_observation(self, observation: Any) -> Any:
        return observation if self.mirrored is None else self.mirrored.seen(observation)

    def _rows(self, transition: Transition) -> tuple[int, int]:
        """The first tiles of S and S'; all of them are put where the rule finds them."""
        own = self.table.memory.own
        own.tiles[:] = tiles = self.coder(self._seen_observation(transition.observation))
        own.next_tiles[:] = next_tiles = self.coder(self._seen_observation(transition.next_observation))
        return tiles[0], next_tiles[0]

    def _best(self, observation: Any, mask: NDArray[np.bool_] | None) -> int:
        return first_best(self._seen_values(observation).tolist(), mask)

    def note_legal(self, observation: Any, mask: NDArray[np.bool_]) -> None:
        """An action that was never legal in a tile is worth -inf there, so that no target reckons with it."""
        legal = self._seen(observation, mask)
        places = self.coder.places(self._seen_observation(observation))
        weights = self.weights[places]  # [T, A]
        untried = weights == self._initial_weight
        weights[untried & ~legal] = -np.inf
        weights[np.isneginf(weights) & legal] = self._initial_weight
        self.weights[places] = weights

    def _why_not(self, env: gym.Env[Any, Any]) -> str | None:
        return "its observations are put into tiles"

    def _seen_values(self, observation: Any) -> NDArray[np.float64]:
        """Q(S, .) [A], of the actions as they are seen from the side that counts."""
        return sum_of_tiles(self.weights, self.coder.places(self._seen_observation(observation)))

    def action_values(self, observation: Any) -> NDArray[np.float64]:
        """Q(S, .) [A]."""
        return self._seen(observation, self._seen_values(observation))

    def policy(self, seed: int) -> Policy:
        """The greedy policy of the weights as they are now."""
        return self._as_it_is(TilesPolicy(self.coder, self.weights.copy()))

    def states_met(self) -> None:
        """Tiles are shared by many states: which were met is not known."""
        return

    def table_size(self) -> TableSize:
        """The weights, the bytes of all arrays, and how many tiles met in a place that was taken."""
        kind = "hashed tiles" if self.coder.is_hashed else "tiles"
        collisions = self.coder.num_collisions
        return TableSize(kind, self.coder.size, self.table.num_bytes, collisions)

    def get_state(self) -> State:
        """As of every table, and the tiles that were met."""
        return super().get_state() | {"tiles_met": [str(tile) for tile in sorted(self.coder.met)]}

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave."""
        super().set_state(state)
        self.coder.forget()
        self.coder.meet(int(tile) for tile in state["tiles_met"])

    def policy_state(self) -> State:
        """The weights that are others than at first, and their rows."""
        changed = np.flatnonzero((self.weights != self._initial_weight).any(axis=1))
        return {"changed": changed, "weights": self.weights[changed]}

    def set_policy_state(self, state: State) -> None:
        """Take over a state that `policy_state` or `get_state` gave.

        Raises:
            ValueError: these are not weights of these tiles.
        """
        if "memory" in state:
            self.set_state(state)
            return
        changed, weights = state["changed"], state["weights"]
        if weights.shape != (len(changed), self.num_actions) or weights.dtype != np.float64:
            expected = f"float64 {(len(changed), self.num_actions)}"
            raise ValueError(f"weights: expected {expected}, got {weights.dtype} {weights.shape}")
        check_row_numbers("changed", changed, self.coder.size)
        self.weights[:] = self._initial_weight
        self.weights[changed] = weights


class LinearQ(LinearAgent):
    """Linear Q-learning."""

    name = "linear_q"
    update_rule = staticmethod(linear_q)


class LinearSarsaLambda(LinearAgent):
    """Linear SARSA(lambda)."""

    Settings: ClassVar[type[Settings]] = TileTraceSettings
    name = "linear_sarsa_lambda"
    Arrays = TilesAndTraces
    update_rule = staticmethod(linear_sarsa_lambda)
    parts = {"act": take_chosen, "forget": cut}  # noqa: RUF012
