"""EnvPool's environments (Weng et al. 2022): written in C++, stepped together; the extra `fast`.

They cannot be put back where they were. A training stays exact all the same: after so many steps they are made anew,
with a seed that follows from the run's and from how far it is, and there alone it may be saved.
"""

import importlib.util
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from agents.env_copy import spec_of
from agents.storage import State
from agents.vector_envs import Results

POOLED = ("LunarLander-v3",)  # whose returns are distributed as Gymnasium's, by a test
RENEWED_AFTER = 5_000  # steps of each environment: five of the longest episodes


def check_pooled(env: gym.Env[Any, Any]) -> None:
    """Raise where EnvPool has no environment like the one that is given.

    Raises:
        ValueError: it has none, or is not installed.
    """
    spec = spec_of(env, "backend 'envpool'")
    if spec.id not in POOLED or spec.kwargs or spec.additional_wrappers:
        changed = f" with {', '.join(sorted(spec.kwargs))}" if spec.kwargs else ""
        wrapped = f" in {', '.join(one.name for one in spec.additional_wrappers)}" if spec.additional_wrappers else ""
        raise ValueError(f"backend: expected plain {POOLED[0]} with 'envpool', got {spec.id}{changed}{wrapped}")
    if importlib.util.find_spec("envpool") is None:
        raise ValueError(
            "backend: 'envpool' needs envpool, which is not installed: pip install 'rl-lab[fast]', where it has a "
            "wheel; backend = 'gymnasium' needs nothing"
        )


class PooledEnvs:
    """N environments of EnvPool's behind the face of `agents.vector_envs.TrainingEnvs`.

    An environment whose episode is over begins the next one in the same step.

    Args:
        env: one like them.
        count: N.

    Raises:
        ValueError: EnvPool has none like it.
    """

    def __init__(self, env: gym.Env[Any, Any], count: int) -> None:
        check_pooled(env)
        spec = spec_of(env, "backend 'envpool'")
        self.num_envs = count
        self.single_observation_space, self.single_action_space = env.observation_space, env.action_space
        self.observation_space = batch_space(env.observation_space, count)
        self.action_space = batch_space(env.action_space, count)
        self.metadata: dict[str, Any] = {"autoreset_mode": gym.vector.AutoresetMode.SAME_STEP}
        self._options: dict[str, Any] = {"task_id": spec.id, "num_envs": count, "num_threads": 1}
        if spec.max_episode_steps is not None:
            self._options["max_episode_steps"] = spec.max_episode_steps
        self._pool: Any = None
        self._seed, self._is_fresh = 0, False

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Results:
        """Make the environments anew: environment i with the seed `seed` + i."""
        import envpool

        self.close()
        self._seed, self._is_fresh = int(seed or 0), True
        self._pool = envpool.make_gymnasium(seed=self._seed, **self._options)
        observations, _ = self._pool.reset()
        return observations, {}

    def step(self, actions: NDArray[Any]) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """One step of every environment."""
        self._is_fresh = False
        reached, rewards, terminations, truncations, _ = self._pool.step(np.asarray(actions, dtype=np.int32))
        over = np.flatnonzero(terminations | truncations)
        if not len(over):
            return reached, rewards, terminations, truncations, {}
        following = reached.copy()
        following[over], _ = self._pool.reset(over.astype(np.int32))
        return following, rewards, terminations, truncations, {"final_obs": reached}

    def close(self) -> None:
        """Let go of them."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def get_snapshot(self) -> State:
        """Where they are: at the beginning.

        Raises:
            RuntimeError: they have been stepped since.
        """
        if not self._is_fresh:
            raise RuntimeError("EnvPool's environments cannot tell where they are: expected them to be new")
        return {"seed": self._seed}

    def set_snapshot(self, snapshot: State) -> Results:
        """Begin there.

        Raises:
            ValueError: it is no such snapshot.
        """
        if type(snapshot.get("seed")) is not int:
            raise ValueError("snapshot: expected the seed of EnvPool's environments")
        return self.reset(seed=snapshot["seed"])
