"""How a film is played: pause, step, speed, next episode, overlays, by keys; the same in a window and in a terminal."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from experiments.rendering.frames import Frame

SPEEDS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
HOLD_SECONDS = 1.0  # the last frame of an episode stays this long
SHORTEST = 0.005  # seconds between two looks for a key
HELP = "space pause   > step   + - speed   n next   v overlay   h help   q quit"
Film = Callable[[int, Callable[[], str]], Iterator[Frame]]  # of an episode's number, and of what tells the overlay
Wait = Callable[[float], str | None]  # a key, or None after some seconds without one


@dataclass
class Pace:
    """What the keys have asked for so far.

    Args:
        fps: of the film at speed 1.
        overlays: what may be drawn over the picture, the first one first.
    """

    fps: float
    overlays: tuple[str, ...] = ("values",)
    paused: bool = False
    speed: float = 1.0
    helps: bool = False  # is the line of keys shown?
    touched: bool = False  # has a key been pressed? Then the film goes on with other episodes, until it is left
    leaves: bool = False  # this episode
    quits: bool = False
    steps: int = 0  # frames to go on by, though paused

    @property
    def overlay(self) -> str:
        """What is drawn over the picture."""
        return self.overlays[0]

    def press(self, key: str) -> None:
        """Take a key: "space", "right", "+", "-", "n", "v", "h", "q"; others mean nothing."""
        self.touched = True
        if key == "space":
            self.paused = not self.paused
        elif key == "right":
            self.paused, self.steps = True, self.steps + 1
        elif key in ("+", "-"):
            place = SPEEDS.index(self.speed) + (1 if key == "+" else -1)
            self.speed = SPEEDS[min(max(place, 0), len(SPEEDS) - 1)]
        elif key == "n":
            self.leaves = True
        elif key == "v":
            self.overlays = (*self.overlays[1:], self.overlays[0])
        elif key == "h":
            self.helps = not self.helps
        elif key == "q":
            self.quits = self.leaves = True
        else:
            self.touched = False

    def line(self) -> str:
        """What is said below the picture, where there is something to be said."""
        state = "   ".join(["paused"] * self.paused + [f"speed {self.speed:g}"] * (self.speed != 1))
        return HELP if self.helps else state


def play_film(film: Film, episodes: int, pace: Pace, show: Callable[[Frame], None], wait: Wait) -> int:
    """Play episodes, and after them further ones where keys were pressed; the number of frames shown.

    Args:
        film: gives an episode's frames.
        episodes: how many are played if no key is pressed.
        pace: what the keys change.
        show: shows a frame.
        wait: waits for a key.
    """
    count = number = 0
    while not pace.quits and (number < episodes or pace.touched):
        pace.leaves = False
        for frame in film(number, lambda: pace.overlay):
            show(frame)
            count += 1
            _wait(frame, pace, show, wait)
            if pace.leaves:
                break
        number += 1
    return count


def _wait(frame: Frame, pace: Pace, show: Callable[[Frame], None], wait: Wait) -> None:
    """Wait until the next frame is due, or asked for."""
    begun = time.monotonic()
    while not pace.leaves:
        if pace.steps:
            pace.steps -= 1
            return
        left = HOLD_SECONDS if frame.last else 1 / (pace.fps * pace.speed)
        left -= time.monotonic() - begun
        if not pace.paused and left <= 0:
            return
        key = wait(0.1 if pace.paused else max(left, SHORTEST))
        if key is not None:
            pace.press(key)
            show(frame)  # what is said below it has changed
