"""What a beginner meant by an option that there is not: an environment's option, or an agent's setting."""

from typing import Any

OF_ENVIRONMENTS = ("train", "draw", "play", "evaluate")  # commands that take --env
SETTING = {"train": "--set", "check": "--set", "run": "--change"}  # how a command takes a setting


def option_hint(error: Any) -> str:
    """Such as " (did you mean --env rows=...?)"; of a missing argument the command's example."""
    context = getattr(error, "ctx", None)
    command = getattr(context, "info_name", None) or ""
    option = getattr(error, "option_name", None)
    if option is None and "unexpected extra argument" in str(getattr(error, "message", "")):
        return " (several settings: --env A=1 --env B=2, without spaces around =)" if "=" in error.message else ""
    if option is None:
        example = getattr(getattr(context, "command", None), "epilog", None)
        return f" ({example})" if example and type(error).__name__ == "MissingParameter" else ""
    name = str(option).lstrip("-").partition("=")[0].replace("-", "_")
    if command in OF_ENVIRONMENTS and name in _environment_options():
        return f" (did you mean --env {name}=...?)"
    if command in SETTING and name in _settings():
        return f" (did you mean {SETTING[command]} {name}=...?)"
    return ""


def _environment_options() -> set[str]:
    from envs.registry import ENTRIES, env_options

    return {option for name in ENTRIES for option in env_options(name)}


def _settings() -> set[str]:
    from agents.base import Settings
    from agents.registry import AGENTS, find_agent

    found: set[str] = set()
    for name in AGENTS:
        settings: type[Settings] = find_agent(name).Settings
        found |= settings.model_fields.keys()
    return found
