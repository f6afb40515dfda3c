"""Q(lambda) backwards through every finished episode, on a sum of tiles.

What `agents.tabular.backward_q` does with a table's rows, with the weights of tiles: what is learned in a state holds
near it, in as many ways as there are tilings.
"""

from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np

from agents.base import Settings, Transition
from agents.seeding import Rng
from agents.tabular.backward_q import lambda_return
from agents.tabular.learning import NOTHING, step_size_by_visits
from agents.tabular.linear import LinearAgent, TileNumbers, value_of
from agents.tabular.memory import (
    EPISODE_TILES,
    TIME,
    FloatArray,
    IntArray,
    Layout,
    Memory,
    PairFloats,
    Parameters,
    Step,
)
from agents.tabular.monte_carlo import EpisodeActions, EpisodeRewards
from agents.tabular.quick_tiles import QuickTiles
from agents.tabular.settings import BackwardTileSettings
from agents.tabular.tile_coding import EdgeTiles

COMPILED = "fdbBhHiIlL"  # the types of numbers that machine code takes
EpisodeTiles = Annotated[IntArray, Layout(np.int64, EPISODE_TILES, means="state")]  # [H * T]


class TiledEpisode(NamedTuple):
    """Weights, and all steps of the episode."""

    weights: PairFloats
    tiles: TileNumbers  # of S
    next_tiles: TileNumbers  # of S', where an episode is cut off
    episode_tiles: EpisodeTiles
    actions: EpisodeActions
    rewards: EpisodeRewards


def update(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    """At the end, from the last step to the first: as `backward_q.update`; each weight takes its share of the error."""
    own, now = memory.own, memory.counters[TIME]
    for index in range(parameters.num_tilings):
        own.episode_tiles[now * parameters.num_tilings + index] = own.tiles[index]
    own.actions[now], own.rewards[now] = step.action, step.reward
    memory.counters[TIME] = now + 1
    if not (step.terminated or step.truncated):
        return NOTHING
    return learn_backwards(memory, parameters, now + 1, step.terminated)


def learn_backwards(memory: Memory, parameters: Parameters, num_steps: int, terminated: bool) -> float:
    """Go through the steps of the episode, the last one first; the mean absolute error."""
    own, num_tilings, errors = memory.own, parameters.num_tilings, 0.0
    next_value = 0.0 if terminated else best_of_tiles(own.weights, parameters, own.next_tiles, 0)
    ret = next_value
    for time in range(num_steps - 1, -1, -1):
        action, first = own.actions[time], time * num_tilings
        ret = lambda_return(parameters, own.rewards[time], next_value, ret)
        error = ret - value_of(own.weights, parameters, own.episode_tiles, first, action)
        rate = step_size_by_visits(memory, parameters, own.episode_tiles[first], action)
        for index in range(first, first + num_tilings):
            own.weights[own.episode_tiles[index], action] += rate / num_tilings * error
        errors += abs(error)
        next_value = best_of_tiles(own.weights, parameters, own.episode_tiles, first)
    return errors / num_steps


def best_of_tiles(weights: FloatArray, parameters: Parameters, tiles: IntArray, first: int) -> float:
    """max_a Q(s, a) of that state."""
    best = value_of(weights, parameters, tiles, first, 0)
    for action in range(1, parameters.num_actions):
        best = max(best, value_of(weights, parameters, tiles, first, action))
    return best


class LinearBackwardQLambda(LinearAgent):
    """Learns weights of tiles from whole episodes, the end first."""

    Settings: ClassVar[type[Settings]] = BackwardTileSettings
    name = "linear_backward_q_lambda"
    Arrays: ClassVar[type[Any]] = TiledEpisode
    update_rule = staticmethod(update)
    whole_episode = staticmethod(learn_backwards)
    _quick: QuickTiles | None = None
    _looked_at: Any = None  # the observation that `own.tiles` are of

    def _compile_parts(self) -> bool:
        if isinstance(self.coder, EdgeTiles) and not self.coder.is_hashed:
            self._quick = QuickTiles(self.coder, self.mirrored, self.name)
        return super()._compile_parts()

    def row(self, observation: Any) -> int:
        """The first tile; the values of all actions are put into its row."""
        if self._quick is None or observation.dtype.char not in COMPILED:
            self._looked_at = None
            return super().row(observation)
        self._looked_at, own = observation, self.table.memory.own
        return self._quick(observation, own.weights, self.table.memory.q, own.tiles)

    def _rows(self, transition: Transition) -> tuple[int, int]:
        """The first tiles of S and S'; the others of S' are needed where an episode is cut off, and nowhere else."""
        own = self.table.memory.own
        if self._quick is None or transition.observation is not self._looked_at:
            own.tiles[:] = self.coder(self._seen_observation(transition.observation))
        first = next_first = self.table.view.own.tiles[0]
        if transition.truncated and not transition.terminated:
            own.next_tiles[:] = self.coder(self._seen_observation(transition.next_observation))
            next_first = self.table.view.own.next_tiles[0]
        return first, next_first
