"""Episodes of runs as one page that plays them: what people send to each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.errors import InputError, located
from experiments.evaluation.environments import closing
from experiments.evaluation.episode_seeds import seeds_of
from experiments.files import check_replaceable, replace_file
from experiments.recording.recording import Recorder, Recording
from experiments.recording.scenes import draws_itself
from experiments.runs.open_run import OpenRun
from experiments.runs.snapshots import nearest_snapshot, snapshot_steps
from rl_lab.web.page import standalone_page

MOST_MOMENTS = 12  # of a training, beside its end
MOST_TOGETHER = 20  # moments of all runs together: a race is to be small
MOST_TRACKS = 6  # runs that can be told apart


def check_page_path(path: Path) -> None:
    """Raise where no page can be written.

    Raises:
        InputError: its folder is none, or something else is there.
    """
    if path.is_dir():
        raise InputError(f"{path}: expected a file, got a folder")
    if not path.resolve().parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist")
    check_replaceable(path)


def can_be_told(opened: OpenRun) -> bool:
    """Can a run's episodes be told without pictures?"""
    with closing(opened.make_env()) as env:
        return draws_itself(env)


def write_page(path: Path, runs: Sequence[OpenRun], episodes: int, at: int | None = None) -> dict[str, Any]:
    """Write the page of some runs' episodes, the same ones for all, with how they came to be where snapshots tell.

    Args:
        path: the file.
        runs: one to six.
        episodes: the first ones of the first run's final evaluation.
        at: the agents as they were at this env step of their training, and no others.

    Raises:
        InputError: a run cannot be played, or the page cannot be written.
    """
    recording = record(runs, episodes, at)
    text = standalone_page(recording.to_json()).encode()
    replace_file(path, text)
    steps = sum(len(episode.rewards) for track in recording.tracks for episode in track.moments[-1].episodes)
    return {"episodes": episodes * len(runs), "frames": steps, "file": str(path), "bytes": len(text)}


def record(runs: Sequence[OpenRun], episodes: int, at: int | None = None) -> Recording:
    """The recording of some runs' episodes, and the optimum's where it is known.

    Raises:
        InputError: a run cannot be played, or there are too many.
    """
    if len(runs) > MOST_TRACKS:
        raise InputError(f"expected at most {MOST_TRACKS} runs in one page, got {len(runs)}")
    recorder = Recorder()
    seeds = seeds_of(runs[0].run_spec.evaluation, "final", episodes)
    most = min(MOST_MOMENTS, MOST_TOGETHER // len(runs))
    for opened in runs:
        with located(f"{opened.path}: envs: {opened.run_spec.env.id}"):
            recorder.add(
                opened, [(step, opened.agent(given)) for step, given in _moments(opened, at, most)], seeds, optimum=True
            )
    return recorder.recording()


def _moments(opened: OpenRun, at: int | None, most: int) -> list[tuple[int | None, int | None]]:
    """Env steps of moments to be shown, and what `OpenRun.agent` is to be given for each; the last one is the end's."""
    if at is not None:
        step = nearest_snapshot(opened.path, at)
        return [(step, step)]
    steps = snapshot_steps(opened.path)
    end = opened.manifest.env_steps or (steps[-1] if steps else None)
    steps = [step for step in steps if step != end]
    if len(steps) > most:
        steps = [steps[round(place * (len(steps) - 1) / (most - 1))] for place in range(most)]
    return [*((step, step) for step in steps), (end, None)]
