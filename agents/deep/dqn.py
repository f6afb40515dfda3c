"""Deep Q-network (Mnih et al. 2015): what the tables do, with a network in the place of the table.

What an update computes is in `agents.deep.torch_learner`, and quicker in `agents.deep.compiled_learner`; what an
update learns from, in `agents.deep.replay`.
"""

import math
import operator
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents import storage
from agents.base import Monitor, OnlineAgent, Settings, Transition, require_discrete_actions
from agents.deep.features import Features
from agents.deep.learner import Learner, Network, is_compiled, make_learner, make_network
from agents.deep.policy import NetworkPolicy
from agents.deep.replay import ReplayBuffer, check_room
from agents.deep.settings import DQNSettings
from agents.deep.threads import check_cuda, one_blas_thread, one_torch_thread
from agents.deep.vector_loop import train_on_vector
from agents.policy import Policy, Spaces, first_best
from agents.pooled_envs import check_pooled
from agents.seeding import UniformDraws, generator
from agents.storage import State


class DQN(OnlineAgent):
    """Learns action values with a network, from transitions that it remembers."""

    Settings: ClassVar[type[Settings]] = DQNSettings
    settings: DQNSettings
    name: ClassVar[str] = "dqn"
    learning_names: ClassVar[tuple[str, ...]] = ("loss", "mean_q", "gradient_norm", "buffer_size")

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        self.num_actions = require_discrete_actions(self.name, self.action_space)
        self.features = Features(self.observation_space, self.settings.network)
        self.replay_rng = generator(seed, "replay")
        self._draws = UniformDraws(self.exploration_rng)
        self._learner: Learner | None = None  # made when it is first needed: to act takes less
        self._replay: ReplayBuffer | None = None
        self._network: Network | None = None  # of an agent that is only to act
        self._max_steps = 1
        self._monitor: Monitor | None = None
        self._last_epsilon: float | None = None
        self._masks: list[NDArray[np.bool_]] = []  # that were told since the last update
        self._num_seen = 0  # env steps that were remembered
        self._sums = np.zeros(4)  # of loss, mean q and gradient norm since the log was written, and of how many updates
        self._is_compiled = is_compiled(self.settings, self.features)

    def prepare(self, env: gym.Env[Any, Any]) -> None:
        """Is there what learning needs? An agent that is only to act, made from spaces alone, needs none of it.

        Raises:
            ValueError: there is no such device or environment, or less memory than the transitions would take.
        """
        check_room(self.settings.buffer_size, self.features, self.num_actions)
        if self.settings.backend == "envpool" and self.settings.num_envs > 1:
            check_pooled(env)
        if self.settings.device == "cuda":
            check_cuda()

    @property
    def learner(self) -> Learner:
        """What learns."""
        if self._learner is None:
            rng = generator(self.seed, "network")
            self._learner = make_learner(self.settings, self.features, self.num_actions, rng)
        return self._learner

    @property
    def replay(self) -> ReplayBuffer:
        """What is remembered."""
        if self._replay is None:
            self._replay = ReplayBuffer(self.settings, self.features, self.num_actions)
        return self._replay

    # -- acting -----------------------------------------------------------------------------------------------

    def select_action(self, observation: Any, *, explore: bool, mask: NDArray[np.bool_] | None = None) -> int:
        """Epsilon-greedy when exploring; else the best action of the averaged weights, where they are averaged."""
        if not explore:
            return first_best(self.action_values(observation).tolist(), mask)
        if self._draws.random() < self.epsilon:
            legal = None if mask is None else np.flatnonzero(mask)
            choice = int(self._draws.random() * (self.num_actions if legal is None else len(legal)))
            return choice if legal is None else int(legal[choice])
        values = self.learner.values(self.features.rows(self.features.stored(observation)[None])[0])
        return int(np.argmax(values if mask is None else np.where(mask, values, -np.inf)))

    def explore_many(self, observations: Any, masks: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        """Epsilon-greedy actions [N] in N environments."""
        num_envs, draw, epsilon = self.settings.num_envs, self._draws.random, self.epsilon
        values = self.learner.values_of_many(self.features.rows(self.features.stored_rows(observations, num_envs)))
        actions: NDArray[np.int64] = (values if masks is None else np.where(masks, values, -np.inf)).argmax(axis=1)
        for env in range(num_envs):
            if draw() < epsilon:
                legal = np.arange(self.num_actions) if masks is None else np.flatnonzero(masks[env])
                actions[env] = legal[int(draw() * len(legal))]
        return actions

    def action_values(self, observation: Any) -> NDArray[np.float64]:
        """Q(S, .) [A]."""
        rows = self.features.rows(self.features.stored(observation)[None])
        values: NDArray[np.float64] = self._acting().values_of_many(rows)[0].astype(np.float64)
        return values

    def _acting(self) -> Network:
        return self.learner.acting() if self._network is None else self._network

    def policy(self, seed: int) -> Policy:
        """The greedy policy of the network as it is now."""
        return NetworkPolicy(self.features, self._acting())

    def torch_module(self) -> Any:
        """The network that acts, on observations as they are.

        Raises:
            ValueError: they are put together of others.
        """
        from agents.deep.torch_module import PolicyModule

        return PolicyModule(self.settings, self.features, self.num_actions, self._acting().parameters())

    @property
    def epsilon(self) -> float:
        """Probability of a random action now."""
        settings = self.settings
        if settings.epsilon_schedule == "constant":
            return settings.epsilon
        least = min(settings.epsilon, settings.epsilon_min)  # a decay never rises
        if settings.epsilon_schedule == "exponential":
            return max(least, settings.epsilon * settings.epsilon_decay**self.num_episodes)
        return self._faded(settings.epsilon, least, settings.epsilon_decay_steps, settings.epsilon_decay_share)

    @property
    def learning_rate(self) -> float:
        """Of the next update."""
        settings = self.settings
        if settings.learning_rate_schedule == "constant":
            return settings.learning_rate
        least = min(settings.learning_rate, settings.learning_rate_min)
        length, share = settings.learning_rate_decay_steps, settings.learning_rate_decay_share
        return self._faded(settings.learning_rate, least, length, share)

    def _faded(self, first: float, last: float, length: int, share: float | None) -> float:
        """What has gone from the first to the last in a straight line, over env steps or a share of the run's."""
        over = length if share is None else max(1, round(share * self._max_steps))
        return first + (last - first) * min(1.0, self.num_steps / over)

    @property
    def last_epsilon(self) -> float | None:
        """Probability of a random action at the last step of the episode that has ended."""
        return self._last_epsilon

    # -- learning ---------------------------------------------------------------------------------------------

    def train(self, env: gym.Env[Any, Any], monitor: Monitor) -> None:
        """Interact with `env` until the monitor's budget is spent."""
        self._monitor, self._max_steps = monitor, max(1, monitor.max_steps)
        self._network = None  # what learns acts from now on
        if monitor.env_snapshot is None:
            self.replay.forget_pending()
        with one_blas_thread() if self._is_compiled else one_torch_thread():
            if self.settings.num_envs > 1:
                train_on_vector(self, env, monitor)
            else:
                super().train(env, monitor)

    def note_legal(self, observation: Any, mask: NDArray[np.bool_]) -> None:
        """Of the next state, and then of that which is learned from: the last two masks before an update."""
        self.replay.mind_masks()
        self._masks.append(mask)

    def begin_episode(self) -> None:
        """Nothing is known of the next state, and no step waits for rewards of another episode."""
        self._masks.clear()
        self.replay.forget_pending()

    def update(self, transition: Transition) -> float | None:
        """Remember one transition, and learn from a batch when it is time; the batch's mean absolute error."""
        observation, action, reward, next_observation, terminated, truncated = transition
        stored, legal = self.features.stored, self._masks[-2] if len(self._masks) > 1 else None
        self._masks.clear()
        self.replay.add(stored(observation), action, reward, stored(next_observation), terminated, truncated, legal)
        error = self.learn_if_due()
        if terminated or truncated:
            self._last_epsilon = self.epsilon
            self.tell()
        return error

    def remember_many(
        self,
        observations: Any,
        actions: NDArray[np.int64],
        rewards: NDArray[Any],
        reached: NDArray[Any],
        terminations: NDArray[np.bool_],
        truncations: NDArray[np.bool_],
        next_masks: NDArray[np.bool_] | None,
    ) -> None:
        """One step of N environments; `reached` is as it is stored."""
        if next_masks is not None:
            self.replay.mind_masks()
        stored = self.features.stored_rows(observations, len(actions))
        columns = (column.tolist() for column in (actions, rewards, terminations, truncations))
        for env, (action, reward, terminated, truncated) in enumerate(zip(*columns, strict=True)):
            legal = None if next_masks is None else next_masks[env]
            self.replay.add(stored[env], action, reward, reached[env], terminated, truncated, legal, env)

    def leave_episodes(self, observations: Any) -> None:
        """The episodes of all N environments are left in these states."""
        for env, stored in enumerate(self.features.stored_rows(observations, self.settings.num_envs)):
            self.replay.leave(env, stored)

    def learn_after(self, count: int) -> list[float]:
        """So many env steps were made: as many updates as are due; their errors."""
        self.num_steps += count
        errors = (self.learn_if_due() for _ in range(count))
        return [error for error in errors if error is not None]

    def learn_if_due(self) -> float | None:
        """One more env step was remembered: an update where one is due, and its error."""
        settings = self.settings
        self._num_seen += 1
        has_enough = self._num_seen >= settings.learning_starts and len(self.replay) >= settings.batch_size
        return self.learn() if has_enough and self._num_seen % settings.train_every == 0 else None

    def learn(self) -> float:
        """One update; the batch's mean absolute error.

        Raises:
            ArithmeticError: the loss is no number any more.
        """
        settings, replay = self.settings, self.replay
        start = settings.priority_correction
        correction = start + (1.0 - start) * min(1.0, self.num_steps / self._max_steps)
        places, batch = replay.draw(self.replay_rng, settings.batch_size, correction)
        learned = self.learner.update(batch, self.learning_rate)
        if not (math.isfinite(learned.loss) and math.isfinite(learned.gradient_norm)):
            raise ArithmeticError(
                f"dqn: the loss is {learned.loss:g} and the gradient's length {learned.gradient_norm:g} after "
                f"{self.num_steps:,} env steps: expected numbers; a smaller learning_rate may help"
            )
        if replay.priorities is not None:
            replay.priorities.update(places, learned.errors)
        self._sums += learned.loss, learned.mean_q, learned.gradient_norm, 1.0
        return learned.mean_error

    def tell(self) -> None:
        """Write down how learning goes, since it was written down last."""
        *sums, count = self._sums.tolist()
        if count and self._monitor is not None:
            means = (total / count for total in sums)
            self._monitor.learning(dict(zip(self.learning_names, (*means, len(self.replay)), strict=True)))
            self._sums[:] = 0.0

    # -- on disk ----------------------------------------------------------------------------------------------

    def get_state(self) -> State:
        """Counters, generators, networks, optimiser, and what is remembered."""
        return self._state(copied=True)

    def _state(self, copied: bool) -> State:
        self._draws.settle()
        return super().get_state() | {
            "replay_rng": self.replay_rng.bit_generator.state,
            "learner": self.learner.get_state(),
            "replay": self.replay.get_state(copied),
            "num_seen": self._num_seen,
            "sums": self._sums.copy(),
        }

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave."""
        self._draws.settle()
        super().set_state(state)
        self.replay_rng.bit_generator.state = state["replay_rng"]
        self.learner.set_state(state["learner"])
        self.replay.set_state(state["replay"])
        self._num_seen = operator.index(state["num_seen"])
        if min(self._num_seen, self.num_steps, self.num_episodes) < 0:
            raise ValueError("expected counts of steps and episodes, got numbers below 0")
        if state["sums"].shape != self._sums.shape or not np.isfinite(state["sums"]).all():
            raise ValueError(f"sums: expected {len(self._sums)} numbers")
        self._sums[:] = state["sums"]
        self._network = None

    def policy_state(self) -> State:
        """The parameters of the network that acts."""
        return {"network": dict(self._acting().parameters())}

    def set_policy_state(self, state: State) -> None:
        """Take over a state that `policy_state` or `get_state` gave; only to act."""
        if "network" in state:
            parameters = state["network"]
        else:
            learner = state["learner"]
            parameters = learner["online" if self.settings.average_rate is None else "average"]
        self._network = make_network(self.settings, self.features, self.num_actions, parameters)

    def save(self, folder: Path, earlier: Path | None = None) -> None:
        """Write the whole learning state into a folder, of what is remembered what is new since `earlier`."""
        storage.write(folder, self._state(copied=False), earlier)
