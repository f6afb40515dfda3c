"""Kills runs with SIGKILL and lets them go on: `python -m tests.killing` with a request in JSON on standard input.

A process of its own, which has imported everything and forks a child for each attempt, so that hundreds of real kills
take minutes.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from experiments.runs.digests import result_digests
from experiments.runs.run_folder import RunFolder
from experiments.specs.spec import RunSpec
from experiments.training.train_run import train_run

FILE_EVENTS = {"open", "os.mkdir", "os.link", "os.rename", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree"}


def main() -> None:
    """Answer the request: how many were killed, how many runs ended, and where these differ from the whole run."""
    request = json.loads(sys.stdin.read())
    run_spec, out = RunSpec.model_validate(request["trial"]), Path(request["out"])
    if run_spec.engine == "compiled":
        attempt(run_spec, out / "compiles")  # may take far longer than what is to be killed
    if run_spec.agent.id.startswith("sb3"):
        import torch._dynamo  # noqa: F401  with the first optimiser; seconds, which every child would take

        import agents.sb3.bridge  # noqa: F401
    begun = time.monotonic()
    attempt(run_spec, out / "whole")
    seconds = time.monotonic() - begun
    whole = digests(run_spec, out / "whole")
    if "events" in request:
        answer = at_every_event(run_spec, out, whole, request["events"])
    else:
        answer = at_random_instants(run_spec, out, whole, request["kills"], seconds, random.Random(request["seed"]))
    print(json.dumps(answer))


def at_random_instants(
    run_spec: RunSpec, out: Path, whole: dict[str, str], kills: int, seconds: float, rng: random.Random
) -> dict[str, Any]:
    """Kill so often, however many runs that takes; each goes on until it ends."""
    killed, runs, differences = 0, 0, []
    while killed < kills:
        folder = out / f"killed-{runs}"
        while attempt(run_spec, folder, kill_after=rng.uniform(0, seconds) if killed < kills else None):
            killed += 1
        runs += 1
        differences += difference(whole, digests(run_spec, folder), f"run {runs}")
    return {"killed": killed, "runs": runs, "differences": differences}


def at_every_event(run_spec: RunSpec, out: Path, whole: dict[str, str], share: int) -> dict[str, Any]:
    """Kill once before every `share`-th operation on a file of the run, and let the run go on."""
    killed, event, differences = 0, 0, []
    while True:
        folder = out / f"event-{event}"
        if not attempt(run_spec, folder, kill_at=event):
            break
        killed += 1
        attempt(run_spec, folder)
        differences += difference(whole, digests(run_spec, folder), f"event {event}")
        event += share
    return {"killed": killed, "runs": killed, "differences": differences}


def attempt(run_spec: RunSpec, out: Path, kill_after: float | None = None, kill_at: int | None = None) -> bool:
    """One attempt at a run, in a child; was it killed?"""
    child = os.fork()
    if child == 0:
        work(run_spec, out, kill_at)
    ended, status = 0, 0
    if kill_after is not None:
        instant = time.monotonic() + kill_after
        while time.monotonic() < instant and not ended:
            time.sleep(0.001)
            ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        if kill_after is not None:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"an attempt at {run_spec} failed")
    return False


def work(run_spec: RunSpec, out: Path, kill_at: int | None) -> NoReturn:
    """What a child does."""
    code = 1
    try:
        if kill_at is not None:
            sys.addaudithook(Executioner(out, kill_at))
        manifest = train_run(run_spec, out)
        if manifest.status == "finished":
            code = 0
        else:
            print(manifest, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


class Executioner:
    """An audit hook that kills its process before its n-th operation on a file of the run."""

    def __init__(self, out: Path, number: int) -> None:
        self.out, self.number = str(out), number

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in FILE_EVENTS or not arguments or not str(arguments[0]).startswith(self.out):
            return
        if self.number == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.number -= 1


def digests(run_spec: RunSpec, out: Path) -> dict[str, str]:
    """Of a run's results, which must be those that its manifest tells of."""
    folder = RunFolder(out / run_spec.folder)
    found = result_digests(folder.path)
    if found != folder.read_manifest().digests:
        raise SystemExit(f"{folder.path}: the manifest tells of other digests")
    return found


def difference(whole: dict[str, str], found: dict[str, str], where: str) -> list[str]:
    """The files that differ."""
    return [f"{where}: {name}" for name in sorted({*whole, *found}) if whole.get(name) != found.get(name)]


if __name__ == "__main__":
    main()
