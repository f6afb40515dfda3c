"""One learning step at a time: what an agent thought of a move, what came, and what it thinks of the move then."""

from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym

from agents.base import Transition
from agents.masks import binds, legal_actions
from agents.tabular import expected_sarsa, q_learning, sarsa
from agents.tabular.agent import TabularAgent
from agents.tabular.memory import CONSTANT
from envs.action_names import action_names
from envs.mazes.env import MazeEnv
from experiments.errors import InputError, located
from experiments.evaluation.environments import closing
from experiments.evaluation.episode_seeds import seeds_of
from experiments.policies.open_policy import open_policy

# What each rule says that the next state is worth. (Other rules reach further than a step, or learn two tables.)
NEXT_VALUES = {
    q_learning.update: "max Q(S',.)",
    sarsa.update: "Q(S',A')",
    expected_sarsa.update: "mean Q(S',.)",
}
EXPLAINED = "q_learning, sarsa or expected_sarsa"


class Lesson(NamedTuple):
    """What an agent learned from a step."""

    state: str
    action: str
    old: float  # Q(S, A) before
    reward: float
    next_value: float | None  # what S' is worth; None where the episode terminates: nothing follows
    target: float
    new: float  # Q(S, A) after
    ended: str  # "terminated" or "truncated", after the last step; else ""


class Explanation(NamedTuple):
    """Greedy episodes, in which an agent goes on learning, step by step."""

    title: str
    rule: str  # the update in words, with the run's numbers
    next_value: str  # what that is, in signs
    episodes: list[list[Lesson]]


def explain_run(run: Path, *, episodes: int = 1, at: int | None = None, trust_code: bool = False) -> Explanation:
    """Let a run's agent go on learning in the first episodes of its final evaluation, in a copy; it acts greedily.

    Args:
        run: the run's folder.
        episodes: how many.
        at: an env step of the training: begin with the last snapshot at or before it.
        trust_code: import the run's `module:Class` although this user has not run that code here.

    Raises:
        InputError: its agent's updates are not of a single step.
    """
    opened = open_policy(run, trust_code=trust_code)
    agent: Any = opened.agent(at, to_learn=True)
    rule = getattr(type(agent), "update_rule", None)
    if not isinstance(agent, TabularAgent) or rule not in NEXT_VALUES:
        raise InputError(f"{run}: --explain: expected a run of {EXPLAINED}, got {opened.run_spec.agent.id}")
    if at is not None and agent.parameters.learning_rate_schedule != CONSTANT:
        raise InputError(
            f"{run}: --explain: expected no --at where the learning rate depends on counts, which snapshots do not have"
        )
    if agent.settings.count_bonus > 0:
        raise InputError(f"{run}: --explain: expected a run without count_bonus, got {agent.settings.count_bonus:g}")
    agent.explore_no_more()
    seeds = seeds_of(opened.run_spec.evaluation, "final", episodes)
    with closing(opened.make_env()) as env, located(f"{run}: envs: {opened.run_spec.env.id}"):
        told = [_episode(agent, env, seed) for seed in seeds]
    return Explanation(f"{opened.whose}, {opened.how_far(at)}", _in_words(agent), NEXT_VALUES[rule], told)


def _in_words(agent: TabularAgent) -> str:
    settings = agent.settings
    rate = f"{settings.learning_rate:g}" if agent.parameters.learning_rate_schedule == CONSTANT else "learning rate"
    target = f"target = reward + {settings.discount:g} x {NEXT_VALUES[type(agent).update_rule]}"
    bins = "" if agent.discretiser is None else "\nstate: the number of the bin in each dimension, from 0"
    return f"{target};   new = old + {rate} x (target - old){bins}"


def _episode(agent: TabularAgent, env: gym.Env[Any, Any], seed: int) -> list[Lesson]:
    observation, info = env.reset(seed=seed)
    is_masked, names, discount = binds(env, info), action_names(env), agent.settings.discount
    agent.begin_episode()
    lessons: list[Lesson] = []
    terminated = truncated = False
    while not (terminated or truncated):
        mask = legal_actions(env, info) if is_masked else None
        state, row = _state(agent, env, observation), agent.row(observation)
        action = agent.select_action(observation, explore=True, mask=mask)
        old = float(agent.table.memory.q[row, action])
        next_observation, given, terminated, truncated, info = env.step(action)
        reward = float(given)
        if is_masked:
            agent.note_legal(next_observation, legal_actions(env, info))
        error = agent.update(Transition(observation, action, reward, next_observation, terminated, truncated)) or 0.0
        target = old + error
        lessons.append(
            Lesson(
                state=state,
                action=names[action],
                old=old,
                reward=reward,
                next_value=None if terminated or discount == 0 else (target - reward) / discount,
                target=target,
                new=float(agent.table.memory.q[row, action]),
                ended="terminated" if terminated else "truncated" if truncated else "",
            )
        )
        observation = next_observation
    return lessons


def _state(agent: TabularAgent, env: gym.Env[Any, Any], observation: Any) -> str:
    maze, discretiser = env.unwrapped, agent.discretiser
    if isinstance(maze, MazeEnv):
        row, col = divmod(maze.s % maze.num_cells, maze.cols)
        return f"({row}, {col}) {maze.held_keys}".rstrip()
    state = agent.state(observation)
    return str(state) if discretiser is None else discretiser.indices_text(state)
