"""The algorithms of stable-baselines3 (and sb3-contrib) as rows of data: what the adapter must know of each.

Nothing of torch is imported here. A further algorithm is a row here, its settings in `agents.sb3.settings`, its
agent in `agents.sb3.baselines`, and a line in `agents.registry`.
"""

import importlib
import importlib.util
from dataclasses import dataclass, field
from typing import Any, Literal

CLOCKS = ("num_timesteps", "_n_updates", "_episode_num", "_total_timesteps", "_current_progress_remaining")
EPSILON = ("_n_calls", "exploration_rate")
OF_POLICY = ("policy.optimizer",)
OF_ACTOR_AND_CRITIC = ("policy.actor.optimizer", "policy.critic.optimizer")
ACTOR_AND_CRITIC = {"actor_target.": "actor.", "critic_target.": "critic."}


@dataclass(frozen=True)
class Algorithm:
    """One algorithm."""

    place: str  # `module:Class`
    actions: Literal["discrete", "continuous", "any"]
    counters: tuple[str, ...] = CLOCKS  # attributes of the model that are plain numbers
    optimizers: tuple[str, ...] = OF_POLICY  # where they are, from the model; one that is None has no state
    tensors: tuple[str, ...] = ()  # attributes of the model that are learned beside the networks, where there are any
    has_replay: bool = False
    targets: dict[str, str] = field(default_factory=dict)  # target networks' parameters and those they follow
    values: str | None = None  # the network that gives values of actions; None: an actor, or probabilities

    @property
    def package(self) -> str:
        """What must be installed for it."""
        return self.place.partition(".")[0].partition(":")[0]

    def load(self) -> Any:
        """The class; stable-baselines3 is imported then."""
        module, _, name = self.place.partition(":")
        return getattr(importlib.import_module(module), name)


ALGORITHMS = {
    "dqn": Algorithm(
        "stable_baselines3:DQN",
        "discrete",
        counters=CLOCKS + EPSILON,
        has_replay=True,
        targets={"q_net_target.": "q_net."},
        values="q_net",
    ),
    "qrdqn": Algorithm(
        "sb3_contrib:QRDQN",
        "discrete",
        counters=CLOCKS + EPSILON,
        has_replay=True,
        targets={"quantile_net_target.": "quantile_net."},
        values="quantile_net",
    ),
    "ppo": Algorithm("stable_baselines3:PPO", "any"),
    "a2c": Algorithm("stable_baselines3:A2C", "any"),
    "sac": Algorithm(
        "stable_baselines3:SAC",
        "continuous",
        optimizers=(*OF_ACTOR_AND_CRITIC, "ent_coef_optimizer"),
        tensors=("log_ent_coef",),
        has_replay=True,
        targets={"critic_target.": "critic."},
    ),
    "td3": Algorithm(
        "stable_baselines3:TD3",
        "continuous",
        optimizers=OF_ACTOR_AND_CRITIC,
        has_replay=True,
        targets=ACTOR_AND_CRITIC,
    ),
}


def check_installed(name: str) -> None:
    """Raise where an algorithm's package is not installed.

    Raises:
        ValueError: it is not; the message says how to get it.
    """
    package = ALGORITHMS[name].package
    if importlib.util.find_spec(package) is None:
        named = package.replace("_", "-")
        raise ValueError(f"sb3_{name} needs {named}, which is not installed: pip install {named}")
