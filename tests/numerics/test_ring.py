"""Rings on disk: what is linked is what would be written."""

import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import ring, storage
from agents.ring import Ring
from tests.helpers import files


class Buffer:
    """A ring in memory that also writes the place after the newest row, as one that saves memory does."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.written = capacity, 0
        self.seen, self.actions = np.zeros((capacity, 2), np.float32), np.zeros(capacity, np.int64)

    def add(self, count: int, rng: np.random.Generator) -> None:
        for _ in range(count):
            place = self.written % self.capacity
            self.seen[place], self.actions[place] = rng.random(2), rng.integers(9)
            self.written += 1
            self.seen[self.written % self.capacity] = rng.random(2)

    def state(self) -> dict[str, Any]:
        kept = Ring({"seen": self.seen, "actions": self.actions}, self.written, self.capacity).num_rows
        rows: dict[str, Any] = {"seen": self.seen[:kept].copy(), "actions": self.actions[:kept].copy()}
        return {"replay": {"rows": Ring(rows, self.written, self.capacity), "more": 1}, "weights": np.arange(3.0)}

    def restore(self, state: dict[str, Any]) -> None:
        rows: Ring = state["replay"]["rows"]
        self.written = rows.written
        self.seen[:], self.actions[:] = 0, 0
        self.seen[: rows.num_rows], self.actions[: rows.num_rows] = rows.arrays["seen"], rows.arrays["actions"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    capacity=st.integers(1, 90),
    chunk_bytes=st.sampled_from([24, 1_000]),
    steps=st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=7),
)
def test_linked_chunks_are_the_bytes_that_would_be_written(
    capacity: int, chunk_bytes: int, steps: list[tuple[int, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also after the buffer was restored from what it saved: the bytes depend on its rows alone."""
    folder = tmp_path_factory.mktemp("ring")
    buffer, rng, earlier = Buffer(capacity), np.random.default_rng(1), None
    with mock.patch.object(ring, "CHUNK_BYTES", chunk_bytes):
        for number, (count, restored) in enumerate(steps):
            buffer.add(count, rng)
            storage.write(folder / str(number), buffer.state(), earlier)
            storage.write(folder / "whole", buffer.state())
            assert files(folder / str(number)) == files(folder / "whole")
            read = storage.read(folder / str(number))
            for name, array in buffer.state()["replay"]["rows"].arrays.items():
                np.testing.assert_array_equal(read["replay"]["rows"].arrays[name], array)
            assert read["replay"]["more"] == 1
            if restored:
                buffer = Buffer(capacity)
                buffer.restore(read)
            earlier = folder / str(number)
            for file in (folder / "whole").rglob("*.npz"):
                file.unlink()


def test_only_what_is_new_is_written(tmp_path: Path) -> None:
    buffer, rng = Buffer(1_000), np.random.default_rng(0)
    assert Ring({"a": buffer.seen}, 0, 1_000).chunk_rows == 32
    buffer.add(3_210, rng)  # the next row goes to 210
    storage.write(tmp_path / "a", buffer.state())
    buffer.add(50, rng)  # to 260: of chunks of 32 rows, those from 6 to 8
    storage.write(tmp_path / "b", buffer.state(), tmp_path / "a")
    chunks = sorted((tmp_path / "b" / "chunks").iterdir())
    assert len(chunks) == 32
    written = [int(file.stem[-6:]) for file in chunks if not file.samefile(tmp_path / "a" / "chunks" / file.name)]
    assert written == [6, 7, 8]


def test_an_older_state_takes_nothing_over_from_a_later_one(tmp_path: Path) -> None:
    buffer, rng = Buffer(100), np.random.default_rng(0)
    buffer.add(150, rng)
    older = buffer.state()
    buffer.add(20, rng)
    storage.write(tmp_path / "later", buffer.state())
    storage.write(tmp_path / "older", older, tmp_path / "later")
    storage.write(tmp_path / "whole", older)
    assert files(tmp_path / "older") == files(tmp_path / "whole")


