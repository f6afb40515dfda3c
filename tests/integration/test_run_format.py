"""The format of a run folder: typed, checked, and that of 0.4.0 still read."""

import json
import shutil
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from agents.base import Episode, OnlineAgent
from agents.policy import Spaces
from experiments.errors import InputError
from experiments.results.stored_run import StoredRun, read_runs
from experiments.runs import heartbeat
from experiments.runs.csv_log import CsvLog, read_from
from experiments.runs.manifest import FORMAT
from experiments.runs.open_run import open_run
from experiments.runs.run_folder import RunFolder
from experiments.runs.spaces import spaces_from_json, spaces_to_json
from experiments.specs.spec import AgentEntry, Budget, EnvEntry, Evaluation, RunSpec
from experiments.training.observers import Evaluated, Observer
from experiments.training.train_run import train_run
from experiments.training.verification import verify_run
from rl_lab import compare, evaluate, watch
from tests.conftest import ROOT

OLD = ROOT / "tests" / "data" / "runs-of-0.4.0"


def run_spec(**changes: Any) -> RunSpec:
    return RunSpec(
        experiment="x",
        env=changes.pop("env", EnvEntry(id="RLLab/Maze-v0", name="m", settings={"rows": 3, "cols": 3})),
        agent=changes.pop("agent", AgentEntry(id="q_learning", name="a")),
        seed=1,
        budget=changes.pop("budget", Budget(steps=400)),
        evaluation=Evaluation(every=100, episodes=2, final_episodes=2),
        **changes,
    )


# -- 0.4.0's runs ---------------------------------------------------------------------------------------------


def test_finished_runs_of_0_4_0_are_compared_evaluated_watched_and_verified(tmp_path: Path) -> None:
    shutil.copytree(OLD, tmp_path / "old")
    records = {(one["env"], one["agent"]): one for one in compare(tmp_path / "old")["records"]}
    assert records["maze", "plan"]["normalised"]["scores"] == [1.0]
    for run in read_runs([tmp_path / "old"]):
        judged = evaluate(run.folder.path)
        assert [one["return"] for one in judged["episodes"]] == run.final_scores().tolist()
    plan = tmp_path / "old" / "maze" / "plan" / "seed-0"
    assert watch(plan, record=tmp_path / "plan.gif")["frames"] > 1
    assert verify_run(plan, full=False, on_progress=lambda progress: None).reproduced


