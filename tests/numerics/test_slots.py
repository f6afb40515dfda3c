"""What is wrong with an algorithm is said when its class is made."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from agents.base import Transition
from agents.budget import Budget
from agents.tabular import n_step
from agents.tabular.agent import TabularAgent
from agents.tabular.behaviour import best_value
from agents.tabular.learning import move
from agents.tabular.memory import FloatArray, Memory, PairFloats, Parameters, Step
from agents.tabular.n_step import NStepSarsa
from agents.tabular.sarsa import Sarsa, take_chosen
from agents.tabular.traces import SarsaLambda, cut
from agents.td import td_target
from envs.registry import make_env
from tests.numerics.test_td import TwoStates


def made(name: str, bases: tuple[type, ...] = (TabularAgent,), **members: Any) -> Any:
    return type(name, bases, {"name": name.lower(), **members})


def towards_seven(memory: Memory, parameters: Parameters, rng: Any, step: Step) -> float:
    return move(memory.q, memory, parameters, step.state, step.action, 7.0)


def old_rule(memory: Any, parameters: Any, rng: Any, state: int, action: int, reward: float, *rest: Any) -> float:
    return 0.0


def test_a_misspelt_part() -> None:
    with pytest.raises(ValueError, match=r"Mine: parts: no slot is called 'forgt' here \(did you mean 'forget'\?\)"):
        made("Mine", (SarsaLambda,), parts={"forgt": cut})


def test_a_part_that_is_another_algorithms_slot() -> None:
    with pytest.raises(
        ValueError, match=r"Mine: parts: no slot is called 'seen_from' here \(expected act, forget, upd"
    ):
        made("Mine", (Sarsa,), parts={"seen_from": n_step.sampled})


def test_a_slot_that_is_left_empty() -> None:
    with pytest.raises(ValueError, match="Mine: parts: the slot 'value_of_rest' is empty: expected a function, got no"):
        made("Mine", update_rule=staticmethod(n_step.update), parts={"seen_from": n_step.sampled})


def test_no_rule_or_one_that_takes_something_else() -> None:
    with pytest.raises(
        ValueError, match=r"Mine: expected an update_rule, update\(memory, parameters, rng, step\), got "
    ):
        made("Mine")
    with pytest.raises(ValueError, match=r"update_rule: expected update\(memory, param.*, got old_rule\(memory: Any, "):
        made("Mine", update_rule=staticmethod(old_rule))
    with pytest.raises(ValueError, match=r"Mine: expected an update_rule, .*, got none"):
        made("Mine", parts={"update": towards_seven})


def test_parts_add_to_those_of_the_classes_above() -> None:
    class Mine(NStepSarsa):
        name = "mine"
        parts = {"seen_from": n_step.backed_up}  # noqa: RUF012

    stand_ins = {function.__name__: stand_in for function, stand_in in Mine.algorithm.stand_ins.items()}
    assert stand_ins["act"] is take_chosen
    assert stand_ins["seen_from"] is n_step.backed_up
    assert stand_ins["value_of_rest"] is n_step.sampled_rest


def test_what_is_no_algorithm_yet_says_so() -> None:
    class Between(TabularAgent, abstract=True):
        pass

    class Seven(Between):
        name = "seven"
        update_rule = staticmethod(towards_seven)

    agent = Seven(TwoStates(), learning_rate=1.0)
    agent.update(Transition(0, 1, 0.0, 1, True, False))
    assert agent.table[0] == [0.0, 7.0]


# -- arrays of one's own --------------------------------------------------------------------------------------


class LastRewards(NamedTuple):
    last_rewards: PairFloats


def remembering(memory: Memory, parameters: Parameters, rng: Any, step: Step) -> float:
    """Q-learning with the mean of this reward and the last one of the pair."""
    last_rewards = memory.own.last_rewards
    reward = (step.reward + last_rewards[step.state, step.action]) / 2
    last_rewards[step.state, step.action] = step.reward
    following = best_value(memory.q, step.next_state, parameters.num_actions)
    target = td_target(reward, step.terminated, following, parameters.discount)
    return move(memory.q, memory, parameters, step.state, step.action, target)


class Remembering(TabularAgent):
    name = "remembering"
    Arrays = LastRewards
    update_rule = staticmethod(remembering)


def test_arrays_of_ones_own_at_both_speeds_on_disk_and_in_a_sparse_table() -> None:
    agent = Remembering(TwoStates(), learning_rate=1.0, discount=0.0)
    agent.update(Transition(0, 1, 4.0, 1, False, False))
    agent.update(Transition(0, 1, 8.0, 1, False, False))
    assert agent.table[0] == [0.0, 6.0]
    states = []
    for engine in ("python", "compiled"):
        env = make_env("RLLab/Maze-v0", rows=4, cols=4, slip=0.2)
        env.reset(seed=1)
        agent = Remembering(env, seed=1)
        assert agent.choose_engine(engine, env, 10**9) == engine
        agent.train(env, Budget(steps=900))
        states.append(agent.get_state()["memory"])
    assert states[0]["last_rewards"].any()
    for name in ("last_rewards", "q"):
        assert states[0][name].tobytes() == states[1][name].tobytes()
    other = Remembering(env, seed=2)
    other.set_state(agent.get_state())
    np.testing.assert_array_equal(other.table.memory.own.last_rewards, states[0]["last_rewards"])
    sparse = Remembering(make_env("RLLab/Maze-v0", rows=12, cols=12), table="sparse")
    for state in range(100):  # more than there is room for at first
        sparse.update(Transition(state, 0, 1.0, 0, True, False))
    assert sparse.table.memory.own.last_rewards[:100, 0].tolist() == [1.0] * 100


def test_an_array_without_a_layout() -> None:
    class Strange(NamedTuple):
        numbers: FloatArray

    mine = made("Mine", update_rule=staticmethod(towards_seven), Arrays=Strange)
    with pytest.raises(ValueError, match=r"Strange.numbers: expected a layout, such as PairFloats, got"):
        mine(TwoStates())
