"""Environments of one's own: what is checked of them, what may be put around them, and what they may do wrong."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv

from agents.planning.oracle import Oracle
from agents.planning.trust import why_no_model
from agents.registry import make_agent
from envs.contract import Checked, ContractError, check_contract
from envs.registry import Around, env_options, find_options, make_env
from envs.small import RandomWalkEnv
from experiments.errors import InputError, in_words
from experiments.evaluation.environments import episode_limit, make_evaluation_env, make_training_env
from experiments.evaluation.score_scale import score_scale_for
from experiments.runs.run_folder import RunFolder
from experiments.specs.labels import check_label, folder_name
from experiments.specs.loading import parse_spec
from experiments.specs.spec import AgentEntry, Budget, EnvEntry, Evaluation, GivenScale, RunSpec, WrapperEntry
from experiments.training.train_run import check_run_spec, train_run
from rl_lab import compare, evaluate, train
from tests.conftest import Command

HERE = __name__
ERRORS: dict[str, BaseException] = {
    "exit": SystemExit(0),
    "silent": AssertionError(),
    "odd": BaseException("odd"),
    "two lines": ValueError("a\x1b[2Jb\nc"),
    "not now": RuntimeError("not now"),
}


class Lane(gym.Env[Any, Any]):
    """Five cells in a row; 1 goes right, 0 left; the right end pays 1.

    What is given comes in the place of what is right; of errors their names are given.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, **wrong: Any) -> None:
        self.observation_space: spaces.Space[Any] = spaces.Discrete(5)
        self.action_space: spaces.Space[Any] = spaces.Discrete(2)
        self.wrong = wrong
        self.place = self.count = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.place = self.count = 0
        return self.wrong.get("reset", (0, {}))

    def step(self, action: Any) -> Any:
        self.count += 1
        self.place = max(0, self.place + (1 if action == 1 else -1))
        end, over = self.place == 4, self.count >= 30
        given = {"observation": self.place, "reward": 1.0 if end else -0.1, "terminated": end, "truncated": over}
        if self.count >= self.wrong.get("after", 1):
            given |= {key: value for key, value in self.wrong.items() if key in given}
            if "raises" in self.wrong:
                raise ERRORS[self.wrong["raises"]]
        parts = (*given.values(), self.wrong.get("info", {}))
        return parts[: self.wrong.get("parts", 5)]

    def close(self) -> None:
        if "close" in self.wrong:
            raise ERRORS[self.wrong["close"]]


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
    manifest = train_run(run_spec("Wide", agent="q_learning"), tmp_path)
    assert manifest.status == "finished"
    (note,) = manifest.notes
    assert "observations left the bounds of their space" in note
    record = compare(tmp_path)["records"][0]
    assert note in record["notes"]


def run_spec(name: str = "Lane", agent: str = "random", **settings: Any) -> RunSpec:
    return RunSpec(
        experiment="x",
        env=EnvEntry(id=f"{HERE}:{name}", name="lane", settings=settings),
        agent=AgentEntry(id=agent, name="a"),
        seed=0,
        budget=Budget(steps=200),
        evaluation=Evaluation(episodes=1, final_episodes=2),
    )


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
        ({"raises": "exit", "after": 20}, "SystemExit: it called sys.exit(0) in test_own_environments.py"),
        ({"raises": "silent", "after": 20}, "AssertionError in test_own_environments.py, line"),
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
    train_run(sound.model_copy(update={"env": EnvEntry(id=f"{HERE}:Lane", name="sound")}), tmp_path)
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


# -- wrappers and factories -------------------------------------------------------------------------------------


class Costly(gym.RewardWrapper[Any, Any]):
    """10 r - cost."""

    def __init__(self, env: gym.Env[Any, Any], cost: float = 1.0) -> None:
        super().__init__(env)
        self.cost = cost

    def reward(self, reward: Any) -> float:
        return 10 * float(reward) - self.cost


class CostlyLake(Costly):
    """As a class of its own."""

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(gym.make("FrozenLake-v1", is_slippery=False, render_mode=render_mode))


def lake(render_mode: str | None = None, cost: float = 1.0) -> gym.Env[Any, Any]:
    """A factory."""
    return Costly(gym.make("FrozenLake-v1", is_slippery=False, render_mode=render_mode), cost)


WRAPPED = [
    EnvEntry(id=f"{HERE}:CostlyLake"),
    EnvEntry(id=f"{HERE}:lake"),
    EnvEntry(
        id="FrozenLake-v1",
        settings={"is_slippery": False},
        wrappers=[WrapperEntry(id=f"{HERE}:Costly", settings={"cost": 1.0})],
    ),
]


