"""Looking at eight live runs, as fast as can be: memory stays where it is."""

import os
import time
from pathlib import Path

import pytest

from tests.viewer.conftest import viewer_of

SPEC = """
name = "soak"
steps = 1_000_000_000
seeds = 8
engine = "python"
[evaluation]
every = 10_000
episodes = 2
final_episodes = 2
[[envs]]
id = "RLLab/Maze-v0"
name = "maze"
[[agents]]
id = "q_learning"
name = "q"
"""
SECONDS = 80.0  # of looking, on end
MOST_GROWTH = 60_000  # kB, beside what the logs grow by, which are bounded


def memory(process: int) -> int:
    """Resident kB of a process and its children."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            command = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        mine = int(fields["Pid"]) == process
        worker = int(fields["PPid"]) == process and b"rl_lab.viewer.worker" in command
        total += int(fields.get("VmRSS", "0 kB").split()[0]) * (mine or worker)
    return total


@pytest.mark.skipif("RL_LAB_SOAK" not in os.environ, reason="takes minutes: make soak")
def test_looking_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "soak.toml").write_text(SPEC)
    with viewer_of(tmp_path / "runs") as viewer:
        made = viewer.post("/api/start", {"source": "soak.toml", "jobs": 8})
        deadline = time.monotonic() + 120
        while len(ids := list(viewer.ids().values())) < 8:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        at_first, look, begun = 0, 0, time.monotonic()
        while (passed := time.monotonic() - begun) < SECONDS:
            look += 1
            if look % 50 == 0:
                ids = list(viewer.ids().values())
            if not at_first and passed > SECONDS / 2:
                at_first = memory(viewer.process.pid)
            kind = ("evaluation", "training")[look % 2]
            viewer.get(f"/api/curves?kind={kind}&smoothing=20&ids={','.join(ids)}")
            if look % 10 == 0:
                viewer.get("/api/runs")
                status, _, _ = viewer.ask(f"/api/recording?ids={ids[look % len(ids)]}&number={look % 7}")
                assert status in (200, 400)  # 400: it has no snapshot yet
        grown = memory(viewer.process.pid) - at_first
        print(f"\n{look:,} looks at {len(ids)} live runs: {at_first:,} kB after half of them, {grown:+,} kB since")
        assert look > 50
        assert grown < MOST_GROWTH
        viewer.post("/api/stop", {"id": made["id"]})
