"""What can be searched of an agent's settings: ranges and choices, in place of one value."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag, model_validator
from pydantic_core import PydanticCustomError

MOST_CHOICES = 1_000


class _Dimension(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Range(_Dimension):
    """Numbers from `low` to `high`, both included.

    Args:
        low: the least.
        high: the greatest.
        log: draw from the logarithm evenly, so that 0.001 to 0.01 is as likely as 0.1 to 1.
        step: only `low`, `low + step`, ...; not together with `log`.
    """

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        wrong = None
        if self.low >= self.high:
            wrong = f"low below high, got {self.low} and {self.high}"
        elif self.log and self.low <= 0:
            wrong = f"low above 0 where log = true, got {self.low}"
        elif self.step is not None and (self.log or not 0 < self.step <= self.high - self.low):
            wrong = f"a step between 0 and high - low, without log, got {self.step}"
        if wrong:
            raise PydanticCustomError("range", "Input should be a range with {wrong}", {"wrong": wrong})
        return self

    def ends(self) -> list[JsonValue]:
        """The values at its ends: if a setting takes these, it takes what is between."""
        return [self.low, self.high]

    def points(self, count: int, *, whole: bool) -> list[JsonValue]:
        """Its values for a grid: every step, or so many, spread evenly (in the logarithm where it is `log`)."""
        low, high = float(self.low), float(self.high)
        if self.step is not None:
            steps = math.floor((high - low) / self.step + 1e-9)
            if steps >= MOST_CHOICES:
                raise ValueError(f"expected at most {MOST_CHOICES:,} steps in a grid, got {steps + 1:,}")
            found = [low + number * self.step for number in range(steps + 1)]
        elif self.log:
            found = [low * (high / low) ** (number / (count - 1)) for number in range(count)]
        else:
            found = [low + (high - low) * number / (count - 1) for number in range(count)]
        return list(dict.fromkeys(round(one) if whole else min(max(one, low), high) for one in found))


class Choices(_Dimension):
    """One of some values, of any kind that the setting takes."""

    choices: Annotated[list[JsonValue], Field(min_length=2, max_length=MOST_CHOICES)]

    @model_validator(mode="after")
    def _are_different(self) -> Self:
        for index, one in enumerate(self.choices):
            if any(one == other and isinstance(one, bool) == isinstance(other, bool) for other in self.choices[:index]):
                raise PydanticCustomError("choices", "Input should be different values, got {one} twice", {"one": one})
        return self

    def ends(self) -> list[JsonValue]:
        """All of them."""
        return self.choices


def _kind(value: Any) -> str:
    return "choices" if isinstance(value, Choices) or (isinstance(value, Mapping) and "choices" in value) else "range"


Dimension = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choices, Tag("choices")],
    Discriminator(_kind),
]


def is_dimension(value: Any) -> bool:
    """Does a value in a spec stand for a range or for choices?"""
    return isinstance(value, Mapping) and ("choices" in value or {"low", "high"} & value.keys() != set())


def takes_fractions(settings: type[BaseModel], name: str) -> bool:
    """Does a setting take numbers that are not whole?"""
    annotation = settings.model_fields[name].annotation
    return annotation is float or float in get_args(annotation)
