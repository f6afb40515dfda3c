"""Labels: what users call experiments, environments and agents, in any script; and the folders of these names."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from experiments.errors import InputError

LONGEST = 200  # characters of a label
LONGEST_NAME = 120  # bytes of a folder's name, of which file systems take 255
LABEL = re.compile(r"[\w=+][\w .=+(),%&@!~'-]*")
PLAIN = re.compile(r"[\w=+][\w .=+-]*")  # a folder can be called that, wherever it is
FILES = {"report.html", "results.json", "scores.csv", "summary.csv", "table.tex", "tensorboard"}  # beside folders
FIGURES = re.compile(r"(learning-curves|figure)\.(png|svg|csv)|comparison")  # what an experiment's folders hold too
RESERVED = FILES | {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)),
}


def check_label(key: str, label: str) -> None:
    """Raise where a label could not be shown in a line, or is a path.

    Raises:
        InputError: it is empty, too long or a path, or has characters that mean something to a terminal or a page.
    """
    if not LABEL.fullmatch(unicodedata.normalize("NFC", label)) or len(label) > LONGEST:
        expected = "a plain name (letters, digits, spaces, '.', '_', '-', '+', '=' and the like), no path"
        raise InputError(f"{key}: expected {expected}, got {label!r}")


def label_with(label: str, settings: Mapping[str, Any]) -> str:
    """A label that tells of some settings, such as "q_learning-learning_rate=0.5"."""
    words = "-".join(f"{key}={value}" for key, value in settings.items())
    plain = re.sub(r"[^\w.=+-]+", "-", words)
    return f"{label}-{plain}".strip("-")


@lru_cache(maxsize=1024)
def folder_name(label: str) -> str:
    """The folder of a label: the label itself, where every file system can hold it; else a part of it, and a digest."""
    name = unicodedata.normalize("NFC", label)
    fits = PLAIN.fullmatch(name) and name[-1] not in ". " and len(name.encode()) <= LONGEST_NAME
    fits = fits and not FIGURES.fullmatch(name.lower())
    if fits and name == label and not {name.lower(), name.split(".")[0].lower()} & RESERVED:
        return name
    part = re.sub(r"[^\w.=+-]+", "-", name).strip(".-")
    part = f"_{part}" if part.split(".")[0].lower() in RESERVED else part  # Windows minds what comes before the dot
    part = part.encode()[: LONGEST_NAME - 10].decode(errors="ignore")
    return f"{part}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
