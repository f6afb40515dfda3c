"""Settings that are known to work together, by name."""

from typing import Any

# LunarLander-v3, within a minute on a core: steep steps of a small network towards a target that follows soon.
LANDER: dict[str, Any] = {
    "hidden_sizes": [64, 64],
    "discount": 0.99,
    "n": 2,
    "learning_rate": 3e-3,
    "learning_rate_schedule": "linear",
    "learning_rate_decay_share": 1.0,
    "batch_size": 128,
    "buffer_size": 200_000,
    "learning_starts": 2_000,
    "train_every": 4,
    "target": "polyak",
    "target_rate": 0.05,
    "average_rate": 0.001,
    "epsilon_min": 0.05,
    "epsilon_decay_share": 0.4,
}

# Mazes' grids, new ones every episode: planning is learned once for all cells, so that much can be learned from little.
MAZES: dict[str, Any] = {
    "network": "vin",
    "num_sweeps": 40,
    "num_envs": 16,
    "discount": 0.9,
    "learning_rate": 3e-3,
    "learning_rate_schedule": "linear",
    "learning_rate_decay_share": 1.0,
    "batch_size": 64,
    "buffer_size": 50_000,
    "learning_starts": 1_000,
    "train_every": 2,
    "target": "polyak",
    "target_rate": 0.02,
    "epsilon_min": 0.3,
    "epsilon_decay_share": 0.3,
}
