"""Errors that are the user's to mend: one line that says where, what was expected and what came."""

import traceback
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from envs.arguments import MOST_CHOICES, did_you_mean, explain

__all__ = ["InputError", "did_you_mean", "explain", "in_words", "located", "shown", "unknown"]

# Categories of characters: controls, invisible marks, lone surrogates, ends of lines.
COMMANDS = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


class InputError(ValueError):
    """Bad input; its message is one line."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: the line, and not eighty others."""
        return [f"{type(self).__name__}: {shown(str(self))}"]


def unknown(kind: str, name: str, choices: Iterable[str]) -> InputError:
    """The error for a name that is none of the known ones."""
    choices = sorted(choices)
    hint = did_you_mean(name, choices)
    if hint and len(choices) > MOST_CHOICES:  # a wall of words would bury what was meant
        return InputError(f"unknown {kind} {name!r}{hint}")
    return InputError(f"unknown {kind} {name!r}{hint}; expected one of: {', '.join(choices)}")


@contextmanager
def located(place: str) -> Iterator[None]:
    """Turn what goes wrong inside into an `InputError` that begins with a place."""
    try:
        yield
    except InputError as error:
        raise InputError(_placed(place, str(error))) from None
    except ValidationError as error:
        raise InputError(f"{place}: {explain(error)}") from None
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except BaseException as error:
        # What a foreign constructor (Gymnasium's or the user's own) makes of a wrong option is its own affair.
        message = in_words(error)
        if isinstance(error, ValueError | TypeError):  # it says enough by itself
            message = message.removeprefix(f"{type(error).__name__}: ")
        raise InputError(_placed(place, message)) from error


def shown_as(path: str, name: str) -> None:
    """From now on show a path, such as a temporary folder's, by another name."""
    _NAMES[path] = name


_NAMES: dict[str, str] = {}


def shown(text: str) -> str:
    """Text without what would command a terminal, or forge a line: such characters as their escapes."""
    for path, name in _NAMES.items():
        text = text.replace(path, name)
    if text.isprintable() and text.isascii():
        return text
    return "".join(_escaped(one) if unicodedata.category(one) in COMMANDS else one for one in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def in_words(error: BaseException) -> str:
    """Any exception in one line; where it came from, if it says nothing itself."""
    if isinstance(error, SystemExit):
        return f"SystemExit: it called sys.exit({'' if error.code is None else repr(error.code)}){_origin(error)}"
    try:
        message = " ".join(str(error).split())
    except Exception:  # an exception of the user's own
        message = ""
    return f"{type(error).__name__}: {shown(message)}" if message else f"{type(error).__name__}{_origin(error)}"


def _origin(error: BaseException) -> str:
    """Such as " in grid.py, line 4: assert 1 == 2"."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    code = f": {frames[-1].line}" if frames[-1].line else ""
    return f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}{code}"


def _placed(place: str, message: str) -> str:
    """The message, behind its place where it does not begin with it anyhow."""
    return message if message.startswith(place) else f"{place}: {message}"
