"""Checks that every agent should pass: `rl-lab check my_module:MyAgent`, or in a test

@pytest.mark.parametrize("check", check_agent(MyAgent), ids=str)
def test_my_agent(check):
    check()
"""

import copy
import inspect
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from agents.base import Agent, OnlineAgent, Transition
from agents.budget import Budget, Stopped
from agents.check_case import Case, Check, CheckError, MakeEnv, NotApplicableError, expect
from agents.corridor import Corridor, Counted
from agents.env_snapshot import set_env_state
from agents.policy import Spaces

__all__ = ["Case", "Check", "CheckError", "NotApplicableError", "check_agent"]

STEPS = 300  # of training, in most checks
TEACHING = 2_000  # times that a transition is repeated, until its target is learned


def check_agent(agent_class: type[Agent], make_env: MakeEnv | None = None, **settings: Any) -> Iterator[Check]:
    """The checks of an agent, one by one.

    Args:
        agent_class: a subclass of `agents.base.Agent`.
        make_env: makes an environment for agents that cannot act in the two-armed corridor, a `Discrete(4)` with two
            actions; the checks that need the corridor then do not apply.
        settings: of the agent.
    """
    case = Case(agent_class, settings, make_env)
    for run in CHECKS:
        yield Check(run.__name__.removeprefix("check_"), run, case)


def check_contract(case: Case) -> None:
    """It is an `Agent`; actions are in the action space, action values one an action, the policy is a function."""
    expect(issubclass(case.agent_class, Agent), "a subclass of agents.base.Agent", case.agent_class.__mro__)
    agent, env = case.agent(), case.env()
    observation, _ = env.reset()
    for explore in (False, True):
        action = agent.select_action(observation, explore=explore)
        expect(env.action_space.contains(action), f"an action of {env.action_space}", action)
    action = agent.policy(0).action(observation)
    expect(env.action_space.contains(action), f"an action of {env.action_space} from policy(0)", action)
    action, state = agent.predict(observation)
    expect(env.action_space.contains(_item(action)), f"an action of {env.action_space} from predict", action)
    expect(state is None, "predict to return no state", state)
    values = agent.action_values(observation)
    if values is not None:
        expect(isinstance(values, np.ndarray) and values.dtype == np.float64, "action_values of float64", values)
        expect(values.shape == (int(env.action_space.n),), "one value an action", values.shape)  # type: ignore[attr-defined]


def check_monitor_hears_of_every_step_and_episode(case: Case) -> None:
    """Training stops with its budget, and the episodes' lengths add up to the steps."""
    agent, budget, env = case.agent(), Budget(steps=STEPS), Counted(case.env())
    agent.train(env, budget)
    expect(budget.count >= STEPS, f"at least {STEPS} steps", budget.count)
    expect(budget.count == env.steps, f"the monitor to hear of {env.steps} steps", budget.count)
    heard = [episode.length for episode in budget.episodes]
    expect(heard == env.lengths, f"the monitor to hear of episodes of lengths {env.lengths}", heard)
    agent.train(case.env(), few := Budget(episodes=3))
    expect(len(few.episodes) >= 3, "3 episodes", len(few.episodes))


def check_same_seed_same_training(case: Case) -> None:
    """Two agents of one seed train alike, to the byte; of another they need not."""
    states = []
    episodes = []
    for _ in range(2):
        agent, budget = case.agent(), Budget(steps=STEPS)
        agent.train(case.env(), budget)
        states.append(_files(agent))
        episodes.append(budget.episodes)
    expect(episodes[0] == episodes[1], "the same episodes from the same seed", "others")
    expect(states[0] == states[1], "the same state from the same seed", _difference(*states))