def test_an_unfinished_run_of_0_4_0_begins_anew_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = StoredRun.load(RunFolder(OLD / "maze" / "q" / "seed-0"))
    folder = tmp_path / run.run_spec.folder
    shutil.copytree(run.folder.path, folder)
    manifest = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(manifest | {"status": "interrupted"}))
    assert train_run(run.run_spec, tmp_path).status == "finished"
    assert "made by another version, which this one cannot go on with; the run begins anew" in caplog.text
    assert RunFolder(folder).read_manifest().format == FORMAT


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"format": 99}, "format: expected 2 or 3, got 99: made by another version"),
        ({"format": "3"}, "expected a valid integer|expected .*integer"),
        ({"env_steps": 1e400}, "run.json: damaged"),
        ({"attempts": [{"process": 1}]}, "started: expected a value, got nothing"),
        ({"attempts": 3}, "attempts: expected a valid list|attempts: "),
        ({"command": "rl-lab"}, "command: "),
        ({"surprise": 1}, "unknown key 'surprise'"),
        ({"reference": {"random": float("nan")}}, "run.json: damaged"),
    ],
)
def test_a_manifest_that_is_none_is_refused_in_a_line(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    shutil.copytree(OLD / "maze" / "q" / "seed-0", tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=expected) as error:
        open_run(tmp_path / "run")
    assert "\n" not in str(error.value)


def test_every_field_is_there_and_what_nobody_fills_is_empty(tmp_path: Path) -> None:
    train_run(run_spec(), tmp_path)
    manifest = json.loads((tmp_path / run_spec().folder / "run.json").read_text())
    empty = {"code", "factory", "backend", "scale", "stopping_rule", "pruned", "notes", "error", "metrics"}
    assert {key for key, value in manifest.items() if value in (None, {}, [])} == empty
    assert manifest["limits"] == {"training": 36, "evaluation": 36}
    assert manifest["columns"] == {
        "episodes.csv": ["episode", "env_step", "return", "length", "epsilon", "td_error", "success", "steps"]
    }
    assert manifest["spaces"]["observation"] == {"kind": "Discrete", "n": 9, "start": 0}


# -- logs -----------------------------------------------------------------------------------------------------


class Late(gym.Env[int, int]):
    """Tells something at its end only, and from its third episode on something more; succeeds in every other one."""

    observation_space: Any = spaces.Discrete(2)
    action_space: Any = spaces.Discrete(2)
    episodes = 0

    def get_lasting_state(self) -> dict[str, Any]:
        return {"episodes": self.episodes}

    def set_lasting_state(self, state: dict[str, Any]) -> None:
        self.episodes = state["episodes"]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps, self.episodes = 0, self.episodes + 1
        return 0, {"at_reset": 1}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        info: dict[str, Any] = {"is_success": self.episodes % 2 == 0} if self.steps == 5 else {}
        if self.steps == 5 and self.episodes > 3:
            info["late"] = np.float64(0.5)
        return 1, 1.0, self.steps == 5, False, info


class Talker(OnlineAgent):
    """Says something of its learning every ten steps."""

    learning_names = ("loss", "q")

    def select_action(self, observation: Any, *, explore: bool) -> int:  # type: ignore[override]  # has no illegal ones
        return 0

    def train(self, env: gym.Env[Any, Any], monitor: Any) -> None:
        while monitor.running:
            _, info = env.reset()
            for _ in range(5):
                *_, info = env.step(0)
                monitor.step()
                self.num_steps += 1
                if self.num_steps % 10 == 0:
                    monitor.learning({"loss": 1 / self.num_steps})
            monitor.episode(Episode(5.0, 5, None, None, info))
            monitor.safe_point()


def own() -> RunSpec:
    here = f"{__name__}:"
    return run_spec(env=EnvEntry(id=f"{here}Late", name="e"), agent=AgentEntry(id=f"{here}Talker", name="a"))


def test_columns_come_from_the_ends_of_the_first_evaluation_and_later_keys_are_kept(tmp_path: Path) -> None:
    """The evaluation's two first episodes tell of is_success; `late` comes later, into info.csv."""
    assert train_run(own(), tmp_path).error is None
    folder = tmp_path / own().folder
    lines = (folder / "episodes.csv").read_text().splitlines()
    assert lines[0] == "episode,env_step,return,length,epsilon,td_error,is_success"
    assert [line.rpartition(",")[2] for line in lines[1:5]] == ["true", "false", "true", "false"]  # 1st: run's reset
    info = (folder / "info.csv").read_text().splitlines()
    assert info[:3] == ["episode,key,value", "2,late,0.5", "3,late,0.5"]
    successes = {row["success"] for row in RunFolder(folder).evaluations()}
    assert successes == {"true", "false"}


def test_what_an_agent_says_of_its_learning_is_logged(tmp_path: Path) -> None:
    train_run(own(), tmp_path)
    lines = (tmp_path / own().folder / "learning.csv").read_text().splitlines()
    assert lines[:3] == ["env_step,loss,q", "10,0.1,", "20,0.05,"]
    assert len(lines) == 1 + 400 // 10


def test_these_logs_are_the_same_bytes_after_a_stop(tmp_path: Path) -> None:
    train_run(own(), tmp_path / "whole")
    train_run(own(), tmp_path / "twice", until=230)
    folders = [tmp_path / name / own().folder for name in ("whole", "twice")]
    with (folders[1] / "info.csv").open("a") as file:
        file.write("99,lost,1\n")  # as if killed after its last checkpoint
    train_run(own(), tmp_path / "twice")
    for name in ("learning.csv", "info.csv", "episodes.csv", "evaluations.csv"):
        assert folders[0].joinpath(name).read_bytes() == folders[1].joinpath(name).read_bytes(), name


def test_a_log_is_followed_by_its_whole_lines(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "log.csv", ["a"])
    log.append({"a": 1})
    log.flush()
    text, offset = read_from(tmp_path / "log.csv", 0)
    assert (text, offset) == ("a\n1\n", 4)
    with (tmp_path / "log.csv").open("a") as file:
        file.write("22\n3")
    assert read_from(tmp_path / "log.csv", offset) == ("22\n", 7)
    (tmp_path / "log.csv").write_text("a\n")  # a resumed run has cut it back
    assert read_from(tmp_path / "log.csv", 7) == ("a\n", 2)
    assert read_from(tmp_path / "gone.csv", 7) == ("", 0)
    log.close()


def test_the_share_of_decisions_in_states_never_met(tmp_path: Path) -> None:
    """A sparse table that has met nothing knows no state; after training in a maze it knows its way."""
    agent = AgentEntry(id="q_learning", name="a", settings={"table": "sparse", "epsilon_decay": 0.9})
    train_run(run_spec(agent=agent, budget=Budget(steps=3_000)), tmp_path)
    rows = RunFolder(tmp_path / run_spec().folder).evaluations()
    assert float(rows[0]["unmet_share"]) == 1.0
    assert float(rows[-1]["unmet_share"]) == 0.0


# -- observers, heartbeat, spaces -----------------------------------------------------------------------------


class Pruner(Observer):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def evaluated(self, evaluated: Evaluated) -> bool:
        self.heard.append(f"{evaluated.phase} {evaluated.env_step} {evaluated.score:g}")
        return evaluated.env_step >= 200

    def checkpointed(self, env_step: int) -> None:
        self.heard.append("checkpoint")

    def close(self) -> None:
        self.heard.append("closed")


def test_an_observer_may_prune_a_run_which_can_go_on_later(tmp_path: Path) -> None:
    pruner = Pruner()
    assert train_run(run_spec(), tmp_path, [pruner]).status == "interrupted"
    assert [one for one in pruner.heard if one.startswith("curve")][-1].startswith("curve 200 ")
    assert pruner.heard[-2:] == ["checkpoint", "closed"]
    finished = train_run(run_spec(), tmp_path)
    assert finished.status == "finished"
    assert finished.attempts[-1].from_step >= 200
    whole = train_run(run_spec(), tmp_path / "whole")
    assert finished.digests == whole.digests


def test_a_heartbeat_tells_who_writes_and_is_gone_in_the_end(tmp_path: Path) -> None:
    folder = tmp_path / run_spec().folder
    heard = []

    class Listening(Observer):
        def evaluated(self, evaluated: Evaluated) -> bool:
            heard.append(RunFolder(folder).is_written())
            return False

    train_run(run_spec(), tmp_path, [Listening()])
    assert set(heard) == {True}
    assert not RunFolder(folder).is_written()
    mine = heartbeat.Heartbeat.of_this_process()
    path = folder / heartbeat.FILE
    for other, expected in (
        (mine, True),
        (mine.model_copy(update={"started": mine.started - 1}), False),  # the number was another process's
        (mine.model_copy(update={"process": 2**22 + 1}), False),
        (mine.model_copy(update={"host": "elsewhere"}), True),  # and the file is fresh
    ):
        path.write_text(other.model_dump_json())
        assert (heartbeat.writer(folder) is not None) is expected, other
    path.write_text("[" * 5_000)
    assert heartbeat.writer(folder) is None
    path.write_text("{}")
    assert heartbeat.writer(folder) is None


SPACES: list[gym.Space[Any]] = [
    spaces.Discrete(3),
    spaces.Discrete(3, start=-1),
    spaces.Box(-1.0, 1.0, (2,), np.float32),
    spaces.Box(np.array([0.0, -np.inf]), np.array([np.inf, 2.5]), dtype=np.float64),
    spaces.Box(0, 255, (4, 4, 3), np.uint8),
    spaces.MultiDiscrete([2, 3]),
    spaces.MultiBinary(4),
    spaces.Dict({"b": spaces.Discrete(2), "a": spaces.Tuple([spaces.Discrete(2), spaces.Box(0, 1, ())])}),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_spaces_come_back_from_json(space: gym.Space[Any]) -> None:
    text = json.dumps(spaces_to_json(Spaces(space, spaces.Discrete(2))), allow_nan=False)
    assert spaces_from_json(json.loads(text)) == Spaces(space, spaces.Discrete(2))


def test_spaces_that_are_none_are_refused() -> None:
    assert spaces_to_json(Spaces(spaces.Text(3), spaces.Discrete(2))) is None
    for values in (
        {},
        {"observation": {"kind": "Graph"}, "action": {}},
        {"observation": {"kind": "Discrete", "n": -1}},
    ):
        with pytest.raises(InputError, match="spaces: damaged"):
            spaces_from_json(values)
