"""The types of a maze's options: what each accepts, and what it says of anything else."""

import contextlib
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic asks for it below Python 3.12

from envs.mazes.generators import GENERATORS

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
PLACES = (*CORNERS, "random", "farthest")
MAX_KEYS = 4
DEFAULT_SIZE = 9
MANY = 1_000_000_000  # more than anybody means


def _choice(choices: tuple[str, ...], otherwise: str = "") -> PydanticCustomError:
    expected = ", ".join(repr(choice) for choice in choices)
    return PydanticCustomError(
        "choice", "Input should be {expected}", {"expected": expected + otherwise, "choices": choices}
    )


def _is_cell(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(type(number) is int for number in value)


def _place(value: Any) -> Any:
    if _is_cell(value):
        return tuple(value)
    if isinstance(value, str) and value in PLACES:
        return value
    raise _choice(PLACES, " or a cell [row, col]")


def _places(value: Any) -> Any:
    if isinstance(value, list | tuple) and value and not _is_cell(value):
        return tuple(_place(place) for place in value)
    try:
        return (_place(value),)
    except PydanticCustomError:
        raise _choice(PLACES, ", a cell [row, col], or a list of these") from None


def _maze_seed(value: Any) -> Any:
    if value == "new":
        return None
    if value is None or (type(value) is int and value >= 0):
        return value
    raise _choice(("new",), " or an integer of at least 0")


def _generator(value: Any) -> Any:
    if isinstance(value, str) and value in GENERATORS:
        return value
    raise _choice(tuple(sorted(GENERATORS)))


def _odd(value: int | None) -> int | None:
    if value is not None and value % 2 == 0:
        raise PydanticCustomError("odd", "Input should be odd, so that the robot is in the middle")
    return value


def _numbers(kind: type) -> Any:
    """A list of numbers, as a tuple; lists come from TOML and JSON, where there are no tuples."""

    def check(value: Any) -> Any:
        allowed = (int,) if kind is int else (int, float)
        if isinstance(value, list | tuple) and all(type(number) in allowed for number in value):
            with contextlib.suppress(OverflowError):
                return tuple(map(kind, value))
        noun = "integers" if kind is int else "numbers"
        raise PydanticCustomError("numbers", "Input should be a list of {noun}", {"noun": noun})

    return BeforeValidator(check)


class LayoutChange(TypedDict):
    """Which layout comes when."""

    at_step: Annotated[int, Field(ge=1)]
    layout: str


Size = Annotated[int, Field(ge=2, le=1000)]
Place = Annotated[str | tuple[int, int], BeforeValidator(_place)]
Places = Annotated[str | tuple[int, int] | tuple[str | tuple[int, int], ...], BeforeValidator(_places)]
MazeSeed = Annotated[int | None, BeforeValidator(_maze_seed)]
GeneratorName = Annotated[str, BeforeValidator(_generator)]
Probability = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float | None, Field(ge=0, le=1)]
RoomSize = Annotated[int | None, Field(ge=1, le=1000)]
Reward = Literal["step", "distance", "goal"]
Observation = Literal["state", "position", "grid", "view"]
View = Annotated[int | None, Field(ge=1, le=99), AfterValidator(_odd)]
Count = Annotated[int, Field(ge=0, le=MANY)]
KeyCount = Annotated[int, Field(ge=0, le=MAX_KEYS)]
Strength = Annotated[int, Field(ge=-1000, le=1000)]
Wind = Annotated[tuple[Strength, ...] | None, _numbers(int)] | None
Rewards = Annotated[tuple[float, ...] | None, _numbers(float)] | None
Levels = Annotated[int | None, Field(ge=1, le=MANY)]
Split = Literal["train", "test"] | None
MaxSteps = Annotated[int | None, Field(ge=1, le=MANY)]
RenderSize = Annotated[int, Field(ge=32, le=4096)]
RenderMode = Literal["human", "rgb_array", "ansi"] | None
