"""`check_agent`: every registered agent passes, and each check fails where it should."""

import contextlib
import random
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from agents.base import Agent, Transition
from agents.budget import Budget
from agents.checking import Case, Check, CheckError, NotApplicableError, check_agent
from agents.corridor import Corridor
from agents.planning.oracle import Oracle
from agents.policy import LoopPolicy, Policy, TablePolicy
from agents.registry import AGENTS, find_agent
from agents.tabular.prediction import TD
from agents.tabular.q_learning import QLearning
from envs.registry import make_env
from tests.conftest import Command
from tests.helpers import CONTINUOUS, FAST_SETTINGS, LINEAR

SETTINGS: dict[str, dict[str, Any]] = {  # where an agent's defaults need more than six thousand steps
    "dqn": {
        **{"learning_starts": 100, "buffer_size": 5_000, "train_every": 1, "batch_size": 32},
        **{"target": "copy", "target_every": 50, "epsilon_decay_steps": 4_000, "hidden_sizes": [32]},
    },
    "sb3_dqn": {
        **{"learning_rate": 1e-3, "learning_starts": 100, "buffer_size": 5_000, "train_freq": 1, "batch_size": 64},
        **{"target_update_interval": 100, "exploration_fraction": 0.8, "policy_kwargs": {"net_arch": [32]}},
    },
    "sb3_ppo": {"n_steps": 64, "n_epochs": 4, "learning_rate": 3e-3, "policy_kwargs": {"net_arch": [32]}},
    "sb3_a2c": {"learning_rate": 3e-3, "policy_kwargs": {"net_arch": [32]}},
    "sb3_qrdqn": {
        **{"learning_rate": 1e-3, "learning_starts": 100, "buffer_size": 5_000, "train_freq": 1, "batch_size": 64},
        **{"target_update_interval": 100, "exploration_fraction": 0.8},
        "policy_kwargs": {"net_arch": [32], "n_quantiles": 10},
    },
    **{name: FAST_SETTINGS[name] for name in CONTINUOUS},
}


def place(name: str) -> Any:
    """Makes the environment that an agent is checked in, where it cannot act in the corridor."""
    env_id = (
        "LunarLander-v3" if name in ("heuristic_lander", *LINEAR) else "Pendulum-v1" if name in CONTINUOUS else None
    )
    return None if env_id is None else lambda: make_env(env_id)


def checks() -> list[Any]:
    return [
        pytest.param(check, id=f"{name}-{check}")
        for name in AGENTS
        for check in check_agent(
            find_agent(name),
            place(name),
            **SETTINGS.get(name, {}),
        )
    ]


@pytest.mark.parametrize("check", checks())
def test_every_registered_agent_passes(check: Check) -> None:
    of_ours = check.case.make_env is None and check.case.agent_class.__module__.startswith("agents.tabular")
    of_ours = of_ours and check.case.agent_class.controls
    with contextlib.nullcontext() if of_ours else contextlib.suppress(NotApplicableError):
        check()


def test_the_corridor_is_what_it_says() -> None:
    assert Oracle(Corridor()).value == Corridor.OPTIMUM
    greedy_for_the_near_end = np.zeros(4, dtype=int)
    assert Oracle(Corridor()).policy_value(greedy_for_the_near_end) == -0.25


class WrongShape(QLearning):
    def action_values(self, observation: Any) -> Any:
        return np.zeros(3)


class Deaf(QLearning):
    def train(self, env: gym.Env[Any, Any], monitor: Any) -> None:
        env.reset()
        for _ in range(50):
            env.step(0)
        monitor.step(301)
        while monitor.running:
            monitor.step(1000)
            monitor.episode(None)


class Unseeded(QLearning):
    def __init__(self, env: gym.Env[Any, Any], *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=np.random.SeedSequence().entropy, **settings)  # type: ignore[arg-type]


class Forgetful(QLearning):
    def set_state(self, state: Any) -> None:
        generator = self.exploration_rng.bit_generator.state
        super().set_state(state)
        self.exploration_rng.bit_generator.state = generator


class Ageing(QLearning):
    def select_action(self, observation: Any, *, explore: bool, mask: Any = None) -> int:
        if not explore:
            self.num_steps += 1
        return super().select_action(observation, explore=explore, mask=mask)


class Global(QLearning):
    def update(self, transition: Transition) -> float | None:
        random.random()
        return super().update(transition)


class CutsAtTheLimit(QLearning):
    """Takes truncation for termination."""

    def update(self, transition: Transition) -> float | None:
        return super().update(transition._replace(terminated=transition.terminated or transition.truncated))


class NeverCuts(QLearning):
    def update(self, transition: Transition) -> float | None:
        return super().update(transition._replace(terminated=False, truncated=True))


