"""stable-baselines3's algorithms behind the agent contract: the part that needs no torch.

stable-baselines3 and torch are imported when they are first needed: by `agents.sb3.network` to act, by
`agents.sb3.bridge` to train. What differs between algorithms is a row in `agents.sb3.algorithms`, and their settings
in `agents.sb3.settings`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agents import storage
from agents.base import Agent, Monitor, Settings, require_discrete_actions
from agents.env_snapshot import leaves
from agents.policy import Policy, Spaces
from agents.sb3.algorithms import ALGORITHMS, check_installed
from agents.sb3.settings import (
    A2CSettings,
    DQNSettings,
    PPOSettings,
    QRDQNSettings,
    SACSettings,
    SB3Settings,
    TD3Settings,
)
from agents.seeding import integer
from agents.storage import State

if TYPE_CHECKING:
    from agents.sb3.model_state import Model
    from agents.sb3.network import Network


class SB3Agent(Agent):
    """An algorithm of stable-baselines3; it owns its loop, so `train` is its own.

    To act it takes a network alone. The model, with its optimiser, replay buffer and global generators, is made when
    it is to learn or to explore.
    """

    own_process: ClassVar[bool] = True
    settings: SB3Settings

    def __init__(self, env: gym.Env[Any, Any] | Spaces, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(env, seed=seed, **settings)
        space = self.observation_space
        cannot = {"CnnPolicy"} if isinstance(space, spaces.Dict) else {"MultiInputPolicy"}
        if self.settings.policy in cannot:
            raise ValueError(f"policy {self.settings.policy} cannot observe {type(space).__name__}")
        if self.settings.policy == "CnnPolicy" and not (len(space.shape or ()) == 3 and space.dtype == np.uint8):
            raise ValueError(f"policy CnnPolicy observes images of bytes, got {space}")
        if not _is_of_numbers(space):
            raise ValueError(f"stable-baselines3 cannot observe {space}")
        if isinstance(self.action_space, spaces.Discrete) and self.action_space.start != 0:
            raise ValueError(f"stable-baselines3 counts actions from 0, got {self.action_space}")
        self._check_actions()
        check_installed(self.settings.algorithm)
        self._spaces = Spaces(self.observation_space, self.action_space)
        self._network: Network | None = None  # the model's, once there is one
        self._model: Model | None = None
        self._state: State | None = None  # which the model is to take over when it is made

    def _check_actions(self) -> None:
        """Raise where the algorithm cannot take the environment's actions."""
        kind, name = ALGORITHMS[self.settings.algorithm].actions, f"sb3_{self.settings.algorithm}"
        if kind == "discrete":
            require_discrete_actions(name, self.action_space)
        if kind == "continuous" and not isinstance(self.action_space, spaces.Box):
            raise ValueError(f"{name} needs continuous actions (Box), got {self.action_space}")
        space = self.action_space
        if isinstance(space, spaces.Box):
            is_plain = space.dtype is not None and space.dtype.kind == "f" and all(space.shape)
            if not is_plain or not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
                raise ValueError(f"{name} needs actions that are numbers between finite bounds, got {space}")
        elif getattr(self.settings, "use_sde", False):
            raise ValueError(f"{name}: use_sde: expected continuous actions (Box) with it, got {space}")

    @property
    def network(self) -> "Network":
        """The network that acts, made at first use."""
        if self._network is None:
            from agents.sb3 import network

            self._network = network.make_network(self.settings, self._spaces, integer(self.seed, "network"))
        return self._network

    @property
    def model(self) -> "Model":
        """The stable-baselines3 model, made at first use."""
        if self._model is None:
            from agents.sb3 import bridge, model_state

            self._model = bridge.make_model(self.settings, self._spaces, integer(self.seed, "network"))
            if self._state is not None:
                model_state.set_state(self._model, self._state)
            elif self._network is not None:
                self._model.policy.load_state_dict(self._network.state_dict())
            self._network, self._state = self._model.policy, None
        return self._model

    def select_action(self, observation: Any, *, explore: bool, mask: NDArray[np.bool_] | None = None) -> Any:
        """The network's action; with epsilon (DQN), drawn from the policy (PPO) or as it is (TD3) when exploring.

        Raises:
            ValueError: a mask is given, and the actions are not discrete.
        """
        if explore:
            from agents.sb3 import bridge

            return bridge.explore(self.model, observation, mask)
        from agents.sb3.network import NetworkPolicy

        return NetworkPolicy(self.network).action(observation, mask)

    def policy(self, seed: int) -> Policy:
        """The greedy policy of a copy of the network: of a batch in one forward pass."""
        from agents.sb3 import network

        return network.frozen(self.network)

    def train(self, env: gym.Env[Any, Any], monitor: Monitor) -> None:
        """Run stable-baselines3's own loop until the budget is spent."""
        from agents.sb3 import bridge

        if not monitor.running:
            return
        environment_seed = integer(self.seed, "environment")
        bridge.learn(self.model, env, self.settings.num_envs, environment_seed, monitor)

    def torch_module(self) -> Any:
        """The network that acts, on observations as they are.

        Raises:
            ValueError: they are put together of others.
        """
        from agents.sb3.torch_module import PolicyModule

        return PolicyModule(self.network)

    def get_state(self) -> State:
        """Networks, optimiser, counters, replay buffer, generators."""
        from agents.sb3 import model_state

        return model_state.get_state(self.model)

    def set_state(self, state: State) -> None:
        """Take over a state that `get_state` gave: what is there beside the networks, when the model is first needed.

        Till then no global generator is touched.
        """
        from agents.sb3 import model_state

        self.set_policy_state(state)
        if self._model is not None:
            model_state.set_state(self._model, state)
        else:
            self._state = {name: state[name] for name in model_state.parts(self.settings.algorithm)}

    def policy_state(self) -> State:
        """The network's parameters: all that acts, and with PPO the critic's too."""
        from agents.sb3 import network

        return {"networks": network.get_network_state(self.network)}

    def set_policy_state(self, state: State) -> None:
        """Take over a state that `policy_state` gave, or `get_state`."""
        from agents.sb3 import network

        network.set_network_state(self.network, state["networks"])
        self._state = None

    def save(self, folder: Path, earlier: Path | None = None) -> None:
        """Write the whole learning state into a folder, of a replay buffer what is new since `earlier`."""
        from agents.sb3 import model_state

        storage.write(folder, model_state.get_state(self.model, copied=False), earlier)

    def action_values(self, observation: Any) -> NDArray[np.float64] | None:
        """Q-values (DQN) or action probabilities (PPO) [A]; None where actions are not discrete."""
        from agents.sb3.network import NetworkPolicy

        values = NetworkPolicy(self.network).action_values(observation)
        return None if values is None else values[0]


