"""Settings that are known to work together, by name."""

from typing import Any

# LunarLander-v3: few edges, narrow around zero, where the lander must tell apart what to do. The numbers are x, y,
# speed sideways and upwards, angle, spin, and whether each leg stands.
LANDER: dict[str, Any] = {
    "discount": 0.995,
    "trace_decay": 0.95,
    "learning_rate": 0.2,
    "learning_rate_schedule": "linear",
    "learning_rate_min": 0.002,
    "epsilon": 0.3,
    "epsilon_schedule": "linear",
    "epsilon_min": 0.0,
    "decay_share": 0.8,
    "edges": [
        [-0.35, -0.1, 0.1, 0.35],
        [0.05, 0.2, 0.6],
        [-0.3, -0.08, 0.08, 0.3],
        [-0.5, -0.3, -0.15, -0.05, 0.1],
        [-0.2, -0.06, 0.06, 0.2],
        [-0.1, 0.1],
        [0.5],
        [0.5],
    ],
    # In a mirror x, the speed sideways, angle and spin change their signs, the legs and the side engines their places.
    "mirror": {"negated": [0, 2, 4, 5], "swapped": [[6, 7]], "actions": [0, 3, 2, 1]},
}
LANDER_TABLE = LANDER | {"table": "sparse"}
LANDER_TILES = LANDER | {"num_tilings": 16, "num_weights": 1_000_000}  # room for all 576,000 tiles
