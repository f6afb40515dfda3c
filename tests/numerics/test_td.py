"""Targets worked by hand: what is cut at an end, and what is not."""

from typing import Any

import gymnasium as gym
import pytest
from gymnasium import spaces

from agents.base import Transition
from agents.tabular.agent import TabularAgent
from agents.tabular.double_q_learning import DoubleQLearning
from agents.tabular.dyna import DynaQ, DynaQPlus
from agents.tabular.expected_sarsa import ExpectedSarsa
from agents.tabular.monte_carlo import MonteCarlo
from agents.tabular.n_step import NStepSarsa, TreeBackup
from agents.tabular.prediction import TD, MonteCarloPrediction, NStepTD, TDLambda
from agents.tabular.q_learning import QLearning
from agents.tabular.sarsa import Sarsa
from agents.tabular.traces import SarsaLambda, WatkinsQLambda
from agents.td import moved_towards, td_target


def test_targets_worked_by_hand() -> None:
    assert td_target(-1.0, False, -9.0, 1.0) == -10.0
    assert td_target(-1.0, False, 4.0, 0.5) == 1.0
    assert td_target(-1.0, True, 4.0, 0.5) == -1.0


def test_moving_by_hand() -> None:
    assert moved_towards(10.0, 20.0, 0.25) == 12.5
    assert moved_towards(0.1, 0.3, 1.0) == 0.3  # the target itself: 0.1 + (0.3 - 0.1) would be 0.30000000000000004
    assert moved_towards(0.1, 0.3, 0.0) == 0.1


class TwoStates(gym.Env[int, int]):
    """State 0 leads to state 1 with reward 1; the episode then ends by termination or by truncation."""

    def __init__(self, terminates: bool = False, states: int = 2, actions: int = 2) -> None:
        self.observation_space: Any = spaces.Discrete(states)
        self.action_space: Any = spaces.Discrete(actions)
        self.terminates = terminates

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        return 1, 1.0, self.terminates, not self.terminates, {}


def know(agent: TabularAgent, state: int, values: list[float]) -> None:
    """Write what is known of a state, into all tables."""
    memory = agent.table.memory
    for table in (
        memory.q,
        *(getattr(memory.own, name) for name in ("first_q", "second_q") if hasattr(memory.own, name)),
    ):
        table[agent.table.row(state)] = values


# What S' is worth when Q(S', .) is [5, 2], or V(S') 5, and epsilon 0 (0.2 for Expected SARSA).
NEXT_VALUES: list[tuple[type[TabularAgent], float]] = [
    (QLearning, 5.0),
    (Sarsa, 5.0),
    (ExpectedSarsa, 0.2 * 3.5 + 0.8 * 5.0),
    (DoubleQLearning, 5.0),
    (NStepSarsa, 5.0),
    (TreeBackup, 5.0),
    (SarsaLambda, 5.0),
    (WatkinsQLambda, 5.0),
    (MonteCarlo, 5.0),
    (DynaQ, 5.0),
    (DynaQPlus, 5.0),
    (TD, 5.0),
    (NStepTD, 5.0),
    (TDLambda, 5.0),
    (MonteCarloPrediction, 5.0),
]


@pytest.mark.parametrize(("terminates", "bootstrap"), [(True, 0.0), (False, 1.0)])
@pytest.mark.parametrize(("agent_class", "next_value"), NEXT_VALUES)
def test_termination_cuts_the_bootstrap_and_truncation_does_not(
    agent_class: type[TabularAgent], next_value: float, terminates: bool, bootstrap: float
) -> None:
    env = TwoStates(terminates)
    epsilon = 0.2 if agent_class is ExpectedSarsa else 0.0
    planning = {"planning_steps": 0} if agent_class in (DynaQ, DynaQPlus) else {}
    agent = agent_class(env, learning_rate=0.5, discount=0.9, epsilon=epsilon, epsilon_schedule="constant", **planning)
    know(agent, 1, [5.0] if agent.values_states else [5.0, 2.0])
    agent.begin_episode()
    next_state, reward, terminated, truncated, _ = env.step(0)
    error = agent.update(Transition(0, 0, reward, next_state, terminated, truncated))
    expected = 1.0 + bootstrap * 0.9 * next_value
    memory, own = agent.table.memory, agent.table.memory.own
    learned = memory.q[0, 0] if agent_class is not DoubleQLearning else max(own.first_q[0, 0], own.second_q[0, 0])
    assert learned == pytest.approx(0.5 * expected, abs=1e-15)  # half of the way: the learning rate counts
    assert error == pytest.approx(expected, abs=1e-15)


