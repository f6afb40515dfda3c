"""The types of a maze's options: what each accepts, and what it says of anything else."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from envs.mazes.generators import GENERATORS

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
PLACES = (*CORNERS, "random", "farthest")


def _choice(value: Any, choices: tuple[str, ...], otherwise: str = "") -> PydanticCustomError:
    expected = ", ".join(repr(choice) for choice in choices)
    return PydanticCustomError(
        "choice", "Input should be {expected}", {"expected": expected + otherwise, "choices": choices}
    )


def _place(value: Any) -> Any:
    if isinstance(value, str):
        if value in PLACES:
            return value
    elif isinstance(value, list | tuple) and len(value) == 2 and all(type(number) is int for number in value):
        return tuple(value)
    raise _choice(value, PLACES, " or a cell [row, col]")


def _maze_seed(value: Any) -> Any:
    if value == "new":
        return None
    if value is None or (type(value) is int and value >= 0):
        return value
    raise _choice(value, ("new",), " or an integer of at least 0")


def _generator(value: Any) -> Any:
    if value in GENERATORS:
        return value
    raise _choice(value, tuple(sorted(GENERATORS)))


Size = Annotated[int, Field(ge=2, le=1000)]
Place = Annotated[str | tuple[int, int], BeforeValidator(_place)]
MazeSeed = Annotated[int | None, BeforeValidator(_maze_seed)]
GeneratorName = Annotated[str, BeforeValidator(_generator)]
Reward = Literal["step", "distance", "goal"]
Observation = Literal["state", "position", "grid"]
Probability = Annotated[float, Field(ge=0, le=1)]
MaxSteps = Annotated[int | None, Field(ge=1)]
RenderMode = Literal["human", "rgb_array", "ansi"] | None
