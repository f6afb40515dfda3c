"""A maze as pixels, drawn with pygame: RGB arrays, or a window."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mazes.painting import Colour, Geometry, Point, paint
from envs.mazes.scene import Scene

OVERSAMPLING = 2  # drawn larger and scaled down: smooth edges


class Renderer:
    """Draws scenes, their longer side about `size` pixels."""

    def __init__(self, size: int, window_fps: int | None = None) -> None:
        """With `window_fps`, into a window at that many frames a second."""
        self._size, self._window_fps = size, window_fps
        self._screen: Any = None
        self._clock: Any = None

    def draw(self, scene: Scene) -> NDArray[np.uint8] | None:
        """One frame: an RGB array [H, W, 3], or None when it went to the window."""
        import pygame

        geometry = Geometry(scene, self._size)
        size = (geometry.width, geometry.height)
        canvas = PygameCanvas((size[0] * OVERSAMPLING, size[1] * OVERSAMPLING))
        paint(scene, canvas, geometry, OVERSAMPLING)
        frame = pygame.transform.smoothscale(canvas.surface, size)
        if self._window_fps is None:
            return np.ascontiguousarray(np.transpose(pygame.surfarray.array3d(frame), (1, 0, 2)))
        if self._screen is None or self._screen.get_size() != size:
            pygame.display.init()
            pygame.display.set_caption("RL Lab: maze")
            self._screen = pygame.display.set_mode(size)
            self._clock = pygame.time.Clock()
        self._screen.blit(frame, (0, 0))
        pygame.event.pump()
        pygame.display.flip()
        self._clock.tick(self._window_fps)
        return None

    def close(self) -> None:
        """Close the window."""
        if self._screen is not None:
            import pygame

            pygame.display.quit()
            self._screen = None


class PygameCanvas:
    """Shapes on a pygame surface."""

    def __init__(self, size: tuple[int, int]) -> None:
        import pygame
        import pygame.font

        self._pygame = pygame
        self.surface = pygame.Surface(size)

    def rect(self, x: float, y: float, width: float, height: float, colour: Colour, radius: float = 0) -> None:
        """A filled rectangle."""
        left, top = round(x), round(y)
        box = self._pygame.Rect(left, top, round(x + width) - left, round(y + height) - top)
        self._pygame.draw.rect(self.surface, colour, box, border_radius=round(radius))

    def circle(self, centre: Point, radius: float, colour: Colour, outline: float = 0) -> None:
        """A disc, or a ring."""
        self._pygame.draw.circle(self.surface, colour, centre, radius, round(outline))

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """A filled polygon."""
        self._pygame.draw.polygon(self.surface, colour, points)

    def line(self, begin: Point, end: Point, colour: Colour, width: float) -> None:
        """A line with round ends."""
        self._pygame.draw.line(self.surface, colour, begin, end, max(1, round(width)))
        if width > 4:
            for point in (begin, end):
                self._pygame.draw.circle(self.surface, colour, point, width / 2)

    def text(self, centre: Point, text: str, height: float, colour: Colour) -> None:
        """A line of text."""
        if not self._pygame.font.get_init():  # also when somebody has quit pygame since
            _font.cache_clear()
            self._pygame.font.init()
        if height >= 6:
            label = _font(round(height * 1.35)).render(text, True, colour)
            self.surface.blit(label, label.get_rect(center=centre))


@lru_cache
def _font(size: int) -> Any:
    import pygame.font

    return pygame.font.Font(None, size)
