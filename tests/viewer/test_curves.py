"""What the viewer draws: numbers worked by hand, logs that grow and shrink, and a training that is done again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.errors import InputError
from experiments.runs.csv_log import read_last_row
from experiments.runs.open_run import open_run
from experiments.runs.run_folder import EPISODES_LOG, TIMING, RunFolder, find_runs
from experiments.runs.snapshots import snapshot_steps
from experiments.training.replay import agent_after, can_replay
from rl_lab import train
from rl_lab.viewer.curves import CurveQuery, CurveReader, Points, evaluation_means, on_grid, reduced, seen, smoothed
from rl_lab.viewer.index import RunIndex
from rl_lab.viewer.logs import Log, LogCache
from rl_lab.viewer.trash import move_to_trash

Q = "train/maze/q_learning/seed-0"


def test_a_mean_of_episodes_never_crosses_a_resume() -> None:
    values = np.array([2.0, 4.0, 6.0, 100.0, 200.0])
    assert smoothed(values, 2).tolist() == [2, 3, 5, 53, 150]
    assert smoothed(values, 2, [3]).tolist() == [2, 3, 5, 100, 150]
    assert smoothed(values, 10, [0, 3, 5]).tolist() == [2, 3, 4, 100, 150]
    assert smoothed(values, 1, [3]) is values


def test_peaks_and_dips_stay_when_points_are_left_out() -> None:
    y = np.zeros(10_000)
    y[1234], y[7777] = 5.0, -5.0
    x = np.arange(10_000.0)
    few = reduced(Points(x, y, x * 2), 50)
    assert len(few.x) <= 102
    assert {1234.0, 7777.0, 0.0, 9999.0} <= set(few.x.tolist())
    assert (few.y.max(), few.y.min()) == (5.0, -5.0)
    assert (few.steps == few.x * 2).all()
    assert (np.diff(few.x) > 0).all()
    part = seen(Points(x, y, x), 100.5, 102.5)
    assert part.x.tolist() == [100, 101, 102, 103]


def test_runs_that_share_their_points_keep_them() -> None:
    one, other = (np.array([0.0, 10.0, 20.0]), np.array([1.0, 2.0, 3.0])), (np.array([0.0, 10.0]), np.array([5.0, 6.0]))
    grid, values = on_grid([one, other])
    assert grid.tolist() == [0, 10, 20]
    assert values[0].tolist() == [1, 2, 3]
    assert values[1][:2].tolist() == [5, 6]
    assert np.isnan(values[1][2])
    grid, values = on_grid([one, (np.array([5.0, 15.0]), np.array([0.0, 10.0]))])
    assert len(grid) == 200
    assert (grid[0], grid[-1]) == (5, 15)  # where both have values
    assert np.interp(10.0, grid, values[1]) == pytest.approx(5.0, abs=0.1)
    assert np.isfinite(values).all()


def test_means_of_evaluations_are_those_of_the_curve() -> None:
    log = Log(
        numbers={"env_step": np.array([0.0, 0, 5, 5, 5]), "return": np.array([1.0, 3, 5, 7, 9]), "length": np.ones(5)},
        texts={"phase": np.array(["curve"] * 4 + ["final"]), "set": np.array(["fresh"] * 5)},
    )
    steps, scores = evaluation_means(log, "return")
    assert (steps.tolist(), scores.tolist()) == ([0, 5], [2, 6])
    assert evaluation_means(log, "-steps")[1].tolist() == [-1, -1]


def test_a_log_is_followed_and_read_anew_where_it_was_cut(tmp_path: Path) -> None:
    path = tmp_path / EPISODES_LOG
    header = "episode,env_step,return,length,epsilon,td_error\n"
    path.write_text(header + "0,10,-10,10,1,0.5\n1,15,-5,5,,\n2,18")
    cache = LogCache()
    log = cache.read(tmp_path, EPISODES_LOG)
    assert log.numbers["return"].tolist() == [-10, -5]  # half a row is none yet
    path.write_text(header + "0,10,-10,10,1,0.5\n1,15,-5,5,,\n2,18,-3,3,,\n3,nan,nan,1,,\n4,x,1,1,,\n")
    assert cache.read(tmp_path, EPISODES_LOG).numbers["env_step"].tolist() == [
        10,
        15,
        18,
    ]  # what is no number is left out
    path.write_text(header + "0,7,-7,7,1,0.5\n")
    assert cache.read(tmp_path, EPISODES_LOG).numbers["return"].tolist() == [-7]
    assert len(cache.read(tmp_path / "nowhere", EPISODES_LOG)) == 0


def test_memory_is_bounded(tmp_path: Path) -> None:
    cache = LogCache(most_bytes=100_000)
    rows = "".join(f"{number},{number},-1,1,,\n" for number in range(1_000))
    for run in range(20):
        (tmp_path / str(run)).mkdir()
        (tmp_path / str(run) / EPISODES_LOG).write_text("episode,env_step,return,length,epsilon,td_error\n" + rows)
        assert len(cache.read(tmp_path / str(run), EPISODES_LOG)) == 1_000
        assert cache.num_bytes <= 100_000


def test_curves_of_runs(runs: Path) -> None:
    reader = CurveReader(LogCache())
    paths = [(str(number), run.path) for number, run in enumerate(find_runs(runs))]
    curves = reader.curves(paths, CurveQuery())
    assert [(group.agent, len(group.runs)) for group in curves.groups] == [("q_learning", 2), ("sarsa", 2)]
    group = curves.groups[0]
    assert group.x == [0, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000]
    middle = [np.mean([run.y[point] for run in group.runs]) for point in range(9)]
    assert group.iqm == pytest.approx(middle)  # of two runs the IQM is the mean
    assert curves.scales[0].kind == "exact optimum"
    training = reader.curves(paths, CurveQuery(kind="training", axis="episodes", smoothing=3)).groups[0].runs[0]
    rows = RunFolder(runs / Q).episodes()
    returns = [float(row["return"]) for row in rows]
    assert training.y[4] == pytest.approx(np.mean(returns[2:5]))
    assert training.steps[4] == float(rows[4]["env_step"])
    seconds = reader.curves(paths, CurveQuery(axis="seconds")).groups[0].runs[0]
    assert seconds.x[0] == pytest.approx(0, abs=0.5)
    assert seconds.x[-1] == pytest.approx(float(RunFolder(runs / Q).timing()[-1]["seconds"]), rel=1e-3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"kind": "x"}, "kind"), ({"axis": "x"}, "axis"), ({"smoothing": 0}, "smoothing"), ({"width": 9}, "width")],
)
def test_queries_that_are_none(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        CurveQuery(**wrong)


# -- any episode of a training ----------------------------------------------------------------------------------


def test_a_training_is_done_again_to_any_episode(runs: Path) -> None:
    """At the end it is the checkpoint's table; where an episode ends at a snapshot's step, the snapshot's."""
    opened = open_run(runs / Q)
    rows = opened.folder.episodes()
    assert can_replay(opened)
    for step in snapshot_steps(opened.path):
        ends = [number for number, row in enumerate(rows, start=1) if int(row["env_step"]) == step]
        for number in [0] * (step == 0) + ends:
            env_step, agent = agent_after(opened, number)
            assert env_step == step
            kept = opened.agent(step)
            assert [str(agent.action_values(state)) for state in range(36)] == [
                str(kept.action_values(state)) for state in range(36)
            ]
    env_step, agent = agent_after(opened, 50)
    assert env_step == int(rows[49]["env_step"])


