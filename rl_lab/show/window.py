"""Films in a window, with keys."""

import time
from typing import Any

import numpy as np

from experiments.rendering.captions import Image, captioned
from experiments.rendering.frames import Frame
from rl_lab.show.pace import Film, Pace, play_film


def show_in_window(film: Film, episodes: int, pace: Pace, title: str) -> int:
    """Play a film in a window until its end; after a key was pressed, until the window is left."""
    import pygame

    pygame.display.init()
    pygame.display.set_caption(title)
    screen: list[Any] = []
    names = {
        pygame.K_SPACE: "space", pygame.K_RIGHT: "right", pygame.K_PERIOD: "right", pygame.K_ESCAPE: "q",
        pygame.K_PLUS: "+", pygame.K_KP_PLUS: "+", pygame.K_EQUALS: "+", pygame.K_MINUS: "-", pygame.K_KP_MINUS: "-",
    }  # fmt: skip

    def show(frame: Frame) -> None:
        picture: Image = captioned(frame.picture, frame.caption) if frame.caption else frame.picture
        picture = captioned(picture, pace.line() or "h: keys")
        height, width = picture.shape[:2]
        if not screen or screen[0].get_size() != (width, height):
            screen[:] = [pygame.display.set_mode((width, height))]
        surface = pygame.surfarray.make_surface(np.ascontiguousarray(picture.swapaxes(0, 1)))
        screen[0].blit(surface, (0, 0))
        pygame.display.flip()

    def wait(seconds: float) -> str | None:
        deadline = time.monotonic() + seconds
        while True:
            event = pygame.event.poll()  # one after the other: those that follow are for the next look
            if event.type == pygame.QUIT:
                return "q"
            if event.type == pygame.KEYDOWN:
                return names.get(event.key) or (event.unicode or "?").lower()
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            if event.type == pygame.NOEVENT:
                time.sleep(min(left, 0.01))

    try:
        return play_film(film, episodes, pace, show, wait)
    finally:
        pygame.display.quit()