def check_save_and_load(case: Case) -> None:
    """What was saved and loaded is saved as the same bytes, and acts alike."""
    agent, loaded = case.agent(), case.agent(seed=4)
    agent.train(case.env(), Budget(steps=STEPS))
    _copy(agent, loaded)
    saved, again = _files(agent), _files(loaded)
    expect(saved == again, "a loaded agent to be saved alike", _difference(saved, again))
    if case.agent_class.seeded_policy:
        return
    for observation in _observations(case):
        one, other = agent.policy(7).action(observation), loaded.policy(7).action(observation)
        expect(np.array_equal(one, other), f"a loaded agent to act alike in {observation}", f"{one} and {other}")


def check_stopping_and_going_on(case: Case) -> None:
    """Saved at a safe point and loaded in another environment, it goes on as if it had never stopped."""
    whole, second = case.agent(), case.agent(seed=4)
    with tempfile.TemporaryDirectory() as folder:
        env, other = case.env(), case.env()
        uninterrupted = Stopped(STEPS, whole, env, Path(folder))
        whole.train(env, uninterrupted)
        if uninterrupted.state is None:
            raise CheckError("expected its training to tell of a safe point, got none")
        second.load(Path(folder))
        set_env_state(other, uninterrupted.state)
        gone_on = uninterrupted.rest()
        second.train(other, gone_on)
    expect(gone_on.episodes == uninterrupted.episodes, "the same episodes as without a stop", "others")
    expect(_files(whole) == _files(second), "the same state", _difference(_files(whole), _files(second)))


def check_greedy_actions_change_nothing(case: Case) -> None:
    """`explore=False`, `policy`, `action_values` and `predict` leave the whole state as it was."""
    agent = case.agent()
    agent.train(case.env(), Budget(steps=STEPS))
    before = _files(agent)
    for observation in _observations(case):
        agent.select_action(observation, explore=False)
        agent.policy(1).action(observation)
        agent.action_values(observation)
        agent.predict(observation, deterministic=True)
    expect(_files(agent) == before, "looking to change nothing", _difference(before, _files(agent)))


def check_policy_acts_on_batches(case: Case) -> None:
    """`policy` acts on many observations as `select_action` does on each, and draws from no global generator."""
    agent = case.agent()
    agent.train(case.env(), Budget(steps=STEPS))
    observations = _observations(case)
    before = _global_generators()
    policy = agent.policy(1)
    actions = policy.act(np.array(observations))
    policy.action_values(np.array(observations))
    expect(len(actions) == len(observations), f"{len(observations)} actions for as many observations", len(actions))
    expect(_global_generators() == before, "a policy to leave the global generators alone", "draws from them")
    if case.agent_class.seeded_policy:
        return
    for observation, action in zip(observations, actions, strict=True):
        alone = agent.select_action(observation, explore=False)
        # A batch of numbers may be added up in another order than one of them: continuous actions differ in last bits.
        same = np.array_equal(action, alone) or (
            np.asarray(action).dtype.kind == "f" and np.allclose(action, alone, rtol=1e-4, atol=1e-6)
        )
        expect(same, f"{alone} in {observation}, as select_action has it, from policy", action)


def check_policy_is_frozen(case: Case) -> None:
    """What is learned after `policy` was called does not change what that does."""
    agent = case.agent()
    agent.train(case.env(), Budget(steps=STEPS))
    observations = np.array(_observations(case))
    policy = agent.policy(1)
    values = policy.action_values(observations)
    before = values, None if case.agent_class.seeded_policy else policy.act(observations)
    agent.train(case.env(), Budget(steps=STEPS))
    now = policy.action_values(observations), None if case.agent_class.seeded_policy else policy.act(observations)
    for one, other in zip(before, now, strict=True):
        same = (one is None and other is None) or np.array_equal(np.asarray(one), np.asarray(other), equal_nan=False)
        expect(same, "a policy that later training does not change", f"{one}, and later {other}")


