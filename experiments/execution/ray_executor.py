"""Runs on a Ray cluster: each is a task with its cores declared; checkpoints and logs stream back to this machine."""

import contextlib
import logging
import socket
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agents.registry import find_agent
from experiments.errors import InputError, in_words
from experiments.execution import mirror
from experiments.execution.executor import Ended
from experiments.execution.ray_worker import Mailbox, train_remotely
from experiments.runs.heartbeat import Heart
from experiments.runs.manifest import parse_manifest
from experiments.runs.provenance import describe
from experiments.runs.run_folder import RunFolder
from experiments.specs.spec import RunSpec
from experiments.training.observers import Hearing, Point, Progress

_log = logging.getLogger(__name__)

MOST_LOSSES = 20  # of a run's machines, before it is taken for what kills them
LOOK_EVERY = 0.05  # seconds
START_WITHIN = 10.0  # seconds


def check_cluster(address: str | None) -> None:
    """Raise where Ray is not installed, or there is no cluster at an address.

    Raises:
        InputError: with how to get it, or what was asked.
    """
    try:
        import ray  # noqa: F401
    except ImportError:
        raise InputError("--executor ray needs Ray: pip install 'rl-lab[ray]'") from None
    if address is not None:
        _connect(address)


def _connect(address: str | None) -> None:
    """Be a driver of a cluster, which stays so until this process ends: for the next look, or the next search.

    Raises:
        InputError: there is none.
    """
    import ray

    if ray.is_initialized():
        return
    host, colon, port = (address or "").rpartition("://")[2].rpartition(":")
    try:
        if colon:  # not "auto": Ray would ask again for minutes where nothing listens
            socket.create_connection((host, int(port)), timeout=START_WITHIN).close()
        options: dict[str, Any] = {} if address else {"include_dashboard": False}
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, ValueError, RuntimeError, OSError, OverflowError) as error:
        raise InputError(f"--address {address}: expected a Ray cluster: {in_words(error)[:200]}") from None


class RayExecutor:
    """A Ray cluster. No file system need be shared: a run's folder is sent to where it goes on, and streams back.

    A run whose worker or machine is lost goes on elsewhere from its last checkpoint that has come here, and ends as if
    nothing had happened.

    Args:
        out: the output folder, on this machine.
        jobs: runs at once; None: as many as the cluster has cores, those of machines that join included.
        address: of the cluster ("auto", "host:6379"); None: one is started here, and stays until this process ends.

    Raises:
        InputError: Ray is not installed, or there is no cluster.
    """

    def __init__(self, out: Path, jobs: int | None, address: str | None = None) -> None:
        check_cluster(address)
        _connect(address)
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._ray: Any = ray  # its types know no keywords
        self._out, self._jobs = out, jobs
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._mailbox: Any = ray.remote(Mailbox).options(num_cpus=0, scheduling_strategy=here).remote()
        self._tasks: dict[Any, str] = {}  # by their futures, the runs' keys
        self._runs: dict[str, tuple[RunSpec, Hearing, ExitStack]] = {}
        self._losses: Counter[str] = Counter()

    def has_room(self) -> bool:
        """Are fewer under way than the cluster has cores, and than were asked for?"""
        cores = int(self._ray.cluster_resources().get("CPU", 1))
        return len(self._tasks) < min(cores, self._jobs or cores)

    def is_busy(self) -> bool:
        """Is any run under way?"""
        return bool(self._tasks)

    def submit(self, run_spec: RunSpec, hearing: Hearing) -> None:
        """Begin a run. Its folder here is locked meanwhile."""
        key, stack, folder = str(run_spec.folder), ExitStack(), RunFolder(self._out / run_spec.folder)
        stack.enter_context(folder.lock())
        stack.enter_context(Heart(folder.path))
        self._runs[key] = run_spec, hearing, stack
        self._begin(key)

    def _begin(self, key: str) -> None:
        run_spec, hearing, _ = self._runs[key]
        agent = find_agent(run_spec.agent.id)
        options: dict[str, Any] = {"num_cpus": 1, "max_retries": 0}
        if agent.own_process:
            options["max_calls"] = 1  # what draws from global generators has a fresh process
        if run_spec.agent.settings.get("device") == "cuda":
            options["num_gpus"] = 1
        files = mirror.contents(self._out / run_spec.folder)
        task = self._ray.remote(train_remotely).options(**options)
        asks = hearing.on_point is not None
        self._tasks[task.remote(run_spec.model_dump_json(), files, self._mailbox, key, asks=asks)] = key

    def wait(self) -> Ended:
        """Wait until a run has ended."""
        while True:
            self._read_mail()
            done, _ = self._ray.wait(list(self._tasks), timeout=LOOK_EVERY)
            for task in done:
                key = self._tasks.pop(task)
                try:
                    change, text = self._ray.get(task)
                except self._ray.exceptions.RayTaskError as error:  # of the lab's own code: a fault
                    return self._failed(key, in_words(error.cause if error.cause is not None else error))
                except self._ray.exceptions.RayError as error:  # its worker or machine is lost
                    self._losses[key] += 1
                    if self._losses[key] > MOST_LOSSES:
                        return self._failed(key, f"its worker was lost {MOST_LOSSES} times: {in_words(error)[:200]}")
                    self._read_mail()
                    _log.warning("%s: its worker was lost; it goes on from its last checkpoint", key)
                    self._begin(key)
                    continue
                self._read_mail()
                run_spec, _, stack = self._runs.pop(key)
                with stack:
                    mirror.apply(change, self._out / run_spec.folder)
                return run_spec, parse_manifest(text.encode(), Path("the worker's answer"))

    def _read_mail(self) -> None:
        """Take over what runs have sent."""
        for key, kind, content in self._ray.get(self._mailbox.take.remote()):
            if key not in self._runs:
                continue
            run_spec, hearing, _ = self._runs[key]
            if kind == "change":
                mirror.apply(content, self._out / run_spec.folder)
            elif kind == "progress":
                hearing.progress(Progress(*content))
            elif kind == "point" and hearing.on_point is not None:
                self._mailbox.answer.remote(key, prune=hearing.on_point(Point(*content)))
            else:
                _log.warning("%s", content)

    def _failed(self, key: str, why: str) -> Ended:
        run_spec, _, stack = self._runs.pop(key)
        folder = RunFolder(self._out / run_spec.folder)
        with stack:
            known = folder.read_manifest() if folder.exists() else describe(run_spec, "failed")
            manifest = known.with_(status="failed", error=why)
            folder.write_manifest(manifest)
        return run_spec, manifest

    def interrupt(self) -> None:
        """Stop what is under way; it goes on later from what has come here."""
        for task in self._tasks:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.cancel(task)

    def close(self) -> None:
        """Let go of the cluster."""
        for _, _, stack in self._runs.values():
            stack.close()
        self._runs.clear()
        self._ray.kill(self._mailbox)
