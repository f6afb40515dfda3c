"""Wrappers, factories and options of environments: what they change, and whether a model may still be believed."""

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
from envs.registry import env_options, find_options, make_env
from envs.small import RandomWalkEnv
from experiments.errors import InputError
from experiments.evaluation.environments import make_training_env
from experiments.evaluation.score_scale import score_scale_for
from experiments.specs.loading import parse_spec
from experiments.specs.spec import EnvEntry, WrapperEntry
from tests.conftest import Command
from tests.lane import LANE, Lane

HERE = __name__


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
    assert not find_options(LANE).are_all
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
