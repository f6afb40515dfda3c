"""What a deep Q-network remembers of real environments, and what it makes of bad input and damaged states."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from agents import storage
from agents.base import Transition
from agents.budget import Budget
from agents.policy import Spaces
from agents.registry import make_agent
from envs.registry import make_env
from experiments.specs.loading import check_agent_entry
from experiments.specs.spec import AgentEntry
from tests.conftest import Command
from tests.helpers import FAST_SETTINGS

HERE = "tests.integration.test_dqn_runs"
REMEMBERS = {"learning_starts": 10**6, "buffer_size": 2_000, "batch_size": 1}  # and never learns


class Chain(gym.Env[Any, Any]):
    """Observes its episode's number and the time; in step t actions t % 3 and (t + 1) % 3 are legal."""

    LENGTH = 7

    def __init__(self, as_list: bool = False) -> None:
        self.observation_space: Any = spaces.Box(-1, 1e6, (2,), np.float32)
        self.action_space: Any = spaces.Discrete(3)
        self.as_list, self.episode, self.time = as_list, 0, 0

    @staticmethod
    def legal(time: float) -> list[bool]:
        return [action in (int(time) % 3, int(time + 1) % 3) for action in range(3)]

    def _seen(self) -> tuple[Any, dict[str, Any]]:
        mask: Any = [int(one) for one in self.legal(self.time)]
        observation = np.array([self.episode, self.time], np.float32)
        return observation, {"action_mask": mask if self.as_list else np.array(mask, np.int8)}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.episode, self.time = int(self.np_random.integers(10**6)), 0
        return self._seen()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.legal(self.time)[int(action)]
        self.time += 1
        observation, info = self._seen()
        return observation, 1.0, self.time == self.LENGTH, False, info


def remembered(agent: Any) -> Any:
    return agent.replay.batch(np.arange(len(agent.replay)), np.ones(len(agent.replay), np.float32))


@pytest.mark.parametrize("num_envs", [1, 3])
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("as_list", [False, True])
def test_the_masks_that_are_remembered_are_of_the_next_state(num_envs: int, n: int, as_list: bool) -> None:
    env = make_env(f"{HERE}:Chain", as_list=as_list)
    env.reset(seed=0)
    agent: Any = make_agent("dqn", env, num_envs=num_envs, n=n, **REMEMBERS)
    agent.train(env, Budget(steps=150))
    batch = remembered(agent)
    assert len(batch.actions) > 100
    for following, legal, terminated in zip(batch.next_observations, batch.next_legal, batch.terminated, strict=True):
        assert terminated == (following[1] == Chain.LENGTH)
        assert legal.tolist() == Chain.legal(following[1])


@pytest.mark.parametrize("num_envs", [1, 3])
def test_no_transition_is_of_two_episodes(num_envs: int) -> None:
    """Three budgets, each of which cuts an episode off; also where the steps were saved in between."""
    env = make_env(f"{HERE}:Chain")
    env.reset(seed=0)
    agent: Any = make_agent("dqn", env, num_envs=num_envs, n=4, discount=0.5, **REMEMBERS)
    for _ in range(3):
        agent.train(env, Budget(steps=51))
        state = agent.get_state()
        agent.set_state(state)
    batch = remembered(agent)
    assert (batch.observations[:, 0] == batch.next_observations[:, 0]).all()
    steps = batch.next_observations[:, 1] - batch.observations[:, 1]
    assert batch.discounts.tolist() == (0.5**steps).tolist()
    assert batch.rewards.tolist() == pytest.approx([sum(0.5**step for step in range(int(count))) for count in steps])


def test_what_was_saved_before_the_first_mask_is_read_after_it(tmp_path: Path) -> None:
    env = make_env("CartPole-v1")
    env.reset(seed=0)
    agent: Any = make_agent("dqn", env, **(REMEMBERS | {"buffer_size": 500}))
    for number in range(4):
        if number == 2:
            agent.replay.mind_masks()
        agent.train(env, Budget(steps=100))
        agent.save(tmp_path / str(number), tmp_path / str(number - 1) if number else None)
        again: Any = make_agent("dqn", env, **(REMEMBERS | {"buffer_size": 500}))
        again.load(tmp_path / str(number))
        assert len(again.replay) == 100 * (number + 1)


