"""stable-baselines3's algorithms behind the agent contract: settings and the part that needs no torch.

stable-baselines3 and torch are imported when they are first needed: by `agents.sb3.network` to act, by
`agents.sb3.bridge` to train.
Defaults are stable-baselines3's own (a test compares them with its signatures); the meaning of every setting is in
its documentation. `preset = "lander"` takes RL Baselines3 Zoo's tuned LunarLander settings, `"pendulum"` Pendulum's;
what is set beside it wins. What differs between algorithms is a row in `agents.sb3.algorithms`.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from agents import storage
from agents.base import Agent, Monitor, Settings, require_discrete_actions
from agents.env_snapshot import leaves
from agents.policy import Policy, Spaces
from agents.sb3.algorithms import ALGORITHMS, check_installed
from agents.seeding import integer
from agents.storage import State

if TYPE_CHECKING:
    from agents.sb3.model_state import Model
    from agents.sb3.network import Network

# From RL Baselines3 Zoo, hyperparams/*.yml: LunarLander (discrete, or continuous for sac and td3), Pendulum.
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "dqn": {
        "lander": {
            "learning_rate": 6.3e-4,
            "batch_size": 128,
            "buffer_size": 50_000,
            "learning_starts": 0,
            "gamma": 0.99,
            "target_update_interval": 250,
            "train_freq": 4,
            "gradient_steps": -1,
            "exploration_fraction": 0.12,
            "exploration_final_eps": 0.1,
            "policy_kwargs": {"net_arch": [256, 256]},
        }
    },
    "qrdqn": {
        "lander": {
            "learning_rate": 1.5e-3,
            "learning_rate_schedule": "linear",
            "batch_size": 128,
            "buffer_size": 100_000,
            "learning_starts": 10_000,
            "gamma": 0.995,
            "target_update_interval": 1,
            "train_freq": 256,
            "gradient_steps": -1,
            "exploration_fraction": 0.24,
            "exploration_final_eps": 0.18,
            "policy_kwargs": {"net_arch": [256, 256], "n_quantiles": 170},
        }
    },
    "ppo": {
        "lander": {
            "num_envs": 16,
            "n_steps": 1024,
            "batch_size": 64,
            "gae_lambda": 0.98,
            "gamma": 0.999,
            "n_epochs": 4,
            "ent_coef": 0.01,
        },
        "pendulum": {
            "num_envs": 4,
            "n_steps": 1024,
            "gae_lambda": 0.95,
            "gamma": 0.9,
            "learning_rate": 1e-3,
            "use_sde": True,
            "sde_sample_freq": 4,
        },
    },
    "a2c": {
        "lander": {
            "num_envs": 8,
            "gamma": 0.995,
            "n_steps": 5,
            "learning_rate": 8.3e-4,
            "learning_rate_schedule": "linear",
            "ent_coef": 1e-5,
        }
    },
    "sac": {
        "lander": {
            "learning_rate": 7.3e-4,
            "learning_rate_schedule": "linear",
            "batch_size": 256,
            "buffer_size": 1_000_000,
            "gamma": 0.99,
            "tau": 0.01,
            "learning_starts": 10_000,
            "policy_kwargs": {"net_arch": [400, 300]},
        },
        "pendulum": {"learning_rate": 1e-3},
    },
    "td3": {
        name: {
            "gamma": 0.98,
            "buffer_size": 200_000,
            "learning_starts": 10_000,
            "action_noise": 0.1,
            "learning_rate": 1e-3,
            "policy_kwargs": {"net_arch": [400, 300]},
        }
        for name in ("lander", "pendulum")
    },
}


POLICY_KWARGS = (
    "net_arch",
    "activation_fn",
    "features_extractor_kwargs",
    "normalize_images",
    "optimizer_class",
    "optimizer_kwargs",
)
ACTOR_CRITIC_KWARGS = (
    "ortho_init",
    "log_std_init",
    "full_std",
    "use_expln",
    "squash_output",
    "share_features_extractor",
)


ACTION_NOISE: Any = Field(None, gt=0, description="standard deviation of normal noise on actions while training")


class SB3Settings(Settings):
    """What the baselines have in common."""

    algorithm: ClassVar[str]
    known_policy_kwargs: ClassVar[tuple[str, ...]] = POLICY_KWARGS

    preset: Literal["lander", "pendulum"] | None = Field(
        None, description="a named set of values, RL Baselines3 Zoo's, below what is set beside it"
    )
    policy: Literal["MlpPolicy", "CnnPolicy", "MultiInputPolicy"] = Field("MlpPolicy", description="network family")
    learning_rate_schedule: Literal["constant", "linear"] = Field(
        "constant", description="'linear' goes to 0 over the budget"
    )
    gamma: float = Field(0.99, ge=0, le=1, description="discount")
    policy_kwargs: dict[str, Any] | None = Field(
        None, description="of the policy, e.g. {net_arch = [256, 256], activation_fn = 'Tanh'}; classes by torch's name"
    )
    num_envs: int = Field(1, ge=1, le=1024, description="copies of the environment, stepped in turn")

    @field_validator("policy_kwargs")
    @classmethod
    def _known_policy_kwargs(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        unknown = set(value or ()) - set(cls.known_policy_kwargs)
        if unknown:
            expected = ", ".join(cls.known_policy_kwargs)
            raise ValueError(f"policy_kwargs: unknown key {min(unknown)!r}; expected one of: {expected}")
        for name in ("n_critics", "n_quantiles"):
            count = (value or {}).get(name, 1)
            if type(count) is not int or not 1 <= count <= 10_000:
                raise ValueError(f"policy_kwargs: {name}: expected a whole number from 1 to 10000, got {count!r}")
        return value

    @model_validator(mode="after")
    def _one_env_for_episodes(self) -> Self:
        if getattr(self, "train_freq_unit", "step") == "episode" and self.num_envs > 1:
            raise ValueError(f"num_envs: expected 1 with train_freq_unit = 'episode', got {self.num_envs}")
        return self

    @model_validator(mode="before")
    @classmethod
    def _fill_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("preset"), str):
            return values
        known = PRESETS[cls.algorithm]
        if values["preset"] not in known:
            raise ValueError(f"preset: expected {' or '.join(map(repr, known))}, got {values['preset']!r}")
        return known[values["preset"]] | values


class ReplaySettings(SB3Settings):
    """What the algorithms with a replay buffer have in common."""

    buffer_size: int = Field(1_000_000, ge=1, description="transitions")
    learning_starts: int = Field(100, ge=0, description="env steps before the first update")
    train_freq_unit: Literal["step", "episode"] = Field("step")
    gradient_steps: int = Field(1, ge=-1, description="updates a time; -1: as many as env steps were made")
    replay_buffer_kwargs: dict[str, Any] | None = Field(None)
    optimize_memory_usage: bool = Field(False)
    n_steps: int = Field(1, ge=1, description="steps of the return in the target")


class DQNSettings(ReplaySettings):
    """Settings of `sb3_dqn`."""

    algorithm: ClassVar[str] = "dqn"

    learning_rate: float = Field(1e-4, gt=0, le=1)
    batch_size: int = Field(32, ge=1)
    tau: float = Field(1.0, gt=0, le=1, description="share of the online network in a target update")
    train_freq: int = Field(4, ge=1, description="env steps (or episodes) between updates")
    target_update_interval: int = Field(10_000, ge=1, description="env steps")
    exploration_fraction: float = Field(0.1, gt=0, le=1, description="share of the budget over which epsilon falls")
    exploration_initial_eps: float = Field(1.0, ge=0, le=1)
    exploration_final_eps: float = Field(0.05, ge=0, le=1)
    max_grad_norm: float = Field(10, gt=0)


class QRDQNSettings(ReplaySettings):
    """Settings of `sb3_qrdqn`: DQN's, with quantiles of the return (`policy_kwargs = {n_quantiles = 200}`)."""

    algorithm: ClassVar[str] = "qrdqn"
    known_policy_kwargs: ClassVar[tuple[str, ...]] = (*POLICY_KWARGS, "n_quantiles")

    learning_rate: float = Field(5e-5, gt=0, le=1)
    batch_size: int = Field(32, ge=1)
    tau: float = Field(1.0, gt=0, le=1, description="share of the online network in a target update")
    train_freq: int = Field(4, ge=1, description="env steps (or episodes) between updates")
    target_update_interval: int = Field(10_000, ge=1, description="env steps")
    exploration_fraction: float = Field(0.005, gt=0, le=1, description="share of the budget over which epsilon falls")
    exploration_initial_eps: float = Field(1.0, ge=0, le=1)
    exploration_final_eps: float = Field(0.01, ge=0, le=1)
    max_grad_norm: float | None = Field(None, gt=0)