def test_sarsa_learns_from_the_action_that_it_takes_next() -> None:
    """Not from another draw of the same policy, which would be as good on average and another algorithm."""
    agent = Sarsa(TwoStates(), epsilon=1.0, epsilon_schedule="constant", learning_rate=1.0, discount=1.0)
    know(agent, 1, [5.0, 2.0])
    for _ in range(50):
        agent.update(Transition(0, 0, 0.0, 1, False, False))
        taken = agent.select_action(1, explore=True)
        assert agent.table[0][0] == [5.0, 2.0][taken]  # at learning rate 1, the target itself
        assert agent.select_action(1, explore=False) == 0  # looking changes nothing
        assert agent.select_action(1, explore=True) == taken
    agent.begin_episode()
    assert {agent.select_action(1, explore=True) for _ in range(50)} == {0, 1}


def test_double_q_learning_updates_one_table_at_a_time_by_what_the_other_says() -> None:
    agent = DoubleQLearning(TwoStates(), learning_rate=1.0, discount=1.0, seed=4)
    memory, own = agent.table.memory, agent.table.memory.own
    own.first_q[1], own.second_q[1], memory.q[1] = [2.0, 5.0], [7.0, 3.0], [4.5, 4.0]
    agent.update(Transition(0, 0, 1.0, 1, False, False))
    learned = [own.first_q[0, 0], own.second_q[0, 0]]
    assert learned in ([4.0, 0.0], [0.0, 3.0])  # 1 + second's view of the first's best action, or the reverse
    assert agent.table[0][0] == sum(learned) / 2
    assert agent.select_action(1, explore=False) == 0


def walk(agent: TabularAgent, *steps: tuple[int, int, float, int], end: str = "") -> list[float | None]:
    """Steps (state, action, reward, next state) of one episode, the last of which may end it; what updates said."""
    agent.begin_episode()
    said = []
    for number, step in enumerate(steps):
        last = number == len(steps) - 1
        said.append(agent.update(Transition(*step, last and end == "terminated", last and end == "truncated")))
    return said


def test_n_step_sarsa_worked_by_hand() -> None:
    """n = 2, three steps with rewards 1, 2, 4 and discount 1/2: two full returns, and what waits at the end."""
    env = TwoStates(states=4, actions=1)
    agent = NStepSarsa(env, n=2, learning_rate=0.5, discount=0.5, epsilon=0.0)
    know(agent, 2, [8.0])
    said = walk(agent, (0, 0, 1.0, 1), (1, 0, 2.0, 2), (2, 0, 4.0, 3), end="terminated")
    # G(0) = 1 + 2/2 + 8/4 = 4; G(1) = 2 + 4/2 = 4; G(2) = 4, from 8
    assert agent.table.memory.q[:, 0].tolist() == [2.0, 2.0, 6.0, 0.0]
    assert said == [None, 4.0, (4.0 + 4.0) / 2]


def test_n_step_sarsa_bootstraps_where_a_limit_cuts_it_off() -> None:
    agent = NStepSarsa(TwoStates(states=4, actions=1), n=4, learning_rate=1.0, discount=0.5, epsilon=0.0)
    know(agent, 2, [8.0])
    walk(agent, (0, 0, 1.0, 1), (1, 0, 2.0, 2), end="truncated")
    assert agent.table.memory.q[:2, 0].tolist() == [1.0 + 2.0 / 2 + 8.0 / 4, 2.0 + 8.0 / 2]


def test_tree_backup_worked_by_hand() -> None:
    """n = 2: what was not greedy in S1 counts by the value of what is; what was, by what came."""
    for action, expected in ((0, 1.0 + 0.5 * (2.0 + 0.5 * 8.0)), (1, 1.0 + 0.5 * 6.0)):
        agent = TreeBackup(TwoStates(states=4), n=2, learning_rate=1.0, discount=0.5, epsilon=0.0)
        know(agent, 1, [6.0, 4.0])  # action 0 is greedy
        know(agent, 2, [8.0, 7.0])
        walk(agent, (0, 0, 1.0, 1), (1, action, 2.0, 2))
        assert agent.table[0] == [expected, 0.0]


@pytest.mark.parametrize(
    ("kind", "trace"), [("accumulating", 1.0 + 0.25), ("replacing", 1.0), ("dutch", 0.25 * (1 - 0.25) + 1.0)]
)
def test_traces_worked_by_hand(kind: str, trace: float) -> None:
    """The same pair twice, learning rate 1/4, discount and lambda 1/2: the trace of the second step moves it."""
    env = TwoStates(states=3, actions=1)
    agent = SarsaLambda(env, traces=kind, learning_rate=0.25, discount=0.5, trace_decay=0.5, epsilon=0.0)
    walk(agent, (0, 0, 2.0, 0), (0, 0, 4.0, 2), end="terminated")
    first = 0.25 * 2.0
    assert agent.table.memory.q[0, 0] == first + 0.25 * (4.0 - first) * trace


