"""Is there a screen for a window?"""

import os
import sys

SDL_DRIVER = "SDL_VIDEODRIVER"
_drawn_without_screen: list[bool] = []  # has SDL been told, by us, that there is no screen?


def has_display() -> bool:
    """Could a window open?"""
    if sys.platform in ("darwin", "win32"):
        return True
    names = ("DISPLAY", "WAYLAND_DISPLAY") if _drawn_without_screen else ("DISPLAY", "WAYLAND_DISPLAY", SDL_DRIVER)
    return any(os.environ.get(name) for name in names)


def draw_without_screen() -> None:
    """Have SDL draw pictures where there is no screen, without complaint: that is no window."""
    os.environ.setdefault(SDL_DRIVER, "dummy")
    _drawn_without_screen.append(True)
