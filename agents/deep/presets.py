"""Settings that are known to work together, by name."""

from typing import Any

# LunarLander-v3, within a minute on a core.
LANDER: dict[str, Any] = {
    "hidden_sizes": [64, 64],
    "discount": 0.99,
    "learning_rate": 1e-3,
    "learning_rate_schedule": "linear",
    "batch_size": 128,
    "buffer_size": 200_000,
    "learning_starts": 2_000,
    "train_every": 8,
    "target": "polyak",
    "target_rate": 0.01,
    "average_rate": 0.001,
    "epsilon_min": 0.01,
    "decay_share": 0.9,
}
