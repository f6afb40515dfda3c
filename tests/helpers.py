"""What several tests need."""

import os
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from agents.base import Agent
from agents.budget import Budget
from agents.registry import AGENTS
from envs.registry import ENTRIES, make_env

ENVS: dict[str, dict[str, Any]] = {
    "RLLab/Maze-v0": {"rows": 4, "cols": 4},
    "LunarLander-v3": {},
    "Pendulum-v1": {},
}
OURS = tuple(name for name, entry in ENTRIES.items() if entry.entry_point is not None)
LOCKED = """
###########
#S  A  b E#
# ##### ###
#a  >    O#
### ###B###
#   #    E#
###########
"""
MAZES: dict[str, dict[str, Any]] = {  # every variant of the maze
    "default": {},
    "thin": {"generator": "wilson", "rows": 2, "cols": 9},
    "new maze each episode": {"maze_seed": None, "rows": 5, "cols": 4},
    "new maze, everything": {
        **{"maze_seed": None, "rows": 5, "cols": 5, "braid": 0.6, "one_way": 0.1, "pits": 2, "keys": 2, "slip": 0.2},
        **{"exit": ["random", "bottom-right"], "exit_rewards": [1.0, 5.0], "split": "test"},
    },
    "loops": {"braid": 0.5},
    "one way": {"braid": 1.0, "one_way": 0.3, "rows": 6, "cols": 6},
    "distance": {"reward": "distance", "pits": 3, "braid": 0.5},
    "goal": {"reward": "goal"},
    "slip": {"slip": 0.3, "rows": 4, "cols": 4},
    "pits": {"pits": 4, "braid": 0.5, "slip": 0.1},
    "pits lead back": {"pits": 4, "braid": 0.5, "pit_terminates": False, "pit_reward": -7.0},
    "keys": {"keys": 3, "rows": 6, "cols": 6, "slip": 0.1},
    "two exits": {"exit": [[0, 8], "bottom-right"], "exit_rewards": [3.0, 10.0]},
    "wind": {"layout": "windy-gridworld", "slip": 0.2},
    "cliff": {"layout": "cliff-walking", "slip": 0.1},
    "drawn": {"layout": LOCKED, "slip": 0.1, "exit_rewards": [0.0, 4.0]},
    "layout change": {
        **{"layout": "blocking-maze", "layout_change": {"at_step": 50, "layout": "blocking-maze-after"}},
        "max_steps": 40,
    },
    "levels": {"levels": 4, "level_seed": 3, "rows": 4, "cols": 5, "split": "train"},
    "random start, farthest exit": {"start": "bottom-left", "exit": "farthest"},
    "random start": {"start": "random", "exit": "random", "pits": 2},
    "position": {"observation": "position", "keys": 1},
    "grid": {"observation": "grid", "keys": 1, "pits": 1, "one_way": 0.1},
    "view": {"view": 3, "maze_seed": None, "keys": 1},
    "levels, grid": {"levels": 3, "observation": "grid", "rows": 4, "cols": 4},
}


def places() -> st.SearchStrategy[Any]:
    return st.sampled_from(["top-left", "top-right", "bottom-left", "bottom-right", "random", "farthest"])


@st.composite
def maze_options(draw: st.DrawFn, generators: tuple[str, ...]) -> dict[str, Any]:
    """Random options of a maze; some contradict each other, which the maze says in a ValueError."""
    source: dict[str, Any] = draw(
        st.sampled_from(
            [{}, {"maze_seed": None}, {"levels": 2}, {"maze_seed": 7}, {"maze_seed": None, "split": "test"}]
        )
    )
    return source | {
        "rows": draw(st.integers(2, 7)),
        "cols": draw(st.integers(2, 7)),
        "generator": draw(st.sampled_from(generators)),
        "braid": draw(st.sampled_from([0.0, 0.4, 1.0])),
        "one_way": draw(st.sampled_from([0.0, 0.0, 0.2])),
        "reward": draw(st.sampled_from(["step", "distance", "goal"])),
        "slip": draw(st.sampled_from([0.0, 0.2, 1.0])),
        "pits": draw(st.integers(0, 3)),
        "pit_terminates": draw(st.booleans()),
        "keys": draw(st.integers(0, 2)),
        "start": draw(places()),
        "exit": draw(places()),
        "observation": draw(st.sampled_from(["state", "position", "grid", "view"])),
        "max_steps": draw(st.sampled_from([None, 15])),
    }


