"""The second speed: whole episodes in machine code, where the result is the same bit for bit."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from agents.base import Episode, Monitor
from agents.tabular import episodes
from agents.tabular.episodes import NO_LIMIT, Episodes
from agents.tabular.memory import EPSILON_GREEDY
from agents.tabular.sampler import last_info, make_sampler, put

if TYPE_CHECKING:
    from agents.tabular.agent import TabularAgent

MOST_STEPS = 1 << 20  # in one call: then the monitor is told, and Ctrl-C is heard
MOST_EPISODES = 1 << 14


def train(agent: "TabularAgent", env: gym.Env[Any, Any], monitor: Monitor) -> None:
    """What the loop of `agents.base` does, episode after episode, until the monitor's budget is spent."""
    _Session(agent, env, monitor).train()


def train_many(
    agents: Sequence["TabularAgent"], envs: Sequence[gym.Env[Any, Any]], monitors: Sequence[Monitor], jobs: int
) -> None:
    """Train agents, each in an environment of its own, `jobs` at once: machine code needs no lock of Python's."""
    with ThreadPoolExecutor(jobs) as pool:
        for _ in pool.map(train, agents, envs, monitors):
            pass


class _Session:
    def __init__(self, agent: "TabularAgent", env: gym.Env[Any, Any], monitor: Monitor) -> None:
        self.agent, self.env, self.monitor = agent, env, monitor
        self.sampler = make_sampler(env)
        self.rules = agent.rules_in_machine_code()
        self.position = np.zeros(8, dtype=np.int64)
        self.sums = np.zeros(2)
        whole = {"lengths", "outcomes"}
        columns = {name: np.zeros(MOST_EPISODES, np.int64 if name in whole else float) for name in Episodes._fields}
        self.ended = Episodes(**columns)
        self.told = 0  # steps of the episode under way that the monitor knows of

    def train(self) -> None:
        agent, monitor = self.agent, self.monitor
        try:
            while monitor.running:
                num_steps, num_episodes = monitor.until_needed()
                room = len(agent.table.memory.states) if "history" in agent.needs else NO_LIMIT
                self.rules.run(
                    agent.table.memory, agent.parameters, self.sampler,
                    agent.exploration_rng, self.env.unwrapped.np_random,
                    self.position, self.sums, self.ended,
                    min(num_steps, MOST_STEPS), min(num_episodes, MOST_EPISODES), room,
                )  # fmt: skip
                if self.position[episodes.UNDER_WAY] and self.position[episodes.LENGTH] == room:
                    agent.table.keep_more_steps()
                self._tell(int(self.position[episodes.STEPS]), int(self.position[episodes.EPISODES]))
        finally:
            self._put_env()

    def _tell(self, num_steps: int, num_episodes: int) -> None:
        """Tell the monitor what has happened, in the order in which it happened."""
        ended = Episodes(*(column[:num_episodes].tolist() for column in self.ended))
        has_epsilon = self.agent.parameters.exploration == EPSILON_GREEDY
        for total_reward, length, rate, error, outcome in zip(*ended, strict=True):
            self._step(length - self.told)
            num_steps -= length - self.told
            self.told = 0
            self.agent.num_episodes += 1
            info = self._info(outcome, length)
            self.monitor.episode(
                Episode(total_reward, length, rate if has_epsilon else None, None if error != error else error, info)
            )
            self.monitor.safe_point()
        self.told += num_steps
        self._step(num_steps)

    def _step(self, count: int) -> None:
        if count > 0:
            self.agent.num_steps += count
            self.monitor.step(count)

    def _info(self, outcome: int, length: int) -> dict[str, Any]:
        """The environment's, at the episode's last step."""
        sampler = self.sampler
        put(self.env, int(sampler.next_states[outcome]), 0, length, 0)
        return last_info(self.env, float(sampler.probabilities[outcome]))

    def _put_env(self) -> None:
        state, start, length, action = (
            int(self.position[index]) for index in (episodes.STATE, episodes.START, episodes.LENGTH, episodes.ACTION)
        )
        if length > 0:
            put(self.env, state, start, length, action)
