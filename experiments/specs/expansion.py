"""What a specification says in short, in full: seeds, and grids of settings."""

import itertools
import math
from typing import Any

from pydantic_core import PydanticCustomError

from experiments.specs.labels import label_with

MOST_RUNS = 100_000  # of an experiment


def checked_seeds(value: Any) -> Any:
    """A count of seeds or a list of them, as it was given.

    Raises:
        PydanticCustomError: it is neither.
    """
    numbers = value if isinstance(value, list) else [value]
    least = 0 if isinstance(value, list) else 1
    wrong = not numbers or any(type(one) is not int or not least <= one < 2**63 for one in numbers)
    if wrong or len(set(numbers)) < len(numbers):
        expected = "a count of at least 1 or a list of different seeds of at least 0"
        raise PydanticCustomError("seeds", "Input should be {expected}", {"expected": expected})
    return value


def expanded(agents: Any) -> Any:
    """Agents with a `grid` of settings, each as one agent for every combination.

    Raises:
        PydanticCustomError: a grid is none.
    """
    if not isinstance(agents, list):
        return agents
    found: list[Any] = []
    for agent in agents:
        grid = agent.get("grid") if isinstance(agent, dict) else None
        if grid is None:
            found.append(agent)
            continue
        if not isinstance(grid, dict) or not grid or not all(isinstance(of, list) and of for of in grid.values()):
            expected = "lists of values, one for each setting"
            raise PydanticCustomError("grid", "grid: Input should be {expected}", {"expected": expected})
        rest = {key: value for key, value in agent.items() if key not in ("grid", "settings")}
        rest |= agent["settings"] if isinstance(agent.get("settings"), dict) else {}
        if set(grid) & set(rest):
            expected = f"{min(set(grid) & set(rest))} in the grid or beside it"
            raise PydanticCustomError("grid", "grid: Input should be {expected}", {"expected": expected})
        if math.prod(map(len, grid.values())) > MOST_RUNS:
            expected = f"at most {MOST_RUNS:,} combinations"
            raise PydanticCustomError("grid", "grid: Input should be {expected}", {"expected": expected})
        for values in itertools.product(*grid.values()):
            chosen = dict(zip(grid, values, strict=True))
            name = label_with(str(agent.get("name") or agent.get("id")), chosen)
            found.append(rest | chosen | {"name": name})
    return found