def test_traces_reach_back_and_fade() -> None:
    agent = SarsaLambda(TwoStates(states=4, actions=1), learning_rate=1.0, discount=0.5, trace_decay=0.5, epsilon=0.0)
    walk(agent, (0, 0, 0.0, 1), (1, 0, 0.0, 2), (2, 0, 16.0, 3), end="terminated")
    assert agent.table.memory.q[:, 0].tolist() == [1.0, 4.0, 16.0, 0.0]
    walk(agent, (2, 0, 0.0, 3), end="terminated")  # another episode: nothing is left of the traces
    assert agent.table.memory.q[:2, 0].tolist() == [1.0, 4.0]


def test_watkins_cuts_its_traces_where_an_action_is_not_greedy() -> None:
    for action, reached in ((0, 4.0), (1, 0.0)):
        agent = WatkinsQLambda(TwoStates(states=4), learning_rate=1.0, discount=1.0, trace_decay=1.0, epsilon=0.0)
        know(agent, 1, [1.0, 0.0])  # action 0 is greedy in S1
        know(agent, 2, [1.0, 1.0])
        agent.begin_episode()
        agent.update(Transition(0, 0, 0.0, 1, False, False))  # Q(0, 0) = 1
        agent.update(Transition(1, action, 3.0, 2, False, False))  # the target is 4
        error = 3.0 + 1.0 - [1.0, 0.0][action]
        assert agent.table[0][0] == 1.0 + (error if action == 0 else 0.0), reached


def test_sarsa_lambda_does_not_cut() -> None:
    agent = SarsaLambda(TwoStates(states=4), learning_rate=1.0, discount=1.0, trace_decay=1.0, epsilon=0.0)
    know(agent, 1, [1.0, 0.0])
    agent.begin_episode()
    agent.update(Transition(0, 0, 0.0, 1, False, False))
    agent.update(Transition(1, 1, 3.0, 3, True, False))
    assert agent.table[0][0] == 1.0 + 3.0


@pytest.mark.parametrize(("visits", "expected"), [("first", 5.0), ("every", 5.5)])
def test_monte_carlo_worked_by_hand(visits: str, expected: float) -> None:
    """State 0 twice, with returns 5 and 6 (undiscounted): the first counts, or both."""
    agent = MonteCarlo(
        TwoStates(states=3, actions=1), visits=visits, learning_rate_schedule="visits", discount=1.0, epsilon=0.0
    )
    said = walk(agent, (0, 0, -1.0, 1), (1, 0, 0.0, 0), (0, 0, 6.0, 2), end="terminated")
    assert agent.table.memory.q[0, 0] == expected
    walk(agent, (0, 0, 8.0, 2), end="terminated")  # and the mean over episodes
    mean = {"first": (5.0 + 8.0) / 2, "every": (5.0 + 6.0 + 8.0) / 3}[visits]
    assert agent.table.memory.q[0, 0] == pytest.approx(mean)
    assert said[:2] == [None, None]


def test_dyna_plans_with_what_it_remembers() -> None:
    """One real step to the end that earns 1, from state 1; planning carries it on to state 0."""
    agent = DynaQ(TwoStates(states=3, actions=1), planning_steps=50, learning_rate=1.0, discount=0.5, epsilon=0.0)
    walk(agent, (0, 0, 0.0, 1), (1, 0, 1.0, 2), end="terminated")
    assert agent.table.memory.q[:, 0].tolist() == [0.5, 1.0, 0.0]


def test_dyna_plus_is_curious_about_what_it_has_not_tried() -> None:
    settings: dict[str, Any] = {"planning_steps": 200, "learning_rate": 1.0, "discount": 0.0, "epsilon": 0.0}
    agent = DynaQPlus(TwoStates(states=2), kappa=0.5, **settings)
    agent.begin_episode()
    for _ in range(4):
        agent.update(Transition(0, 0, 1.0, 0, False, False))
    # Action 0 was tried this very step; action 1 never, 4 steps ago counted from the start: 0.5 * sqrt(4).
    assert agent.table[0] == [1.0, 1.0]
    agent.update(Transition(0, 0, 1.0, 0, False, False))
    assert agent.table[0][1] == pytest.approx(0.5 * 5**0.5)
    plain = DynaQ(TwoStates(states=2), **settings)
    plain.update(Transition(0, 0, 1.0, 0, False, False))
    assert plain.table[0] == [1.0, 0.0]


def test_greedy_ties_go_to_the_lowest_index_and_exploring_ties_are_drawn() -> None:
    agent = QLearning(TwoStates(True), epsilon=0.0)
    know(agent, 0, [3.0, 3.0])
    assert {agent.select_action(0, explore=False) for _ in range(50)} == {0}
    assert {agent.select_action(0, explore=True) for _ in range(50)} == {0, 1}


def test_epsilon_is_the_share_of_random_actions() -> None:
    agent = QLearning(TwoStates(True), epsilon=0.4, epsilon_schedule="constant")
    know(agent, 0, [1.0, 0.0])
    draws = [agent.select_action(0, explore=True) for _ in range(20_000)]
    assert sum(draws) / len(draws) == pytest.approx(0.2, abs=0.012)  # half of the random ones; 4 standard errors
