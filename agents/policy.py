"""Acting apart from learning: a frozen policy, which acts on batches and changes nothing."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.vector.utils import iterate
from numpy.typing import NDArray

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
        actions = self.act(np.asarray(observation)[None], None if mask is None else np.asarray(mask)[None])
        return actions[0].item() if actions.ndim == 1 else actions[0]

    def action_values(self, observations: Array) -> NDArray[np.float64] | None:
        """One number [N, A] an action, or None: what viewers and overlays draw."""
        return None

    def met(self, observations: Array) -> NDArray[np.bool_] | None:
        """Which [N] of the observations are of states that training has met; None where that is not known."""
        return None


class LoopPolicy(Policy):
    """Asks an agent, which must not learn any more, one observation at a time."""

    def __init__(self, agent: "Agent") -> None:
        self._agent = agent

    def act(self, observations: Array, masks: NDArray[np.bool_] | None = None) -> Array:
        """An action for each observation."""
        rows = iterate(self._agent.observation_space, observations)
        of_rows = [None] * len(observations) if masks is None else masks
        return np.array([self.action(_plain(row), mask) for row, mask in zip(rows, of_rows, strict=True)])

    def action(self, observation: Any, mask: NDArray[np.bool_] | None = None) -> Any:
        """The agent's greedy action."""
        if mask is None:
            return self._agent.select_action(observation, explore=False)
        return self._agent.select_action(observation, explore=False, mask=mask)

    def action_values(self, observations: Array) -> NDArray[np.float64] | None:
        """The agent's opinion of every action."""
        values = [
            self._agent.action_values(_plain(row)) for row in iterate(self._agent.observation_space, observations)
        ]
        return np.array(values) if values and values[0] is not None else None


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


class ValuesPolicy(Policy):
    """The greedy policy of action values that are looked up one observation at a time; ties go to the lowest index.

    Args:
        values: the values [A] of an observation.
        met: is an observation of a state that training has met? None where that is not known.
    """

    def __init__(self, values: Callable[[Any], Sequence[float]], met: Callable[[Any], bool] | None = None) -> None:
        self._values, self._met = values, met

    def act(self, observations: Array, masks: NDArray[np.bool_] | None = None) -> Array:
        """The best legal action for each observation."""
        of_rows = [None] * len(observations) if masks is None else masks
        rows = zip(observations, of_rows, strict=True)
        return np.array([self.action(_plain(row), mask) for row, mask in rows], dtype=np.int64)

    def action(self, observation: Any, mask: NDArray[np.bool_] | None = None) -> int:
        """The best legal action."""
        return first_best(self._values(observation), mask)

    def action_values(self, observations: Array) -> NDArray[np.float64]:
        """Q(S, .) [N, A]."""
        return np.array([self._values(_plain(row)) for row in observations], dtype=np.float64)

    def met(self, observations: Array) -> NDArray[np.bool_] | None:
        """Whether training has met the states."""
        if self._met is None:
            return None
        return np.array([self._met(_plain(row)) for row in observations], dtype=np.bool_)


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
