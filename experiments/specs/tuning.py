"""How `rl-lab tune` searches: the table `[tuning]` of a specification."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_CANDIDATES = 1_000_000
FIRST_SEED = 1_000_000_000  # run seeds from here on are tuning's; those of a comparison are below


class Tuning(BaseModel):
    """A search for settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sampler: Literal["tpe", "random", "grid", "cma"] = "tpe"
    candidates: Annotated[int, Field(ge=1, le=MOST_CANDIDATES)] = 30  # settings that are tried
    seeds: Annotated[int, Field(ge=1, le=1_000)] = 3  # runs a candidate, in each environment
    pruner: Literal["median", "halving", "none"] = "median"  # of candidates that lag behind
    grid_points: Annotated[int, Field(ge=2, le=1_000)] = 5  # of a range without a step, in a grid
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0  # of the search
