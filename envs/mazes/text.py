"""A maze as text with box-drawing characters: for terminals."""

from collections.abc import Sequence

import numpy as np

from envs.mazes.grid import Maze
from envs.mazes.rendering import Overlay

# Joint of the wall pieces that meet at a corner; bits: 1 up, 2 right, 4 down, 8 left.
JOINTS = " ╵╶└╷│┌├╴┘─┴┐┤┬┼"
ARROWS = "↑→↓←"
ROBOT, EXIT, START = "●", "★", "∘"


def draw_box(maze: Maze, robot: int, starts: Sequence[int], exit_cell: int, overlay: Overlay | None = None) -> str:
    """The maze in 2 * rows + 1 lines of 4 * cols + 1 characters; an overlay's arrows fill the empty cells."""
    rows, cols = maze.rows, maze.cols
    open_passages = maze.passages.reshape(rows, cols, 4)
    across = np.ones((rows + 1, cols), dtype=bool)  # wall above cell (row, col)
    across[1:-1] = ~open_passages[1:, :, 0]
    upright = np.ones((rows, cols + 1), dtype=bool)  # wall to the left of cell (row, col)
    upright[:, 1:-1] = ~open_passages[:, 1:, 3]

    def joint(row: int, col: int) -> str:
        up = row > 0 and upright[row - 1, col]
        down = row < rows and upright[row, col]
        left = col > 0 and across[row, col - 1]
        right = col < cols and across[row, col]
        return JOINTS[up + 2 * right + 4 * down + 8 * left]

    def content(cell: int) -> str:
        if cell == robot:
            return ROBOT
        if cell == exit_cell:
            return EXIT
        if overlay is not None and overlay.arrows is not None and overlay.arrows[cell].any():
            return ARROWS[int(np.argmax(overlay.arrows[cell]))]
        return START if [cell] == list(starts) else " "

    lines = []
    for row in range(rows + 1):
        lines.append(
            "".join(joint(row, col) + "───"[: 3 * across[row, col]].ljust(3) for col in range(cols)) + joint(row, cols)
        )
        if row < rows:
            cells = (("│" if upright[row, col] else " ") + f" {content(row * cols + col)} " for col in range(cols))
            lines.append("".join(cells) + ("│" if upright[row, cols] else " "))
    return "\n".join(lines)
