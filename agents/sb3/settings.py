"""Settings of stable-baselines3's algorithms, and the presets that tuned values come from.

Defaults are stable-baselines3's own (a test compares them with its signatures); the meaning of every setting is in
its documentation. `preset = "lander"` takes RL Baselines3 Zoo's tuned LunarLander settings, `"pendulum"` Pendulum's;
what is set beside it wins.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from agents.base import Settings
from agents.space import Choices, Dimension, Range

LEARNING_RATES = Range(low=1e-5, high=3e-3, log=True)
BATCH_SIZES = Choices(choices=[32, 64, 128, 256])
OF_REPLAY: dict[str, Dimension] = {  # searched where a spec does not say
    "learning_rate": LEARNING_RATES,
    "batch_size": BATCH_SIZES,
    "train_freq": Choices(choices=[1, 4, 16]),
}
OF_DQN: dict[str, Dimension] = {
    **OF_REPLAY,
    "target_update_interval": Choices(choices=[250, 1_000, 5_000, 10_000]),
    "exploration_fraction": Range(low=0.05, high=0.5),
    "exploration_final_eps": Choices(choices=[0.01, 0.05, 0.1]),
}
OF_ACTOR_CRITIC: dict[str, Dimension] = {
    "learning_rate": LEARNING_RATES,
    "gae_lambda": Choices(choices=[0.9, 0.95, 0.98, 1.0]),
    "ent_coef": Choices(choices=[0.0, 0.001, 0.01, 0.05]),
}

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
    presets = PRESETS["dqn"]
    search_space: ClassVar[Mapping[str, Dimension]] = OF_DQN

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
    presets = PRESETS["qrdqn"]
    search_space: ClassVar[Mapping[str, Dimension]] = OF_DQN
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
    presets = PRESETS["sac"]
    search_space: ClassVar[Mapping[str, Dimension]] = {**OF_REPLAY, "tau": Range(low=0.001, high=0.05, log=True)}
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
    presets = PRESETS["td3"]
    search_space: ClassVar[Mapping[str, Dimension]] = {**OF_REPLAY, "tau": Range(low=0.001, high=0.05, log=True)}
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
    presets = PRESETS["a2c"]
    search_space: ClassVar[Mapping[str, Dimension]] = {
        **OF_ACTOR_CRITIC,
        "n_steps": Choices(choices=[5, 16, 64]),
    }
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
    presets = PRESETS["ppo"]
    search_space: ClassVar[Mapping[str, Dimension]] = {
        **OF_ACTOR_CRITIC,
        "n_steps": Choices(choices=[256, 512, 1_024, 2_048]),
        "batch_size": BATCH_SIZES,
        "n_epochs": Choices(choices=[4, 10, 20]),
    }
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
