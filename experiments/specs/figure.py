"""What a specification says of its figure."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Figure(BaseModel):
    """A figure of the training episodes: what is drawn against what. A line for each agent."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    title: str
    x: str = "episode"  # "episode", "env_step" (then y adds up), or a setting of the agents
    y: str = "return"  # a column of episodes.csv
    lines: str | None = None  # where x is a setting: the one that tells lines apart
    xlabel: str | None = None
    ylabel: str | None = None
    xlim: tuple[float, float] | None = None
    ylim: tuple[float, float] | None = None
    yscale: Literal["linear", "log"] = "linear"
    smooth: Annotated[int, Field(ge=1)] = 1  # episodes that a point is the mean of
    factor: float = 1.0  # of y, such as 100 for percent
    symbol: str | None = None  # that the legend has for `lines`
    marks: dict[str, float] = {}  # horizontal lines, by their label
    marks_x: dict[str, float] = {}  # vertical ones

    @field_validator("xlim", "ylim", mode="before")
    @classmethod
    def _pair(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value
