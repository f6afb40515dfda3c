"""Checkpoints of replay buffers: chunks are taken over while they are as they were, and nothing else is believed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.base import Agent
from agents.budget import Budget
from agents.registry import make_agent
from agents.storage import State
from envs.registry import make_env
from experiments.errors import InputError
from experiments.runs.checkpoint import CheckpointFolder
from experiments.runs.digests import result_digests
from experiments.runs.timing import Timing
from experiments.specs.spec import RunSpec
from tests.helpers import files
from tests.integration.test_kills import SOAK, case, killing

SETTINGS: dict[str, Any] = {"learning_starts": 20, "buffer_size": 320, "policy_kwargs": {"net_arch": [8]}}
CHUNK = Path("checkpoint") / "agent" / "chunks" / "0-000003.npz"


class Trained:
    """An agent that trains a little more each time, and the checkpoints of its run."""

    def __init__(self, path: Path) -> None:
        self.env = make_env("RLLab/Maze-v0", rows=4, cols=4)
        self.env.reset(seed=0)
        self.agent: Agent = make_agent("sb3_dqn", self.env, seed=1, **SETTINGS)
        self.run, self.checkpoint = path, CheckpointFolder(path)

    def train(self, steps: int) -> None:
        self.agent.train(self.env, Budget(steps=steps))

    def save(self) -> None:
        state: State = {"env_step": 1}
        self.checkpoint.write(self.agent, state, Timing())


@pytest.fixture
def trained(tmp_path: Path) -> Iterator[Trained]:
    one = Trained(tmp_path / "run")
    one.train(400)
    one.save()
    yield one
    one.env.close()


def inodes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in sorted((folder / CHUNK.parent).iterdir())}


def test_a_checkpoint_takes_over_the_chunks_that_are_as_they_were(trained: Trained, tmp_path: Path) -> None:
    before = inodes(trained.run)
    assert len(before) == 20  # of 16 transitions
    trained.train(40)
    trained.save()
    after = inodes(trained.run)
    assert before.keys() == after.keys()
    assert 15 <= sum(before[name] == after[name] for name in before) < 20
    trained.checkpoint.check()
    assert not list(trained.run.glob("checkpoint.*"))
    assert {path.stat().st_nlink for path in (trained.run / CHUNK.parent).iterdir()} == {1}  # none is left elsewhere
    other = CheckpointFolder(tmp_path / "other")
    other.write(trained.agent, {"env_step": 1}, Timing())
    assert files(trained.run / "checkpoint") == files(tmp_path / "other" / "checkpoint")


def test_the_digest_of_a_chunk_is_the_one_of_when_it_was_written(trained: Trained) -> None:
    """What is damaged afterwards is found, also after it was taken over."""
    untouched = [name for name in inodes(trained.run) if name > "0-000010"]
    chunk = trained.run / CHUNK.parent / untouched[0]
    content = bytearray(chunk.read_bytes())
    content[200] ^= 1
    with chunk.open("r+b") as file:
        file.write(content)
    trained.train(20)
    trained.save()
    with pytest.raises(InputError, match=f"{untouched[0]}: damaged: not what the run wrote"):
        trained.checkpoint.check()


def test_a_chunk_that_is_gone_is_written_again(trained: Trained) -> None:
    (trained.run / CHUNK.parent / "0-000015.npz").unlink()
    trained.train(10)
    trained.save()
    trained.checkpoint.check()
    assert len(inodes(trained.run)) == 20


@pytest.mark.parametrize("content", ["", "[]", "nonsense", "[[1, 2]"])
def test_where_the_digests_are_damaged_nothing_is_taken_over(trained: Trained, content: str) -> None:
    before = inodes(trained.run)
    (trained.run / "checkpoint" / "digests.json").write_text(content)
    kept = {path: path.open("rb") for path in (trained.run / CHUNK.parent).iterdir()}  # so that no inode comes again
    trained.train(10)
    trained.save()
    after = inodes(trained.run)
    for file in kept.values():
        file.close()
    trained.checkpoint.check()
    if content != "[]":  # an empty list of digests: what is linked is read
        assert not set(before.values()) & set(after.values())


def test_damaged_missing_and_hostile_chunks_are_refused(trained: Trained, tmp_path: Path) -> None:
    sound = tmp_path / "sound"
    shutil.copytree(trained.run, sound)

    def refused(message: str) -> None:
        with pytest.raises(InputError, match=message):
            trained.checkpoint.check()
        shutil.rmtree(trained.run)
        shutil.copytree(sound, trained.run)
        trained.checkpoint.check()

    chunk, digests = trained.run / CHUNK, trained.run / "checkpoint" / "digests.json"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
    refused("0-000003.npz: damaged")
    chunk.unlink()
    refused("0-000003.npz: missing")
    shutil.copy(chunk, chunk.with_name("0-000099.npz"))
    refused("0-000099.npz: not what the run wrote: digests.json does not name it")
    for name in ("../../outside.npz", "/etc/passwd", "agent/chunks/../../../outside.npz"):
        shutil.copy(chunk, tmp_path / "outside.npz")
        digests.write_text(json.dumps(json.loads(digests.read_text()) | {name: "0"}))
        refused("digests.json: damaged: it names")
    shutil.copy(chunk, tmp_path / "elsewhere.npz")
    chunk.unlink()
    chunk.symlink_to(tmp_path / "elsewhere.npz")  # the very bytes, but not the run's
    refused("digests.json: damaged: it names")


def test_results_that_are_compared_cover_the_chunks(trained: Trained) -> None:
    before = result_digests(trained.run)
    assert "checkpoint/agent/chunks" in before
    assert not any(name.endswith("00.npz") for name in before)
    chunk = trained.run / CHUNK
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-1] + b"x")
    assert result_digests(trained.run) == before | {
        "checkpoint/agent/chunks": result_digests(trained.run)["checkpoint/agent/chunks"]
    }
    assert result_digests(trained.run) != before
    chunk.write_bytes(content)
    assert result_digests(trained.run) == before
    chunk.rename(chunk.with_name("1-000003.npz"))
    assert result_digests(trained.run) != before


def test_a_full_disk_leaves_the_checkpoint_before(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(trained.run)
    trained.train(80)
    write = np.savez

    def full(file: Any, *arguments: Any, **arrays: Any) -> None:
        if "chunks" in str(file):
            raise OSError("No space left on device")
        write(file, *arguments, **arrays)

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        trained.save()
    assert files(trained.run) == before
    trained.checkpoint.check()


SMALL_RING = case("sb3_dqn", steps=120, buffer_size=50, learning_starts=100).values[0]


def test_killed_before_any_operation_on_a_file_of_a_ring(tmp_path: Path, warm_python: str) -> None:
    """Linking, writing and swapping; whatever is left, the run ends with the bytes of one that was never stopped."""
    run_spec: RunSpec = SMALL_RING
    run_spec = run_spec.model_copy(update={"evaluation": run_spec.evaluation.model_copy(update={"every": 40})})
    answer = killing(warm_python, run_spec, tmp_path, events=1 if SOAK else 29)
    assert answer["differences"] == []
    assert answer["killed"] >= (200 if SOAK else 7)
