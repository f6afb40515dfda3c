"""A task that looks the same in a mirror: a state and its image are one, if left and right change places.

LunarLander is one: `{"negated": [0, 2, 4, 5], "swapped": [[6, 7]], "actions": [0, 3, 2, 1]}` negates x, both angles'
signs and the sideways speed, changes the legs' places, and fires the right engine for the left one. What is learned on
one side is known on the other, from half as many steps.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator


class Mirror(BaseModel):
    """What changes in the mirror."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    negated: list[int] = Field(min_length=1, description="observed numbers whose sign changes; the first one decides")
    swapped: list[list[int]] = Field([], description="pairs of observed numbers that change places")
    actions: list[int] = Field(min_length=1, description="for each action the one that it becomes")

    @model_validator(mode="after")
    def _is_a_mirror(self) -> Self:
        if sorted(self.actions) != list(range(len(self.actions))) or any(
            self.actions[image] != action for action, image in enumerate(self.actions)
        ):
            raise ValueError(f"actions: expected each action once, and the image of its image, got {self.actions}")
        pairs = [number for pair in self.swapped for number in pair]
        if any(len(pair) != 2 for pair in self.swapped) or len(set(pairs)) != len(pairs):
            raise ValueError(f"swapped: expected pairs of different numbers, got {self.swapped}")
        if set(self.negated) & set(pairs) or len(set(self.negated)) != len(self.negated):
            raise ValueError("negated, swapped: expected no number twice")
        return self


class MirroredView:
    """Observations seen from one side: those from the other are turned over.

    Args:
        mirror: what changes.
        num_numbers: D, of an observation.
        num_actions: A.

    Raises:
        ValueError: the mirror is of other observations or actions.
    """

    def __init__(self, mirror: Mirror, num_numbers: int, num_actions: int) -> None:
        numbers = [*mirror.negated, *(number for pair in mirror.swapped for number in pair)]
        if not all(0 <= number < num_numbers for number in numbers):
            raise ValueError(f"mirror: expected observed numbers from 0 to {num_numbers - 1}, got {numbers}")
        if len(mirror.actions) != num_actions:
            raise ValueError(f"mirror: actions: expected {num_actions}, got {len(mirror.actions)}")
        self.deciding = list(mirror.negated)  # the first of these numbers that is not 0 decides
        self.actions = list(mirror.actions)  # [A]
        self.signs = np.ones(num_numbers)  # [D]
        self.signs[mirror.negated] = -1.0
        self.places = np.arange(num_numbers)  # [D] what comes where
        for one, other in mirror.swapped:
            self.places[[one, other]] = other, one

    def turns(self, observation: NDArray[Any]) -> bool:
        """Is the observation [D] turned over? The first number that changes its sign and is not 0 decides."""
        for number in self.deciding:
            value = observation[number]
            if value != 0:
                return bool(value < 0)
        return False

    def seen(self, observation: NDArray[Any]) -> NDArray[Any]:
        """The observation [D] from the side that counts."""
        return self.image(observation) if self.turns(observation) else observation

    def image(self, observation: NDArray[Any]) -> NDArray[Any]:
        """The observation [D] in the mirror."""
        turned: NDArray[Any] = (observation[self.places] * self.signs).astype(observation.dtype)
        return turned

    def many(self, observations: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """The observations [N, D] from the side that counts, and which [N] were turned over."""
        deciding = observations[:, self.deciding]  # [N, K]
        first = (deciding != 0).argmax(axis=1)
        turned = deciding[np.arange(len(observations)), first] < 0
        images = (observations[:, self.places] * self.signs).astype(observations.dtype)
        return np.where(turned[:, None], images, observations), turned

    def action(self, observation: NDArray[Any], action: int) -> int:
        """The action there that is this one seen from the side that counts; and the other way round."""
        return self.actions[action] if self.turns(observation) else action
