"""Environments: mazes with a known optimum, beside Gymnasium's own. Importing this registers them with Gymnasium."""

import os

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # standard output belongs to our commands

from envs.registry import register_all

register_all()