@pytest.mark.parametrize("num_envs", [1, 2])
def test_epsilon_in_the_log_is_that_of_the_last_step(num_envs: int) -> None:
    env = make_env(f"{HERE}:Chain")
    env.reset(seed=0)
    agent: Any = make_agent(
        "dqn", env, num_envs=num_envs, epsilon_schedule="exponential", epsilon_decay=0.5, epsilon_min=0.0, **REMEMBERS
    )
    budget = Budget(steps=7 * 4 * num_envs)
    agent.train(env, budget)
    found = [episode.epsilon for episode in budget.episodes]
    assert found == [0.5 ** (number // num_envs * num_envs) for number in range(4 * num_envs)]


def test_what_is_set_beside_a_preset_wins_over_its_rival() -> None:
    for name, setting in (("dqn", "epsilon_decay_steps"), ("linear_backward_q_lambda", "learning_rate_decay_steps")):
        entry = AgentEntry(id=name, settings={"preset": "lander", setting: 100})
        check_agent_entry(entry)
        agent: Any = make_agent(name, make_env("LunarLander-v3"), **entry.settings)
        assert getattr(agent.settings, setting) == 100
    with pytest.raises(ValueError, match="preset: expected 'lander' or 'mazes', got 'moon'"):
        make_agent("dqn", make_env("LunarLander-v3"), preset="moon")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "device=cuda"), "device: expected 'cpu' where torch finds no CUDA device, got 'cuda'"),
        (("--set", "preset=moon"), "preset: expected 'lander' or 'mazes', got 'moon'"),
        (("--set", "hidden_sizes=[]"), "hidden_sizes"),
        (("--set", "n=0"), "n: "),
        (("--set", "target_every=9"), "target_every has no effect: target is 'polyak', not 'copy'"),
        (("--set", "network=cnn"), "network: a 'cnn' observes images"),
    ],
)
def test_bad_input_is_a_line(rl_lab: Command, arguments: tuple[str, ...], message: str) -> None:
    import torch

    if torch.cuda.is_available() and "device=cuda" in arguments:
        pytest.skip("there is a GPU here")
    answer = rl_lab("train", "CartPole-v1", "dqn", "--steps", "50", *arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert message in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("space", "settings", "message"),
    [
        (spaces.Box(0, 1, (0,)), {}, "needs at least one observed number"),
        (spaces.Text(4), {}, "dqn cannot observe Text"),
        (spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Text(4)}), {}, "dqn cannot observe Dict"),
    ],
)
def test_what_it_cannot_take_it_says_when_it_is_made(space: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_agent("dqn", Spaces(space, spaces.Discrete(2)), **settings)


def test_only_what_learns_needs_the_room_and_the_device() -> None:
    """A run of a larger machine, or of one with a GPU, can be watched on any other."""
    env = make_env("CartPole-v1")
    large: dict[str, Any] = {"buffer_size": 10**8, "device": "cuda", "hidden_sizes": [4]}
    agent: Any = make_agent("dqn", Spaces.of(env), **large)
    small: Any = make_agent("dqn", env, hidden_sizes=[4], learner="torch")
    agent.set_policy_state(small.policy_state())
    seen = np.ones(4, np.float32)
    assert agent.action_values(seen).tolist() == small.action_values(seen).tolist()
    images = spaces.Box(0, 255, (210, 160, 3), np.uint8)
    made: Any = make_agent("dqn", Spaces(images, spaces.Discrete(2)), buffer_size=10**8)
    with pytest.raises(ValueError, match="buffer_size: expected at most the memory"):
        made.prepare(env)


def _broken(state: Any, path: str, value: Any) -> None:
    *folders, name = path.split("/")
    for folder in folders:
        state = state[folder]
    state[name] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("replay/pending/rewards", np.array([np.nan])),
        ("replay/pending/observations", np.zeros((1, 5), np.float32)),
        ("replay/priorities/priorities", np.full(60, np.inf)),
        ("replay/priorities/highest", float("-1")),
        ("num_seen", -5),
        ("learner/num_updates", 10**400),
        ("learner/online/head.bias", np.full(2, np.nan, np.float32)),
        ("learner/online/head.bias", np.zeros(3, np.float32)),
        ("sums", np.zeros(3)),
    ],
)
def test_damaged_states_are_refused(path: str, value: Any, tmp_path: Path) -> None:
    env = make_env("CartPole-v1")
    env.reset(seed=0)
    settings = FAST_SETTINGS["dqn"] | {"prioritized": True, "n": 3}
    agent: Any = make_agent("dqn", env, **settings)
    agent.train(env, Budget(steps=62))
    state = agent.get_state()
    if "pending" in path:
        state["replay"]["pending"] = {
            "envs": np.zeros(1, np.int64),
            "observations": np.zeros((1, 4), np.float32),
            "actions": np.zeros(1, np.int64),
            "rewards": np.zeros(1),
        }
    _broken(state, path, value)
    storage.write(tmp_path / "state", state)
    with pytest.raises(ValueError, match="not a state of DQN"):
        make_agent("dqn", env, **settings).load(tmp_path / "state")


def test_numbers_that_machine_code_does_not_take_go_through_python() -> None:
    space = spaces.Box(-1, 1, (2,), np.float16)
    found = []
    for engine in ("python", "auto"):
        env = gym.wrappers.TransformObservation(
            gym.make("MountainCarContinuous-v0"), lambda seen: seen.astype(np.float16), space
        )
        agent: Any = make_agent(
            "linear_backward_q_lambda", Spaces(space, spaces.Discrete(2)), edges=[[-0.5, 0.0], [0.0]], num_tilings=2
        )
        agent.choose_engine(engine, env, 10**6)
        rng = np.random.default_rng(0)
        for number in range(200):
            seen, following = rng.uniform(-1, 1, (2, 2)).astype(np.float16)
            action = agent.select_action(seen, explore=True)
            agent.update(Transition(seen, action, 1.0, following, number % 20 == 19, False))
            if number % 20 == 19:
                agent.begin_episode()
        found.append(agent.weights.tolist())
    assert found[0] == found[1]
    assert np.any(found[0])
