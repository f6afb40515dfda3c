"""The agent contract, and the one loop in which agents of ours meet an environment.

A new agent subclasses `OnlineAgent` and writes `select_action` and `update`; everything else is inherited.
"""

import copy
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from agents import storage
from agents.masks import binds, legal_actions, takes_mask
from agents.policy import LoopPolicy, Policy, Spaces
from agents.seeding import generator
from agents.space import Dimension

__all__ = ["Agent", "OnlineAgent", "Policy", "Spaces", "Transition"]

Engine = Literal["auto", "python", "compiled"]
_new_tuple = tuple.__new__
MOST_UNREPORTED = 1_000  # env steps, after which a monitor is told in any case: it may show progress


class Settings(BaseModel):
    """An agent's settings: each default, range and meaning lives here and nowhere else.

    Where there are `presets`, by name, a field `preset` takes one of them; what is set beside it wins.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    rivals: ClassVar[Mapping[str, str]] = {}  # setting -> one that would leave it idle: of a preset it is dropped then
    search_space: ClassVar[Mapping[str, Dimension]] = {}  # what `rl-lab tune` searches where a spec does not say

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _take_preset(cls, values: Any) -> Any:
        name = values.get("preset") if isinstance(values, dict) else None
        if not cls.presets or not isinstance(name, str):
            return values
        if name not in cls.presets:
            raise ValueError(f"preset: expected {' or '.join(map(repr, cls.presets))}, got {name!r}")
        dropped = {cls.rivals.get(given) for given in values}
        return {key: value for key, value in cls.presets[name].items() if key not in dropped} | values

    def without_effect(self) -> dict[str, str]:
        """Settings that have no effect beside the others, given or not; for each why ("exploration is 'ucb'")."""
        return {}


class Transition(NamedTuple):
    """One step of the environment, as `OnlineAgent.update` gets it."""

    observation: Any
    action: Any
    reward: float
    next_observation: Any
    terminated: bool  # cuts the bootstrap
    truncated: bool  # never does


class Episode(NamedTuple):
    """A finished training episode, as the monitor is told of it."""

    total_reward: float
    length: int  # environment steps
    epsilon: float | None  # probability of a random action at its last step
    td_error: float | None  # mean absolute TD error over its updates
    info: dict[str, Any]  # the environment's, at its last step


class TableSize(NamedTuple):
    """What a table takes."""

    kind: str  # "dense", "sparse", "tiles" or "hashed tiles"
    states: int  # that have a row; of tiles, places
    bytes: int  # of all arrays
    collisions: int | None = None  # tiles that met in a place that was taken
    met: int | None = None  # states that training has met, where that is known
    possible: int | None = None  # states that there are, where that is a number of at most 63 bits


class Monitor(Protocol):
    """What an agent tells of its training, and what it asks: may it go on?"""

    @property
    def running(self) -> bool:
        """Is there budget left?"""

    @property
    def max_steps(self) -> int:
        """The most environment steps that the whole training can take: for schedules."""

    @property
    def env_snapshot(self) -> storage.State | None:
        """What `safe_point` was told where this training was stopped, if it goes on from there."""

    def allowance(self) -> tuple[int, int]:
        """How many env steps may pass, and how many episodes end, before it must be told; 0 when there is no budget."""

    def step(self, count: int = 1) -> None:
        """`count` environment steps were made. May evaluate the agent, which changes nothing in it.

        An agent that steps N environments at once may exceed a budget of env steps by up to N - 1: all are counted.
        """

    def episode(self, episode: Episode) -> None:
        """An episode has ended."""

    def learning(self, values: Mapping[str, float]) -> None:
        """What the agent says of its learning now, such as a loss; the names are those of `Agent.learning_names`."""

    def safe_point(self, snapshot: Callable[[], storage.State] | None = None) -> None:
        """The agent may be saved now.

        Args:
            snapshot: between two episodes, none. Else it gives what the agent needs to go on from here in its
                environments, beside its learning state (see `agents.env_snapshot`).
        """


class Agent(ABC):
    """Acts, learns, is saved and loaded.

    Args:
        env: the environment it is made for, or its `Spaces`, which do for an agent that is only to act: the constructor
            reads the two spaces and nothing else.
        seed: seed of the run, from which every generator of the agent is derived (see `agents.seeding`).
        settings: values for the fields of the class's `Settings`.

    Raises:
        pydantic.ValidationError: a setting is unknown or out of range.
        ValueError: the agent cannot act in this environment.
    """

    Settings: ClassVar[type[Settings]] = Settings
    metric_names: ClassVar[tuple[str, ...]] = ()  # what `metrics` may give
    learning_names: ClassVar[tuple[str, ...]] = ()  # what the monitor's `learning` is told: columns of learning.csv
    controls: ClassVar[bool] = True  # learns which actions are best
    seeded_policy: ClassVar[bool] = False  # its policy is random, and depends on the agent's seed
    own_process: ClassVar[bool] = False  # draws from global generators, so that a run needs a process to itself

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> None:
        self.settings = self.Settings(**settings)
        self.given_settings = settings  # as they were asked for, before defaults and presets
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self.seed = seed
        self.exploration_rng = generator(seed, "exploration")

    @abstractmethod
    def select_action(self, observation: Any, *, explore: bool, mask: NDArray[np.bool_] | None = None) -> Any:
        """One action; `explore=False` is greedy and changes nothing in the agent.

        Args:
            observation: of the observation space.
            explore: act as in training.
            mask: [A] which of the discrete actions are legal. It is passed only where there is one, so that an agent
                for environments without illegal actions need not take it.
        """

    def prepare(self, env: gym.Env[Any, Any]) -> None:  # noqa: B027  most have nothing to prepare
        """What must be learned or computed before training, such as bins to be fitted; the result is state.

        Called once, before the first `train`; not when a training goes on. May play in a copy of `env`, never in it.

        Raises:
            ValueError: the agent cannot act in this environment.
        """

    @abstractmethod
    def train(self, env: gym.Env[Any, Any], monitor: Monitor) -> None:
        """Interact with `env` until the monitor's budget is spent."""

    @abstractmethod
    def get_state(self) -> storage.State:
        """The whole learning state, generators included: arrays and JSON values, nested in dictionaries."""

    @abstractmethod
    def set_state(self, state: storage.State) -> None:
        """Take over a state that `get_state` gave."""

    def policy_state(self) -> storage.State:
        """What acting and looking need and nothing else: no replay buffer, no optimiser. By default the whole state."""
        return self.get_state()

    def set_policy_state(self, state: storage.State) -> None:
        """Take over a state that `policy_state` or `get_state` gave; the agent can act then, and need not learn."""
        self.set_state(state)

    def save(self, folder: Path, earlier: Path | None = None) -> None:
        """Write the whole learning state into a folder.

        Args:
            folder: the folder.
            earlier: where it was saved before, in the same training: what is as it was there is not written again.
        """
        storage.write(folder, self.get_state(), earlier)

    def load(self, folder: Path) -> None:
        """Take over the state that `save` wrote. Runs no code from the folder.

        Raises:
            ValueError: the folder's files are damaged or are not this agent's.
        """
        self._take_over(self.set_state, folder)

    def load_policy(self, folder: Path) -> None:
        """Take over what acting needs of the state that `save` wrote; the agent need not be able to learn then.

        Raises:
            ValueError: the folder's files are damaged or are not this agent's.
        """
        self._take_over(self.set_policy_state, folder)

    def _take_over(self, take: Callable[[storage.State], None], folder: Path) -> None:
        state = storage.read(folder)
        try:
            take(state)
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"{folder}: not a state of {type(self).__name__}: {error}") from error

    def policy(self, seed: int) -> Policy:
        """The greedy policy as it is now: what is learned later does not change it.

        By default a loop over a copy. An agent that Python cannot copy is asked itself: while its policy is in use it
        must not learn, as it does not while it is evaluated.

        Args:
            seed: of an episode; what an agent whose policy is random (`seeded_policy`) draws from.
        """
        try:
            return LoopPolicy(copy.deepcopy(self))
        except Exception:  # whatever its parts make of being copied
            return LoopPolicy(self)

    def torch_module(self) -> Any:
        """The greedy policy as a torch module; None where it is no network.

        It maps observations [N, ...], as the observation space has them, to actions [N, ...] and, where these are
        discrete, to action values [N, A].

        Raises:
            ValueError: its observations or actions have no form there.
        """
        return None

    def action_values(self, observation: Any) -> NDArray[np.float64] | None:
        """One number [A] an action, or None: what viewers and overlays draw."""
        return None

    def metrics(self) -> dict[str, float]:
        """Numbers about what was learned, for the log of an episode."""
        return {}

    def table_size(self) -> TableSize | None:
        """What a table takes, for the run folder; None where there is none."""
        return None

    def choose_engine(self, engine: Engine, env: gym.Env[Any, Any], max_steps: int) -> str:
        """How `train` will work in an environment: what was chosen, in words, for the run folder.

        Raises:
            ValueError: "compiled" is asked for, and cannot be had here.
        """
        if engine == "compiled":
            raise ValueError(f"the compiled engine trains tabular agents, and {type(self).__name__} is none of them")
        return "python"

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """stable-baselines3's signature, so that its tools accept our agents; batches have one more dimension."""
        shape = self.observation_space.shape or ()
        if np.ndim(observation) > len(shape):
            actions = [self.select_action(self._row(row), explore=not deterministic) for row in observation]
            return np.array(actions), state
        return np.array(self.select_action(observation, explore=not deterministic)), state

    def _row(self, observation: Any) -> Any:
        return observation if self.observation_space.shape else observation.item()


