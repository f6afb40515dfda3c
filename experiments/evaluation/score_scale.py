"""What a score is measured between: the random policy below, the best known policy above.

For finite models both are exact, computed for the very episodes that agents are evaluated on, with their limit of
steps. For LunarLander they are 200 ("solved") and a measured random policy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import gymnasium as gym
import numpy as np

from agents.planning.exact import FiniteModel, FloatArray, optimal_values, policy_values
from agents.planning.oracle import current_model
from agents.planning.trust import why_no_model
from envs.mazes.env import MazeEnv
from envs.mazes.level import GOAL, STEP
from experiments.evaluation.environments import closing, episode_limit, make_evaluation_env
from experiments.specs.spec import EnvEntry

NEGLIGIBLE = 1e-9  # a scale shorter than this is none
MAX_STATES = 2_500  # beyond it the exact values of every run would cost more than they tell

# Where no exact optimum is known: the mean return of the random policy, measured over 10,000 episodes (Acrobot and
# MountainCar: 2,000) with `python -m experiments.evaluation.score_scale` on gymnasium 1.4.0, its standard error, and
# the return at which Gymnasium calls the problem solved. In MountainCar the random policy has never reached the goal.
MEASURED = {
    "LunarLander-v3": (-182.7, 1.1, 200.0),
    "CartPole-v1": (22.2, 0.1, 475.0),
    "Acrobot-v1": (-498.6, 0.3, -100.0),
    "MountainCar-v0": (-200.0, 0.0, -110.0),
}


KEYS = {"random": "floor", "random_error": "floor_error", "reference": "ceiling", "kind": "kind", "measure": "measure"}


@dataclass(frozen=True)
class ScoreScale:
    """The two ends of the scale of an environment's scores: normalised, the floor is 0 and the ceiling 1."""

    floor: float  # the random policy's mean score
    floor_error: float  # standard error of the floor; 0 where exact
    ceiling: float  # the best known policy's mean score
    kind: str  # of the ceiling: "exact optimum", "solved" or "given ceiling"
    measure: str  # "return" or "-steps": what a score is

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The scale from its keys on disk: random, random_error, reference, kind, measure.

        Raises:
            LookupError, TypeError: a key is unknown or missing.
        """
        return cls(**{KEYS[key]: value for key, value in values.items()})

    def to_json(self) -> dict[str, Any]:
        """The scale under its keys on disk."""
        return {key: getattr(self, name) for key, name in KEYS.items()}

    @property
    def is_negligible(self) -> bool:
        """Are both ends the same, so that nothing can be measured between them?"""
        return abs(self.ceiling - self.floor) < NEGLIGIBLE

    def normalise(self, scores: FloatArray) -> FloatArray:
        """Scores [...] on this scale [...]."""
        return (scores - self.floor) / (self.ceiling - self.floor)

    def score_at(self, share: float) -> float:
        """The score that lies at a share of the way from the floor to the ceiling."""
        return self.floor + share * (self.ceiling - self.floor)


def score_scale_for(entry: EnvEntry, seeds: Sequence[int]) -> ScoreScale | None:
    """The scale of an environment's scores on these evaluation episodes, or None where none is known."""
    if entry.scale is not None:
        return ScoreScale(entry.scale.floor, 0.0, entry.scale.ceiling, "given ceiling", "return")
    if entry.id in MEASURED and not entry.changed().keys() - {"reset_seed"}:
        return measured_scale(entry.id)
    return _of_environment(entry.model_dump_json(), tuple(seeds))


def measured_scale(env_id: str) -> ScoreScale | None:
    """The scale of an environment as Gymnasium registers it, where its ends were measured."""
    if env_id not in MEASURED:
        return None
    random, error, solved = MEASURED[env_id]
    return ScoreScale(random, error, solved, "solved", "return")


@lru_cache(maxsize=64)
def _of_environment(entry: str, seeds: tuple[int, ...]) -> ScoreScale | None:
    """The exact scale of an entry (as JSON, which can be a key): every run of an experiment asks for the same."""
    env = make_evaluation_env(EnvEntry.model_validate_json(entry))
    with closing(env):
        return _exact_scale(env, seeds)


def score_measure(env: gym.Env[Any, Any]) -> str:
    """What a score is: the return, or minus the steps in mazes whose return does not tell good from bad.

    These are the mazes with another reward than -1 a step, unless it is worth more to end well than to end soon: where
    there are pits, or exits that pay.
    """
    maze = env.unwrapped
    if not isinstance(maze, MazeEnv) or why_no_model(env) is not None or maze.source.recipe.reward == STEP:
        return "return"
    usual = 1.0 if maze.source.recipe.reward == GOAL else 0.0
    ends_differ = maze.level.pits.any() or (maze.source.recipe.exit_rewards != usual).any()
    return "return" if ends_differ else "-steps"


def _exact_scale(env: gym.Env[Any, Any], seeds: Sequence[int]) -> ScoreScale | None:
    base: Any = env.unwrapped
    env.reset(seed=seeds[0])  # toy_text has no state before
    if why_no_model(env) is not None or not hasattr(base, "s"):
        return None
    if len(base.initial_state_distrib) not in range(1, MAX_STATES + 1):
        return None
    if getattr(base, "fickle_passenger", False):  # Taxi: its P does not tell of it
        return None
    if getattr(getattr(base, "source", None), "change", None) is not None:  # the layout changes within a run
        return None
    horizon = episode_limit(env)
    by_steps = score_measure(env) == "-steps"
    optimal, random = [], []
    values: tuple[FloatArray, FloatArray] | None = None
    for seed in seeds:
        env.reset(seed=seed)
        if values is None or not getattr(base, "fixed_model", True):
            values = _exact_values(current_model(base), horizon, by_steps=by_steps)
        optimal.append(float(values[0][base.s]))  # `s`: the current state, toy_text's name
        random.append(float(values[1][base.s]))
    return ScoreScale(
        float(np.mean(random)), 0.0, float(np.mean(optimal)), "exact optimum", "-steps" if by_steps else "return"
    )


def _exact_values(model: FiniteModel, horizon: int, *, by_steps: bool) -> tuple[FloatArray, FloatArray]:
    """The values [S] of the best and of the uniformly random policy over episodes of at most `horizon` steps."""
    if by_steps:
        model = FiniteModel(np.full_like(model.rewards, -1.0), model.transitions)
    uniform = np.full(model.rewards.shape, 1 / model.num_actions)
    return optimal_values(model, horizon), policy_values(model, uniform, horizon)


def _measure(env_id: str, num_episodes: int) -> None:
    from agents.registry import make_agent
    from experiments.evaluation.episode_seeds import episode_seeds
    from experiments.evaluation.rollout import evaluate_agent

    env = make_evaluation_env(EnvEntry(id=env_id))
    episodes = evaluate_agent(make_agent("random", env), env, episode_seeds(1_000_003, "validation", num_episodes))
    returns = np.array([episode.total_reward for episode in episodes])
    error = returns.std(ddof=1) / np.sqrt(num_episodes)
    print(f"{env_id}: random {returns.mean():.2f}, standard error {error:.2f}")


if __name__ == "__main__":
    for name in MEASURED:
        _measure(name, 2_000 if name in ("Acrobot-v1", "MountainCar-v0") else 10_000)