CONTRADICTIONS = "start: the start is the exit|exit: (start and exit|'farthest')|keys: |pit_terminates: |split: no maze"


FAST_SETTINGS: dict[str, dict[str, Any]] = {
    "dqn": {"learning_starts": 20, "buffer_size": 500, "batch_size": 16, "hidden_sizes": [16]},
    "sb3_dqn": {"learning_starts": 20, "buffer_size": 500, "policy_kwargs": {"net_arch": [16]}},
    "sb3_ppo": {"n_steps": 64, "n_epochs": 2, "policy_kwargs": {"net_arch": [16]}},
    "sb3_a2c": {"policy_kwargs": {"net_arch": [16]}},
    "sb3_qrdqn": {"learning_starts": 20, "buffer_size": 500, "policy_kwargs": {"net_arch": [16], "n_quantiles": 5}},
    "sb3_sac": {"learning_starts": 150, "buffer_size": 500, "batch_size": 16, "policy_kwargs": {"net_arch": [16]}},
    "sb3_td3": {
        **{"learning_starts": 150, "buffer_size": 500, "batch_size": 16, "action_noise": 0.1},
        "policy_kwargs": {"net_arch": [16]},
    },
}
CONTINUOUS = ("sb3_sac", "sb3_td3")
TABULAR = tuple(name for name, (target, _) in AGENTS.items() if target.startswith("agents.tabular"))
PREDICTORS = ("td", "n_step_td", "td_lambda", "lambda_return", "monte_carlo_prediction")
LINEAR = ("linear_q", "linear_sarsa_lambda", "linear_backward_q_lambda")  # for Box observations
EVERYWHERE = ("random", "dqn", "sb3_dqn", "sb3_ppo", *(name for name in TABULAR if name not in PREDICTORS + LINEAR))
PAIRS = [
    *((name, "RLLab/Maze-v0") for name in (*EVERYWHERE, *PREDICTORS, "value_iteration", "policy_iteration")),
    *((name, "LunarLander-v3") for name in (*EVERYWHERE, *LINEAR, "heuristic_lander")),
    *((name, "RLLab/Maze-v0") for name in ("sb3_a2c", "sb3_qrdqn")),
    *((name, "Pendulum-v1") for name in CONTINUOUS),
]


ENGINE_ENVS: list[tuple[str, dict[str, Any]]] = [  # what the compiled engine knows
    ("RLLab/Maze-v0", {"rows": 4, "cols": 4}),
    ("RLLab/Maze-v0", {"rows": 5, "cols": 3, "slip": 0.3, "start": "random", "max_steps": 20}),
    ("RLLab/Maze-Pits-v0", {"rows": 5, "cols": 5, "pits": 2}),
    ("RLLab/Maze-v0", {"rows": 4, "cols": 4, "keys": 1, "slip": 1.0, "exit_rewards": [5.0]}),
    ("RLLab/Maze-v0", {"layout": "windy-gridworld", "slip": 0.1}),
    ("RLLab/RandomWalk-v0", {"states": 5}),
    ("RLLab/MaximizationBias-v0", {}),
    ("FrozenLake-v1", {}),
    ("FrozenLake-v1", {"is_slippery": False}),
    ("FrozenLake8x8-v1", {"success_rate": 0.8}),
    ("CliffWalking-v1", {}),
    ("CliffWalking-v1", {"is_slippery": True}),
    ("Taxi-v4", {}),
    ("Taxi-v4", {"is_rainy": True}),
]


def train(agent: Agent, env_id: str, options: dict[str, Any], monitor: Budget, seed: int = 0) -> Budget:
    env = make_env(env_id, **options)
    env.reset(seed=seed)
    agent.train(env, monitor)
    env.close()
    return monitor


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def found(folder: Path, name: str) -> list[Path]:
    """What has this name, anywhere below a folder in which files and folders come and go meanwhile."""
    return [Path(where, name) for where, folders, files in os.walk(folder) if name in folders or name in files]
