"""Runs whose files were changed or damaged afterwards are found out, and execute nothing."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.errors import InputError
from experiments.results.stored_run import read_runs
from experiments.runs.digests import result_digests
from experiments.runs.open_run import open_run
from experiments.runs.run_folder import RunFolder
from experiments.training.train_run import train_run
from experiments.training.verification import verify_run
from tests.conftest import Command
from tests.exact import MAZE, RUN, run, run_spec
from tests.helpers import files


def test_a_run_verified_and_a_run_touched(rl_lab: Command, tmp_path: Path) -> None:
    assert rl_lab("train", *MAZE, "--steps", "2000").returncode == 0
    part, whole = rl_lab("verify", RUN), rl_lab("verify", RUN, "--full")
    assert (part.returncode, whole.returncode) == (0, 0), part.stderr
    assert part.stdout.startswith("reproduced: its first 200 env steps: ")
    assert "reproduced: all of it, weights included: " in whole.stdout
    assert "1 runs are reproduced" not in rl_lab("verify", "runs").stdout
    log = tmp_path / RUN / "episodes.csv"
    lines = log.read_text().splitlines()
    cells = lines[1].split(",")
    cells[2] = "-1.5"
    log.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n")
    manifest = json.loads((tmp_path / RUN / "run.json").read_text())
    manifest["versions"]["numpy"] = "1.0"
    (tmp_path / RUN / "run.json").write_text(json.dumps(manifest))
    touched = rl_lab("verify", RUN)
    assert touched.returncode == 1
    assert f"episodes.csv: row 1, column return: -1.5 there, {lines[1].split(',')[2]} now" in touched.stdout
    assert "episodes.csv: changed after the run had ended" in touched.stdout
    assert "versions: numpy: 1.0 then, " in touched.stdout
    assert json.loads(rl_lab("verify", RUN, "--json").stdout)["reproduced"] is False


def test_weights_that_would_come_out_otherwise_are_found(tmp_path: Path) -> None:
    folder = run(run_spec(), tmp_path)
    path = folder.path / "checkpoint" / "agent" / "state.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    digests = result_digests(folder.path)  # as another machine might have written it
    folder.write_manifest(folder.read_manifest().with_(digests=digests))
    verification = verify_run(folder.path, full=True, on_progress=lambda progress: None)
    assert verification.differences == ["checkpoint/agent/state.npz: other bytes"]


def test_what_was_touched_is_not_gone_on_with(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A run that never finished begins anew; one that has is left alone, to the byte."""
    whole = result_digests(run(run_spec(), tmp_path / "whole").path)
    folder = run(run_spec(), tmp_path / "touched", until=1_000)
    log = folder.path / "episodes.csv"
    log.write_text(log.read_text().replace("0", "1", 1))
    assert result_digests(run(run_spec(), tmp_path / "touched").path) == whole
    assert "episodes.csv: damaged: its first" in caplog.text
    log.write_text(log.read_text().replace("0", "1", 1))
    before = files(folder.path)
    manifest = train_run(run_spec(3_000), tmp_path / "touched")
    assert manifest.status == "failed"
    assert "the run has finished before, and is left as it is" in str(manifest.error)
    assert files(folder.path) == before
    weights = run(run_spec(), tmp_path / "weights", until=1_000)
    path = weights.checkpoint.path / "agent" / "state.npz"
    path.write_bytes(path.read_bytes()[:-1])
    assert run(run_spec(), tmp_path / "weights").read_manifest().attempts[-1].from_step == 0
    assert "the run begins anew" in caplog.text


def test_wall_clock_times_that_are_gone_lose_nothing(tmp_path: Path) -> None:
    folder = run(run_spec(1_000), tmp_path)
    (folder.path / "timing.csv").unlink()
    assert run(run_spec(2_000), tmp_path).read_manifest().attempts[-1].from_step == 1_000


def test_a_checkpoint_that_names_no_files_is_none(tmp_path: Path) -> None:
    folder = run(run_spec(400), tmp_path)
    (folder.path / "checkpoint" / "digests.json").write_text("[]")
    with pytest.raises(InputError, match=r"digests.json does not name it"):
        folder.checkpoint.check()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(run_spec(400), tmp_path_factory.mktemp("sound")).path.parents[3]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_folders_are_reported_and_run_nothing(data: st.DataObject, sound: Path, tmp_path: Path) -> None:
    """Whatever a file holds: reading ends in an InputError, or in the same results."""
    out = tmp_path / "damaged"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(sound, out)
    folder = RunFolder(out / run_spec(400).folder)
    files = sorted(
        path for path in folder.path.rglob("*") if path.is_file() and path.suffix in (".csv", ".json", ".npz")
    )
    path = data.draw(st.sampled_from(files))
    content = path.read_bytes()
    at = data.draw(st.integers(0, max(0, len(content) - 1)))
    evil = b"cos\nsystem\n(S'touch " + str(tmp_path / "executed").encode() + b"'\ntR."
    kinds = {
        "cut": content[:at],
        "bytes": content[:at] + data.draw(st.binary(min_size=1, max_size=30)) + content[at + 1 :],
        "empty": b"",
        "pickle": evil,
        "deep": b"[" * 10_000,
        "not text": b"\xff\xfe" + content,
    }
    path.write_bytes(kinds[data.draw(st.sampled_from(sorted(kinds)))])
    try:
        for one in read_runs([out]):
            if one.finished:
                one.final_scores(), one.curve(), one.training()
                _ = one.scale, one.curve_scale
        open_run(folder.path).agent()
        verify_run(folder.path, full=False, on_progress=lambda progress: None)
    except InputError:
        pass
    assert not (tmp_path / "executed").exists()
