"""How running runs are shown: a bar each in a terminal; elsewhere lines, now and then. Always on standard error."""

import sys
import time
from typing import Any

from tqdm import tqdm

from experiments.runs.manifest import Manifest
from experiments.specs.spec import RunSpec
from experiments.training.observers import Progress

BAR = "{desc} {percentage:3.0f}% |{bar:10}| {rate_fmt}, {remaining} left{postfix}"


PLAIN_EVERY = 30.0  # seconds between lines that say how far the runs are, where there is no terminal
MOST_TOLD = 3  # running runs in such a line


class Silence:
    """Shows nothing."""

    def begin(self, num_runs: int) -> None:
        """Nothing."""

    def started(self, run_spec: RunSpec) -> None:
        """Nothing."""

    def progress(self, run_spec: RunSpec, progress: Progress) -> None:
        """Nothing."""

    def ended(self, run_spec: RunSpec, manifest: Manifest) -> None:
        """Nothing."""

    def retried(self, run_spec: RunSpec, manifest: Manifest) -> None:
        """Nothing."""


class ProgressDisplay:
    """One line a running run: return, epsilon, steps a second, time left."""

    def __init__(self, num_runs: int) -> None:
        self._num_runs = num_runs
        self._num_ended = 0
        self._terminal = sys.stderr.isatty()
        self._bars: dict[str, Any] = {}
        self._begun: dict[str, float] = {}
        self._shares: dict[str, float] = {}  # of their budgets, of the running runs
        self._told_at = time.monotonic()

    def begin(self, num_runs: int) -> None:
        """So many runs are to be counted."""
        self._num_runs = num_runs

    def started(self, run_spec: RunSpec) -> None:
        """Put up the run's bar."""
        self._begun[str(run_spec)] = time.monotonic()
        self._shares[str(run_spec)] = 0.0
        if not self._terminal:
            return
        in_steps = run_spec.budget.steps is not None
        used = {bar.pos for bar in self._bars.values()}
        position = min(set(range(len(used) + 1)) - {abs(place) for place in used})
        self._bars[str(run_spec)] = tqdm(
            total=run_spec.budget.steps or run_spec.budget.episodes,
            desc=str(run_spec),
            unit=" steps" if in_steps else " episodes",
            unit_scale=in_steps,
            position=position,
            leave=False,
            bar_format=BAR,
            dynamic_ncols=True,
            file=sys.stderr,
        )

    def progress(self, run_spec: RunSpec, progress: Progress) -> None:
        """Move the run's bar."""
        done = progress.env_step if run_spec.budget.steps is not None else progress.episodes
        if not self._terminal:
            self._shares[str(run_spec)] = done / (run_spec.budget.steps or run_spec.budget.episodes or 1)
            self._tell_how_far()
        bar = self._bars.get(str(run_spec))
        if bar is None:
            return
        bar.n = done
        facts = []
        if progress.total_reward is not None:
            facts.append(f"return {progress.total_reward:.4g}")
        if progress.epsilon is not None:
            facts.append(f"epsilon {progress.epsilon:.3g}")
        bar.set_postfix_str(", ".join(facts), refresh=False)
        bar.refresh()

    def _tell_how_far(self) -> None:
        """A line now and then, for a log file: how many runs have ended, and how far the others are."""
        if time.monotonic() - self._told_at < PLAIN_EVERY:
            return
        self._told_at = time.monotonic()
        running = [f"{name} {share:.0%}" for name, share in self._shares.items()]
        more = f", and {len(running) - MOST_TOLD} more" if len(running) > MOST_TOLD else ""
        line = f"{self._num_ended} of {self._num_runs} runs have ended; running: {', '.join(running[:MOST_TOLD])}{more}"
        print(line, file=sys.stderr, flush=True)

    def ended(self, run_spec: RunSpec, manifest: Manifest) -> None:
        """Replace the run's bar by a line that stays."""
        self._num_ended += 1
        self.take_down(run_spec)
        self._shares.pop(str(run_spec), None)
        seconds = time.monotonic() - self._begun[str(run_spec)]
        line = f"[{self._num_ended}/{self._num_runs}] {run_spec}: {'pruned' if manifest.pruned else manifest.status}"
        if manifest.status == "finished":
            line += f", {manifest.env_steps:,} env steps, {manifest.episodes:,} episodes, {seconds:.1f} s"
        elif manifest.pruned:
            line += f" after {manifest.env_steps:,} env steps"
        else:
            line += f": {manifest.error or ''}"
        tqdm.write(line, file=sys.stderr)

    def retried(self, run_spec: RunSpec, manifest: Manifest) -> None:
        """Say so; the run's bar is put up again when it begins."""
        self.take_down(run_spec)
        tqdm.write(f"{run_spec}: failed: {manifest.error or ''}; trying again", file=sys.stderr)

    def take_down(self, run_spec: RunSpec) -> None:
        """Take the run's bar down."""
        bar = self._bars.pop(str(run_spec), None)
        if bar is not None:
            bar.close()
            print("\r", end="", file=sys.stderr)  # tqdm leaves the cursor at the end of a lower bar's line
