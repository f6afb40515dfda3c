"""Many environments in training: made from one, begun with one seed, and brought back to where they were.

envs = make_training_envs(env, settings.num_envs)
observations, infos = begin_training(envs, seed, monitor.env_snapshot)
while monitor.running:
    ...
    observations, rewards, terminations, truncations, infos = envs.step(actions)
    monitor.step(envs.num_envs)
    monitor.safe_point(lambda: envs.get_snapshot())
"""

from collections.abc import Callable
from typing import Any, Protocol, cast

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from agents.env_copy import maker_of, spec_of
from agents.env_snapshot import Replayable, get_space_state, set_space_state
from agents.storage import State

Results = tuple[Any, dict[str, Any]]  # observations [N, ...] and infos, as a reset gives them


class TrainingEnvs(Protocol):
    """A `gymnasium.vector.VectorEnv` whose whole position can be told and taken over."""

    num_envs: int
    single_observation_space: gym.Space[Any]
    single_action_space: gym.Space[Any]
    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]
    metadata: dict[str, Any]

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Results:
        """Begin an episode in every environment."""

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """One step of every environment."""

    def close(self) -> Any:
        """Close them."""

    def get_snapshot(self) -> State:
        """Where the environments are, their generators included: arrays and JSON values."""

    def set_snapshot(self, snapshot: State) -> Results:
        """Go on from there, in environments that were made alike.

        Raises:
            ValueError: the snapshot is not of such environments, or they do not come there.
        """


def make_training_envs(
    env: gym.Env[Any, Any], count: int, autoreset_mode: AutoresetMode = AutoresetMode.SAME_STEP
) -> TrainingEnvs:
    """`count` environments like the one that is given, which is left alone.

    Where there is one, the environment's own vector environment (as our mazes' compiled one), if it can tell its
    position and no wrapper lies around the environment; else copies that are stepped in turn.

    Raises:
        ValueError: the environment was not made by `gymnasium.make`, so that it cannot be made again.
    """
    spec = spec_of(env, "many environments")
    if _has_own_vector(spec):
        options: dict[str, Any] = {"autoreset_mode": autoreset_mode}
        own = gym.make_vec(spec, num_envs=count, vectorization_mode="vector_entry_point", **options)
        return cast(TrainingEnvs, own)
    return ReplayableEnvs([maker_of(env, "many environments")] * count, autoreset_mode)


def _has_own_vector(spec: EnvSpec) -> bool:
    """Is there a vector environment that can tell its position, and nothing put around the single one?"""
    if spec.vector_entry_point is None or spec.additional_wrappers or spec.max_episode_steps is not None:
        return False
    creator: Any = spec.vector_entry_point
    return hasattr(load_env_creator(creator) if isinstance(creator, str) else creator, "get_snapshot")


def begin_training(envs: TrainingEnvs, seed: int, snapshot: State | None) -> Results:
    """Begin: environment i with the seed `seed` + i; or go on from a snapshot."""
    if snapshot is not None:
        return envs.set_snapshot(snapshot)
    envs.action_space.seed(seed)
    return envs.reset(seed=seed)


class ReplayableEnvs(SyncVectorEnv):
    """Gymnasium's vector of environments that are stepped in turn, each of which comes back by what it did.

    Args:
        makers: each makes an environment.
        autoreset_mode: what follows the end of an episode.
    """

    envs: list[Replayable]  # type: ignore[assignment]

    def __init__(self, makers: list[Callable[[], gym.Env[Any, Any]]], autoreset_mode: AutoresetMode) -> None:
        super().__init__([_replayable(make) for make in makers], autoreset_mode=autoreset_mode)

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> Results:
        """Begin an episode in every environment; a seed is their action spaces' too, whose generators are kept."""
        if isinstance(seed, int):
            for index, env in enumerate(self.envs):
                env.action_space.seed(seed + index)
        results: Results = super().reset(seed=seed, options=options)
        return results

    def get_snapshot(self) -> State:
        """Where the environments are."""
        return {
            "envs": {str(index): env.snapshot() for index, env in enumerate(self.envs)},
            "over": self._autoreset_envs.copy(),
            "action_space": get_space_state(self.action_space),
        }

    def set_snapshot(self, snapshot: State) -> Results:
        """Go on from where `get_snapshot` was asked.

        Raises:
            ValueError: the snapshot is of another number of environments.
            NotReplayedError: an environment does not come there.
        """
        if len(snapshot["envs"]) != self.num_envs:
            raise ValueError(f"snapshot: expected {self.num_envs} environments, got {len(snapshot['envs'])}")
        for index, env in enumerate(self.envs):
            env.come_back(snapshot["envs"][str(index)])
        observations, infos = self.reset()
        self._autoreset_envs[:] = snapshot["over"]
        set_space_state(self.action_space, snapshot["action_space"])
        return observations, infos


def _replayable(make: Callable[[], gym.Env[Any, Any]]) -> Callable[[], Replayable]:
    return lambda: Replayable(make())
