"""What is remembered: transitions of n steps in a ring, drawn evenly or by priority."""

import os
from collections import deque
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.deep.batch import Batch
from agents.deep.features import Features
from agents.deep.priorities import Priorities
from agents.deep.settings import DQNSettings
from agents.ring import Ring
from agents.storage import State


class Pending(NamedTuple):
    """A step whose n rewards are not all there yet."""

    observation: NDArray[Any]  # as it is stored
    action: int
    reward: float


@lru_cache
def _ones(count: int) -> NDArray[np.float32]:
    """Weights that change nothing."""
    return np.ones(count, np.float32)


class ReplayBuffer:
    """The last transitions (Lin 1992), each of n steps; fewer where an episode ends.

    Args:
        settings: the agent's.
        features: how observations are stored.
        num_actions: A; remembered with which of them are legal, once an environment says so.
    """

    def __init__(self, settings: DQNSettings, features: Features, num_actions: int) -> None:
        self._features, self._num_actions, self.capacity = features, num_actions, settings.buffer_size
        self._n, self._discount = settings.n, settings.discount
        rows = (self.capacity, *features.stored_shape)
        self._arrays: dict[str, NDArray[Any]] = {
            "observations": np.zeros(rows, features.stored_type),
            "actions": np.zeros(self.capacity, np.int64),
            "rewards": np.zeros(self.capacity, np.float32),
            "next_observations": np.zeros(rows, features.stored_type),
            "terminated": np.zeros(self.capacity, np.bool_),
            "discounts": np.zeros(self.capacity, np.float32),
            "next_illegal": np.zeros((self.capacity, num_actions), np.bool_),
        }
        arrays = self._arrays
        self._observations, self._next_observations = arrays["observations"], arrays["next_observations"]
        self._actions, self._rewards = arrays["actions"], arrays["rewards"]
        self._terminated, self._discounts = arrays["terminated"], arrays["discounts"]
        self._next_illegal = arrays["next_illegal"]
        self._minds_masks = False
        self._pending: list[deque[Pending]] = [deque() for _ in range(settings.num_envs)]
        self._powers = [float(settings.discount**step) for step in range(settings.n + 1)]
        self.priorities: Priorities | None = None
        if settings.prioritized:
            self.priorities = Priorities(self.capacity, settings.priority_exponent)
        self.written = 0

    def __len__(self) -> int:
        return min(self.written, self.capacity)

    def mind_masks(self) -> None:
        """From now on it is remembered which actions are legal; of what was remembered before, all are."""
        self._minds_masks = True

    def forget_pending(self) -> None:
        """An episode was left: no steps wait for the rewards that would have followed."""
        for waiting in self._pending:
            waiting.clear()

    def add(
        self,
        observation: NDArray[Any],
        action: int,
        reward: float,
        next_observation: NDArray[Any],
        terminated: bool,
        truncated: bool,
        next_legal: NDArray[np.bool_] | None = None,
        env: int = 0,
    ) -> None:
        """One step of an environment; observations are as they are stored."""
        if self._n == 1:
            self._write(Pending(observation, action, reward), reward, 1, next_observation, terminated, next_legal)
            return
        pending = self._pending[env]
        pending.append(Pending(observation, action, reward))
        least = 1 if terminated or truncated else self._n
        self._write_pending(env, least, next_observation, terminated, next_legal)

    def leave(self, env: int, observation: NDArray[Any]) -> None:
        """An environment's episode is left in this state: its last steps have fewer rewards, and the state's value."""
        self._write_pending(env, 1, observation, False, None)

    def _write_pending(
        self,
        env: int,
        least: int,
        next_observation: NDArray[Any],
        terminated: bool,
        next_legal: NDArray[np.bool_] | None,
    ) -> None:
        """Remember the steps that wait, as long as there are at least so many."""
        pending = self._pending[env]
        while len(pending) >= least:
            total = sum(self._powers[step] * one.reward for step, one in enumerate(pending))
            self._write(pending[0], total, len(pending), next_observation, terminated, next_legal)
            pending.popleft()

    def _write(
        self,
        first: Pending,
        total: float,
        num_steps: int,
        next_observation: NDArray[Any],
        terminated: bool,
        next_legal: NDArray[np.bool_] | None,
    ) -> None:
        place = self.written % self.capacity
        self._observations[place] = first.observation
        self._actions[place] = first.action
        self._rewards[place] = total
        self._next_observations[place] = next_observation
        self._terminated[place] = terminated
        self._discounts[place] = self._powers[num_steps]
        if self._minds_masks:
            self._next_illegal[place] = False if next_legal is None else ~next_legal
        if self.priorities is not None:
            self.priorities.add(place)
        self.written += 1

    def draw(self, rng: np.random.Generator, count: int, correction: float) -> tuple[NDArray[np.int64], Batch]:
        """The places [B] of transitions that are drawn, and these.

        Args:
            rng: where the draws come from.
            count: B.
            correction: beta, of priorities.
        """
        if self.priorities is None:
            places = rng.integers(0, len(self), count)
            weights = _ones(count)
        else:
            places, weights = self.priorities.draw(rng, count, len(self), correction)
        return places, self.batch(places, weights)

    def batch(self, places: NDArray[np.int64], weights: NDArray[np.float32]) -> Batch:
        """The transitions in these places [B]."""
        rows = self._features.rows
        return Batch(
            rows(self._observations.take(places, 0)),
            self._actions.take(places),
            self._rewards.take(places),
            rows(self._next_observations.take(places, 0)),
            self._terminated.take(places),
            self._discounts.take(places),
            ~self._next_illegal.take(places, 0) if self._minds_masks else None,
            weights,
        )

    def get_state(self, copied: bool = True) -> State:
        """The ring, what waits for its n-th reward, the priorities."""
        ring = Ring(self._arrays, self.written, self.capacity)
        arrays = {name: array[: ring.num_rows] for name, array in self._arrays.items()}
        if copied:
            arrays = {name: array.copy() for name, array in arrays.items()}
        pending = [(env, *one) for env, waiting in enumerate(self._pending) for one in waiting]
        shape = (len(pending), *self._features.stored_shape)
        state: State = {
            "rows": Ring(arrays, self.written, self.capacity),
            "minds_masks": self._minds_masks,
            "pending": {
                "envs": np.array([env for env, *_ in pending], dtype=np.int64),
                "observations": np.array([one for _, one, _, _ in pending], self._features.stored_type).reshape(shape),
                "actions": np.array([action for *_, action, _ in pending], dtype=np.int64),
                "rewards": np.array([reward for *_, reward in pending], dtype=np.float64),
            },
        }
        return state if self.priorities is None else state | {"priorities": self.priorities.get_state(len(self))}

    def set_state(self, state: State) -> None:
        """Take over what `get_state` gave.

        Raises:
            ValueError: it is of another buffer.
        """
        ring: Ring = state["rows"]
        if ring.capacity != self.capacity:
            raise ValueError(f"replay: expected room for {self.capacity} rows, got {ring.capacity}")
        if set(ring.arrays) != set(self._arrays):
            raise ValueError(f"replay: expected {', '.join(self._arrays)}, got {', '.join(ring.arrays)}")
        for name, mine in self._arrays.items():
            got = ring.arrays[name]
            if got.dtype != mine.dtype or got.shape[1:] != mine.shape[1:]:
                raise ValueError(f"{name}: expected {mine.dtype} {mine.shape[1:]}, got {got.dtype} {got.shape[1:]}")
        actions = ring.arrays["actions"]
        if len(actions) and not 0 <= actions.min() <= actions.max() < self._num_actions:
            raise ValueError(f"actions: expected numbers from 0 to {self._num_actions - 1}")
        if not np.isfinite(ring.arrays["rewards"]).all():
            raise ValueError("rewards: expected numbers")
        self._minds_masks = bool(state["minds_masks"])
        for name, mine in self._arrays.items():
            mine[: len(ring.arrays[name])] = ring.arrays[name]
        self.written = ring.written
        self._take_pending(state["pending"])
        if self.priorities is not None:
            self.priorities.set_state(state["priorities"], len(self))

    def _take_pending(self, pending: State) -> None:
        self.forget_pending()
        observations, rewards = pending["observations"], pending["rewards"]
        if observations.shape[1:] != self._features.stored_shape or observations.dtype != self._features.stored_type:
            raise ValueError(f"pending: expected observations {list(self._features.stored_shape)}")
        if any(pending[name].dtype != np.int64 for name in ("envs", "actions")) or not np.isfinite(rewards).all():
            raise ValueError("pending: expected whole numbers of environments and actions, and rewards")
        for env, observation, action, reward in zip(
            pending["envs"].tolist(), observations, pending["actions"].tolist(), rewards.tolist(), strict=True
        ):
            if not 0 <= env < len(self._pending) or not 0 <= action < self._num_actions:
                raise ValueError(f"pending: expected steps of {len(self._pending)} environments")
            self._pending[env].append(Pending(observation, action, reward))
        if any(len(waiting) >= max(self._n, 2) for waiting in self._pending):
            raise ValueError(f"pending: expected fewer than {self._n} steps of an environment")


def check_room(capacity: int, features: Features, num_actions: int) -> None:
    """Raise where a buffer would take more than the machine's memory.

    Raises:
        ValueError: it would.
    """
    observation = int(np.prod(features.stored_shape)) * np.dtype(features.stored_type).itemsize
    needed = capacity * (2 * observation + num_actions + 17)  # two of them, the mask, and the other numbers
    try:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # a system that does not tell
        return
    if needed > there:
        said = f"{capacity:,} transitions, which take {needed / 1e9:,.0f} GB"
        raise ValueError(f"buffer_size: expected at most the memory, {there / 1e9:,.0f} GB, got {said}")
