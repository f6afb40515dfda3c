"""Masks of legal actions: minded in exploring, in greedy choice, in evaluation, and by what is learned."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from agents.base import OnlineAgent, Transition
from agents.budget import Budget
from agents.masks import binds, legal_actions
from agents.registry import make_agent
from envs.registry import make_env
from experiments.evaluation.rollout import evaluate_agent
from tests.helpers import LINEAR

LENGTH = 6


class Corridor(gym.Env[Any, Any]):
    """A way of six cells with one legal action in each, another in every cell; every other action is an error.

    Every step costs 1: an illegal action, never tried, would look better than all others if its 0 were believed.
    """

    def __init__(self, kind: str = "number") -> None:
        self.kind = kind
        self.observation_space: spaces.Space[Any] = {
            "number": spaces.Discrete(LENGTH + 1),
            "numbers": spaces.MultiDiscrete([LENGTH + 1, 2]),
            "box": spaces.Box(0, LENGTH, (1,), np.float64),
        }[kind]
        self.action_space = spaces.Discrete(4)
        self.place = self.count = 0

    def legal(self) -> Any:
        """Two of the four actions: one goes on, one stays."""
        mask = np.zeros(4, dtype=np.int8)
        mask[[self.place % 4, (self.place + 1) % 4]] = 1
        return mask

    def seen(self) -> Any:
        if self.kind == "box":
            return np.array([self.place], dtype=np.float64)
        return self.place if self.kind == "number" else np.array([self.place, self.place % 2])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.place = self.count = 0
        return self.seen(), {"action_mask": self.legal()}

    def step(self, action: Any) -> Any:
        if not self.legal()[action]:
            raise ValueError(f"illegal action {action} in {self.place}")
        self.count += 1
        self.place += action == (self.place + 1) % 4
        return self.seen(), -1.0, self.place == LENGTH, self.count >= 200, {"action_mask": self.legal()}


SETTINGS: dict[str, dict[str, Any]] = {
    "random": {},
    "q_learning": {},
    "sarsa": {"epsilon_min": 0.0},
    "expected_sarsa": {"epsilon_min": 0.0},
    "double_q_learning": {},
    "n_step_sarsa": {"n": 2, "epsilon_min": 0.0},
    "tree_backup": {"n": 3},
    "sarsa_lambda": {"epsilon_min": 0.0},
    "watkins_q_lambda": {},
    "backward_q_lambda": {"epsilon_min": 0.0},
    "monte_carlo": {},
    "dyna_q": {},
    "dyna_q_plus": {"kappa": 1e-5},
    "prioritized_sweeping": {},
}


@pytest.mark.parametrize("kind", ["number", "numbers", "box"])
@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_no_illegal_action_is_taken_and_the_best_way_is_learned(name: str, kind: str) -> None:
    env = Corridor(kind)
    edges: dict[str, Any] = (
        {"edges": [place + 0.5 for place in range(LENGTH)]} if kind == "box" and name != "random" else {}
    )
    agent = make_agent(name, env, **SETTINGS[name], **edges)
    env.reset(seed=0)
    agent.train(env, Budget(steps=4000))
    (episode,) = evaluate_agent(agent, env, [5])
    if name != "random":
        assert episode.total_reward == -LENGTH
    values = agent.action_values(Corridor(kind).reset()[0])
    if values is not None:
        assert np.isneginf(values).tolist() == [False, False, True, True]
        assert np.isfinite(values[:2]).all()


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("num_tilings", [1, 4])
def test_no_target_of_tiles_reckons_with_illegal_actions(name: str, num_tilings: int) -> None:
    """Every step costs 1, so that an action that is never legal, and stays at 0, would look best."""
    env = Corridor("box")
    edges = [place + 0.5 for place in range(LENGTH)]
    agent = make_agent(name, env, edges=edges, num_tilings=num_tilings, discount=1.0, learning_rate=0.5)
    env.reset(seed=0)
    agent.train(env, Budget(steps=6000))
    (episode,) = evaluate_agent(agent, env, [5])
    assert episode.total_reward == -LENGTH
    values = agent.action_values(env.reset()[0])
    assert values is not None
    assert np.isneginf(values).tolist() == [False, False, True, True]
    assert values[:2].max() == pytest.approx(-LENGTH, abs=1.0)


@pytest.mark.parametrize("exploration", ["epsilon_greedy", "boltzmann", "ucb"])
@pytest.mark.parametrize("name", ["q_learning", "sarsa", "expected_sarsa"])
def test_every_exploration_minds_masks(name: str, exploration: str) -> None:
    env = Corridor()
    agent: Any = make_agent(name, env, exploration=exploration)
    env.reset(seed=0)
    agent.train(env, Budget(steps=3000))
    finite = agent.table.memory.q[: LENGTH + 1]
    assert not np.isnan(finite).any()
    assert np.isneginf(finite[:LENGTH]).sum(axis=1).tolist() == [2] * LENGTH


def test_random_initial_values_and_linear_agents_mind_masks_in_what_they_do() -> None:
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("q_learning", "number", {"initial_values": "random"}),
        ("q_learning", "number", {"table": "sparse"}),
        ("linear_q", "box", {}),
        ("linear_sarsa_lambda", "box", {}),
    ]
    for name, kind, settings in cases:
        env = Corridor(kind)
        agent = make_agent(name, env, **settings)
        env.reset(seed=0)
        agent.train(env, Budget(steps=500))
        evaluate_agent(agent, env, [1])


def test_a_value_that_was_learned_is_kept_when_its_action_is_forbidden() -> None:
    agent: Any = make_agent("q_learning", Corridor())
    everything = np.ones(4, dtype=bool)
    agent.update(Transition(0, 2, -5.0, 1, True, False))
    learned = agent.table.memory.q[0, 2]
    assert learned < 0
    agent.note_legal(0, np.array([True, False, False, False]))
    assert agent.table.memory.q[0].tolist() == [0.0, -math.inf, learned, -math.inf]
    agent.note_legal(0, everything)
    assert agent.table.memory.q[0].tolist() == [0.0, 0.0, learned, 0.0]


def test_quantile_bins_are_fitted_to_legal_actions() -> None:
    gym.register("MaskedCorridor-v0", f"{__name__}:Corridor", kwargs={"kind": "box"})
    agent: Any = make_agent("q_learning", make_env("MaskedCorridor-v0"), bins="quantile", num_edges=3)
    assert agent.discretiser is not None


def test_masks_of_environments_whose_model_says_what_every_action_does_are_advice() -> None:
    for env_id in ("Taxi-v4", "RLLab/MaximizationBias-v0"):
        env = make_env(env_id)
        _, info = env.reset(seed=0)
        assert "action_mask" in info
        assert not binds(env, info)
    env = Corridor()
    assert binds(env, env.reset()[1])
    assert not binds(env, {})


def test_masks_that_say_nothing() -> None:
    env = Corridor()
    assert legal_actions(env, {}).tolist() == [True] * 4
    assert legal_actions(env, {"action_mask": [0, 0, 0, 0]}).tolist() == [True] * 4
    assert legal_actions(env, {"action_mask": [0, 1, 0, 0]}).tolist() == [False, True, False, False]
    with pytest.raises(ValueError, match=r"action_mask: expected shape \[4\], got \[2\]"):
        legal_actions(env, {"action_mask": [0, 1]})


def test_an_agent_that_takes_no_mask_is_told_of_none() -> None:
    class Plain(OnlineAgent):
        def select_action(self, observation: Any, *, explore: bool) -> int:  # type: ignore[override]
            return int(observation) % 4  # legal everywhere

    env = Corridor()
    agent = Plain(env)
    env.reset(seed=0)
    agent.train(env, Budget(steps=300))
    assert evaluate_agent(agent, env, [0])[0].length == 200
