"""Two commands that were begun at the same time on the same runs."""

from pathlib import Path

from experiments.execution.output import Output
from experiments.runs.run_folder import RunFolder
from experiments.specs.spec import AgentEntry, Budget, EnvEntry, Evaluation, RunSpec
from experiments.training.train_run import check_run_spec, train_run

ONE = RunSpec(
    experiment="x",
    env=EnvEntry(id="RLLab/Maze-v0", name="m", settings={"rows": 4, "cols": 4}),
    agent=AgentEntry(id="q_learning", name="q"),
    seed=0,
    budget=Budget(steps=600),
    evaluation=Evaluation(every=200, episodes=1, final_episodes=2),
)


def _written(folder: Path) -> dict[Path, int]:
    """When each of a run's files was written, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_a_run_that_another_command_has_finished_since_is_left_as_it_is(tmp_path: Path) -> None:
    output, checked = Output(tmp_path, [ONE], [{}]), check_run_spec(ONE)  # a command looks,
    finished = train_run(ONE, tmp_path)  # another trains,
    before = _written(tmp_path / ONE.folder)
    output.enter(ONE, checked)  # and the first goes on from what it saw
    assert train_run(ONE, tmp_path) == finished
    assert _written(tmp_path / ONE.folder) == before


def test_a_run_that_another_command_trains_is_not_entered_as_pending(tmp_path: Path) -> None:
    output, checked = Output(tmp_path, [ONE], [{}]), check_run_spec(ONE)
    folder = RunFolder(tmp_path / ONE.folder)
    with folder.lock():
        output.enter(ONE, checked)
        assert not folder.exists()
    output.enter(ONE, checked)
    assert folder.read_manifest().status == "pending"
