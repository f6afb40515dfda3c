"""The play command: a person at the keyboard, in a window or in the terminal."""

import sys
from typing import Any, NamedTuple

import gymnasium as gym
from gymnasium import spaces

from envs.action_names import action_names
from envs.mazes.env import MazeEnv
from envs.registry import make_env
from experiments.errors import InputError, located
from experiments.evaluation.environments import closing
from rl_lab.show.draw import entry_of
from rl_lab.show.keys import DOWN, LEFT, RIGHT, UP, raw_keys
from rl_lab.show.screen import has_display
from rl_lab.show.terminal import CAPTION_LINES, HOME, PLAIN_WIDTH, as_text, terminal_mode

ARROWS = {UP: "up", RIGHT: "right", DOWN: "down", LEFT: "left"}
# Both on a QWERTY keyboard (w a s d) and on an AZERTY one (z q s d) the keys lie like the arrows.
LETTERS = {"w": "up", "z": "up", "d": "right", "s": "down", "a": "left", "q": "left"}
AZERTY_DIGITS = dict(zip("&é\"'(-è_çà", "1234567890", strict=True))  # the digits' keys there, without shift
QUIT = ("\x1b", "\x03", "\x04", "")  # Esc, Ctrl-C, Ctrl-D, the end of a pipe; no key that moves
MOST_ACTIONS = 10


class Keys(NamedTuple):
    """Which key takes which action, and how that is told to the player."""

    actions: dict[str, int]  # by keys; arrows as terminals send them
    legend: str


def play(env_id: str, options: dict[str, Any], *, seed: int, terminal: bool) -> dict[str, Any]:
    """Play until the player quits; a new episode follows each.

    Raises:
        InputError: there is no window to be had, or no key for what the environment does.
    """
    entry = entry_of(env_id, options)
    if not terminal and not has_display():
        raise InputError("there is no display for a window: expected --terminal")
    mode = terminal_mode(entry) if terminal else "rgb_array"
    with located(f"envs: {env_id}"):
        env = make_env(env_id, render_mode=mode, **options)
    with closing(env):
        keys = action_keys(env)
        return _in_terminal(env, keys, seed) if terminal else _in_window(env, keys, seed)


def action_keys(env: gym.Env[Any, Any]) -> Keys:
    """The keys of an environment: arrows and letters for its directions, digits for all its actions off mazes."""
    if not isinstance(env.action_space, spaces.Discrete) or env.action_space.n > MOST_ACTIONS:
        raise InputError(f"play: expected an environment with at most 10 actions, got {env.action_space}")
    names = action_names(env)
    towards = {_direction(name): action for action, name in enumerate(names)}
    is_maze = isinstance(env.unwrapped, MazeEnv)
    actions = {key: towards[way] for key, way in ARROWS.items() if way in towards}
    if is_maze:
        actions |= {key: towards[way] for key, way in LETTERS.items()}
        return Keys(actions, "arrows, w a s d or z q s d")
    actions |= {str(action): action for action in range(len(names))}
    actions |= {key: int(digit) for key, digit in AZERTY_DIGITS.items() if int(digit) < len(names)}
    words = ", ".join(str(action) if str(action) == name else f"{action} {name}" for action, name in enumerate(names))
    return Keys(actions, f"{words}{'; or the arrows' if any(key in actions for key in ARROWS) else ''}")


def _direction(name: str) -> str:
    """The arrow that an action is like, by its name; the name itself where it is like none."""
    words = name.lower().split()
    likes = {"main": "up", "north": "up", "south": "down", "east": "right", "west": "left"}
    return next((likes.get(word, word) for word in words if likes.get(word, word) in ARROWS.values()), name)


def _in_window(env: gym.Env[Any, Any], keys: Keys, seed: int) -> dict[str, Any]:
    import pygame
    from gymnasium.utils.play import play as play_in_window

    codes = {UP: pygame.K_UP, RIGHT: pygame.K_RIGHT, DOWN: pygame.K_DOWN, LEFT: pygame.K_LEFT}
    mapping: dict[Any, Any] = {(codes.get(key) or ord(key),): action for key, action in keys.actions.items()}
    score = Score(env)

    def on_step(before: Any, after: Any, action: Any, reward: float, terminated: bool, truncated: bool, _: Any) -> None:
        score.step(reward, terminated, truncated)

    print(f"keys: {keys.legend}; Esc or closing the window quits")
    waits = isinstance(env.unwrapped, MazeEnv) or not _has_idle_action(env)
    play_in_window(env, keys_to_action=mapping, callback=on_step, seed=seed, wait_on_player=waits)
    return score.summary()


def _has_idle_action(env: gym.Env[Any, Any]) -> bool:
    """Does action 0 do nothing, so that time may go on while no key is pressed? LunarLander's does."""
    return env.spec is not None and env.spec.id.startswith("LunarLander")


def _in_terminal(env: gym.Env[Any, Any], keys: Keys, seed: int) -> dict[str, Any]:
    score = Score(env)
    _, _ = env.reset(seed=seed)
    score.begin()
    legend = f"{keys.legend}; Esc quits"
    with raw_keys() as read_key:
        _show(env, f"{score.line()}   ({legend})")
        while True:
            key = read_key()
            if key in QUIT:
                return score.summary()
            action = keys.actions.get(key if key in keys.actions else key.lower())
            if action is None:
                continue
            _, reward, terminated, truncated, _ = env.step(action)
            score.step(float(reward), terminated, truncated)
            _show(env, f"{score.line()}   ({legend})")
            if terminated or truncated:
                env.reset()
                score.begin()


class Score:
    """What has happened, for the line below the picture."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        self._maze = env.unwrapped if isinstance(env.unwrapped, MazeEnv) else None
        self.returns: list[float] = []
        self.begin()

    def begin(self) -> None:
        """A new episode."""
        self.total_reward, self.steps, self.ended = 0.0, 0, ""
        self._best: int | None = None

    def step(self, reward: float, terminated: bool, truncated: bool) -> None:
        """One step of the player."""
        if self.ended:
            self.begin()
        self.total_reward += reward
        self.steps += 1
        if terminated or truncated:
            self.ended = "terminated" if terminated else "truncated"
            self.returns.append(self.total_reward)

    def line(self) -> str:
        """The state of play in a line."""
        way = ""
        if self._maze is not None and not self.ended:
            left = int(self._maze.exit_distances[self._maze.s])
            way = f"   {left} moves from the exit" if left >= 0 else "   no way to the exit from here"
        ended = f"   {self.ended}" if self.ended else ""
        if self._maze is not None and self._maze.source.recipe.keys:
            way += f"   keys: {self._maze.held_keys or 'none'}"
        return f"step {self.steps}   return {self.total_reward:.4g}{ended}{way}"

    def summary(self) -> dict[str, Any]:
        """All finished episodes."""
        return {"episodes": len(self.returns), "returns": self.returns}


def _show(env: gym.Env[Any, Any], caption: str) -> None:
    import shutil

    size = shutil.get_terminal_size((PLAIN_WIDTH, 40))
    text = as_text(env.render(), size.columns, size.lines - CAPTION_LINES)
    if sys.stdout.isatty():
        lines = [line + "\x1b[K" for line in [*text.split("\n"), caption]]
        sys.stdout.write(HOME + "\r\n".join(lines) + "\x1b[J")
        sys.stdout.flush()
    else:
        print(f"{text}\n{caption}\n")
