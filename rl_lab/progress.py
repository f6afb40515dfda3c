"""How running trials are shown: a bar each in a terminal, a line each elsewhere. Always on standard error."""

import sys
import time
from typing import Any

from tqdm import tqdm

from experiments.monitor import Progress
from experiments.run_folder import Manifest
from experiments.spec import Trial

BAR = "{desc} {percentage:3.0f}% |{bar:10}| {rate_fmt}, {remaining} left{postfix}"


class Silence:
    """Shows nothing."""

    def started(self, trial: Trial) -> None:
        """Nothing."""

    def progress(self, trial: Trial, progress: Progress) -> None:
        """Nothing."""

    def ended(self, trial: Trial, manifest: Manifest) -> None:
        """Nothing."""

    def retried(self, trial: Trial, manifest: Manifest) -> None:
        """Nothing."""


class ProgressDisplay:
    """One line a running trial: return, epsilon, steps a second, time left."""

    def __init__(self, num_trials: int) -> None:
        self._num_trials = num_trials
        self._num_ended = 0
        self._terminal = sys.stderr.isatty()
        self._bars: dict[str, Any] = {}
        self._begun: dict[str, float] = {}

    def started(self, trial: Trial) -> None:
        """Put up the trial's bar."""
        self._begun[str(trial)] = time.monotonic()
        if not self._terminal:
            return
        in_steps = trial.budget.steps is not None
        used = {bar.pos for bar in self._bars.values()}
        position = min(set(range(len(used) + 1)) - {abs(place) for place in used})
        self._bars[str(trial)] = tqdm(
            total=trial.budget.steps or trial.budget.episodes,
            desc=str(trial),
            unit=" steps" if in_steps else " episodes",
            unit_scale=in_steps,
            position=position,
            leave=False,
            bar_format=BAR,
            dynamic_ncols=True,
            file=sys.stderr,
        )

    def progress(self, trial: Trial, progress: Progress) -> None:
        """Move the trial's bar."""
        bar = self._bars.get(str(trial))
        if bar is None:
            return
        bar.n = progress.env_step if trial.budget.steps is not None else progress.episodes
        facts = []
        if progress.total_reward is not None:
            facts.append(f"return {progress.total_reward:.4g}")
        if progress.epsilon is not None:
            facts.append(f"epsilon {progress.epsilon:.3g}")
        bar.set_postfix_str(", ".join(facts), refresh=False)
        bar.refresh()

    def ended(self, trial: Trial, manifest: Manifest) -> None:
        """Replace the trial's bar by a line that stays."""
        self._num_ended += 1
        self.take_down(trial)
        seconds = time.monotonic() - self._begun[str(trial)]
        line = f"[{self._num_ended}/{self._num_trials}] {trial}: {manifest['status']}"
        if manifest["status"] == "finished":
            line += f", {manifest['env_steps']:,} env steps, {manifest['episodes']:,} episodes, {seconds:.1f} s"
        else:
            line += f": {manifest.get('error', '')}"
        tqdm.write(line, file=sys.stderr)

    def retried(self, trial: Trial, manifest: Manifest) -> None:
        """Say so; the trial's bar is put up again when it begins."""
        self.take_down(trial)
        tqdm.write(f"{trial}: failed: {manifest.get('error', '')}; trying again", file=sys.stderr)

    def take_down(self, trial: Trial) -> None:
        """Take the trial's bar down."""
        bar = self._bars.pop(str(trial), None)
        if bar is not None:
            bar.close()
            print("\r", end="", file=sys.stderr)  # tqdm leaves the cursor at the end of a lower bar's line
