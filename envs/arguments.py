"""What was expected and what got, in one line."""

import difflib
import functools
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

from pydantic import ConfigDict, ValidationError, validate_call

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
MOST_CHOICES = 16  # that are told where one of them is likely to be meant
ALIASES = {"lr": "learning_rate", "alpha": "learning_rate", "gamma": "discount", "discount": "gamma", "eps": "epsilon"}


class UnknownOptionError(TypeError, ValueError):
    """An option that is none: Python's error for it, and like that of every other wrong option."""


def checked(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Check arguments by their annotations; one that is wrong is a ValueError, an unknown one a TypeError too."""
    validated = validate_call(config=ConfigDict(strict=True, allow_inf_nan=False))(function)
    known = [name for name in inspect.signature(function).parameters if name != "self"]

    @functools.wraps(function)
    def call(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
        try:
            return validated(*arguments, **options)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            if problem["type"] == "unexpected_keyword_argument":  # as Python says it: some catch exactly that
                said = f"{function.__qualname__}() got an unexpected keyword argument {str(problem['loc'][-1])!r}"
                raise UnknownOptionError(f"{said}: {explain(error, known)}") from None
            raise ValueError(explain(error, known)) from None

    return call


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing where no choice is near."""
    choices = sorted(choices)
    if ALIASES.get(name.lower()) in choices:
        return f" (did you mean {ALIASES[name.lower()]!r}?)"
    if name.lower() in ("size", "width", "height") and {"rows", "cols"} <= set(choices):
        return " (did you mean 'rows' and 'cols'?)"
    plain = [choice for choice in choices if re.fullmatch(rf"(\w+/)?{re.escape(name)}-v\d+", choice, re.IGNORECASE)]
    if plain:  # an environment's name without what comes before and behind it
        return f" (did you mean {plain[-1]!r}?)"
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if not near:  # a short form of a longer name, such as 'dqn' of 'sb3_dqn'
        near = [choice for choice in choices if len(name) > 2 and name.lower() in choice.lower()][:1]
    return f" (did you mean {near[0]!r}?)" if near else ""


def explain(error: ValidationError, choices: Iterable[str] = ()) -> str:
    """The first problem of a validation error in one line."""
    problems = error.errors(include_url=False)
    # What is missing may be there under a name that is none: that is said first.
    problem = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
    name = _name(problem["loc"]) or "value"
    kind, value, message = problem["type"], problem["input"], problem["msg"]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        hint = did_you_mean(name.rpartition(".")[2], choices)
        if not choices:
            return f"unknown key {name!r}: there are no settings"
        if hint and len(list(choices)) > MOST_CHOICES:  # a wall of words would bury what was meant
            return f"unknown key {name!r}{hint}"
        return f"unknown key {name!r}{hint}; expected one of: {', '.join(sorted(choices))}"
    if kind == "missing":
        return f"{name}: expected a value, got nothing"
    if kind == "value_error":
        return " ".join(message.removeprefix("Value error, ").split())
    if kind == "too_short":
        return f"{name}: expected at least {problem['ctx']['min_length']} items, got {_shown(value)}"
    if kind == "int_type" and any(
        one["type"] == "float_type" and one["loc"][:-1] == problem["loc"][:-1] for one in problems
    ):
        return f"{name}: expected a number, got {_shown(value)}"
    if ", got " in message:  # a check of ours
        return f"{name}: {message.replace('Input should be', 'expected', 1)}"
    hint = ""
    alternatives = problem.get("ctx", {}).get("choices") or _literals(problem.get("ctx", {}).get("expected"))
    if isinstance(value, str) and alternatives:
        hint = did_you_mean(value, alternatives)
    if isinstance(value, str) and "number" in message and re.fullmatch(r"-?\d+,\d+", value):
        hint = f" (with a decimal point: {value.replace(',', '.')}?)"
    expected = message.replace("Input should be", "expected", 1)
    return f"{name}: {expected[0].lower() + expected[1:]}, got {_shown(value)}{hint}"


def _name(location: tuple[Any, ...]) -> str:
    """Such as agents.0.learning_rate.low; what is searched stands where the setting stands in a file."""
    if "space" in location:
        at = location.index("space")
        location = location[:at] + location[at + 1 : at + 2] + location[at + 3 :]
    return ".".join(str(part) for part in location if not _is_branch(part))


def _is_branch(part: Any) -> bool:
    """Is this part of a location the name of a union's branch, not of a field?"""
    return isinstance(part, str) and (part in ("int", "float", "str") or "[" in part)


def _literals(expected: Any) -> list[str]:
    return [part.strip("'") for part in expected.replace(" or ", ", ").split(", ")] if isinstance(expected, str) else []


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