def _is_of_numbers(space: gym.Space[Any]) -> bool:
    """Is a space one of numbers, or put together of such?"""
    numbers = spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary
    return all(isinstance(leaf, numbers) for leaf in leaves(space))


class SB3DQN(SB3Agent):
    """Deep Q-network (Mnih et al. 2015), stable-baselines3's."""

    Settings: ClassVar[type[Settings]] = DQNSettings


class SB3QRDQN(SB3Agent):
    """Quantile-regression DQN (Dabney et al. 2018), sb3-contrib's."""

    Settings: ClassVar[type[Settings]] = QRDQNSettings


class SB3PPO(SB3Agent):
    """Proximal policy optimisation (Schulman et al. 2017), stable-baselines3's."""

    Settings: ClassVar[type[Settings]] = PPOSettings


class SB3A2C(SB3Agent):
    """Advantage actor-critic (Mnih et al. 2016), stable-baselines3's."""

    Settings: ClassVar[type[Settings]] = A2CSettings


class SB3SAC(SB3Agent):
    """Soft actor-critic (Haarnoja et al. 2018), stable-baselines3's."""

    Settings: ClassVar[type[Settings]] = SACSettings


class SB3TD3(SB3Agent):
    """Twin delayed DDPG (Fujimoto et al. 2018), stable-baselines3's."""

    Settings: ClassVar[type[Settings]] = TD3Settings
