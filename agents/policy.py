"""Acting apart from learning: a frozen policy, which acts on batches and changes nothing."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.vector.utils import batch_space, iterate
from numpy.typing import NDArray

from agents.masks import takes_mask

if TYPE_CHECKING:
    from agents.base import Agent

Array = NDArray[Any]


class Spaces(NamedTuple):
    """What an agent that is only to act needs to know of its environment: it stands in for one in a constructor."""

    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]

    @classmethod
    def of(cls, env: "gym.Env[Any, Any] | Spaces") -> "Spaces":
        """Those of an environment."""
        return cls(env.observation_space, env.action_space)


class Policy(ABC):
    """The greedy policy of an agent as it was when `Agent.policy` was called. Draws from no global generator."""

    @abstractmethod
    def act(self, observations: Array, masks: NDArray[np.bool_] | None = None) -> Array:
        """An action for each of N observations.

        Args:
            observations: [N, ...], as `gymnasium.vector` batches them.
            masks: [N, A] which of A discrete actions are legal; None: all are.

        Returns:
            [N, ...] actions.
        """

    def action(self, observation: Any, mask: NDArray[np.bool_] | None = None) -> Any:
        """The action [...] for one observation; `mask` is [A]."""
        actions = self.act(batch_of([observation]), None if mask is None else np.asarray(mask)[None])
        return actions[0].item() if actions.ndim == 1 else actions[0]

    def action_values(self, observations: Array) -> NDArray[np.float64] | None:
        """One number [N, A] an action, or None: what viewers and overlays draw."""
        return None

    def met(self, observations: Array) -> NDArray[np.bool_] | None:
        """Which [N] of the observations are of states that training has met; None where that is not known."""
        return None


def batch_of(observations: Sequence[Any]) -> Any:
    """N observations as one batch [N, ...], within Dict and Tuple observations too, as `gymnasium.vector` has them."""
    first = observations[0]
    if isinstance(first, dict):
        return {key: batch_of([one[key] for one in observations]) for key in first}
    if isinstance(first, tuple):
        return tuple(batch_of(parts) for parts in zip(*observations, strict=True))
    return np.asarray(observations)


class LoopPolicy(Policy):
    """Asks an agent, which must not learn any more, one observation at a time."""

    def __init__(self, agent: "Agent") -> None:
        self._agent = agent
        self._minds_masks = takes_mask(agent.select_action)

    def act(self, observations: Array, masks: NDArray[np.bool_] | None = None) -> Array:
        """An action for each observation."""
        rows = self._rows(observations)
        of_rows = [None] * len(observations) if masks is None else masks
        return np.array([self.action(_plain(row), mask) for row, mask in zip(rows, of_rows, strict=True)])

    def action(self, observation: Any, mask: NDArray[np.bool_] | None = None) -> Any:
        """The agent's greedy action."""
        if mask is None or not self._minds_masks:
            return self._agent.select_action(observation, explore=False)
        return self._agent.select_action(observation, explore=False, mask=mask)

    def action_values(self, observations: Array) -> NDArray[np.float64] | None:
        """The agent's opinion of every action."""
        values = [self._agent.action_values(_plain(row)) for row in self._rows(observations)]
        return np.array(values) if values and values[0] is not None else None

    def _rows(self, observations: Any) -> Iterable[Any]:
        """The observations one by one; those of Dict and Tuple spaces come batched within."""
        if isinstance(observations, np.ndarray):
            return observations
        leaf = observations
        while not isinstance(leaf, np.ndarray):
            leaf = next(iter(leaf.values())) if isinstance(leaf, dict) else leaf[0]
        return iterate(batch_space(self._agent.observation_space, len(leaf)), observations)


class TablePolicy(Policy):
    """The greedy policy of a table: observations are its rows; ties go to the lowest index.

    Args:
        q_values: [S, A]; not copied.
        greedy_actions: [S] the actions, where they are others than `q_values`' first best.
    """

    def __init__(self, q_values: NDArray[np.float64], greedy_actions: NDArray[np.int64] | None = None) -> None:
        self._q_values = q_values
        self._greedy = q_values.argmax(axis=1) if greedy_actions is None else greedy_actions

    def act(self, observations: Array, masks: NDArray[np.bool_] | None = None) -> Array:
        """The best legal action of each state."""
        if masks is None:
            return np.asarray(self._greedy[observations])
        return np.asarray(np.where(masks, self._q_values[observations], -np.inf).argmax(axis=1))

    def action(self, observation: Any, mask: NDArray[np.bool_] | None = None) -> Any:
        """The best legal action."""
        return int(self._greedy[observation]) if mask is None else super().action(observation, mask)

    def action_values(self, observations: Array) -> NDArray[np.float64]:
        """Q(S, .) [N, A]."""
        return np.asarray(self._q_values[observations])


def first_best(values: Sequence[float], mask: NDArray[np.bool_] | None = None) -> int:
    """The index of the highest of the values [A] of the legal actions; ties go to the lowest index."""
    if mask is None:
        return values.index(max(values)) if isinstance(values, list) else int(np.argmax(values))
    return int(np.argmax(np.where(mask, values, -np.inf)))


class FunctionPolicy(Policy):
    """A policy that is a function of one observation and a mask, such as one that draws."""

    def __init__(self, function: Callable[[Any, NDArray[np.bool_] | None], Any]) -> None:
        self._function = function

    def act(self, observations: Array, masks: NDArray[np.bool_] | None = None) -> Array:
        """An action for each observation, in their order."""
        of_rows = [None] * len(observations) if masks is None else masks
        return np.array([self.action(_plain(row), mask) for row, mask in zip(observations, of_rows, strict=True)])

    def action(self, observation: Any, mask: NDArray[np.bool_] | None = None) -> Any:
        """The function's action."""
        return self._function(observation, mask)


def _plain(observation: Any) -> Any:
    """A number where the observation is one: agents with numbered states take plain integers."""
    return observation.item() if isinstance(observation, np.generic) else observation
