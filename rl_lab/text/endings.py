"""How the episodes of runs ended: why a score is what it is."""

from collections.abc import Sequence
from pathlib import Path

from experiments.errors import InputError
from experiments.results.endings import Endings, together
from experiments.results.stored_run import StoredRun
from experiments.runs.run_folder import RunFolder
from experiments.specs.spec import RunSpec

MOST_LINES = 12  # agents in environments that are told of; of more, `compare` tells
MOST_RUNS = 500  # whose logs are read for it


def ending_lines(run_specs: Sequence[RunSpec], out: Path) -> list[str]:
    """A line an agent in each environment: how the final episodes of its finished runs ended."""
    groups: dict[tuple[str, str], list[RunSpec]] = {}
    for run_spec in run_specs:
        groups.setdefault((run_spec.env.label, run_spec.agent.label), []).append(run_spec)
    if len(groups) > MOST_LINES or len(run_specs) > MOST_RUNS:
        return []
    lines = []
    for (env, agent), members in groups.items():
        found = together([_endings(RunFolder(out / member.folder)) for member in members])
        if found is not None:
            lines.append(f"  {agent} on {env}: {found.in_words()}")
    return ["how the final episodes ended:", *lines] if lines else []


def _endings(folder: RunFolder) -> Endings | None:
    """Those of a run; None where it has not finished, or is damaged."""
    try:
        run = StoredRun.load(folder)
        return run.endings() if run.finished else None
    except InputError:
        return None
