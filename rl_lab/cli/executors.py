"""Where a command's runs run: the options for it, and what they come to."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from experiments.execution.executor import Executor

MANY = 1_000_000  # jobs: as many as the cluster has cores

ExecutorOption = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="local|ray",
        help="Where trials run: here, or on a Ray cluster (extra ray).",
        autocompletion=lambda: ["local", "ray"],
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="ADDRESS",
        help="The Ray cluster's, such as auto or host:6379.",
        show_default="one is started here",
    ),
]


class Place(NamedTuple):
    """Where runs run."""

    jobs: int  # at once
    make_executor: "Callable[[Path, int], Executor]"  # of the output folder and the jobs


def place(executor: str, address: str | None, jobs: int | None) -> Place:
    """What the options for it come to.

    Raises:
        InputError: there is no such executor, or no cluster.
    """
    from experiments.errors import InputError
    from experiments.execution.executor import LocalExecutor, available_cores

    if executor not in ("local", "ray"):
        raise InputError(f"--executor: expected local or ray, got {executor!r}")
    if executor == "local":
        if address is not None:
            raise InputError("--address: expected --executor ray beside it")
        return Place(jobs or available_cores(), LocalExecutor)
    return Place(jobs or MANY, _on_ray(address, jobs))


def _on_ray(address: str | None, jobs: int | None) -> "Callable[[Path, int], Executor]":
    """What makes the executor of a Ray cluster, once all else was checked."""
    from experiments.execution.ray_executor import RayExecutor, check_cluster

    check_cluster(address)
    return lambda out, num_runs: RayExecutor(out, jobs, address)
