"""The processes that play runs: they write nothing, give way, and hold up nothing."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.viewer.conftest import Served, viewer_of


def test_playing_writes_nothing(own_runs: Path) -> None:
    def everything() -> dict[str, tuple[int, int]]:
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in own_runs.rglob("*")}

    before = everything()
    with viewer_of(own_runs) as viewer:
        ids = ",".join(viewer.ids().values())
        first = ids.split(",")[0]
        viewer.get(f"/api/recording?ids={ids}")
        viewer.get(f"/api/recording?ids={first}&episode=20")
        viewer.get(f"/api/compare?ids={ids}")
        viewer.get(f"/api/curves?ids={ids}")
        viewer.get(f"/api/figure?ids={ids}&env=maze&format=svg")
    assert everything() == before


def workers_of(viewer: Served) -> list[int]:
    """The processes that a viewer has begun."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if place.read_text(errors="replace").rpartition(")")[2].split()[1] == str(viewer.process.pid):
                found.append(int(place.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="the system tells no limits")
def test_the_process_that_plays_gives_way_and_cannot_write(served: Served) -> None:
    served.get(f"/api/moments?ids={next(iter(served.ids().values()))}")
    workers = workers_of(served)  # other tests' viewers have some too, which may have begun just now
    assert workers
    for worker in workers:
        assert "Max file size             0" in Path(f"/proc/{worker}/limits").read_text()
        assert os.getpriority(os.PRIO_PROCESS, worker) == 19


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="the system has no such signal")
def test_a_worker_that_hangs_holds_up_nothing_else(own_runs: Path) -> None:
    with viewer_of(own_runs) as viewer:
        (run, *_) = viewer.ids().values()
        viewer.get(f"/api/moments?ids={run}")
        (worker,) = workers_of(viewer)
        os.kill(worker, signal.SIGSTOP)
        asked = [threading.Thread(target=viewer.ask, args=(f"/api/moments?ids={run}",), daemon=True) for _ in range(45)]
        try:
            for one in asked:
                one.start()
            time.sleep(0.5)
            begun = time.monotonic()
            assert viewer.get("/api/runs")["runs"]
            assert viewer.get(f"/api/curves?ids={run}")["groups"]
            assert time.monotonic() - begun < 5
        finally:
            os.kill(worker, signal.SIGCONT)
