"""Sweeps of value iteration over many grids, and their gradients by hand: plain functions, made into machine code.

A grid's values have a border of zeros: cell (r, c) is at (r + 1, c + 1). What an action leads to is said by D = 5
shares, of the cell itself, and of those above, right, below and left of it.
"""

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


def sweep(rewards: Array, transitions: Array, goes_on: Array, values: Array, q_values: Array, best: Array) -> None:
    """Q = R + sum of shares * V beside, then V = goes_on * max_a Q, as many times as `values` has room for.

    Args:
        rewards: [N, A, R, C].
        transitions: shares times the discount [N, A, D, R, C].
        goes_on: what a cell's value is worth to those that lead there [N, R, C].
        values: of every sweep [K, N, R + 2, C + 2]; zeros, of which all but the first are filled.
        q_values: of the last sweep [N, A, R, C].
        best: the action of the highest value in every sweep but the last [K - 1, N, R, C].
    """
    num_sweeps, num_grids = values.shape[0], rewards.shape[0]
    num_actions, rows, cols = rewards.shape[1], rewards.shape[2], rewards.shape[3]
    for grid in range(num_grids):
        for time in range(num_sweeps):
            last = time == num_sweeps - 1
            for row in range(rows):
                for col in range(cols):
                    here, above = values[time, grid, row + 1, col + 1], values[time, grid, row, col + 1]
                    right, below = values[time, grid, row + 1, col + 2], values[time, grid, row + 2, col + 1]
                    left = values[time, grid, row + 1, col]
                    highest, chosen = rewards[grid, 0, row, col], 0
                    for action in range(num_actions):
                        value = (
                            rewards[grid, action, row, col]
                            + transitions[grid, action, 0, row, col] * here
                            + transitions[grid, action, 1, row, col] * above
                            + transitions[grid, action, 2, row, col] * right
                            + transitions[grid, action, 3, row, col] * below
                            + transitions[grid, action, 4, row, col] * left
                        )
                        if last:
                            q_values[grid, action, row, col] = value
                        elif action == 0 or value > highest:
                            highest, chosen = value, action
                    if not last:
                        values[time + 1, grid, row + 1, col + 1] = goes_on[grid, row, col] * highest
                        best[time, grid, row, col] = chosen


def sweep_back(
    slopes: Array,
    transitions: Array,
    goes_on: Array,
    values: Array,
    best: Array,
    of_values: Array,
    of_rewards: Array,
    of_transitions: Array,
    of_goes_on: Array,
) -> None:
    """The slopes of a loss by what `sweep` was given, from those by its `q_values` [N, A, R, C].

    Args:
        slopes: [N, A, R, C].
        transitions: as `sweep` was given them.
        goes_on: the same.
        values: as it filled them.
        best: the same.
        of_values: room for the slopes by the values of two sweeps [2, R + 2, C + 2].
        of_rewards: [N, A, R, C], zeros that are added to, as the others.
        of_transitions: [N, A, D, R, C].
        of_goes_on: [N, R, C].
    """
    num_sweeps, num_grids = values.shape[0], slopes.shape[0]
    num_actions, rows, cols = slopes.shape[1], slopes.shape[2], slopes.shape[3]
    for grid in range(num_grids):
        of_values[:] = 0.0
        for time in range(num_sweeps - 1, -1, -1):
            last = time == num_sweeps - 1
            now, before = time % 2, (time + 1) % 2  # where the slopes by this sweep's values lie, and by the next one's
            for row in range(rows + 2):
                for col in range(cols + 2):
                    of_values[now, row, col] = 0.0
            for row in range(rows):
                for col in range(cols):
                    first, end = 0, num_actions
                    slope = of_values[before, row + 1, col + 1]
                    if not last:  # one action is taken
                        first = best[time, grid, row, col]
                        end = first + 1
                        share = goes_on[grid, row, col]
                        if share != 0.0:
                            of_goes_on[grid, row, col] += slope * (values[time + 1, grid, row + 1, col + 1] / share)
                        slope *= share
                    for action in range(first, end):
                        if last:
                            slope = slopes[grid, action, row, col]
                        if slope == 0.0:
                            continue
                        of_rewards[grid, action, row, col] += slope
                        of_transitions[grid, action, 0, row, col] += slope * values[time, grid, row + 1, col + 1]
                        of_transitions[grid, action, 1, row, col] += slope * values[time, grid, row, col + 1]
                        of_transitions[grid, action, 2, row, col] += slope * values[time, grid, row + 1, col + 2]
                        of_transitions[grid, action, 3, row, col] += slope * values[time, grid, row + 2, col + 1]
                        of_transitions[grid, action, 4, row, col] += slope * values[time, grid, row + 1, col]
                        of_values[now, row + 1, col + 1] += slope * transitions[grid, action, 0, row, col]
                        of_values[now, row, col + 1] += slope * transitions[grid, action, 1, row, col]
                        of_values[now, row + 1, col + 2] += slope * transitions[grid, action, 2, row, col]
                        of_values[now, row + 2, col + 1] += slope * transitions[grid, action, 3, row, col]
                        of_values[now, row + 1, col] += slope * transitions[grid, action, 4, row, col]