def test_where_no_links_are_known_everything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(self: Path, target: Path) -> None:
        raise OSError("Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuses)
    buffer = Buffer(100)
    buffer.add(150, np.random.default_rng(0))
    storage.write(tmp_path / "a", buffer.state())
    storage.write(tmp_path / "b", buffer.state(), tmp_path / "a")
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert not any(file.stat().st_nlink > 1 for file in (tmp_path / "b" / "chunks").iterdir())


def test_writing_over_a_state_leaves_linked_ones_alone(tmp_path: Path) -> None:
    buffer, rng = Buffer(100), np.random.default_rng(0)
    buffer.add(150, rng)
    storage.write(tmp_path / "a", buffer.state())
    storage.write(tmp_path / "b", buffer.state(), tmp_path / "a")
    before = files(tmp_path / "b")
    buffer.add(77, rng)
    storage.write(tmp_path / "a", buffer.state())
    assert files(tmp_path / "b") == before
    storage.write(tmp_path / "a", {"weights": np.zeros(2)})
    assert storage.read(tmp_path / "a").keys() == {"weights"}


def test_rings_that_are_damaged_are_refused(tmp_path: Path) -> None:
    buffer = Buffer(100)
    buffer.add(150, np.random.default_rng(0))
    whole = tmp_path / "whole"
    storage.write(whole, buffer.state())
    fields = {"capacity": 100, "written": 150, "chunk_rows": 4}
    assert json.loads((whole / "rings.json").read_text()) == {"replay/rows": fields}
    bad: list[Any] = [
        [], 3, {"replay/rows": 1}, {"replay/rows": {}}, {"replay/rows": fields | {"chunk_rows": 0}},
        {"replay/rows": fields | {"capacity": 10**30}}, {"replay/rows": fields | {"written": 1.5}},
        {"replay/rows": fields | {"written": True}}, {"replay/rows": fields | {"chunk_rows": 5}},
        {"replay/rows": fields | {"written": 3}, "nowhere/rows": fields}, {"replay/more/rows": fields},
        {"../../rows": fields},
    ]  # fmt: skip
    for one in bad:
        (whole / "rings.json").write_text(json.dumps(one))
        with pytest.raises(ValueError, match="missing or damaged"):
            storage.read(whole)
        storage.write(tmp_path / "next", buffer.state(), whole)  # takes over nothing, or what is as it should be
        assert storage.read(tmp_path / "next")["replay"]["rows"].written == 150
    (whole / "rings.json").write_text(json.dumps({"replay/rows": fields}))
    chunk = whole / "chunks" / "0-000003.npz"
    for content in (b"", b"PK", chunk.read_bytes()[:-40], (whole / "chunks" / "0-000003.npz").read_bytes()[10:]):
        chunk.write_bytes(content)
        with pytest.raises(ValueError, match="missing or damaged"):
            storage.read(whole)
    np.savez(chunk, seen=np.zeros((4, 2), np.float32), actions=np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="expected 4 rows of actions, seen"):
        storage.read(whole)
    np.savez(chunk, seen=np.array([{}] * 4), actions=np.zeros(4, np.int64))  # a pickle
    with pytest.raises(ValueError, match="allow_pickle=False"):
        storage.read(whole)
    chunk.unlink()
    with pytest.raises(ValueError, match="No such file"):
        storage.read(whole)


def test_chunks_are_of_some_megabytes_at_most() -> None:
    for capacity, shape, rows in ((1_000_000, (8,), 32768), (50_000, (8,), 2048), (100_000, (84, 84, 4), 128)):
        dtype = np.uint8 if len(shape) == 3 else np.float32
        arrays: dict[str, Any] = {
            "seen": np.lib.stride_tricks.as_strided(np.zeros(1, dtype), (capacity, *shape), [0] * (1 + len(shape)))
        }
        one = Ring(arrays, 0, capacity)
        assert one.chunk_rows == rows
        assert rows * int(np.prod(shape)) * np.dtype(dtype).itemsize <= ring.CHUNK_BYTES