class ForgetsTheRate(QLearning):
    """`Q = reward` at the end, whatever the learning rate."""

    def update(self, transition: Transition) -> float | None:
        error = super().update(transition)
        if transition.terminated:
            self.table.memory.q[transition.observation, transition.action] = transition.reward
        return error


class LearnsNothing(QLearning):
    def update(self, transition: Transition) -> float | None:
        return None


class WrongOnBatches(QLearning):
    """Its policy takes the worst of two actions, where the agent takes the best."""

    def policy(self, seed: int) -> Policy:
        return TablePolicy(-self.table.memory.q)


class Unfrozen(QLearning):
    def policy(self, seed: int) -> Policy:
        return LoopPolicy(self)


class GlobalPolicy(QLearning):
    def policy(self, seed: int) -> Policy:
        random.random()
        return super().policy(seed)


class AsksTheEnvironment(QLearning):
    def __init__(self, env: Any, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        self.spec = env.unwrapped.spec


class ForgetsToAct(QLearning):
    def policy_state(self) -> Any:
        state = super().policy_state()
        state["table"]["q"] = state["table"]["q"] * -1
        return state


class Lawless(QLearning):
    def select_action(self, observation: Any, *, explore: bool, mask: Any = None) -> int:
        return super().select_action(observation, explore=explore)


class Crashes(QLearning):
    def __init__(self, env: gym.Env[Any, Any], *, seed: int = 0, **settings: Any) -> None:
        env.action_space.n  # type: ignore[attr-defined]  # noqa: B018
        super().__init__(env, seed=seed, **settings)


@pytest.mark.parametrize(
    ("agent_class", "name"),
    [
        (WrongShape, "contract"),
        (Deaf, "monitor_hears_of_every_step_and_episode"),
        (Unseeded, "same_seed_same_training"),
        (Forgetful, "save_and_load"),
        (Forgetful, "stopping_and_going_on"),
        (Ageing, "greedy_actions_change_nothing"),
        (Global, "no_global_randomness"),
        (CutsAtTheLimit, "termination_and_truncation"),
        (NeverCuts, "termination_and_truncation"),
        (WrongOnBatches, "policy_acts_on_batches"),
        (GlobalPolicy, "policy_acts_on_batches"),
        (Unfrozen, "policy_is_frozen"),
        (AsksTheEnvironment, "acting_needs_two_spaces_only"),
        (ForgetsToAct, "acting_needs_two_spaces_only"),
        (Lawless, "masks_are_respected"),
        (LearnsNothing, "learning"),
        (Crashes, "spaces_it_cannot_handle"),
    ],
)
def test_each_check_fails_where_it_should(agent_class: type[Agent], name: str) -> None:
    (check,) = (check for check in check_agent(agent_class) if check.name == name)
    with pytest.raises((CheckError, AttributeError), match=r"expected|has no attribute"):
        check()


def test_an_update_of_ones_own_is_heard_and_is_not_compiled() -> None:
    agent = LearnsNothing(make_env("RLLab/Maze-v0"))
    agent.train(env := make_env("RLLab/Maze-v0"), Budget(steps=100))
    assert not agent.table.memory.q.any()
    with pytest.raises(ValueError, match="its update is Python of its own"):
        agent.choose_engine("compiled", env, 10**9)


def test_an_update_at_the_end_minds_the_learning_rate() -> None:
    """The mistake of `Q = reward`: one step of it shows, where a thousand would not."""
    for agent_class, expected in ((QLearning, 0.25), (ForgetsTheRate, 1.0)):
        agent = agent_class(Corridor(), learning_rate=0.25)
        agent.update(Transition(1, 0, 1.0, 0, True, False))
        assert agent.table[1][0] == expected


def test_what_does_not_apply_is_said() -> None:
    skipped = {}
    for check in check_agent(TD):
        try:
            check()
        except NotApplicableError as reason:
            skipped[check.name] = str(reason)
    assert set(skipped) == {"termination_and_truncation", "learning"}
    assert isinstance(check.case, Case)


def test_the_command(rl_lab: Command, tmp_path: Any) -> None:
    done = rl_lab("check", "q_learning", "--set", "learning_rate=0.5")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "q_learning: 14 ok, 0 failed, 0 skipped"
    (tmp_path / "mine.py").write_text(
        "from agents.tabular.q_learning import QLearning\n"
        "class Mine(QLearning):\n"
        "    def begin_episode(self):\n"
        "        raise KeyError('gone')\n"
    )
    done = rl_lab("check", "mine:Mine")
    assert done.returncode == 1
    assert "failed   learning: KeyError: 'gone' (" in done.stdout
    assert "mine.py, line 4)" in done.stdout
    done = rl_lab("check", "heuristic_lander")
    assert done.returncode == 2
    assert "flies LunarLander only" in done.stderr
    assert rl_lab("check", "heuristic_lander", "--env", "LunarLander-v3").returncode == 0
