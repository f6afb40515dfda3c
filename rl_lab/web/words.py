"""The texts of the pages, by language: equal keys in all."""

import json
from functools import lru_cache
from importlib import resources

LANGUAGES = ("en", "fr")


@lru_cache(maxsize=1)
def words() -> dict[str, dict[str, str]]:
    """Every text [language][key]."""
    folder = resources.files("rl_lab.web") / "static"
    return {language: json.loads((folder / f"{language}.json").read_text("utf-8")) for language in LANGUAGES}
