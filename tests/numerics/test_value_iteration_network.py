"""The network that plans: with weights set by hand it is value iteration, in any maze of any size."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents.deep.torch_networks import DIRECTIONS, PLACES, CompiledSweeps, beside, sweeps_on_torch
from agents.planning.oracle import Oracle
from agents.policy import Spaces
from agents.registry import make_agent
from envs.registry import make_env

SURE = 40.0  # a score that leaves nothing to the others
WALLS = ((0, 1), (1, 2), (2, 1), (1, 0))  # of a cell: above, right, below, left, in the 3 x 3 pixels around it
EXIT = 4  # of what is seen of a cell: four walls, and then whether it is an exit


def by_hand(reward: float) -> dict[str, Any]:
    """Weights that say of a cell what is true: a move leads through where there is no wall, and costs the same."""
    seen = np.zeros((PLACES, 3, 3, 3))
    for side, (row, col) in enumerate(WALLS):
        seen[side, 0, row, col] = 1.0
    seen[EXIT, 2, 1, 1] = 1.0
    transitions, biases = np.zeros((4, DIRECTIONS, PLACES)), np.full((4, DIRECTIONS), -SURE)
    for action in range(4):
        transitions[action, 0, action], biases[action, 0] = SURE, -SURE / 2  # it stays where the wall is
        transitions[action, 1 + action, action], biases[action, 1 + action] = -SURE, SURE / 2
    goes_on = np.zeros((1, PLACES, 1, 1))
    goes_on[0, EXIT] = -2 * SURE
    return {
        "seen.weight": seen,
        "seen.bias": np.zeros(PLACES),
        "rewards.weight": np.zeros((4, PLACES, 1, 1)),
        "rewards.bias": np.full(4, reward),
        "transitions.weight": transitions.reshape(4 * DIRECTIONS, PLACES, 1, 1),
        "transitions.bias": biases.reshape(-1),
        "goes_on.weight": goes_on,
        "goes_on.bias": np.full(1, SURE),
    }


@pytest.mark.parametrize(("rows", "cols", "discount"), [(4, 4, 1.0), (3, 6, 0.9)])
def test_with_weights_set_by_hand_it_finds_the_optimum(rows: int, cols: int, discount: float) -> None:
    env = make_env("RLLab/Maze-v0", rows=rows, cols=cols, observation="grid", maze_seed=5, generator="wilson")
    states: Any = make_env("RLLab/Maze-v0", rows=rows, cols=cols, maze_seed=5, generator="wilson")
    agent: Any = make_agent("dqn", env, network="vin", num_sweeps=rows * cols, discount=discount)
    agent.learner.online.put(by_hand(-1.0))
    base: Any = env.unwrapped
    base.reset(seed=0)
    compared = 0
    for state, expected in enumerate(Oracle(states, discount).q_values):
        picture = base.observe(state)
        if picture[..., 2][picture[..., 1] > 0] == 0:  # in an exit there is nothing to do
            assert agent.action_values(picture).tolist() == pytest.approx(expected.tolist(), abs=1e-3)
            compared += 1
    assert compared == rows * cols - 1


@pytest.mark.parametrize("num_sweeps", [1, 2, 9])
def test_compiled_sweeps_are_the_readable_ones(num_sweeps: int) -> None:
    """Values and gradients, against torch's own, in float64."""
    rng = torch.Generator().manual_seed(0)
    shapes = ((3, 4, 5, 6), (3, 4, DIRECTIONS, 5, 6), (3, 5, 6))
    given = [torch.rand(shape, generator=rng, dtype=torch.float64) - 0.3 for shape in shapes]
    slopes = torch.rand(shapes[0], generator=rng, dtype=torch.float64) - 0.5
    found: list[list[Any]] = []
    for swept in (sweeps_on_torch, CompiledSweeps.apply):
        arguments: list[Any] = [one.clone().requires_grad_() for one in given]
        q_values: Any = swept(*arguments, num_sweeps)  # type: ignore[call-arg]
        q_values.backward(slopes)
        found.append([q_values.detach(), *(one.grad for one in arguments)])
    for one, other in zip(*found, strict=True):
        expected = torch.zeros_like(other) if one is None else one  # of a single sweep the shares have no part
        assert torch.allclose(expected, other, rtol=1e-10, atol=1e-12)
    assert found[1][1].abs().sum() > 0


def test_what_lies_beside_a_cell() -> None:
    around = beside(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    assert around[0].tolist() == [
        [[1, 2], [3, 4]],  # itself
        [[0, 0], [1, 2]],  # above
        [[2, 0], [4, 0]],  # right
        [[3, 4], [0, 0]],  # below
        [[0, 1], [0, 3]],  # left
    ]


@pytest.mark.parametrize(
    ("space", "settings", "message"),
    [
        (spaces.Box(0, 1, (3,)), {"network": "vin"}, "'vin' observes mazes' grids, bytes .*, got Box"),
        (spaces.Box(0, 255, (8, 9, 3), np.uint8), {"network": "vin"}, "'vin' observes mazes' grids"),
        (spaces.Box(0, 255, (9, 9, 3), np.uint8), {"network": "vin", "learner": "compiled"}, "'cnn' or 'vin'"),
    ],
)
def test_what_it_cannot_plan_in(space: gym.Space[Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_agent("dqn", Spaces(space, spaces.Discrete(4)), **settings)