class OnlineAgent(Agent):
    """An agent that learns from one transition at a time, in the loop below."""

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        self.num_steps = 0
        self.num_episodes = 0

    def update(self, transition: Transition) -> float | None:
        """Learn from one transition; the TD error, if there is one."""
        return None

    @property
    def last_epsilon(self) -> float | None:
        """Probability of a random action at the last step of the episode that has ended, for the log."""
        return None

    def begin_episode(self) -> None:
        """A new episode begins; forget what belongs to the last one alone."""

    def note_legal(self, observation: Any, mask: NDArray[np.bool_]) -> None:
        """Which actions [A] are legal in what is observed now: told before `update`, where others are forbidden."""

    def train(self, env: gym.Env[Any, Any], monitor: Monitor) -> None:
        """The agent-environment loop: the only one that our agents have."""
        minds_masks = takes_mask(self.select_action)
        while monitor.running:
            observation, info = env.reset()
            self.begin_episode()
            mask = legal_actions(env, info) if minds_masks and binds(env, info) else None
            if mask is not None:
                self.note_legal(observation, mask)
            terminated = truncated = False
            total_reward, length, error_sum, num_errors = 0.0, 0, 0.0, 0
            while not (terminated or truncated) and (allowance := min(monitor.allowance()[0], MOST_UNREPORTED)) > 0:
                for unreported in range(1, allowance + 1):  # env steps  # noqa: B007  told after the loop
                    if mask is None:
                        action = self.select_action(observation, explore=True)
                        next_observation, reward, terminated, truncated, info = env.step(action)
                    else:
                        action = self.select_action(observation, explore=True, mask=mask)
                        next_observation, reward, terminated, truncated, info = env.step(action)
                        before, mask = mask, legal_actions(env, info)
                        self.note_legal(next_observation, mask)
                        self.note_legal(observation, before)  # of what is learned now, should both be the same
                    if type(reward) is not float:
                        reward = float(reward)
                    seen = (observation, action, reward, next_observation, terminated, truncated)
                    td_error = self.update(_new_tuple(Transition, seen))  # a Transition, made in half the time
                    observation = next_observation
                    self.num_steps += 1
                    total_reward += reward
                    if td_error is not None:
                        error_sum += abs(td_error)
                        num_errors += 1
                    if terminated or truncated:
                        break
                length += unreported
                monitor.step(unreported)
            if terminated or truncated:
                self.num_episodes += 1
                mean_error = error_sum / num_errors if num_errors else None
                monitor.episode(Episode(total_reward, length, self.last_epsilon, mean_error, info))
                monitor.safe_point()

    def get_state(self) -> storage.State:
        """Counters and the exploration generator; a learner adds what it has learned."""
        return {
            "num_steps": self.num_steps,
            "num_episodes": self.num_episodes,
            "exploration_rng": self.exploration_rng.bit_generator.state,
        }

    def set_state(self, state: storage.State) -> None:
        """Take over a state that `get_state` gave."""
        self.num_steps, self.num_episodes = operator.index(state["num_steps"]), operator.index(state["num_episodes"])
        self.exploration_rng.bit_generator.state = state["exploration_rng"]


def require_discrete_actions(name: str, action_space: gym.Space[Any]) -> int:
    """The number of actions.

    Raises:
        ValueError: the actions are not `Discrete`, numbered from 0.
    """
    if not isinstance(action_space, gym.spaces.Discrete):
        raise ValueError(f"{name} needs discrete actions, got {action_space}")
    if action_space.start != 0:
        raise ValueError(f"{name} needs actions that are numbered from 0, got {action_space}")
    return int(action_space.n)