@pytest.mark.parametrize("entry", WRAPPED, ids=["class", "factory", "spec"])
def test_no_model_is_believed_under_a_wrapper_that_may_change_it(entry: EnvEntry) -> None:
    """The best return without slip is 6 steps of -1 and 10 at the end, and the lake's own model says 1."""
    env = make_training_env(entry)
    assert score_scale_for(entry, [0]) is None
    for agent in ("value_iteration", "policy_iteration"):
        with pytest.raises(ValueError, match="does not tell what the wrapper Costly"):
            make_agent(agent, env)
    with pytest.raises(ValueError, match="does not tell what the wrapper"):
        Oracle(env)
    learner = make_agent("q_learning", env)
    with pytest.raises(ValueError, match="the wrapper"):
        learner.choose_engine("compiled", env, 10**6)
    assert make_agent("td", env, discount=0.9).true_values is None  # type: ignore[attr-defined]
    env.reset(seed=0)
    assert env.step(2)[1] == -1.0
    again = gym.make(env.spec, disable_env_checker=True) if env.spec else None
    assert again is not None  # wrappers and all
    again.reset(seed=0)
    assert again.step(2)[1] == -1.0


class Renamed(FrozenLakeEnv):
    """Changes nothing."""


class Detour(FrozenLakeEnv):
    """Turns actions around."""

    def step(self, a: Any) -> Any:
        return super().step((a + 1) % 4)  # type: ignore[no-untyped-call]


