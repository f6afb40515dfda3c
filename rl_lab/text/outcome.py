"""What `rl-lab train` says at the end."""

from pathlib import Path
from typing import Any

from experiments.figures.learning_curves import FILE_NAME
from experiments.results.stored_run import read_runs
from experiments.runs.open_run import open_run
from rl_lab.show.screen import has_display
from rl_lab.show.watch import can_be_drawn
from rl_lab.text.saying import say


def print_outcome(result: dict[str, Any]) -> None:
    """How far the run came, how good its agent is, and what to do next."""
    if result["status"] != "finished":
        say(f"{result['status']}: {result['run']}")
        return
    folder = Path(result["run"])
    if not result["trained"]:
        say(f"already has {result['env_steps']:,} env steps ({result['episodes']:,} episodes); nothing trained now")
    (run,) = read_runs([folder])
    scores = run.final_scores()
    what = "return" if run.manifest.measure == "return" else "minus steps to the exit"
    line = f"final {what}: {scores.mean():.2f}, mean of {len(scores)} greedy episodes"
    if run.scale is not None:
        line += f" (random policy {run.scale.floor:.2f}, {run.scale.kind} {run.scale.ceiling:.2f})"
    metrics = run.manifest.metrics
    for name, value in metrics.items():  # of a predictor: what its policy earns says nothing of it
        line = f"{name.replace('_', ' ')} after training: {value:.4g}"
    say(line)
    if not metrics:
        say(f"its episodes: {run.endings().in_words()}")
    if table := run.manifest.table:
        collisions = "" if table.collisions is None else f", {table.collisions} collisions"
        states = f"{table.states:,} {'places' if collisions else 'states'}"
        size = _size(table.bytes)
        say(f"table: {table.kind}, {states}, {size}{collisions}; engine: {run.manifest.engine}")
    say(f"run folder: {folder}")
    say(f"learning curves: {folder.parent.parent / FILE_NAME}.png")
    if metrics:
        say(f"after every episode: {', '.join(metrics)} in {folder / 'episodes.csv'}")
    elif can_be_drawn(open_run(folder, trust_code=True)):  # this very command has run it
        say(f"next: rl-lab watch {folder}{'' if has_display() else ' --terminal'}")
    else:
        say(f"next: rl-lab compare {folder.parent.parent}")


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 100_000 else f"{num_bytes / 1e3:.1f} kB"