class SACSettings(ReplaySettings):
    """Settings of `sb3_sac`."""

    algorithm: ClassVar[str] = "sac"
    known_policy_kwargs: ClassVar[tuple[str, ...]] = (*POLICY_KWARGS, "log_std_init", "n_critics")

    learning_rate: float = Field(3e-4, gt=0, le=1)
    batch_size: int = Field(256, ge=1)
    tau: float = Field(0.005, gt=0, le=1, description="share of the online network in a target update")
    train_freq: int = Field(1, ge=1, description="env steps (or episodes) between updates")
    ent_coef: float | str = Field("auto", description="weight of entropy; 'auto' learns it, 'auto_0.1' from 0.1 on")
    target_update_interval: int = Field(1, ge=1, description="updates")
    target_entropy: float | Literal["auto"] = Field("auto")
    action_noise: float | None = ACTION_NOISE

    @field_validator("ent_coef")
    @classmethod
    def _known_entropy(cls, value: float | str) -> float | str:
        given = re.fullmatch(r"auto(_([0-9]+(\.[0-9]+)?))?", value) if isinstance(value, str) else None
        if isinstance(value, str) and (given is None or (given[2] is not None and float(given[2]) <= 0)):
            raise ValueError(f"ent_coef: expected a number, 'auto' or such as 'auto_0.1', got {value!r}")
        if not isinstance(value, str) and value < 0:
            raise ValueError(f"ent_coef: expected a number of at least 0, got {value}")
        return value


