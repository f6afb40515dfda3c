"""A process that plays for the viewer: `python -m rl_lab.viewer.worker`, lowest priority, one thread, no writes.

It reads a request a line from standard input (JSON) and answers each with a line: `{"ok": ...}`, or `{"error": "..."}`.
Where the system can, it forbids itself to write into files at all.
"""

import json
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Json = dict[str, Any]
LOWEST = 19  # priority


def main() -> int:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a run's own code prints is no answer
    _give_way()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            result: Json = {"ok": OPERATIONS[request["do"]](request)}
        except Exception as error:
            from experiments.errors import InputError, in_words

            result = {"error": str(error) if isinstance(error, InputError) else in_words(error)}
        answers.write(json.dumps(result, allow_nan=False) + "\n")
        answers.flush()
    return 0


def _give_way() -> None:
    """Take the lowest priority, and write into no file."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, which closes standard input then
    if sys.platform == "win32":
        return
    import resource

    os.nice(LOWEST)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def moments(request: Json) -> Json:
    """At which moments of its training a run can be watched."""
    from experiments.runs.snapshots import snapshot_steps
    from experiments.training.replay import can_replay

    opened = _open(request["runs"][0], request)
    replays = can_replay(opened) and not opened.run_spec.env.wrappers
    episodes = len(opened.folder.episode_columns("length")["length"]) if replays else 0
    return {"steps": snapshot_steps(opened.path), "episodes": episodes, "env_steps": opened.manifest.env_steps}


def recording(request: Json) -> Json:
    """One episode of each of some runs' agents, on the same seed."""
    from experiments.errors import located
    from experiments.evaluation.episode_seeds import seeds_of
    from experiments.recording.recording import Recorder
    from experiments.training.replay import agent_after

    recorder = Recorder()
    runs = [_open(path, request) for path in request["runs"]]
    seeds = [request["seed"]]
    if request["seed"] is None:
        seeds = seeds_of(runs[0].run_spec.evaluation, "final", request["number"] + 1)[request["number"] :]
    episodes: list[int | None] = []
    for opened in runs:
        at, episode = request.get("at"), request.get("episode")
        if episode is None and at is not None and request.get("exact"):
            ends = opened.folder.episode_columns("env_step")["env_step"]
            episode = int((ends <= at).sum())
        env_step, agent = agent_after(opened, episode) if episode is not None else _agent_at(opened, at)
        episodes.append(episode)
        with located(opened.run_spec.env.id):
            recorder.add(opened, [(env_step, agent)], seeds, optimum=True)
    return {**recorder.recording().to_json(), "episodes": episodes}


def _agent_at(opened: Any, at: int | None) -> tuple[int, Any]:
    """A run's agent at the last snapshot at or before an env step (or the first there is), or as it is now."""
    from experiments.errors import InputError
    from experiments.runs.snapshots import snapshot_steps

    if at is None and opened.manifest.finished:
        return opened.manifest.env_steps or 0, opened.agent()
    steps = snapshot_steps(opened.path)
    if steps:
        env_step = max((step for step in steps if at is None or step <= at), default=steps[0])
        return env_step, opened.agent(env_step)
    if opened.folder.checkpoint.exists():
        return opened.manifest.env_steps or 0, opened.agent()
    raise InputError("there is nothing to play yet: the run has not come to the first point of its curve")


def comparison(request: Json) -> Json:
    """What a comparison of some runs comes to: a table an environment, the verdicts, figures."""
    from rl_lab.viewer.comparing import compared

    return compared([Path(path) for path in request["runs"]])


def figure(request: Json) -> Json:
    """The learning curves of some runs in one environment, as a figure of the lab's."""
    from rl_lab.viewer.comparing import curves_picture

    return curves_picture([Path(path) for path in request["runs"]], request["env"], request["format"])


OPERATIONS: Mapping[str, Callable[[Json], Json]] = {
    "moments": moments,
    "recording": recording,
    "comparison": comparison,
    "figure": figure,
}


def _open(path: str, request: Json) -> Any:
    """A run that may be played: one with code of the user's own only where the command line said so.

    Raises:
        InputError: it may not be, or cannot be.
    """
    from experiments.errors import InputError
    from experiments.runs.open_run import open_run
    from experiments.runs.run_folder import RunFolder

    spec = RunFolder(Path(path)).read_manifest().run_spec
    names = [spec.env.id, spec.agent.id, *(wrapper.id for wrapper in spec.env.wrappers)]
    own = [name for name in names if ":" in name]
    if own and not request["trust_code"]:
        raise InputError(f"{', '.join(own)} is code of your own: the viewer plays it after rl-lab ui --trust-code")
    return open_run(Path(path), trust_code=request["trust_code"])


if __name__ == "__main__":
    sys.exit(main())
