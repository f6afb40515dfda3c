"""Verifying a run: train again from its manifest, and compare what comes, byte by byte."""

import csv
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from experiments.errors import InputError
from experiments.files import read_text
from experiments.runs.digests import result_digests
from experiments.runs.manifest import Manifest
from experiments.runs.open_run import open_run
from experiments.runs.provenance import changed_facts
from experiments.runs.run_folder import RunFolder
from experiments.runs.run_state import read_checkpoint
from experiments.training.observers import Hearing, Progress
from experiments.training.train_run import train_run

FIRST_PART = 10  # a tenth of the run is trained again, if not all of it
COMPARED = ("episodes.csv", "evaluations.csv")


@dataclass(frozen=True)
class Verification:
    """What came of it."""

    run: str
    reproduced: bool
    compared: str  # in words
    rows: dict[str, int]  # of each log
    differences: list[str]  # where they first differ
    changed: list[str] = field(default_factory=list)  # versions and facts of the machine that are others now


def verify_run(
    path: Path, *, full: bool, on_progress: Callable[[Progress], None], trust_code: bool = False
) -> Verification:
    """Train a run again, its first part or all of it, and compare.

    The first part is the first tenth of its env steps, with the curve's points in it. All of it is the logs, and the
    last checkpoint: the agent's weights, and where its environment is. Of a run that has not finished what it has
    saved is compared.

    Raises:
        InputError: this is no run folder, it is damaged, or nothing of it is saved yet.
    """
    run = open_run(path, trust_code=trust_code)
    folder, manifest = run.folder, run.manifest
    if full and not manifest.finished:
        raise InputError(f"{path}: --full compares finished runs, and this one is {manifest.status}")
    touched = _touched(folder, manifest) if manifest.finished else []
    until = None if full else max(1, -(-_env_steps(folder, manifest) // FIRST_PART))
    with tempfile.TemporaryDirectory(prefix="rl-lab-verify-") as out:
        again = _train_again(manifest, Path(out), until, on_progress)
        code = again.read_manifest().code
        rows, differences = {}, []
        for name in COMPARED:
            rows[name], difference = _first_difference(folder.path / name, again.path / name, whole=full)
            differences += [difference] if difference else []
        if full and not touched:
            known, found = manifest.digests, result_digests(again.path)
            differences += [f"{name}: other bytes" for name in sorted(known) if known[name] != found.get(name)]
    compared = "all of it, weights included" if full else f"its first {until:,} env steps"
    differences += touched
    return Verification(str(path), not differences, compared, rows, differences, changed_facts(manifest, code))


def _env_steps(folder: RunFolder, manifest: Manifest) -> int:
    """How far the run has come, as far as it is saved."""
    if manifest.finished:
        return manifest.env_steps or 0
    if not folder.checkpoint.exists():
        raise InputError(f"{folder.path}: the run is {manifest.status} and nothing of it is saved yet")
    return read_checkpoint(folder.checkpoint).state.env_step


def _touched(folder: RunFolder, manifest: Manifest) -> list[str]:
    """The files that are not what the run wrote."""
    known, found = manifest.digests, result_digests(folder.path)
    if not folder.checkpoint.exists():  # left out of an archive, or removed by who needed the room
        known = {name: digest for name, digest in known.items() if not name.startswith("checkpoint/")}
    return [
        f"{name}: {'changed after the run had ended' if name in found else 'missing'}"
        for name in sorted(known)
        if found.get(name) != known[name]
    ]


def _train_again(
    manifest: Manifest, out: Path, until: int | None, on_progress: Callable[[Progress], None]
) -> RunFolder:
    """The same run in another folder; one that was extended is trained and extended again."""
    run_spec = manifest.run_spec
    for budget in manifest.budgets or [run_spec.budget]:
        alone = run_spec.model_copy(update={"budget": budget, "observers": []})  # observers change no result
        again = train_run(alone, out, [Hearing(on_progress)], until)
        if again.status == "failed":
            raise InputError(f"{run_spec}: cannot be trained again: {again.error}")
        if until is not None:
            break
    return RunFolder(out / run_spec.folder)


def _first_difference(known: Path, again: Path, *, whole: bool) -> tuple[int, str | None]:
    """How many rows were compared, in the columns that the known log has, and where they first differ."""
    of_known, of_again = (list(csv.reader(read_text(path, follow=False).splitlines())) for path in (known, again))
    columns = of_known[0] if of_known else []
    if set(columns) <= set(of_again[0]):  # a later version may have more
        places = [of_again[0].index(name) for name in columns]
        of_again = [[row[place] for place in places] for row in of_again]
    pairs = list(zip_longest(of_known, of_again) if whole else zip(of_known, of_again, strict=False))
    for line, (there, here) in enumerate(pairs, start=1):
        if there == here:
            continue
        if there is None or here is None:
            return len(pairs) - 1, f"{known.name}: {len(of_known) - 1} rows there, {len(of_again) - 1} rows now"
        cells = zip_longest(of_again[0], there, here, fillvalue="")
        column, was, is_now = next((name, a, b) for name, a, b in cells if a != b)
        return len(pairs) - 1, f"{known.name}: row {line - 1}, column {column}: {was} there, {is_now} now"
    return len(pairs) - 1, None
