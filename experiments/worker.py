"""A process that runs one trial: `python -m experiments.worker`, for `experiments.executor`.

It reads one line of JSON (the trial and the output folder) from standard input and writes lines of JSON to standard
output: `{"progress": [...]}` now and then, `{"manifest": {...}}` at the end. When standard input closes, its parent
is gone, and it stops as if interrupted.
"""

import _thread
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any


def main() -> int:
    """Run the trial; 0 when it ran to its end (well or not), 130 when it was interrupted."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the trial's own code prints is not part of the answers

    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    signal.signal(signal.SIGINT, _interrupt_once)
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    try:
        from experiments.spec import Trial
        from experiments.trial import run_trial

        trial = Trial.model_validate(request["trial"])
        manifest = run_trial(trial, Path(request["out"]), lambda progress: answer({"progress": list(progress)}))
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    answer({"manifest": manifest})
    return 0


def _interrupt_once(signal_number: int, frame: Any) -> None:
    """Ctrl-C comes twice, from the terminal and from the parent; the second must not cut off what the first writes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _stop_with_parent() -> None:
    sys.stdin.read()
    _thread.interrupt_main()


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # the thread that waits on standard input would hold up an ordinary exit
