"""A Q-table that stores the states it has met, so that a grid of 11^8 cells costs what its visits cost."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agents.seeding import stream

InitialValues = Literal["zero", "random"] | float
FIRST_ROWS = 64


class QTable:
    """Action values [A] of the states met so far.

    Args:
        num_actions: A.
        initial_values: of a state not met yet: zero, a number (optimistic when high), or "random": uniform in
            [0, 1), a function of seed and state alone, whichever order the states come in.
        seed: seed of the run.
    """

    def __init__(self, num_actions: int, initial_values: InitialValues, seed: int) -> None:
        self.num_actions = num_actions
        self._initial_values = initial_values
        self.entropy = int(stream(seed, "table").generate_state(1, np.uint64)[0])
        self.rows: dict[int, int] = {}  # state -> row of `values`, in the order of the first visits
        self.values = np.zeros((FIRST_ROWS, num_actions))

    def __len__(self) -> int:
        return len(self.rows)

    def initial(self, state: int) -> list[float]:
        """The values that a state has before its first visit."""
        if self._initial_values == "random":
            drawn: list[float] = np.random.default_rng([self.entropy, state]).random(self.num_actions).tolist()
            return drawn
        constant = 0.0 if self._initial_values == "zero" else float(self._initial_values)
        return [constant] * self.num_actions

    def __getitem__(self, state: int) -> list[float]:
        """The values of a state; looking stores nothing."""
        row = self.rows.get(state)
        if row is None:
            return self.initial(state)
        values: list[float] = self.values[row].tolist()
        return values

    def row(self, state: int) -> int:
        """The row of a state, made if this is its first visit."""
        row = self.rows.get(state)
        if row is None:
            row = self.rows[state] = len(self.rows)
            if row == len(self.values):
                self.values = np.concatenate([self.values, np.zeros_like(self.values)])
            self.values[row] = self.initial(state)
        return row

    @property
    def states(self) -> list[int]:
        """The states met so far, in the order of the first visits."""
        return list(self.rows)

    def used(self) -> NDArray[np.float64]:
        """The values [states met, A]."""
        return self.values[: len(self.rows)]

    def replace(self, states: list[int], values: NDArray[np.float64]) -> None:
        """Take over states and their values.

        Raises:
            ValueError: there are not as many rows as states, or not as many columns as actions.
        """
        if values.shape != (len(states), self.num_actions):
            raise ValueError(f"expected values of shape {(len(states), self.num_actions)}, came {values.shape}")
        self.rows = {state: row for row, state in enumerate(states)}
        spare = np.zeros((FIRST_ROWS, self.num_actions))
        self.values = np.concatenate([values.astype(np.float64), spare])
