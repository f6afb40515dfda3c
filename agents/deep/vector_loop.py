"""The agent-environment loop of `agents.base` over N environments that are stepped together."""

from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.base import Episode, Monitor
from agents.masks import KEY, binds
from agents.pooled_envs import RENEWED_AFTER, PooledEnvs
from agents.seeding import integer
from agents.storage import State
from agents.vector_envs import TrainingEnvs, begin_training, make_training_envs

if TYPE_CHECKING:
    from agents.deep.dqn import DQN


def train_on_vector(agent: "DQN", env: gym.Env[Any, Any], monitor: Monitor) -> None:
    """Train until the monitor's budget is spent, in environments like the one that is given."""
    count, is_pooled = agent.settings.num_envs, agent.settings.backend == "envpool"
    envs: TrainingEnvs = PooledEnvs(env, count) if is_pooled else make_training_envs(env, count)
    try:
        VectorLoop(agent, env, envs, monitor, RENEWED_AFTER if is_pooled else None).run()
    finally:
        envs.close()


class VectorLoop:
    """A training in N environments; it may be saved after every step of them, or where they are made anew.

    Args:
        agent: learns.
        env: one like them.
        envs: the environments.
        monitor: is told.
        renewed_after: steps after which they are made anew, where their position can only be told then.
    """

    def __init__(
        self,
        agent: "DQN",
        env: gym.Env[Any, Any],
        envs: TrainingEnvs,
        monitor: Monitor,
        renewed_after: int | None = None,
    ) -> None:
        self._agent, self._env, self._envs, self._monitor = agent, env, envs, monitor
        self._rewards, self._lengths = np.zeros(envs.num_envs), np.zeros(envs.num_envs, dtype=np.int64)
        self._error_sums, self._error_counts = self._rewards.copy(), self._lengths.copy()
        self._epsilon = 0.0  # at the last step
        self._renewed_after, self._age = renewed_after, 0  # steps since the environments were made
        saved = monitor.env_snapshot
        if saved is not None:
            for name, mine in self._sums().items():
                mine[:] = saved[name]
        seed = integer(agent.seed, "environment")
        self._observations, infos = begin_training(envs, seed, None if saved is None else saved["envs"])
        self._masks = self._legal(infos)

    def _sums(self) -> dict[str, NDArray[Any]]:
        """What the episodes under way have come to [N]."""
        return {
            "rewards": self._rewards,
            "lengths": self._lengths,
            "error_sums": self._error_sums,
            "error_counts": self._error_counts,
        }

    def _legal(self, infos: dict[str, Any]) -> NDArray[np.bool_] | None:
        """Which actions are legal [N, A]; None where all are."""
        if KEY not in infos or not binds(self._env, infos):
            return None
        masks = np.array([np.asarray(mask, dtype=np.bool_) for mask in infos[KEY]])
        return np.where(masks.any(axis=1, keepdims=True), masks, True)

    def run(self) -> None:
        """Until the budget is spent."""
        while self._monitor.running:
            self._step()
            if self._renewed_after is None or self._renewed(self._renewed_after):
                self._monitor.safe_point(self.snapshot)

    def _renewed(self, after: int) -> bool:
        """Were the environments made anew? After so many steps, and in the end: what goes on begins with new ones.

        Episodes that are cut there go on in what is remembered, by the values of the states that they had come to, and
        nobody hears of them.
        """
        self._age += 1
        if self._age < after and self._monitor.running:
            return False
        self._agent.leave_episodes(self._observations)
        seed = integer(self._agent.seed, "environment", self._agent.num_steps)
        self._observations, infos = begin_training(self._envs, seed, None)
        self._masks = self._legal(infos)
        for sums in self._sums().values():
            sums[:] = 0
        self._age = 0
        return True

    def _step(self) -> None:
        agent = self._agent
        self._epsilon = agent.epsilon
        actions = agent.explore_many(self._observations, self._masks)
        following, rewards, terminations, truncations, infos = self._envs.step(actions)
        over = terminations | truncations
        reached = self._reached(following, over, infos)
        next_masks = self._legal(infos)
        legal = self._legal_there(next_masks, over, infos)
        agent.remember_many(self._observations, actions, rewards, reached, terminations, truncations, legal)
        self._rewards += rewards
        self._lengths += 1
        for error in agent.learn_after(self._envs.num_envs):
            self._error_sums += error
            self._error_counts += 1
        self._observations, self._masks = following, next_masks
        self._monitor.step(self._envs.num_envs)
        for env in np.flatnonzero(over):
            self._tell(int(env), infos)

    def _reached(self, following: Any, over: NDArray[np.bool_], infos: dict[str, Any]) -> NDArray[Any]:
        """The states that the steps led to [N, ...], as they are stored: where an episode ended, its last."""
        features = self._agent.features
        stored = features.stored_rows(following, len(over))
        if over.any():
            stored = stored.copy()
            for env in np.flatnonzero(over):
                stored[env] = features.stored(infos["final_obs"][env])
        return stored

    def _legal_there(
        self, masks: NDArray[np.bool_] | None, over: NDArray[np.bool_], infos: dict[str, Any]
    ) -> NDArray[np.bool_] | None:
        """Which actions [N, A] are legal in the states that the steps led to."""
        if masks is None or not over.any():
            return masks
        there = masks.copy()
        final = infos.get("final_info", {}).get(KEY)
        for env in np.flatnonzero(over):
            mask = None if final is None else np.asarray(final[env], dtype=np.bool_)
            there[env] = mask if mask is not None and mask.any() else True
        return there

    def _tell(self, env: int, infos: dict[str, Any]) -> None:
        """An episode has ended."""
        agent, final = self._agent, infos.get("final_info", {})
        info = {key: value[env] for key, value in final.items() if f"_{key}" in final and final[f"_{key}"][env]}
        count = int(self._error_counts[env])
        error = float(self._error_sums[env]) / count if count else None
        agent.num_episodes += 1
        agent.tell()
        total, length = float(self._rewards[env]), int(self._lengths[env])
        self._monitor.episode(Episode(total, length, self._epsilon, error, info))
        for sums in self._sums().values():
            sums[env] = 0

    def snapshot(self) -> State:
        """Where the environments are, and what the episodes under way have come to."""
        return {"envs": self._envs.get_snapshot(), **{name: sums.copy() for name, sums in self._sums().items()}}
