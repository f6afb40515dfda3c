"""What several tests of whole commands share: policies and a server of them, made once; and a stack that closes."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from experiments.policies import export as exporting
from experiments.policies.export import export_policy
from tests.served import CART, MAZE, SMALL, Running, serving, trained


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture(scope="session")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table's and a network's file, and the runs that they come from."""
    folder = tmp_path_factory.mktemp("served")
    before, exporting.NUM_OBSERVATIONS = exporting.NUM_OBSERVATIONS, 400
    try:
        for name, env, agent in (("maze.npz", MAZE, {"id": "q_learning"}), ("cart.onnx", CART, {"id": "dqn", **SMALL})):
            run = trained(folder / name.partition(".")[0], env, agent, steps=400)
            export_policy(run, folder / name)
    finally:
        exporting.NUM_OBSERVATIONS = before
    return folder


@pytest.fixture(scope="session")
def server(policies: Path) -> Iterator[Running]:
    with serving("maze.npz", "cart.onnx", cwd=policies) as running:
        yield running
