"""The second speed: whole episodes in machine code, where the result is the same bit for bit."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import gymnasium as gym
import numpy as np

from agents.base import Episode, Monitor
from agents.tabular import episodes
from agents.tabular.episodes import NO_LIMIT, Episodes
from agents.tabular.memory import EPSILON_GREEDY
from agents.tabular.sampler import last_info, make_sampler, put
from machine_code.interrupts import interrupts_deferred

if TYPE_CHECKING:
    from agents.tabular.agent import TabularAgent

MOST_STEPS = 1 << 20  # in one call: then the monitor is told, and Ctrl-C is heard
MOST_EPISODES = 1 << 14


def train(agent: "TabularAgent", env: gym.Env[Any, Any], monitor: Monitor) -> None:
    """What the loop of `agents.base` does, episode after episode, until the monitor's budget is spent."""
    Session(agent, env).train(monitor)


def train_many(
    agents: Sequence["TabularAgent"], envs: Sequence[gym.Env[Any, Any]], num_steps: int, jobs: int
) -> list[Episodes]:
    """Train agents, each in an environment of its own, on `jobs` cores; their episodes.

    Each ends as it would alone. Machine code needs no lock of Python's, so that threads do.
    """

    def train_one(agent: "TabularAgent", env: gym.Env[Any, Any]) -> Episodes:
        session = Session(agent, env)
        left, parts = num_steps, []
        while left > 0:
            num_done, ended = session.advance(left, left)
            parts.append([column.copy() for column in ended])
            left -= num_done
            agent.num_steps += num_done
            agent.num_episodes += len(ended.lengths)
        session.put_env()
        return Episodes(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    if agents:
        agents[0].algorithm.compiled_run(agents[0].name)  # once, before the threads begin
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(train_one, agents, envs))


class Session:
    """An agent's training in an environment, which begins between two episodes."""

    def __init__(self, agent: "TabularAgent", env: gym.Env[Any, Any]) -> None:
        agent.settle()
        self.agent, self.env = agent, env
        self.sampler = make_sampler(env)
        self._run = agent.algorithm.compiled_run(agent.name)
        self.position = np.zeros(8, dtype=np.int64)
        self.sums = np.zeros(2)
        whole = {"lengths", "outcomes"}
        columns = {name: np.zeros(MOST_EPISODES, np.int64 if name in whole else float) for name in Episodes._fields}
        self.ended = Episodes(**columns)
        self.told = 0  # steps of the episode under way that the monitor knows of
        with interrupts_deferred():
            self.advance(0, 0)  # compiles, where that was not done yet

    def train(self, monitor: Monitor) -> None:
        """Train until the monitor's budget is spent, and put the environment where the training has come to."""
        try:
            while monitor.running:
                self._tell(monitor, *self.advance(*monitor.allowance()))
        finally:
            self.put_env()

    def advance(self, most_steps: int, most_episodes: int) -> tuple[int, Episodes]:
        """Go on; the steps that were made, and the episodes that have ended (in arrays that the next call overwrites).

        It stops after these many steps or ends of episodes, or sooner.
        """
        from machine_code.pcg64 import pack, put_back  # loads numba

        agent = self.agent
        room = agent.table.history or NO_LIMIT
        rngs = agent.exploration_rng, self.env.unwrapped.np_random
        words = [pack(rng) for rng in rngs]
        self._run(
            agent.table.memory, agent.parameters, self.sampler, *words, self.position, self.sums, self.ended,
            min(most_steps, MOST_STEPS), min(most_episodes, MOST_EPISODES), room,
        )  # fmt: skip
        for drawn, rng in zip(words, rngs, strict=True):
            put_back(drawn, rng)
        if self.position[episodes.UNDER_WAY] and self.position[episodes.LENGTH] == room:
            agent.table.keep_more_steps()
        count = int(self.position[episodes.EPISODES])
        return int(self.position[episodes.STEPS]), Episodes(*(cast(Any, column[:count]) for column in self.ended))

    def _tell(self, monitor: Monitor, num_steps: int, ended: Episodes) -> None:
        """Tell the monitor what has happened, in the order in which it happened."""
        has_epsilon = self.agent.parameters.exploration == EPSILON_GREEDY
        columns = (column.tolist() for column in ended)
        for total_reward, length, rate, error, outcome in zip(*columns, strict=True):
            self._step(monitor, length - self.told)
            num_steps -= length - self.told
            self.told = 0
            self.agent.num_episodes += 1
            info = self._info(outcome, length)
            monitor.episode(
                Episode(total_reward, length, rate if has_epsilon else None, None if error != error else error, info)
            )
        self.told += num_steps
        self._step(monitor, num_steps)
        if not self.position[episodes.UNDER_WAY]:  # the agent is where the monitor has been brought
            monitor.safe_point()

    def _step(self, monitor: Monitor, count: int) -> None:
        if count > 0:
            self.agent.num_steps += count
            monitor.step(count)

    def _info(self, outcome: int, length: int) -> dict[str, Any]:
        """The environment's, at the episode's last step."""
        sampler = self.sampler
        put(self.env, int(sampler.next_states[outcome]), 0, length, 0)
        return last_info(self.env, float(sampler.probabilities[outcome]))

    def put_env(self) -> None:
        """Put the environment where the training has come to."""
        state, start, length, action = (
            int(self.position[index]) for index in (episodes.STATE, episodes.START, episodes.LENGTH, episodes.ACTION)
        )
        if length > 0:
            put(self.env, state, start, length, action)
