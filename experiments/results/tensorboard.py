"""TensorBoard's event files, for who asks for them: `pip install tensorboard`."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from experiments.errors import InputError
from experiments.files import make_folder
from experiments.results.run_result import RunResult

FOLDER = "tensorboard"
TRAINING = "train"  # what the tags of training episodes begin with
PHASES = {"curve": "evaluation", "final": "final"}


def score_tag(phase: str, measure: str) -> str:
    """The tag of an evaluation's mean score, such as "evaluation/return"."""
    return f"{PHASES[phase]}/{'return' if measure == 'return' else 'minus_steps'}"


def check_installed() -> None:
    """Raise where TensorBoard is not there.

    Raises:
        InputError: it is not installed.
    """
    if find_spec("tensorboard") is None:
        raise InputError("--tensorboard: expected the package tensorboard, which is not installed")


class EventWriter:
    """Writes numbers against env steps.

    Args:
        folder: where the event file goes.
        from_step: of a run that goes on: what an earlier file has from this step on is not shown any more.
    """

    def __init__(self, folder: Path, from_step: int | None = None) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._writer: Any = EventFileWriter(str(make_folder(folder.parent, folder.name)))
        if from_step is not None:
            start = Event(step=from_step, session_log=SessionLog(status=SessionLog.START))
            self._writer.add_event(start)

    def scalars(self, env_step: int, values: Mapping[str, float | None]) -> None:
        """Add numbers; None is left out."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        known = [(tag, value) for tag, value in values.items() if value is not None]
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=float(value)) for tag, value in known])
        self._writer.add_event(Event(step=env_step, summary=summary))

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def write_events(run: RunResult, folder: Path) -> None:
    """The curves of a run that has been read."""
    writer = EventWriter(folder)
    curves = ((f"{TRAINING}/return", run.training), (score_tag("curve", run.measure), run.curve))
    for tag, (steps, values) in curves:
        for step, value in zip(steps.tolist(), values.tolist(), strict=True):
            writer.scalars(int(step), {tag: value})
    if run.finished and len(run.scores):
        writer.scalars(run.env_steps, {score_tag("final", run.measure): run.score})
    writer.close()
