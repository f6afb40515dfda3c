"""More that is worked by hand: ties, two tables, planning backwards, weights of tiles, truncated returns."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from agents.base import Transition
from agents.budget import Budget
from agents.registry import make_agent
from agents.seeding import Rng
from agents.tabular.agent import TabularAgent
from agents.tabular.double_q_learning import DoubleQLearning
from agents.tabular.learning import with_reward
from agents.tabular.linear import LinearQ, LinearSarsaLambda
from agents.tabular.memory import Memory, Parameters, Step
from agents.tabular.n_step import TreeBackup
from agents.tabular.prediction import LambdaReturn, MonteCarloPrediction
from agents.tabular.prioritized_sweeping import PrioritizedSweeping
from agents.tabular.q_learning import QLearning, update
from envs.registry import make_env
from tests.numerics.test_td import TwoStates, know, walk


def test_tree_backup_splits_the_greedy_policy_between_ties() -> None:
    agent = TreeBackup(TwoStates(states=4), n=2, learning_rate=1.0, discount=1.0, epsilon=0.0)
    know(agent, 1, [6.0, 6.0])
    know(agent, 2, [8.0, 7.0])
    walk(agent, (0, 0, 1.0, 1), (1, 1, 2.0, 2))
    assert agent.table[0][0] == 1.0 + 0.5 * 6.0 + 0.5 * (2.0 + 8.0)


def test_the_tables_of_double_q_learning_begin_apart_and_learn_in_turns() -> None:
    agent = DoubleQLearning(TwoStates(states=50), initial_values="random", seed=1)
    memory, own = agent.table.memory, agent.table.memory.own
    assert abs(np.corrcoef(own.first_q.ravel(), own.second_q.ravel())[0, 1]) < 0.4
    np.testing.assert_array_equal(memory.q, (own.first_q + own.second_q) / 2)
    turns = 0
    for _ in range(2_000):
        before = own.first_q[0, 0]
        agent.update(Transition(0, 0, float(np.random.default_rng(turns).random()) * 100, 1, True, False))
        turns += own.first_q[0, 0] != before
    assert abs(turns - 1_000) < 4 * (2_000 / 4) ** 0.5


def test_prioritized_sweeping_plans_backwards() -> None:
    """0 -> 1 -> 2 -> the end, which earns 8: one planning sweep for each carries it back, the largest error first."""
    agent = PrioritizedSweeping(TwoStates(states=4, actions=1), planning_steps=3, discount=0.5)
    walk(agent, (0, 0, 0.0, 1), (1, 0, 0.0, 2), (2, 0, 8.0, 3), end="terminated")
    assert agent.table.memory.q[:, 0].tolist() == [2.0, 4.0, 8.0, 0.0]


def test_prioritized_sweeping_takes_means_and_minds_truncation() -> None:
    agent = PrioritizedSweeping(TwoStates(states=3, actions=1), planning_steps=1, discount=1.0)
    know(agent, 1, [4.0])
    walk(agent, (0, 0, 2.0, 1), end="truncated")
    assert agent.table[0] == [6.0]  # the limit of steps is not the end
    walk(agent, (0, 0, 6.0, 2), end="terminated")
    assert agent.table[0] == [(2.0 + 6.0) / 2 + 4.0 / 2]
    curious = PrioritizedSweeping(TwoStates(states=3, actions=1), planning_steps=1, count_bonus=3.0)
    walk(curious, (0, 0, 2.0, 2), end="terminated")
    assert curious.table[0] == [5.0]


class Line(gym.Env[Any, int]):
    """Numbers between 0 and 1; two actions."""

    def __init__(self) -> None:
        self.observation_space: Any = spaces.Box(0.0, 1.0, (1,), np.float64)
        self.action_space: Any = spaces.Discrete(2)


@pytest.mark.parametrize("agent_class", [LinearQ, LinearSarsaLambda])
@pytest.mark.parametrize("end", ["terminated", "truncated", ""])
def test_weights_of_tiles_worked_by_hand(agent_class: type[TabularAgent], end: str) -> None:
    """Four tilings: each of the four weights moves by a quarter of the step."""
    agent = agent_class(Line(), num_tilings=4, num_tiles=2, learning_rate=0.5, discount=0.5, epsilon=0.0)
    here, there = np.array([0.1]), np.array([0.9])
    for tile in agent.coder.places(there):  # type: ignore[attr-defined]
        agent.table.memory.own.weights[tile] = [2.0, 1.0]  # Q(there, .) = [8, 4]
    agent.begin_episode()
    error = agent.update(Transition(here, 1, 3.0, there, end == "terminated", end == "truncated"))
    target = 3.0 if end == "terminated" else 3.0 + 0.5 * 8.0
    assert error == target
    values = agent.action_values(here)
    assert values is not None
    assert values.tolist() == [0.0, 0.5 * target]
    agent.update(Transition(here, 1, 3.0, there, True, False))  # the same tiles again
    again = agent.action_values(here)
    assert again is not None
    assert again[1] == pytest.approx(0.5 * target + 0.5 * (3.0 - 0.5 * target))


def test_a_second_visit_of_a_tile_raises_its_trace() -> None:
    agent = LinearSarsaLambda(
        Line(), num_tilings=1, num_tiles=1, learning_rate=0.5, discount=0.5, trace_decay=0.5, traces="accumulating",
        epsilon=0.0,
    )  # fmt: skip
    here = np.array([0.1])
    agent.begin_episode()
    agent.update(Transition(here, 1, 2.0, here, True, False))
    agent.update(Transition(here, 1, 4.0, here, True, False))
    values = agent.action_values(here)
    assert values is not None
    assert values[1] == 1.0 + 0.5 * (4.0 - 1.0) * 1.25


@pytest.mark.parametrize(("end", "following"), [("terminated", 0.0), ("truncated", 8.0)])
def test_lambda_returns_worked_by_hand(end: str, following: float) -> None:
    agent = LambdaReturn(TwoStates(states=4), trace_decay=0.5, learning_rate=1.0, discount=0.5)
    for state, value in enumerate((0.0, 4.0, 6.0, 8.0)):
        know(agent, state, [value])
    walk(agent, (0, 0, 1.0, 1), (1, 0, 2.0, 2), (2, 0, 3.0, 3), end=end)
    last = 3.0 + 0.5 * following
    middle = 2.0 + 0.5 * (0.5 * 6.0 + 0.5 * last)
    first = 1.0 + 0.5 * (0.5 * 4.0 + 0.5 * middle)
    assert agent.table.memory.q[:3, 0].tolist() == [first, middle, last]


def test_monte_carlo_prediction_averages_returns() -> None:
    for visits, expected in (("first", 3.0), ("every", 2.5)):
        agent = MonteCarloPrediction(
            TwoStates(states=3), visits=visits, learning_rate_schedule="visits", discount=1.0, initial_values=100.0
        )
        walk(agent, (0, 0, 1.0, 0), (0, 0, 2.0, 1), end="terminated")
        assert agent.state_values[0] == expected  # nothing is left of the initial value


# -- rules and methods of a user's own ------------------------------------------------------------------------


def generous(memory: Memory, parameters: Parameters, rng: Rng, step: Step) -> float:
    step = with_reward(step, step.reward + 1.0)
    return update(memory, parameters, rng, step)


class Generous(QLearning):
    name = "generous"
    update_rule = staticmethod(generous)


def test_a_rule_may_call_another_one_under_its_own_name() -> None:
    agent = Generous(TwoStates(), learning_rate=1.0)
    agent.update(Transition(0, 0, 1.0, 1, True, False))
    assert agent.table[0][0] == 2.0


class Counting:
    count = 0

    def update(self, transition: Transition) -> float | None:
        self.count += 1
        error: float | None = super().update(transition)  # type: ignore[misc]
        return error


class Mixed(Counting, QLearning):
    pass


def test_the_update_of_a_mixin_is_heard() -> None:
    agent = Mixed(env := make_env("RLLab/Maze-v0"))
    env.reset(seed=0)
    agent.train(env, Budget(steps=30))
    assert agent.count == 30


def test_a_rule_inside_another_function_is_refused() -> None:
    bonus = 1.0

    def inner(*step: Any) -> float:
        return bonus

    class Inner(QLearning):
        name = "inner"
        update_rule = staticmethod(inner)  # type: ignore[assignment]

    with pytest.raises(ValueError, match="expected a function of a module, got one inside another"):
        Inner(TwoStates())


def test_the_engine_refuses_an_environment_that_the_table_was_not_made_for() -> None:
    small, large = make_env("RLLab/Maze-v0", rows=4, cols=4), make_env("RLLab/Maze-v0", rows=6, cols=6)
    agent = make_agent("q_learning", small)
    with pytest.raises(ValueError, match="its spaces are not those that the agent was made for"):
        agent.choose_engine("compiled", large, 10**9)
    assert agent.choose_engine("compiled", small, 10**9) == "compiled"
    large.reset(seed=0)
    with pytest.raises(IndexError):  # Python's loop says so; machine code would write beyond the table
        agent.train(large, Budget(steps=3_000))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("sarsa_lambda", lambda memory: memory["counters"].__setitem__(4, 99)),
        ("sarsa_lambda", lambda memory: memory["active"].__setitem__(0, 10**6)),
        ("dyna_q", lambda memory: memory["model_states"].__setitem__((0, 0), 16)),
        ("dyna_q", lambda memory: memory["met"].__setitem__(0, -1)),
        ("monte_carlo", lambda memory: memory["counters"].__setitem__(3, 10**7)),
        ("monte_carlo", lambda memory: memory["states"].__setitem__(0, 16)),
        ("sarsa", lambda memory: memory["counters"].__setitem__(2, 4)),
        ("q_learning", lambda memory: memory.__setitem__("rates", np.zeros(9))),
        ("q_learning", lambda memory: memory.__setitem__("counters", np.zeros(2, dtype=np.int64))),
        ("q_learning", lambda memory: memory.__setitem__("q", np.zeros((15, 4)))),
    ],
)
def test_a_damaged_memory_is_refused(name: str, change: Any) -> None:
    env = make_env("RLLab/Maze-v0", rows=4, cols=4)
    env.reset(seed=0)
    agent = make_agent(name, env)
    agent.train(env, Budget(steps=50))
    state = agent.get_state()
    agent.set_state(state)
    change(state["memory"])
    with pytest.raises(ValueError, match="expected"):
        agent.set_state(state)
