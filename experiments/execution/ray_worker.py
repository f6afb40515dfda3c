"""What runs on a cluster's machines: one run in a folder of its own, which is sent back change by change."""

import asyncio
import contextlib
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

from experiments.execution import mirror
from experiments.execution.executor import limit_threads
from experiments.specs.spec import RunSpec
from experiments.training.observers import Hearing, Observer, Point, Progress

Mail = tuple[str, str, Any]  # of which run, of which kind ("change", "progress", "point"), what


class Mailbox:
    """Holds what runs send until it is taken; an actor on the driver's machine."""

    def __init__(self) -> None:
        self._mail: deque[Mail] = deque()
        self._asked: dict[str, asyncio.Future[bool]] = {}  # by the runs' keys

    def put(self, mail: Mail) -> None:
        """Send something."""
        self._mail.append(mail)

    def take(self) -> list[Mail]:
        """Take all that has come."""
        taken = list(self._mail)
        self._mail.clear()
        return taken

    async def ask(self, key: str, point: tuple[float, ...]) -> bool:
        """Send a point of a learning curve, and wait for the answer: is the run to be pruned?"""
        self._asked[key] = asyncio.get_running_loop().create_future()
        self._mail.append((key, "point", point))
        return await self._asked[key]

    def answer(self, key: str, *, prune: bool) -> None:
        """Answer whoever has asked."""
        if (asked := self._asked.pop(key, None)) is not None and not asked.done():
            asked.set_result(prune)


class _Stream(Observer):
    """Sends a run's folder whenever it was saved."""

    def __init__(self, sender: mirror.Sender, mailbox: Any, key: str) -> None:
        self._sender, self._mailbox, self._key = sender, mailbox, key

    def checkpointed(self, env_step: int) -> None:
        """It was saved: what has changed is sent, and waited for, so that nothing piles up."""
        import ray

        ray.get(self._mailbox.put.remote((self._key, "change", self._sender.change())))


def train_remotely(
    run_spec_json: str, files: dict[str, bytes], mailbox: Any, key: str, *, asks: bool
) -> tuple[mirror.Change, str]:
    """Train a run from where its folder says that it is; what is new in the folder, and the manifest's text.

    With `asks`, the driver is asked at each point of the learning curve whether the run is to be pruned.
    """
    import ray

    def report(progress: Progress) -> None:
        mailbox.put.remote((key, "progress", tuple(progress)))

    def ask(point: Point) -> bool:
        return bool(ray.get(mailbox.ask.remote(key, tuple(point))))

    limit_threads()
    from experiments.training.train_run import train_run

    run_spec = RunSpec.model_validate_json(run_spec_json)
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        out = Path(name) / "runs"
        folder = out / run_spec.folder
        folder.mkdir(parents=True)
        mirror.put(files, folder)
        sender = mirror.Sender(folder)
        manifest = train_run(run_spec, out, [_Stream(sender, mailbox, key), Hearing(report, ask if asks else None)])
        return sender.change(), manifest.to_json()
