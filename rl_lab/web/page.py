"""A recording as one page: a file that needs no server and no network."""

import base64
import hashlib
import html
import json
import re
from importlib import resources
from typing import Any

from rl_lab.web.words import words

# The modules of the player, each after those that it imports.
MODULES = (
    *("words.js", "dom.js", "unpack.js", "maze.js", "lander.js"),
    *("views.js", "details.js", "player.js", "standalone.js"),
)
IMPORT = re.compile(r"^import .*?;\n", re.MULTILINE | re.DOTALL)
PAGE = """<!doctype html>
<!-- RL Lab recording -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="RL Lab">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main class="sheet" id="page"></main>
<script type="application/json" id="words">{words}</script>
<script type="application/json" id="recording">{recording}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def standalone_page(recording: dict[str, Any]) -> str:
    """The page of a recording (`Recording.to_json`): scripts of ours alone may run in it, and nothing is loaded."""
    script, style = _script(), _static("style.css")
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return PAGE.format(
        policy=policy,
        title=html.escape(str(recording["title"])),
        style=style,
        words=_embedded(_of_player()),
        recording=_embedded(recording),
        script=script,
    )


def _of_player() -> dict[str, dict[str, str]]:
    """The texts that the player says."""
    said = set(re.findall(r"[\"'`](\w+)[\"'`]", _script()))
    prefixes = ("layer_", "tool_", "help_", "end_", "action_")
    return {
        language: {key: text for key, text in texts.items() if key in said or key.startswith(prefixes)}
        for language, texts in words().items()
    }


def _script() -> str:
    """The player's modules as one: their imports left out, since what they import stands before them."""
    return "".join(IMPORT.sub("", _static(name)).replace("\nexport ", "\n") for name in MODULES)


def _static(name: str) -> str:
    return (resources.files("rl_lab.web") / "static" / name).read_text("utf-8")


def _embedded(values: Any) -> str:
    """JSON that ends no script element, whatever a run is called."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
