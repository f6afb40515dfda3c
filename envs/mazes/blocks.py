"""A maze as half blocks, two rows of squares in a line of text: for terminals that are too low for lines."""

import numpy as np
from numpy.typing import NDArray

from envs.mazes.painting import EXIT, FLOOR, INK, KEY_COLOURS, PIT, ROBOT, START, TRAIL, Colour, ramp_colour
from envs.mazes.scene import Scene

SIGNS = {ROBOT: "●", EXIT: "★", PIT: "○", START: "∘"}  # where there are no colours


def draw_blocks(scene: Scene, *, colours: bool) -> str:
    """The maze in rows + 1 lines of 2 * cols + 1 characters; a character is two squares, one above the other."""
    squares = _squares(scene)
    squares = np.concatenate([squares, squares[-1:]])  # the last line's lower squares repeat the wall
    draw = _coloured if colours else _plain
    lines = []
    for row in range(0, len(squares), 2):
        pairs = zip(squares[row].tolist(), squares[row + 1].tolist(), strict=True)
        lines.append("".join(draw(tuple(upper), tuple(lower)) for upper, lower in pairs) + ("\x1b[0m" * colours))
    return "\n".join(lines)


def _coloured(upper: Colour, lower: Colour) -> str:
    return "\x1b[38;2;{};{};{}m\x1b[48;2;{};{};{}m▀".format(*upper, *lower)


def _plain(upper: Colour, lower: Colour) -> str:
    if lower in SIGNS:
        return SIGNS[lower]
    return {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}[upper == INK, lower == INK]


def _squares(scene: Scene) -> NDArray[np.int64]:
    """The colours [2 rows + 1, 2 cols + 1, 3] of walls and cells."""
    squares = np.full((2 * scene.rows + 1, 2 * scene.cols + 1, 3), INK, dtype=np.int64)
    trail = {state % scene.num_cells for state in scene.trail}
    for cell in range(scene.num_cells):
        if scene.is_blocked(cell):
            continue
        row, col = divmod(cell, scene.cols)
        squares[2 * row + 1, 2 * col + 1] = _cell(scene, cell, trail)
        for action, (down, right) in enumerate(((-1, 0), (0, 1), (1, 0), (0, -1))):
            if scene.level.passages[cell, action]:
                door = scene.door(cell, action)
                squares[2 * row + 1 + down, 2 * col + 1 + right] = KEY_COLOURS[door - 1] if door else FLOOR
    return squares


def _cell(scene: Scene, cell: int, trail: set[int]) -> Colour:
    overlay = scene.overlay
    if cell == scene.robot:
        return ROBOT
    if cell in scene.level.exits:
        return EXIT
    if scene.level.pits[cell]:
        return PIT
    if scene.key(cell):
        return KEY_COLOURS[scene.key(cell) - 1]
    if cell in trail:
        return TRAIL
    if overlay is not None and overlay.values is not None and np.isfinite(overlay.values[cell]):
        return ramp_colour(float(overlay.values[cell]), *overlay.value_range())
    if overlay is not None and (cell in overlay.path or (overlay.visits is not None and overlay.visits[cell])):
        return TRAIL
    return START if [cell] == list(scene.level.starts) else FLOOR