def test_a_budget_in_episodes_ends_where_it_is_done_again_to(tmp_path: Path) -> None:
    result = train("RLLab/Maze-v0", "sarsa", episodes=40, out=tmp_path, evaluation={"final_episodes": 1})
    opened = open_run(Path(result["run"]))
    _, agent = agent_after(opened, 40)
    trained = opened.agent()
    for state in range(81):
        assert np.array_equal(agent.action_values(state), trained.action_values(state))  # type: ignore[arg-type]


def test_a_training_that_went_otherwise_is_not_shown(own_runs: Path) -> None:
    log = own_runs / Q / EPISODES_LOG
    lines = log.read_text().splitlines()
    cells = lines[3].split(",")
    cells[2] = "-3.5"
    log.write_text("\n".join([*lines[:3], ",".join(cells), *lines[4:]]) + "\n")
    opened = open_run(own_runs / Q)
    agent_after(opened, 2)
    with pytest.raises(InputError, match=r"trained again, episode 2 earns .*; expected -3\.5 in "):
        agent_after(opened, 3)
    with pytest.raises(InputError, match="expected an episode from 0 to"):
        agent_after(opened, 10**6)


def test_networks_are_not_trained_again(tmp_path: Path) -> None:
    result = train("CartPole-v1", "random", steps=20, out=tmp_path, evaluation={"final_episodes": 1})
    assert not can_replay(open_run(Path(result["run"])))


# -- the list ---------------------------------------------------------------------------------------------------


def test_the_index_finds_runs_and_names_links(own_runs: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (own_runs / "link").symlink_to(tmp_path / "elsewhere")
    (own_runs / "bad" / "e" / "a" / "seed-0").mkdir(parents=True)
    (own_runs / "bad" / "e" / "a" / "seed-0" / "run.json").write_text("{}")
    index = RunIndex(own_runs)
    entries = index.scan()
    assert len(entries) == 5
    assert index.links == ["link"]
    states = {entry.path: entry.state for entry in entries.values()}
    assert states["bad/e/a/seed-0"] == "damaged"
    assert states[Q] == "finished"
    entry = next(entry for entry in entries.values() if entry.path == Q)
    assert (entry.env_step, entry.share, entry.settings["learning_rate"]) == (4000, 1.0, 0.5)
    assert index.path(entry.id) == own_runs / Q
    with pytest.raises(InputError, match="expected the id of a run"):
        index.path("../../etc")


def test_what_is_in_the_trash_is_no_run(own_runs: Path) -> None:
    index = RunIndex(own_runs)
    index.scan()
    target = move_to_trash(own_runs, own_runs / Q)
    assert (target / "run.json").is_file()
    assert Q not in {entry.path for entry in index.scan().values()}
    assert len(find_runs(own_runs)) == 3


def test_the_last_row_of_a_log(tmp_path: Path, runs: Path) -> None:
    assert RunFolder(runs / Q).last_timing() == RunFolder(runs / Q).timing()[-1]
    path = tmp_path / "timing.csv"
    path.write_text(",".join(TIMING) + "\n")
    with pytest.raises(InputError, match="expected a row"):
        read_last_row(path, TIMING)
    path.write_text(path.read_text() + "1,2,3,4,5,6\n7,8")
    assert read_last_row(path, TIMING)["env_step"] == "1"
