"""What runs on a cluster's machines: one run in a folder of its own, which is sent back change by change."""

import contextlib
import tempfile
from collections import deque
from pathlib import Path
from typing import Any

from experiments.execution import mirror
from experiments.execution.executor import limit_threads
from experiments.specs.spec import RunSpec
from experiments.training.observers import Observer, Progress

Mail = tuple[str, str, Any]  # of which run, of which kind ("change", "progress"), what


class Mailbox:
    """Holds what runs send until it is taken; an actor on the driver's machine."""

    def __init__(self) -> None:
        self._mail: deque[Mail] = deque()

    def put(self, mail: Mail) -> None:
        """Send something."""
        self._mail.append(mail)

    def take(self) -> list[Mail]:
        """Take all that has come."""
        taken = list(self._mail)
        self._mail.clear()
        return taken


class _Stream(Observer):
    """Sends a run's progress, and its folder whenever it was saved."""

    def __init__(self, sender: mirror.Sender, mailbox: Any, key: str) -> None:
        self._sender, self._mailbox, self._key = sender, mailbox, key

    def progress(self, progress: Progress) -> None:
        """It has come this far."""
        self._mailbox.put.remote((self._key, "progress", tuple(progress)))

    def checkpointed(self, env_step: int) -> None:
        """It was saved: what has changed is sent, and waited for, so that nothing piles up."""
        import ray

        ray.get(self._mailbox.put.remote((self._key, "change", self._sender.change())))


def train_remotely(run_spec_json: str, files: dict[str, bytes], mailbox: Any, key: str) -> tuple[mirror.Change, str]:
    """Train a run from where its folder says that it is; what is new in the folder, and the manifest's text."""
    limit_threads()
    from experiments.training.train_run import train_run

    run_spec = RunSpec.model_validate_json(run_spec_json)
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        out = Path(name) / "runs"
        folder = out / run_spec.folder
        folder.mkdir(parents=True)
        mirror.put(files, folder)
        sender = mirror.Sender(folder)
        manifest = train_run(run_spec, out, [_Stream(sender, mailbox, key)])
        return sender.change(), manifest.to_json()
