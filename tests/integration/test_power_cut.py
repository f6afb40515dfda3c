"""A power cut at any instant: what was not forced to the disk is gone, and the run goes on all the same."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from experiments.execution.experiment import run_experiment
from experiments.runs.checkpoint import CheckpointFolder
from experiments.runs.run_folder import RunFolder
from experiments.specs.spec import AgentEntry, Budget, EnvEntry, Evaluation, RunSpec
from experiments.training import monitor
from experiments.training.train_run import train_run
from rl_lab.text.progress import Silence

SOAK = bool(os.environ.get("RL_LAB_SOAK"))  # every instant; else a third of them


class Entry(NamedTuple):
    """What a folder has under a name."""

    is_folder: bool
    inode: int


class Disk:
    """What a power cut leaves: contents and names as they were when they were last forced to the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root.stat().st_ino
        self._contents: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, Entry]] = {}
        self._kept: list[int] = []  # open files, so that no inode is given away again
        self.cuts: list[tuple[dict[int, bytes], dict[int, dict[str, Entry]]]] = []

    def forced(self, number: int) -> None:
        """`os.fsync`."""
        path, inode = Path(f"/proc/self/fd/{number}"), os.fstat(number).st_ino
        self._kept.append(os.dup(number))
        if path.is_dir():
            with os.scandir(path) as entries:
                self._folders[inode] = {
                    one.name: Entry(one.is_dir(follow_symlinks=False), one.inode()) for one in entries
                }
        else:
            self._contents[inode] = path.read_bytes()
        self.cuts.append((dict(self._contents), dict(self._folders)))

    def restore(self, cut: int, into: Path) -> None:
        """The tree that is there after a cut behind the `cut`th time that something was forced to the disk."""
        contents, folders = self.cuts[cut]

        def put(inode: int, folder: Path) -> None:
            folder.mkdir(parents=True)
            for name, entry in folders.get(inode, {}).items():
                if entry.is_folder:
                    put(entry.inode, folder / name)
                else:
                    (folder / name).write_bytes(contents.get(entry.inode, b""))

        put(self._root, into)

    def close(self) -> None:
        """Let go of the files."""
        for number in self._kept:
            os.close(number)


def run_spec(seed: int = 0) -> RunSpec:
    return RunSpec(
        experiment="x",
        env=EnvEntry(id="RLLab/Maze-v0", name="m", settings={"rows": 3, "cols": 3}),
        agent=AgentEntry(id="q_learning", name="q"),
        seed=seed,
        budget=Budget(steps=1000),
        evaluation=Evaluation(episodes=1, final_episodes=2),
        engine="python",
    )


def results(out: Path) -> dict[str, bytes]:
    folder = out / run_spec().folder
    names = ["episodes.csv", "evaluations.csv"]
    names += [str(path.relative_to(folder)) for path in (folder / "checkpoint").rglob("*") if path.is_file()]
    return {name: (folder / name).read_bytes() for name in names if "timing" not in name and "digests" not in name}


@pytest.mark.parametrize("every", [1, 2, 3])
def test_a_run_outlives_a_power_cut(every: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every checkpoint is forced to the disk, or every second or third: between these the last one is still there."""
    train_run(run_spec(), tmp_path / "whole")
    monkeypatch.setattr(monitor, "SYNC_EVERY", 0.0)
    disk, write, written = Disk(_made(tmp_path / "out")), CheckpointFolder.write, [0]

    def now_and_then(self: CheckpointFolder, *arguments: Any, sync: bool = False) -> None:
        written[0] += 1
        is_last = arguments[1]["spent"]
        write(self, *arguments, sync=sync and (written[0] % every == 0 or is_last))

    monkeypatch.setattr(CheckpointFolder, "write", now_and_then)
    monkeypatch.setattr(os, "fsync", disk.forced)
    train_run(run_spec(), tmp_path / "out")
    monkeypatch.undo()
    assert results(tmp_path / "out") == results(tmp_path / "whole")
    from_steps = []
    cuts = range(len(disk.cuts)) if SOAK else sorted({*range(0, len(disk.cuts), 3), len(disk.cuts) - 1})
    for cut in cuts:
        after = tmp_path / f"after-{cut}"
        disk.restore(cut, after)
        outcome = run_experiment([run_spec()], after, 1, Silence())
        assert not outcome.failed
        assert results(after) == results(tmp_path / "whole"), cut
        manifest = RunFolder(after / run_spec().folder).read_manifest()
        from_steps.append(manifest.attempts[-1].from_step if outcome.manifests else 1000)
    disk.close()
    assert from_steps == sorted(from_steps)  # what was once forced to the disk is never lost again
    assert len(set(from_steps)) >= 11 // every


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "torn", ["run.json", "evaluations.csv", "checkpoint/agent/state.npz", "checkpoint/digests.json"]
)
def test_a_torn_short_run_is_named_and_trained_anew(
    torn: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train_run(run_spec(), tmp_path)
    whole, path = results(tmp_path), tmp_path / run_spec().folder / torn
    path.write_bytes(b"")
    outcome = run_experiment([run_spec()], tmp_path, 1, Silence())
    if torn == "checkpoint/digests.json":  # it is no result: what was found is what counts
        assert len(outcome.skipped) == 1
        return
    assert len(outcome.manifests) == 1
    assert "torn, as by a power cut; the run is trained anew" in caplog.text
    assert str(path) in caplog.text
    assert results(tmp_path) == whole


def test_a_short_run_is_not_forced_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[int] = []
    monkeypatch.setattr(os, "fsync", forced.append)
    train_run(run_spec(), tmp_path)
    assert not forced
    assert not list((tmp_path / run_spec().folder).glob("checkpoint.*"))
    longer = run_spec().model_copy(update={"budget": Budget(steps=2000)})
    train_run(longer, tmp_path)
    assert forced  # it has replaced what had been finished
    assert not list((tmp_path / run_spec().folder).glob("checkpoint.*"))
