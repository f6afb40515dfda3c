"""What stands for characters that a terminal's encoding does not have."""

import codecs
import sys

ALIKE = {
    "-": "─━═╴╶╌–—−‐‑",
    "|": "│┃║╵╷╎",
    "+": "┌┐└┘├┤┬┴┼╔╗╚╝╠╣╦╩╬╭╮╯╰┏┓┗┛┣┫┳┻╋",
    "^": "↑▲",
    ">": "→▶≥",
    "v": "↓▼✓",
    "<": "←◀≤",
    "*": "•·★",
    "o": "●○",
    "#": "█▓▒▀▄■□",
    "x": "×",
    "'": "‘’",
    '"': "“”",
    ".": "…",
}
PLAIN = {ord(one): plain for plain, characters in ALIKE.items() for one in characters}


def make_printable() -> None:
    """Let standard output and error replace what their encoding does not have, instead of failing."""
    codecs.register_error("rl_lab.plain", _replace)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and (stream.encoding or "").lower().replace("-", "") != "utf8":
            reconfigure(errors="rl_lab.plain")


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    plain = error.object[error.start : error.end].translate(PLAIN)
    return "".join(one if one.isascii() else "?" for one in plain), error.end