def check_acting_needs_two_spaces_only(case: Case) -> None:
    """Made from the two spaces, with `policy_state` or the whole state, it acts as the trained agent does."""
    agent, env = case.agent(), case.env()
    agent.train(env, Budget(steps=STEPS))
    before = _global_generators()
    for name, state in (("policy_state", agent.policy_state()), ("get_state", agent.get_state())):
        other = case.agent_class(Spaces.of(env), seed=3, **case.settings)
        other.set_policy_state(copy.deepcopy(state))
        if case.agent_class.seeded_policy:
            continue
        for observation in _observations(case):
            one, same = agent.policy(7).action(observation), other.policy(7).action(observation)
            expect(np.array_equal(one, same), f"{one} in {observation} from an agent with its {name}", same)
    if not case.agent_class.own_process:
        expect(_global_generators() == before, "opening a policy to leave the global generators alone", "draws")


def check_masks_are_respected(case: Case) -> None:
    """Where one action is legal, that one is taken: exploring, greedily, and by the policy."""
    if "mask" not in inspect.signature(case.agent_class.select_action).parameters:
        raise NotApplicableError("it takes no masks: it is for environments without illegal actions")
    agent, env = case.agent(), case.env()
    agent.train(env, Budget(steps=STEPS))
    if not isinstance(env.action_space, spaces.Discrete):
        raise NotApplicableError("masks are of discrete actions")
    observation = _observations(case)[0]
    for legal in range(int(env.action_space.n)):
        mask = np.arange(env.action_space.n) == legal
        taken = agent.select_action(observation, explore=False, mask=mask)
        expect(taken == legal, f"the only legal action, {legal}, greedily", taken)
        taken = agent.select_action(observation, explore=True, mask=mask)
        expect(taken == legal, f"the only legal action, {legal}, exploring", taken)
        taken = agent.policy(0).act(np.array([observation]), mask[None])[0]
        expect(taken == legal, f"the only legal action, {legal}, by the policy", taken)


def check_no_global_randomness(case: Case) -> None:
    """Training neither draws from the global generators of NumPy and `random`, nor depends on them."""
    if case.agent_class.own_process:
        raise NotApplicableError("it says itself that it draws from global generators (own_process)")
    before = _global_generators()
    agent = case.agent()
    agent.train(case.env(), Budget(steps=STEPS))
    expect(_global_generators() == before, "the global generators to be left alone", "draws from them")


def check_termination_and_truncation(case: Case) -> None:
    """A target at a limit of steps exceeds that at a termination by exactly discount * max Q(next)."""
    case.in_corridor()
    discount = getattr(case.agent().settings, "discount", None)  # where none is told, it may be anything above 0.5
    agents = [case.agent(), case.agent()]
    if not case.agent_class.controls or not isinstance(agents[0], OnlineAgent):
        raise NotApplicableError("it is about agents that learn which actions are best, by `update`")
    if agents[0].action_values(1) is None or type(agents[0]).update is OnlineAgent.update:
        raise NotApplicableError("it is about agents that learn action values by `update`")
    learned = []
    for agent, terminated in zip(agents, (True, False), strict=True):
        assert isinstance(agent, OnlineAgent)
        for _ in range(TEACHING):  # whatever is done in the next state is worth 8
            for action in range(2):
                _teach(agent, Transition(2, action, 8.0, 0, True, False))
        for _ in range(TEACHING):
            _teach(agent, Transition(1, 0, 1.0, 2, terminated, not terminated))
        learned.append((agent.action_values(1), agent.action_values(2)))
    (ended, _), (cut, following) = learned
    if ended is None or cut is None or following is None:
        raise CheckError("expected action values, got None")
    expect(abs(ended[0] - 1.0) < 0.05, "the reward alone, 1, where the episode terminates", ended[0])
    least, most = (ended[0] + factor * following.max() for factor in (discount or 0.5, discount or 1.0))
    expected = f"{least:.2f}" if discount else f"{least:.2f} to {most:.2f}"
    expect(least - 0.05 < cut[0] < most + 0.05, f"{expected} where a limit cuts the episode off", f"{cut[0]:.2f}")


