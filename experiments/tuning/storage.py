"""Where searches are kept: Optuna's storages, with their troubles told in a line."""

import contextlib
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import InputError, in_words

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage

TRIES = 6  # at opening a storage


def check_installed() -> None:
    """Raise where Optuna is not installed.

    Raises:
        InputError: with how to get it.
    """
    try:
        import optuna
    except ImportError:
        raise InputError("tune needs Optuna: pip install 'rl-lab[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@contextlib.contextmanager
def open_storage(url: str) -> Iterator["BaseStorage"]:
    """Optuna's storage at a URL, such as sqlite:///study.db or postgresql+psycopg://user@host/database.

    Raises:
        InputError: there is none, or it cannot be reached, now or later.
    """
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        storage = _storage(url)
    except Exception as error:  # of SQLAlchemy, of a driver, of a server, of a file that is something else
        raise InputError(f"--storage {_without_password(url)}: cannot be opened: {_line(error)}") from None
    try:
        yield storage
    except (OptunaError, SQLAlchemyError) as error:
        raise InputError(f"--storage {_without_password(url)}: {_line(error)}; the same command goes on") from None
    except InputError:
        raise
    except (LookupError, TypeError, ValueError) as error:
        if not _is_of_study(error):
            raise
        raise InputError(f"--storage {_without_password(url)}: damaged: {in_words(error)}") from None
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _line(error: BaseException) -> str:
    """What a storage raises, in a line."""
    cause = error.__cause__ if type(error).__name__ == "StorageInternalError" and error.__cause__ else error
    return in_words(cause).partition(" (Background on")[0].partition(" [SQL:")[0]


def _is_of_study(error: BaseException) -> bool:
    """Was an error raised while what a study holds was read?"""
    ours = {"study.py", "sampling.py", "searched.py", "result.py", "cma.py"}
    frames = traceback.extract_tb(error.__traceback__)
    return any(Path(frame.filename).name in ours for frame in frames)


def _storage(url: str) -> "RDBStorage":
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    if url.rstrip("/") == "sqlite:" or ":memory:" in url:
        raise InputError("expected a file, got a database in memory")
    engine: dict[str, Any] = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    for attempt in range(TRIES):
        try:
            return RDBStorage(url, engine_kwargs=engine)
        except (IntegrityError, ProgrammingError):  # another machine makes the tables at this moment
            if attempt == TRIES - 1:
                raise
            time.sleep(0.2 * (attempt + 1))
    raise AssertionError


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{user.partition(':')[0]}{at}{host}"
