"""Files: reading regular ones only, and replacing whole ones.

Nothing is read from a pipe or a device, and nothing is written through a link.
"""

import contextlib
import csv
import errno
import io
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from experiments.errors import InputError

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of one
LARGEST_TEXT = 500_000_000  # bytes of a text file that is read whole


@contextlib.contextmanager
def as_input_error(path: Path, wrong: str = "missing or damaged") -> Iterator[None]:
    """Turn what a file cannot give into an `InputError` that names it."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path}: {wrong}: {reason}") from error


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """Open a file for reading, if it is a regular one: a pipe or a device would block, or never end.

    Args:
        path: the file.
        follow: may it be a link? Not so inside of a run folder, which could lead out of it.

    Raises:
        OSError: there is none, or it is something else.
    """
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        number = os.open(path, flags)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise OSError(error.errno, _expected(path), str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, _expected(path), str(path))
    return cast(BinaryIO, os.fdopen(number, "rb"))


def _expected(path: Path) -> str:
    mode = path.lstat().st_mode
    kinds = (
        (stat.S_ISLNK, "a link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    )
    return f"expected a regular file, got {next((kind for test, kind in kinds if test(mode)), 'a device')}"


def read_bytes(
    path: Path, *, largest: int = LARGEST_TEXT, follow: bool = True, wrong: str = "missing or damaged"
) -> bytes:
    """The bytes of a regular file; `wrong` is what an error says of it.

    Raises:
        InputError: there is none, or it is larger than `largest`, which is looked at before it is read.
    """
    with as_input_error(path, wrong), open_regular(path, follow=follow) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise InputError(f"{path}: expected at most {largest:,} bytes, got {size:,}")
        return file.read(largest + 1)[:largest]


def read_text(
    path: Path, *, largest: int = LARGEST_TEXT, follow: bool = True, wrong: str = "missing or damaged"
) -> str:
    """The text of a regular file: UTF-8, with or without a byte-order mark; `wrong` is what an error says of it.

    Raises:
        InputError: there is none, it is too large, or it is no such text.
    """
    data = read_bytes(path, largest=largest, follow=follow, wrong=wrong)
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: {wrong}: it is not UTF-8 text: {error.reason} at byte {error.start:,}") from error


def open_new(path: Path) -> IO[bytes]:
    """Open a file for writing that was not there: what stands in its place goes, and is not written through.

    Raises:
        OSError: it cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        number = os.open(path, flags, 0o666)
    except FileExistsError:
        path.unlink()
        number = os.open(path, flags, 0o666)
    return os.fdopen(number, "wb")


def open_again(path: Path) -> IO[bytes]:
    """Open a regular file for reading and writing, not through a link.

    Raises:
        OSError: there is none, or it is something else.
    """
    flags = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    number = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, _expected(path), str(path))
    return os.fdopen(number, "r+b")


def replace_file(path: Path, data: bytes, *, sync: bool = False) -> None:
    """Replace a file at once: a reader finds the old one or the new one. A link in its place is replaced too.

    Args:
        path: the file.
        data: what shall be in it.
        sync: force it to the disk, so that it outlives a power cut.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    coming = coming_path(path)
    try:
        with open_new(coming) as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        coming.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            coming.unlink()
        raise
    if sync:
        sync_folder(path.parent)


def coming_path(path: Path) -> Path:
    """Where a file is written that is to take the place of another: a name that nobody else gives."""
    return path.with_name(f".{path.name}.rl-lab-new")


SIGNATURES = {  # how files of these endings begin
    ".png": (b"\x89PNG",),
    ".gif": (b"GIF8",),
    ".svg": (b"<svg", b"<?xml"),
    ".mp4": (b"\x00\x00\x00",),
    ".pdf": (b"%PDF",),
    ".html": (b"<!doctype html>\n<!-- RL Lab recording -->",),
    ".txt": ("┌".encode(), "╔".encode(), "┏".encode(), "╭".encode(), b"#", b"+"),
}


def check_replaceable(path: Path) -> None:
    """Check that a picture may be written: what is there in its place, if anything, is one too.

    Raises:
        InputError: it is something else, or a link.
    """
    if not path.exists() and not path.is_symlink():
        return
    begin = b""
    with contextlib.suppress(OSError), open_regular(path, follow=False) as file:
        begin = file.read(64)
    if not begin.startswith(SIGNATURES[path.suffix.lower()]):
        raise InputError(f"{path}: is there, and is no {path.suffix} file of pictures: expected a new file")


def files_below(folder: Path) -> list[Path]:
    """The regular files anywhere below a folder, sorted; what comes and goes meanwhile is no error."""
    paths = [Path(place, name) for place, _, files in os.walk(folder) for name in files]
    return sorted(path for path in paths if path.is_file())


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk, where the system can."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def sync_tree(folder: Path) -> None:
    """Force everything below a folder to the disk, itself too."""
    for place, _, files in os.walk(folder, topdown=False):
        for name in files:
            sync_file(Path(place) / name)
        sync_folder(Path(place))


def sync_file(path: Path) -> None:
    """Force a file to the disk."""
    with contextlib.suppress(OSError), open_regular(path, follow=False) as file:
        os.fsync(file.fileno())


def make_folder(folder: Path, *names: str) -> Path:
    """A folder below another, made if it is not there.

    Raises:
        InputError: one on the way is a link, which could lead elsewhere.
    """
    for name in names:
        folder = folder / name
        if folder.is_symlink():
            raise InputError(f"{folder}: expected a folder, got a link, and nothing is written through one")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove_folder(path: Path) -> None:
    """Remove a folder and what is in it; of a link the link alone."""
    try:
        is_link = stat.S_ISLNK(os.lstat(path).st_mode)
    except OSError:  # there is nothing
        return
    if is_link:
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def csv_bytes(rows: Iterable[Iterable[Any]]) -> bytes:
    """Rows as CSV. Text that a spreadsheet would take for a formula begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in FORMULA else value
