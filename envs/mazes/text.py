"""A maze as text with box-drawing characters: for terminals, wide and narrow."""

import numpy as np

from envs.mazes.scene import Scene

# Joint of the wall pieces that meet at a corner; bits: 1 up, 2 right, 4 down, 8 left.
JOINTS = " ╵╶└╷│┌├╴┘─┴┐┤┬┼"
ARROWS = "↑→↓←"
ONE_WAY = "▴▸▾◂"
ROBOT, EXIT, START, PIT, PATH = "●", "★", "∘", "○", "·"


def draw_box(scene: Scene, columns: int | None = None) -> str:
    """The maze in 2 * rows + 1 lines of 4 * cols + 1 characters, 2 * cols + 1 where `columns` are too few for that.

    Doors are `A` to `D`, keys `a` to `d`, pits `○`, one-way passages triangles; an overlay's arrows, or those of its
    action values, fill the empty cells, its path and visited cells are dotted. Below is the wind, where there is any.
    """
    width = 3 if columns is None or 4 * scene.cols + 1 <= columns else 1
    rows, cols = scene.rows, scene.cols
    across = np.ones((rows + 1, cols), dtype=bool)  # wall above cell (row, col)
    upright = np.ones((rows, cols + 1), dtype=bool)  # wall to the left of cell (row, col)
    for cell in range(scene.num_cells):
        row, col = divmod(cell, cols)
        for action, walls, place in (
            (0, across, (row, col)),
            (2, across, (row + 1, col)),
            (3, upright, (row, col)),
            (1, upright, (row, col + 1)),
        ):
            if scene.level.passages[cell, action]:
                walls[place] = False

    def joint(row: int, col: int) -> str:
        up = row > 0 and upright[row - 1, col]
        down = row < rows and upright[row, col]
        left = col > 0 and across[row, col - 1]
        right = col < cols and across[row, col]
        return JOINTS[up + 2 * right + 4 * down + 8 * left]

    def above(row: int, col: int) -> str:
        if across[row, col]:
            return "─" * width
        return _gate(scene, (row - 1) * cols + col, 2).center(width)

    def left(row: int, col: int) -> str:
        if upright[row, col]:
            return "│"
        return _gate(scene, row * cols + col - 1, 1)

    lines = []
    for row in range(rows + 1):
        lines.append("".join(joint(row, col) + above(row, col) for col in range(cols)) + joint(row, cols))
        if row < rows:
            cells = (left(row, col) + _content(scene, row * cols + col).center(width) for col in range(cols))
            lines.append("".join(cells) + ("│" if upright[row, cols] else " "))
    if any(scene.wind):
        lines.append("".join(" " + f"{strength or '·'}".center(width) for strength in scene.wind) + " ")
    return "\n".join(lines)


def _gate(scene: Scene, cell: int, action: int) -> str:
    """What stands in an opening: a locked door, the arrow of a one-way passage, or nothing."""
    number = scene.door(cell, action)
    if number:
        return "ABCD"[number - 1]
    there, back = scene.level.passages[cell, action], scene.returns(cell, action)
    if there and back:
        return " "
    return ONE_WAY[action if there else (action + 2) % 4]


def _content(scene: Scene, cell: int) -> str:
    if cell == scene.robot:
        return ROBOT
    if cell in scene.level.exits:
        return EXIT
    if scene.level.pits[cell]:
        return PIT
    if scene.key(cell):
        return "abcd"[scene.key(cell) - 1]
    overlay = scene.overlay
    if overlay is not None and overlay.arrows is not None and overlay.arrows[cell].any():
        return ARROWS[int(np.argmax(overlay.arrows[cell]))]
    if overlay is not None and overlay.q_values is not None and np.isfinite(overlay.q_values[cell]).any():
        return ARROWS[int(np.nanargmax(overlay.q_values[cell]))]
    if overlay is not None and (cell in overlay.path or (overlay.visits is not None and overlay.visits[cell])):
        return PATH
    return START if [cell] == list(scene.level.starts) else " "