def check_learning(case: Case) -> None:
    """It finds the better of two arms, which pays later; its optimum is known."""
    case.in_corridor()
    if not case.agent_class.controls:
        raise NotApplicableError("it says itself that it learns no policy (controls)")
    agent = case.agent()
    agent.train(case.env(), Budget(steps=6_000))
    env = case.env()
    policy, total, over = agent.policy(0), 0.0, False
    observation, _ = env.reset()
    while not over:
        observation, reward, terminated, truncated, _ = env.step(policy.action(observation))
        total, over = total + float(reward), terminated or truncated
    expect(total == Corridor.OPTIMUM, f"the optimum of the corridor, {Corridor.OPTIMUM}, after 6,000 steps", total)


def check_spaces_it_cannot_handle(case: Case) -> None:
    """Where it cannot act it says so when it is made, in a ValueError of one line."""
    box, one_of_two = spaces.Box(-1.0, 1.0, (2,)), spaces.Discrete(2)
    strange: list[tuple[Any, Any]] = [
        (one_of_two, box),
        (spaces.Dict({"a": one_of_two, "b": box}), one_of_two),
        (spaces.Box(0, 255, (8, 8, 3), np.uint8), one_of_two),
        (spaces.Discrete(3), spaces.MultiDiscrete([2, 2])),
        (spaces.Discrete(3), spaces.Discrete(2, start=5)),
    ]
    for observations, actions in strange:
        env = Corridor()
        env.observation_space, env.action_space = observations, actions
        where = f"{observations} and {actions}"
        try:
            agent = case.agent_class(env, seed=0, **case.settings)
        except ValueError as error:
            expect(bool(str(error)) and "\n" not in str(error).strip(), f"one line for {where}", str(error))
            continue
        except Exception as error:
            raise CheckError(f"expected a ValueError, or an agent, for {where}, got {error!r}") from error
        observations.seed(0)
        action = agent.select_action(observations.sample(), explore=True)
        expect(actions.contains(action), f"an action of {actions}", action)


CHECKS = (
    check_contract,
    check_monitor_hears_of_every_step_and_episode,
    check_same_seed_same_training,
    check_save_and_load,
    check_stopping_and_going_on,
    check_greedy_actions_change_nothing,
    check_policy_acts_on_batches,
    check_policy_is_frozen,
    check_acting_needs_two_spaces_only,
    check_masks_are_respected,
    check_no_global_randomness,
    check_termination_and_truncation,
    check_learning,
    check_spaces_it_cannot_handle,
)


def _global_generators() -> tuple[str, str]:
    """Where NumPy's and Python's global generators are."""
    import random as library

    return repr(np.random.get_state()), repr(library.getstate())  # noqa: NPY002


def _item(action: Any) -> Any:
    return action.item() if isinstance(action, np.ndarray) and action.ndim == 0 else action


def _teach(agent: OnlineAgent, transition: Transition) -> None:
    """One episode of one step."""
    agent.begin_episode()
    agent.select_action(transition.observation, explore=True)
    agent.update(transition)


def _observations(case: Case) -> list[Any]:
    env = case.env()
    seen = [env.reset()[0]]
    for _ in range(20):
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        seen.append(env.reset()[0] if terminated or truncated else observation)
    return seen


def _files(agent: Agent) -> dict[str, bytes]:
    """What the agent saves."""
    with tempfile.TemporaryDirectory() as folder:
        agent.save(Path(folder) / "saved")
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _copy(agent: Agent, other: Agent) -> None:
    with tempfile.TemporaryDirectory() as folder:
        agent.save(Path(folder) / "saved")
        other.load(Path(folder) / "saved")


def _difference(one: dict[str, bytes], other: dict[str, bytes]) -> str:
    names = [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
    return f"other bytes in {', '.join(Path(name).name for name in names)}"
