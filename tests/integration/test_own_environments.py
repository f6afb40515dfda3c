"""Environments of one's own: what is checked of them, and what they may do wrong."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from envs.contract import Checked, ContractError, check_contract
from envs.registry import Around
from experiments.errors import InputError, in_words
from experiments.evaluation.environments import episode_limit, make_evaluation_env
from experiments.evaluation.score_scale import score_scale_for
from experiments.runs.run_folder import RunFolder
from experiments.specs.spec import AgentEntry, EnvEntry
from experiments.training.train_run import check_run_spec, train_run
from rl_lab import compare, train
from tests.conftest import Command
from tests.lane import LANE, Lane, run_spec

HERE = __name__


# -- Gymnasium's contract ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"reset": 0}, r"reset: expected \(observation, info\), got 0"),
        ({"reset": (0, {}, 1)}, r"reset: expected \(observation, info\), got 3 values"),
        ({"reset": (0, None)}, "reset: info: expected a dict, got None"),
        ({"reset": (-1, {})}, "reset: observation: expected a whole number from 0 to 4, got -1"),
        ({"reset": (5, {})}, "reset: observation: expected a whole number from 0 to 4, got 5"),
        ({"reset": (0.0, {})}, "reset: observation: expected a whole number from 0 to 4, got 0.0"),
        ({"reset": (np.zeros(2), {})}, "reset: observation: expected a whole number from 0 to 4"),
        ({"parts": 4}, "step: expected .observation, reward, terminated, truncated, info., got 4 values"),
        ({"observation": None}, "step: observation: expected a whole number from 0 to 4, got None"),
        ({"reward": np.zeros(2)}, r"step: reward: expected one number, got array.* of shape \[2\]"),
        ({"reward": "much"}, "step: reward: expected a number, got 'much'"),
        ({"reward": float("nan")}, "step: reward: expected a finite number, got nan"),
        ({"reward": -np.inf}, "step: reward: expected a finite number, got -inf"),
        ({"terminated": "no"}, "step: terminated: expected true or false, got 'no'"),
        ({"reset": (True, {})}, "reset: observation: expected a whole number from 0 to 4, got True"),
        ({"reward": "1"}, "step: reward: expected a number, got '1'"),
        ({"reward": 10**400}, "step: reward: expected a finite number, got inf"),
        (
            {"reset": (0, {"action_mask": "01"})},
            "reset: info: action_mask: expected 0 or 1 for each of 2 actions, got '01'",
        ),
        ({"reset": (0, {"action_mask": [1, 1, 0]})}, "action_mask: expected 0 or 1 for each of 2 actions"),
        ({"info": {"action_mask": [2, 1]}}, "step: info: action_mask: expected 0 or 1 for each of 2"),
        ({"info": []}, r"step: info: expected a dict, got \[\]"),
    ],
)
def test_what_does_not_keep_the_contract_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_contract(Lane(**wrong), 0)


def test_what_keeps_the_contract_passes() -> None:
    check_contract(Lane(), 0)
    check_contract(Lane(raises="not now"), 0)  # at a step it may have its reasons
    check_contract(Lane(raises="exit"), 0)
    check_contract(Lane(observation=np.int64(2), reward=np.float32(1), terminated=np.bool_(True)), 0)
    check_contract(Lane(observation=np.array(2), reward=np.array(1)), 0)


def test_the_one_step_is_a_legal_one() -> None:
    class Masked(Lane):
        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
            super().reset(seed=seed)
            return 0, {"action_mask": np.array([0, 1], dtype=np.int8)}

        def step(self, action: Any) -> Any:
            assert action == 1
            return super().step(action)[:4]  # so that it is seen that the step was made

    for seed in range(10):
        with pytest.raises(ContractError, match="4 values"):
            check_contract(Masked(), seed)


@pytest.mark.parametrize(
    ("space", "good", "bad"),
    [
        (spaces.Box(-1, 1, (2,)), np.array([0.5, 7.0], np.float32), np.array([0.5, np.nan], np.float32)),
        (spaces.Box(-1, 1, (2,)), np.zeros(2), np.zeros(3)),
        (spaces.Box(-1, 1, (2,)), np.zeros(2, np.float32), [0.0, 0.0]),
        (spaces.Box(0, 255, (2, 2), np.uint8), np.zeros((2, 2), np.uint8), np.array([["a", "b"]] * 2)),
        (spaces.MultiDiscrete([2, 3]), np.array([1, 2]), np.array([1, 3])),
        (spaces.MultiDiscrete([2, 3]), np.array([0, 0]), np.array([0.0, 0.0])),
        (spaces.MultiBinary(3), np.array([0, 1, 1], np.int8), np.array([0, 1, 2], np.int8)),
        (spaces.Dict(a=spaces.Discrete(2), b=spaces.Box(0, 1, (1,))), {"a": 1, "b": np.zeros(1)}, {"a": 1}),
        (spaces.Dict(a=spaces.Discrete(2)), {"a": 1}, {"a": 2}),
        (spaces.Tuple([spaces.Discrete(2), spaces.Discrete(3)]), (1, 2), (1, 3)),
        (spaces.Tuple([spaces.Discrete(2)]), (1,), [1]),
        (spaces.Text(3), "abc", 5),
        (spaces.Discrete(3, start=4), 6, 3),
    ],
)
def test_observations_of_every_space(space: spaces.Space[Any], good: Any, bad: Any) -> None:
    for given, is_good in ((good, True), (bad, False)):
        env = Lane(reset=(given, {}), observation=given)
        env.observation_space = space
        if is_good:
            check_contract(env, 0)
            continue
        with pytest.raises(ContractError, match="reset: observation"):
            check_contract(env, 0)


def test_a_box_that_is_left_is_counted_and_no_fault(tmp_path: Path) -> None:
    class Wide(Lane):
        def __init__(self) -> None:
            super().__init__(reset=(np.array([7.0]), {}), observation=np.array([0.5]))
            self.observation_space = spaces.Box(-1, 1, (1,))

    env = Checked(Wide())
    for _ in range(3):
        env.reset()
        env.step(0)
    assert env.num_beyond == 3
    globals()["Wide"] = Wide
    manifest = train_run(run_spec(f"{HERE}:Wide", agent="q_learning"), tmp_path)
    assert manifest.status == "finished"
    (note,) = manifest.notes
    assert "observations left the bounds of their space" in note
    record = compare(tmp_path)["records"][0]
    assert note in record["notes"]


def test_nothing_is_written_for_an_environment_that_is_refused(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import gymnasium as gym\n"
        "class Old(gym.Env):\n"
        "    observation_space = action_space = gym.spaces.Discrete(2)\n"
        "    def reset(self, *, seed=None, options=None): return 0\n"
    )
    done = rl_lab("train", "mine:Old", "random")
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: envs: mine:Old: reset: expected (observation, info), got 0" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"reward": float("nan"), "after": 20}, "reward: expected a finite number, got nan (step 20 of an episode)"),
        ({"observation": -1, "after": 20}, "observation: expected a whole number from 0 to 4, got -1 (step 20"),
        (
            {"terminated": "no", "after": 20},
            "step: terminated: expected true or false, got 'no' (step 20",
        ),
        ({"raises": "exit", "after": 20}, "SystemExit: it called sys.exit(0) in lane.py"),
        ({"raises": "silent", "after": 20}, "AssertionError in lane.py, line"),
        ({"raises": "odd", "after": 20}, "BaseException: odd"),
        ({"raises": "two lines", "after": 20}, "ValueError: a\\x1b[2Jb c"),
    ],
)
def test_what_goes_wrong_later_fails_the_run(wrong: dict[str, Any], message: str, tmp_path: Path) -> None:
    manifest = train_run(run_spec(**wrong), tmp_path)
    assert manifest.status == "failed"
    assert message in (manifest.error or "")
    assert RunFolder(tmp_path / run_spec().folder).read_manifest().status == "failed"


@pytest.mark.parametrize("error", ["not now", "exit"])
def test_an_environment_that_cannot_be_closed_spoils_nothing(
    error: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert train_run(run_spec(close=error), tmp_path).status == "finished"
    assert "Lane: close: " in caplog.text


def test_a_run_that_has_failed_keeps_nobody_from_being_compared(tmp_path: Path) -> None:
    train_run(run_spec(reward=float("nan"), after=20), tmp_path)
    sound = run_spec().model_copy(update={"agent": AgentEntry(id="random", name="b")})
    train_run(sound.model_copy(update={"env": EnvEntry(id=LANE, name="sound")}), tmp_path)
    records = {record["env"]: record for record in compare(tmp_path)["records"]}
    assert (records["lane"]["runs_failed"], records["sound"]["runs_finished"]) == (1, 1)


def test_numbers_that_were_put_into_a_log_are_no_scores(tmp_path: Path) -> None:
    train_run(run_spec(), tmp_path)
    path = tmp_path / run_spec().folder / "evaluations.csv"
    *lines, last = path.read_text().splitlines()
    cells = last.split(",")
    path.write_text("\n".join([*lines, ",".join([*cells[:4], "nan", *cells[5:]])]) + "\n")
    (record,) = compare(tmp_path)["records"]
    assert (record["runs_finished"], record["runs_failed"]) == (0, 1)
    assert any("not all finite" in note for note in record["notes"])


# -- limits -----------------------------------------------------------------------------------------------------


class Endless(Lane):
    """Says that it ends."""

    def __init__(self, max_steps: Any = None) -> None:
        super().__init__(truncated=False, terminated=False)
        if max_steps is not None:
            self.max_steps = max_steps


@pytest.mark.parametrize(
    ("told", "limit"), [(None, 1000), (40, 40), (np.int64(40), 40), (10**9, 1000), (-3, 1000), ("x", 1000), (2.5, 1000)]
)
def test_evaluation_is_bounded(told: Any, limit: int) -> None:
    entry = EnvEntry(id=f"{HERE}:Endless", settings={"max_steps": told})
    env = make_evaluation_env(entry)
    assert episode_limit(env) == limit
    env.reset(seed=0)
    lengths = [step for step in range(1, 1100) if env.step(0)[3]]
    assert lengths[0] == limit


def test_a_limit_of_ones_own() -> None:
    env = make_evaluation_env(EnvEntry(id=f"{HERE}:Endless", max_episode_steps=2500))
    assert episode_limit(env) == 2500
    assert episode_limit(make_evaluation_env(EnvEntry(id="CartPole-v1", max_episode_steps=50))) == 50
    maze = EnvEntry(id="RLLab/Maze-v0", settings={"rows": 20, "cols": 20})
    assert episode_limit(make_evaluation_env(maze)) == 1600  # it imposes it itself
    assert score_scale_for(EnvEntry(id="CartPole-v1", max_episode_steps=50), [0]) is None


# -- what is said of them ----------


def test_exceptions_in_words() -> None:
    class Silent(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise RuntimeError

    def said(error: BaseException) -> str:
        try:
            raise error
        except BaseException as caught:
            return in_words(caught)

    assert said(ValueError("x\n  y")) == "ValueError: x y"
    assert said(Silent()).startswith("Silent in test_own_environments.py, line ")
    assert said(SystemExit()).startswith("SystemExit: it called sys.exit() in test_own_environments.py, line ")
    assert in_words(KeyError()) == "KeyError"


def test_checked_specs_tell_settings_and_code() -> None:
    checked = check_run_spec(run_spec(agent="q_learning"))
    assert checked.settings["learning_rate"] == 0.1
    assert HERE in checked.code
    assert Around("a:B").arguments == {}


class Unwilling(Lane):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        raise OSError("no such simulator")


class Stopped(BaseException):
    """Neither an error nor an exit."""


class Strange(Lane):
    def step(self, action: Any) -> Any:
        raise Stopped


def test_the_method_that_raises_is_named_and_a_strange_exception_is_no_verdict() -> None:
    with pytest.raises(InputError, match="reset: OSError: no such simulator"):
        check_run_spec(run_spec(f"{HERE}:Unwilling"))
    check_run_spec(run_spec(f"{HERE}:Strange"))


def test_success_has_both_names_and_one_column(tmp_path: Path) -> None:
    env = gym.make("RLLab/Maze-v0", rows=2, cols=2)
    _, info = env.reset(seed=0)
    assert info["is_success"] is info["success"] is False
    result = train("RLLab/Maze-v0", "random", steps=50, out=tmp_path)
    columns = (Path(result["run"]) / "episodes.csv").read_text().splitlines()[0]
    assert columns.endswith("success,steps")
    assert "is_success" not in columns