class TD3Settings(ReplaySettings):
    """Settings of `sb3_td3`."""

    algorithm: ClassVar[str] = "td3"
    known_policy_kwargs: ClassVar[tuple[str, ...]] = (*POLICY_KWARGS, "n_critics")

    learning_rate: float = Field(1e-3, gt=0, le=1)
    batch_size: int = Field(256, ge=1)
    tau: float = Field(0.005, gt=0, le=1, description="share of the online network in a target update")
    train_freq: int = Field(1, ge=1, description="env steps (or episodes) between updates")
    policy_delay: int = Field(2, ge=1, description="updates of the critics for one of the actor")
    target_policy_noise: float = Field(0.2, ge=0)
    target_noise_clip: float = Field(0.5, ge=0)
    action_noise: float | None = ACTION_NOISE


class A2CSettings(SB3Settings):
    """Settings of `sb3_a2c`."""

    algorithm: ClassVar[str] = "a2c"
    known_policy_kwargs: ClassVar[tuple[str, ...]] = POLICY_KWARGS + ACTOR_CRITIC_KWARGS

    learning_rate: float = Field(7e-4, gt=0, le=1)
    n_steps: int = Field(5, ge=1, description="env steps a rollout, in each copy of the environment")
    gae_lambda: float = Field(1.0, ge=0, le=1)
    ent_coef: float = Field(0.0, ge=0)
    vf_coef: float = Field(0.5, ge=0)
    max_grad_norm: float = Field(0.5, gt=0)
    rms_prop_eps: float = Field(1e-5, gt=0)
    use_rms_prop: bool = Field(True)
    use_sde: bool = Field(False)
    sde_sample_freq: int = Field(-1, ge=-1)
    rollout_buffer_kwargs: dict[str, Any] | None = Field(None)
    normalize_advantage: bool = Field(False)


class PPOSettings(SB3Settings):
    """Settings of `sb3_ppo`."""

    algorithm: ClassVar[str] = "ppo"
    known_policy_kwargs: ClassVar[tuple[str, ...]] = POLICY_KWARGS + ACTOR_CRITIC_KWARGS

    learning_rate: float = Field(3e-4, gt=0, le=1)
    n_steps: int = Field(2048, ge=2, description="env steps a rollout, in each copy of the environment")
    batch_size: int = Field(64, ge=2)
    n_epochs: int = Field(10, ge=1)
    gae_lambda: float = Field(0.95, ge=0, le=1)
    clip_range: float = Field(0.2, gt=0)
    clip_range_vf: float | None = Field(None, gt=0)
    normalize_advantage: bool = Field(True)
    ent_coef: float = Field(0.0, ge=0)
    vf_coef: float = Field(0.5, ge=0)
    max_grad_norm: float = Field(0.5, gt=0)
    use_sde: bool = Field(False)
    sde_sample_freq: int = Field(-1, ge=-1)
    target_kl: float | None = Field(None, gt=0)
    rollout_buffer_kwargs: dict[str, Any] | None = Field(None)


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
