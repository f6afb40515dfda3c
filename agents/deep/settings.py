"""The settings of `dqn`: each default, range, meaning and source."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from agents.base import Settings
from agents.deep.presets import LANDER, MAZES
from agents.space import Choices, Dimension, Range


class DQNSettings(Settings):
    """Settings of the deep Q-network (Mnih et al. 2015) and of what was added to it since."""

    search_space: ClassVar[Mapping[str, Dimension]] = {
        "learning_rate": Range(low=1e-4, high=1e-2, log=True),
        "batch_size": Choices(choices=[32, 64, 128, 256]),
        "train_every": Choices(choices=[1, 2, 4, 8]),
        "target_rate": Range(low=0.001, high=0.1, log=True),
        "n": Choices(choices=[1, 3, 5]),
        "hidden_sizes": Choices(choices=[[64, 64], [128, 128], [256, 256]]),
        "epsilon_min": Choices(choices=[0.01, 0.05, 0.1]),
    }
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"lander": LANDER, "mazes": MAZES}
    rivals: ClassVar[Mapping[str, str]] = {
        "epsilon_decay_steps": "epsilon_decay_share",
        "learning_rate_decay_steps": "learning_rate_decay_share",
    }
    preset: Literal["lander", "mazes"] | None = Field(
        None,
        description="'lander': what lands on LunarLander within a minute; 'mazes': what plans in mazes' grids, also "
        "unseen ones; what is set beside it wins",
    )
    learner: Literal["auto", "torch", "compiled"] = Field(
        "auto",
        description="who computes the updates: 'torch', readable, for every network; 'compiled', quicker, for dense "
        "layers on a CPU; 'auto' is compiled where that can be. Equal but for rounding",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="of torch's learner")
    network: Literal["auto", "mlp", "cnn", "vin"] = Field(
        "auto",
        description="'cnn' for images and the mazes' grids and views, which 'auto' takes for those; else 'mlp'; 'vin' "
        "plans in mazes' grids, also unseen ones (value iteration network, Tamar et al. 2016)",
    )
    num_sweeps: int = Field(
        40, ge=1, le=1_000, description="of value iteration in 'vin': at least the moves to an exit"
    )
    hidden_sizes: list[int] = Field([64, 64], min_length=1, max_length=8, description="units of each hidden layer")
    num_envs: int = Field(1, ge=1, le=1024, description="environments that are stepped together")
    backend: Literal["gymnasium", "envpool"] = Field(
        "gymnasium", description="whose environments these are; 'envpool' has LunarLander in C++ (extra `fast`)"
    )

    discount: float = Field(0.99, ge=0, le=1, description="weight of the next step's value")
    n: int = Field(1, ge=1, le=100, description="steps of reward before a value stands in (Sutton 1988)")
    double: bool = Field(
        True, description="the online network chooses the action that the target network values (van Hasselt 2016)"
    )
    dueling: bool = Field(False, description="a state's value and each action's advantage apart (Wang et al. 2016)")
    loss: Literal["huber", "squared"] = Field("huber", description="of the errors; huber's bends at 1")

    learning_rate: float = Field(1e-3, gt=0, le=1, description="of Adam (Kingma & Ba 2015)")
    learning_rate_schedule: Literal["constant", "linear"] = Field(
        "constant", description="'linear' goes to learning_rate_min over learning_rate_decay_steps"
    )
    learning_rate_min: float = Field(0.0, ge=0, le=1, description="where 'linear' ends")
    learning_rate_decay_steps: int = Field(100_000, ge=1, description="length of 'linear', in env steps")
    learning_rate_decay_share: float | None = Field(
        None, gt=0, le=1, description="of the run's env steps: length of 'linear' instead of learning_rate_decay_steps"
    )
    max_gradient_norm: float | None = Field(10.0, gt=0, description="gradients that are longer are cut to this length")
    batch_size: int = Field(64, ge=1, le=65_536, description="transitions of an update")
    buffer_size: int = Field(100_000, ge=1, le=100_000_000, description="transitions that are remembered")
    learning_starts: int = Field(200, ge=0, description="env steps before the first update")
    train_every: int = Field(1, ge=1, description="env steps between two updates")

    prioritized: bool = Field(False, description="surprising transitions are drawn more often (Schaul et al. 2016)")
    priority_exponent: float = Field(0.6, ge=0, le=1, description="alpha: 0 draws all alike")
    priority_correction: float = Field(
        0.4, ge=0, le=1, description="beta at the start, which goes to 1 over the run: how far weights undo the bias"
    )

    target: Literal["copy", "polyak"] = Field(
        "polyak",
        description="the target network follows slowly (Lillicrap 2016), or is copied at times (Mnih 2015)",
    )
    target_every: int = Field(500, ge=1, description="updates between two copies")
    target_rate: float = Field(0.01, gt=0, le=1, description="of 'polyak', at every update")
    average_rate: float | None = Field(
        None, gt=0, lt=1, description="act greedily by weights averaged at this rate an update (Polyak & Juditsky 1992)"
    )

    epsilon: float = Field(1.0, ge=0, le=1, description="probability of a random action at the start")
    epsilon_schedule: Literal["linear", "exponential", "constant"] = Field(
        "linear",
        description="'linear' goes to epsilon_min over epsilon_decay_steps, 'exponential' multiplies by epsilon_decay "
        "after every episode, 'constant' stays",
    )
    epsilon_decay: float = Field(0.995, gt=0, le=1, description="factor of 'exponential'")
    epsilon_min: float = Field(0.05, ge=0, le=1, description="where the decay ends")
    epsilon_decay_steps: int = Field(10_000, ge=1, description="length of 'linear', in env steps")
    epsilon_decay_share: float | None = Field(
        None, gt=0, le=1, description="of the run's env steps: length of 'linear' instead of epsilon_decay_steps"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not all(1 <= size <= 4096 for size in self.hidden_sizes):
            raise ValueError(f"hidden_sizes: expected 1 to 4096 units each, got {self.hidden_sizes}")
        if self.learner == "compiled" and (self.network in ("cnn", "vin") or self.device != "cpu"):
            raise ValueError("learner: expected 'torch' for a 'cnn' or 'vin' and for device 'cuda', got 'compiled'")
        if self.batch_size > self.buffer_size:
            raise ValueError(f"batch_size: expected at most buffer_size ({self.buffer_size}), got {self.batch_size}")
        return self

    def without_effect(self) -> dict[str, str]:
        """What the other settings leave without effect, and why."""
        epsilon = f"epsilon_schedule is {self.epsilon_schedule!r}"
        rate = f"learning_rate_schedule is {self.learning_rate_schedule!r}, not 'linear'"
        rules = [  # whether it has an effect, which setting, and why it has none
            (self.num_envs > 1, "backend", "num_envs is 1"),
            (self.network == "vin", "num_sweeps", "network is not 'vin'"),
            (self.network != "vin", "hidden_sizes", "network is 'vin', which has no dense layers"),
            (self.network != "vin", "dueling", "network is 'vin', which has no last layer"),
            (self.prioritized, "priority_exponent", "prioritized is off"),
            (self.prioritized, "priority_correction", "prioritized is off"),
            (self.target == "copy", "target_every", "target is 'polyak', not 'copy'"),
            (self.target == "polyak", "target_rate", "target is 'copy', not 'polyak'"),
            (self.learning_rate_schedule == "linear", "learning_rate_min", rate),
            (self.learning_rate_schedule == "linear", "learning_rate_decay_steps", rate),
            (self.learning_rate_schedule == "linear", "learning_rate_decay_share", rate),
            (self.learning_rate_decay_share is None, "learning_rate_decay_steps", "learning_rate_decay_share is given"),
            (self.epsilon_schedule == "exponential", "epsilon_decay", f"{epsilon}, not 'exponential'"),
            (self.epsilon_schedule == "linear", "epsilon_decay_steps", f"{epsilon}, not 'linear'"),
            (self.epsilon_schedule == "linear", "epsilon_decay_share", f"{epsilon}, not 'linear'"),
            (self.epsilon_decay_share is None, "epsilon_decay_steps", "epsilon_decay_share is given"),
            (self.epsilon_schedule != "constant", "epsilon_min", epsilon),
        ]
        found: dict[str, str] = {}
        for has_effect, name, why in rules:
            if not has_effect:
                found.setdefault(name, why)
        return found
