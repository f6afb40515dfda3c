"""A thousand looks at eight runs that train: memory stays where it is, but for the logs that are kept."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.viewer.conftest import Served, live_spec, viewer_of

STEPS = 1_000_000_000
SECONDS = 60.0  # of looking while they train, on end: more episodes than an hour of looking would see
LOOKS = 1_000
BYTES_A_ROW = 3 * 8  # of an episode that is kept: its step, return and length
MOST_GROWTH = 40_000  # kB, beside those rows
MOST_GROWTH_AFTER = 8_000  # kB, when nothing is written any more


def processes() -> Iterator[tuple[int, int, int, bytes]]:
    """Of each process its number, its parent's, its resident kB and its command."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            command = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended
        yield int(fields["Pid"]), int(fields["PPid"]), int(fields.get("VmRSS", "0 kB").split()[0]), command


def memory(viewer: int) -> int:
    """Resident kB of the viewer and its players."""
    return sum(
        resident
        for process, parent, resident, command in processes()
        if process == viewer or (parent == viewer and b"rl_lab.viewer.worker" in command)
    )


def make_way(viewer: int) -> None:
    """The trainings get what the viewer leaves: else 2 cores give it two looks a second."""
    for process, _, _, command in processes():
        if process != viewer and (b"spawn_main" in command or b"soak.toml" in command):
            os.setpriority(os.PRIO_PROCESS, process, 19)


def kilobytes_of_rows(logs: list[Path]) -> int:
    """What the episodes take that are written by now."""
    return sum(log.read_bytes().count(b"\n") for log in logs) * BYTES_A_ROW // 1024


def look_at(viewer: Served, ids: list[str], look: int) -> None:
    """One look at the curves, now and then at the list and at a moment."""
    kind = ("evaluation", "training")[look % 2]
    viewer.get(f"/api/curves?kind={kind}&smoothing=20&ids={','.join(ids)}")
    if look % 10 == 0:
        viewer.get("/api/runs")
        status, _, _ = viewer.ask(f"/api/recording?ids={ids[look // 10 % len(ids)]}&number={look // 10 % 7}")
        assert status in (200, 400)  # 400: it has no snapshot yet


@pytest.fixture
def eight_live(tmp_path: Path) -> Iterator[tuple[Served, Callable[[], None]]]:
    """A viewer of eight runs that train, and what stops them."""
    (tmp_path / "soak.toml").write_text(live_spec("soak", STEPS, seeds=8))
    with viewer_of(tmp_path / "runs") as viewer:
        made = viewer.post("/api/start", {"source": "soak.toml", "jobs": 8})

        def stop() -> None:
            viewer.post("/api/stop", {"id": made["id"]})

        try:
            yield viewer, stop
        finally:
            stop()


@pytest.mark.skipif("RL_LAB_SOAK" not in os.environ, reason="takes minutes: make soak")
def test_looking_takes_no_memory(tmp_path: Path, eight_live: tuple[Served, Callable[[], None]]) -> None:
    viewer, stop = eight_live
    deadline = time.monotonic() + 120
    while len(logs := sorted((tmp_path / "runs").glob("soak/maze/q/seed-*/episodes.csv"))) < 8:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    make_way(viewer.process.pid)
    ids = list(viewer.ids().values())
    assert len(ids) == 8
    for look in range(20):  # until every module is loaded, and a player has played
        look_at(viewer, ids, look)
    first, first_rows = memory(viewer.process.pid), kilobytes_of_rows(logs)
    live, begun = 0, time.monotonic()
    while time.monotonic() < begun + SECONDS:
        live += 1
        look_at(viewer, ids, live)
    grown, rows = memory(viewer.process.pid) - first, kilobytes_of_rows(logs) - first_rows
    print(f"\n{live:,} looks while {len(ids)} runs train: {first:,} kB at first, {grown:+,} kB, {rows:,} kB of rows")
    stop()
    for look in range(live, live + 50):  # what was written until they stopped
        look_at(viewer, ids, look)
    at_rest = memory(viewer.process.pid)
    for look in range(live + 50, LOOKS):
        look_at(viewer, ids, look)
    since = memory(viewer.process.pid) - at_rest
    print(f"{LOOKS - live - 50:,} looks after that: {since:+,} kB")
    assert live > 50
    assert grown - rows < MOST_GROWTH
    assert since < MOST_GROWTH_AFTER