class OtherWalk(RandomWalkEnv):
    """Begins elsewhere."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        observation, info = super().reset(seed=seed)
        return observation, info


class OwnModel(gym.Env[Any, Any]):
    """Has a model of its own."""

    def __init__(self) -> None:
        self.P = {0: {0: [(1.0, 0, 1.0, True)]}}
        self.initial_state_distrib = np.ones(1)
        self.observation_space = self.action_space = spaces.Discrete(1)

    def step(self, action: Any) -> Any:
        return 0, 1.0, True, False, {}


class Changed(OwnModel):
    """Pays something else."""

    def step(self, action: Any) -> Any:
        return 0, 2.0, True, False, {}


class ChangedWithModel(Changed):
    """Pays something else, and says so."""

    def __init__(self) -> None:
        super().__init__()
        self.P = {0: {0: [(1.0, 0, 2.0, True)]}}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Renamed, None),
        (Detour, "Detour overrides step"),
        (OtherWalk, "OtherWalk overrides reset"),
        (OwnModel, None),
        (Changed, "Changed overrides step"),
        (ChangedWithModel, None),
        (Lane, "Lane has none"),
    ],
)
def test_a_class_that_overrides_what_the_model_tells_has_none(kind: Any, reason: str | None) -> None:
    said = why_no_model(kind())
    assert said is None if reason is None else reason in str(said)


def test_harmless_wrappers_leave_the_model() -> None:
    env = gym.wrappers.RecordEpisodeStatistics(make_env("RLLab/Maze-v0", rows=3, cols=3, max_episode_steps=20))
    assert why_no_model(env) is None
    assert why_no_model(gym.wrappers.TransformReward(env, lambda reward: 2 * float(reward))) is not None


def test_a_spec_wraps(rl_lab: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import gymnasium as gym\n"
        "class Scaled(gym.RewardWrapper):\n"
        "    def __init__(self, env, factor=1.0): super().__init__(env); self.factor = factor\n"
        "    def reward(self, reward): return self.factor * reward\n"
        "class Odd(gym.Env):\n"
        "    observation_space = action_space = gym.spaces.Discrete(2)\n"
        "    def __init__(self, steps, name='x'): self.all = steps, name\n"
        "    def reset(self, *, seed=None, options=None): super().reset(seed=seed); return 0, {}\n"
        "    def step(self, action): return 1, float(self.all[0]), True, False, {}\n"
    )
    (tmp_path / "s.toml").write_text(
        'name = "s"\nsteps = 200\n[evaluation]\nepisodes = 1\nfinal_episodes = 2\n'
        '[[envs]]\nid = "Blackjack-v1"\nname = "flat"\nwrappers = ["gymnasium.wrappers:FlattenObservation"]\n'
        '[[envs]]\nid = "CartPole-v1"\nname = "scaled"\nmax_episode_steps = 9\n'
        'wrappers = [{ id = "mine:Scaled", factor = 2.0 }, "gymnasium.wrappers:FlattenObservation"]\n'
        '[[envs]]\nid = "mine:Odd"\nname = "odd"\nsettings = { steps = 7, name = "inner" }\n'
        '[[agents]]\nid = "random"\n'
    )
    done = rl_lab("run", "s.toml", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    manifests = {
        env: json.loads((tmp_path / f"runs/s/{env}/random/seed-0/run.json").read_text())
        for env in ("flat", "scaled", "odd")
    }
    assert manifests["flat"]["spaces"]["observation"]["kind"] == "Box"
    assert manifests["scaled"]["limits"] == {"training": 9, "evaluation": 9}
    assert [one["name"] for one in manifests["scaled"]["wrappers"]][-4:-2] == ["FlattenObservation", "Scaled"]
    assert set(manifests["scaled"]["code"]) == {"mine"}
    assert manifests["odd"]["trial"]["env"]["settings"] == {"steps": 7, "name": "inner"}
    assert rl_lab("evaluate", "runs/s/scaled/random/seed-0").returncode == 0
    returns = [
        float(line.split(",")[4])
        for line in (tmp_path / "runs/s/scaled/random/seed-0/evaluations.csv").read_text().splitlines()[1:]
    ]
    assert max(returns) <= 18.0
    other = (tmp_path / "s.toml").read_text().replace("factor = 2.0", "factor = 3.0")
    (tmp_path / "s.toml").write_text(other)
    refused = rl_lab("run", "s.toml")
    assert refused.returncode == 2
    assert "holds the same trial with other settings" in refused.stderr


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"wrappers": ["gymnasium.wrappers:Nothing"]}, "there is no 'Nothing' in module 'gymnasium.wrappers'"),
        ({"wrappers": ["gymnasium:Env"]}, "expected a subclass of gymnasium.Wrapper"),
        ({"wrappers": ["subprocess:run"]}, "expected a subclass of gymnasium.Wrapper"),
        ({"wrappers": ["FlattenObservation"]}, "expected a wrapper as module:Class"),
        ({"wrappers": ["no_such_module:X"]}, "cannot import module 'no_such_module'"),
        ({"wrappers": [{"id": 3}]}, "wrappers.0.id: expected a valid string, got 3"),
        ({"max_episode_steps": 0}, "max_episode_steps: expected greater than or equal to 1, got 0"),
        ({"scale": {"floor": 1.0, "ceiling": 1.0}}, "scale: expected two different ends"),
        ({"scale": {}}, "scale: expected a floor, a ceiling or both"),
        (
            {"scale": {"floor": 1.0, "ceiling": 2.0, "cieling": 2.0}},
            "unknown key 'envs.0.scale.cieling' .did you mean",
        ),
        ({"settings": 3}, "settings: expected a valid dictionary, got 3"),
        ({"settings": {"render": 1}, "render": 2}, "settings: expected render in it or beside it"),
    ],
)
def test_entries_that_are_wrong(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_spec({"name": "x", "envs": [{"id": "CartPole-v1", **entry}], "agents": [{"id": "random"}]}, "spec")


def test_a_function_of_another_module_is_no_factory() -> None:
    with pytest.raises(InputError, match="no environment is called 'make_env'"):
        parse_spec({"name": "x", "envs": [{"id": f"{HERE}:make_env"}], "agents": [{"id": "random"}]}, "spec")


# -- options ----------------------------------------------------------------------------------------------------


class Lake(FrozenLakeEnv):
    """Hands its options on."""

    def __init__(self, depth: int = 3, **options: Any) -> None:
        super().__init__(**options)


class Point(Lane):
    """Has options that are no plain values."""

    def __init__(self, goal: Any = np.array([1, 2]), size: tuple[int, int] = (3, 4)) -> None:  # noqa: B008
        super().__init__()
        assert isinstance(goal, np.ndarray)
        assert isinstance(size, tuple)
        self.goal, self.size = goal, size


def test_options_that_are_handed_on() -> None:
    assert {"depth", "is_slippery", "map_name"} <= set(env_options(f"{HERE}:Lake"))
    assert find_options(f"{HERE}:Lake").are_all
    assert not find_options(f"{HERE}:Lane").are_all
    entry = EnvEntry(id=f"{HERE}:Lake", settings={"is_slippery": True, "depth": 3, "map_name": "8x8"})
    assert entry.changed_settings() == {"map_name": "8x8"}
    assert make_env(f"{HERE}:Lake", map_name="8x8").observation_space == spaces.Discrete(64)
    with pytest.raises(TypeError, match="unknown option 'map_nam'"):
        make_env(f"{HERE}:Lake", map_nam="8x8")


def test_lists_where_tuples_and_arrays_are_meant() -> None:
    entry = EnvEntry(id=f"{HERE}:Point", settings={"goal": [3, 4], "size": [3, 4]})
    assert entry.changed_settings() == {"goal": [3, 4]}
    env: Any = make_training_env(entry).unwrapped
    assert env.goal.tolist() == [3, 4]
    assert env.size == (3, 4)


def test_an_unknown_option_is_gymnasiums_type_error() -> None:
    for env_id in ("RLLab/Maze-v0", "RLLab/RandomWalk-v0"):
        with pytest.raises(TypeError, match="got an unexpected keyword argument 'frameskip'"):
            gym.make(env_id, frameskip=1)


# -- conventions ------------------------------------------------------------------------------------------------


def test_a_maze_tells_its_limit_to_wrappers() -> None:
    env = gym.make("RLLab/Maze-Small-v0")
    assert env.spec is not None
    assert env.spec.max_episode_steps == 100
    observed, _ = gym.wrappers.TimeAwareObservation(gym.make("RLLab/Maze-Small-v0", observation="position")).reset(
        seed=0
    )
    assert len(observed) == 3
    again = gym.make(env.spec)
    assert gym.make_vec(env.spec, num_envs=2, vectorization_mode="sync").num_envs == 2
    assert again.unwrapped.observation_space == env.observation_space


def test_a_maze_has_keys_to_play_with() -> None:
    base: Any = gym.make("RLLab/Maze-v0").unwrapped
    assert base.get_keys_to_action() == {"w": 0, "d": 1, "s": 2, "a": 3}


def test_success_has_both_names_and_one_column(tmp_path: Path) -> None:
    env = gym.make("RLLab/Maze-v0", rows=2, cols=2)
    _, info = env.reset(seed=0)
    assert info["is_success"] is info["success"] is False
    result = train("RLLab/Maze-v0", "random", steps=50, out=tmp_path)
    columns = (Path(result["run"]) / "episodes.csv").read_text().splitlines()[0]
    assert columns.endswith("success,steps")
    assert "is_success" not in columns


# -- observations that are put together --------------------------------------------------------------------------


class Together(Lane):
    """The lane, told in pieces."""

    def __init__(self, kind: str = "dict") -> None:
        super().__init__()
        self.kind = kind
        parts = {"place": spaces.Discrete(5, start=3), "bits": spaces.MultiBinary(2), "height": spaces.Box(0, 4, (1,))}
        self.observation_space = {
            "dict": spaces.Dict(parts),
            "tuple": spaces.Tuple(list(parts.values())),
            "nested": spaces.Dict(outer=spaces.Dict(parts)),
            "multi": spaces.MultiDiscrete([5, 2]),
            "binary": spaces.MultiBinary(3),
            "start": spaces.Discrete(5, start=3),
        }[kind]

    def seen(self) -> Any:
        parts = {
            "place": self.place + 3,
            "bits": np.array([self.place % 2, self.place // 2 % 2], np.int8),
            "height": np.array([self.place], np.float32),
        }
        bits = np.array([self.place >> bit & 1 for bit in range(3)], np.int8)
        forms: dict[str, Any] = {
            "dict": parts,
            "tuple": tuple(parts.values()),
            "nested": {"outer": parts},
            "binary": bits,
        }
        return (forms | {"multi": np.array([self.place, 0]), "start": self.place + 3})[self.kind]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self.seen(), {}

    def step(self, action: Any) -> Any:
        _, *rest = super().step(action)
        return self.seen(), *rest


@pytest.mark.parametrize("kind", ["dict", "tuple", "nested", "multi", "binary", "start"])
@pytest.mark.parametrize("bins", ["uniform", "quantile"])
def test_tables_number_observations_that_are_put_together(kind: str, bins: str, tmp_path: Path) -> None:
    """The best way is 4 steps to the right: 1 - 0.3."""
    result = train(
        make_env(f"{HERE}:Together", kind=kind), make_agent_for(kind, bins), steps=3000, out=tmp_path, engine="python"
    )
    assert result["status"] == "finished"
    assert evaluate(result["run"], episodes=1)["mean_return"] == pytest.approx(0.7)


def make_agent_for(kind: str, bins: str) -> Any:
    return make_agent("q_learning", make_env(f"{HERE}:Together", kind=kind), bins=bins, num_edges=4)


@pytest.mark.parametrize("kind", ["dict", "tuple", "nested"])
@pytest.mark.parametrize("agent", ["sb3_dqn", "sb3_ppo"])
def test_networks_see_observations_that_are_put_together(kind: str, agent: str) -> None:
    env = make_env(f"{HERE}:Together", kind=kind)
    settings = {"n_steps": 8, "batch_size": 8} if agent == "sb3_ppo" else {"learning_starts": 8}
    made: Any = make_agent(agent, env, **settings)
    from agents.budget import Budget as Steps

    made.train(env, Steps(steps=32))
    observation, _ = env.reset(seed=0)
    policy = made.policy(0)
    assert policy.action(observation) in (0, 1)
    values = policy.action_values(observation)
    assert values is not None
    assert values.shape == (1, 2)
    assert made.select_action(observation, explore=True) in (0, 1)


# -- labels -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "folder"),
    [
        ("RLLab-Maze-v0", "RLLab-Maze-v0"),
        ("labyrinthe à clés", "labyrinthe à clés"),
        ("甲", "甲"),
        ("a+b=c", "a+b=c"),
        ("con", "con-8deedaf6"),
        ("nul.txt", None),
        ("a, b (c)", None),
        ("ends with a dot.", None),
        ("report.html", None),
        ("é" * 150, None),
        ("e\u0301", None),  # the same letter in two ways has two folders, and on no file system the same one
    ],
)
def test_folders_of_labels(label: str, folder: str | None) -> None:
    check_label("name", label)
    name = folder_name(label)
    assert name == folder or (folder is None and name != label) or label == "con"
    assert len(name.encode()) <= 140
    assert Path(name).name == name
    assert folder_name(name) == name


@pytest.mark.parametrize(
    "label", ["", " ", ".", "..", "-x", "../x", "a/b", "a\\b", "a:b", "a\nb", "a\x1bb", "[x]", "<b>", "x" * 201]
)
def test_labels_that_are_none(label: str) -> None:
    with pytest.raises(InputError, match="name: expected a plain name"):
        check_label("name", label)


def test_two_names_are_two_whatever_their_script(rl_lab: Command, tmp_path: Path) -> None:
    lines = ['name = "écoles"', "steps = 50", "[evaluation]", "final_episodes = 2"]
    lines += ["[[envs]]", 'id = "RLLab/Maze-v0"', 'name = "迷宫"']
    for name in ("甲", "乙", "a, b"):
        lines += ["[[agents]]", 'id = "random"', f'name = "{name}"']
    (tmp_path / "s.toml").write_text("\n".join(lines))
    assert rl_lab("run", "s.toml").returncode == 0
    values = json.loads(rl_lab("compare", "runs/écoles", "--json", "--no-report", "--save-scores", "kept.json").stdout)
    assert [(one["env"], one["agent"]) for one in values] == [("迷宫", name) for name in ("a, b", "乙", "甲")]
    again = json.loads(rl_lab("compare", "kept.json", "--json", "--no-report").stdout)
    assert {one["agent"] for one in again} == {"a, b", "乙", "甲"}


# -- a scale of one's own ---------------------------------------------------------------------------------------


def test_a_spec_gives_a_scale(tmp_path: Path) -> None:
    entry = EnvEntry(id=f"{HERE}:Lane", name="lane", scale=GivenScale(floor=-3.0, ceiling=1.0))
    spec = run_spec().model_copy(update={"env": entry})
    manifest = train_run(spec, tmp_path)
    assert manifest.reference is not None
    assert (manifest.reference.random, manifest.reference.reference, manifest.reference.kind) == (
        -3.0,
        1.0,
        "given ceiling",
    )
    (record,) = compare(tmp_path)["records"]
    assert record["normalised"]["scores"] == pytest.approx([(record["mean"] + 3.0) / 4.0])
    assert entry.task() == EnvEntry(id=f"{HERE}:Lane").task()  # it is no part of what the run is


def test_known_environments_have_their_scale_in_others_results(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("agent,env,seed,step,return\na,CartPole-v1,0,10,475.0\na,CartPole-v1,1,10,22.2\n")
    (record,) = compare(tmp_path / "a.csv")["records"]
    assert record["normalised"]["scores"] == pytest.approx([1.0, 0.0])


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
        check_run_spec(run_spec("Unwilling"))
    check_run_spec(run_spec("Strange"))
