"""Folders are read while a run writes them: its checkpoints come and go."""

import sys
import time
from pathlib import Path

from experiments.files import files_below
from tests.conftest import StartProcess

WRITER = """
import itertools, pathlib, shutil
for number in itertools.count():
    folder = pathlib.Path(f"checkpoint-{number % 50}") / "agent" / "chunks"
    folder.mkdir(parents=True)
    (folder / "table.npy").touch()
    shutil.rmtree(folder.parents[1])
"""


def test_what_goes_while_it_is_listed_is_no_error(tmp_path: Path, start_process: StartProcess) -> None:
    (tmp_path / "run.json").touch()
    start_process([sys.executable, "-c", WRITER], cwd=tmp_path)
    deadline, seen, gone = time.monotonic() + 60, 0, 0
    while min(seen, gone) < 20 and time.monotonic() < deadline:
        paths = files_below(tmp_path)
        assert tmp_path / "run.json" in paths
        seen += len(paths) > 1
        try:
            list(tmp_path.rglob("*"))  # pathlib's own way is not one to take here
        except FileNotFoundError:
            gone += 1
    assert seen >= 20
    assert gone >= 20
