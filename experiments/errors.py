"""Errors that are the user's to mend: one line that says where, what was expected and what came."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from envs.arguments import did_you_mean, explain

__all__ = ["InputError", "did_you_mean", "explain", "located", "unknown"]


class InputError(ValueError):
    """Bad input; its message is one line."""


def unknown(kind: str, name: str, choices: Iterable[str]) -> InputError:
    """The error for a name that is none of the known ones."""
    choices = sorted(choices)
    return InputError(f"unknown {kind} {name!r}{did_you_mean(name, choices)}; expected one of: {', '.join(choices)}")


@contextmanager
def located(place: str) -> Iterator[None]:
    """Turn what goes wrong inside into an `InputError` that begins with a place."""
    try:
        yield
    except InputError as error:
        raise InputError(_placed(place, str(error))) from None
    except ValidationError as error:
        raise InputError(f"{place}: {explain(error)}") from None
    except Exception as error:
        # What a foreign constructor (Gymnasium's or the user's own) makes of a wrong option is its own affair.
        message = " ".join(str(error).split())
        if not message or not isinstance(error, ValueError | TypeError):
            message = f"{type(error).__name__}: {message}"  # "'9x9'" alone would say little
        raise InputError(_placed(place, message)) from error


def _placed(place: str, message: str) -> str:
    """The message, behind its place where it does not begin with it anyhow."""
    return message if message.startswith(place) else f"{place}: {message}"
