"""What a score is measured between: the random policy below, the best known policy above.

For finite models both are exact, computed for the very episodes that agents are evaluated on, with their limit of
steps. For LunarLander they are 200 ("solved") and a measured random policy. For any other environment the user may give
them; where Gymnasium knows at which return it is solved, or the user gives a ceiling alone, the random policy is
measured on the very episodes.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple, Self

import gymnasium as gym
import numpy as np

from agents.planning.exact import FiniteModel, FloatArray, optimal_values, policy_values
from agents.planning.oracle import current_model
from agents.planning.trust import why_no_model
from agents.registry import make_agent
from envs.mazes.env import MazeEnv
from envs.mazes.level import GOAL, STEP
from envs.registry import find_spec
from experiments.errors import in_words
from experiments.evaluation.environments import closing, episode_limit, make_evaluation_env
from experiments.evaluation.rollout import evaluate_agent
from experiments.specs.spec import EnvEntry

NEGLIGIBLE = 1e-9  # a scale shorter than this is none
EXACT, SOLVED, GIVEN = "exact optimum", "solved", "given ceiling"  # kinds of ceilings
MOST_STEPS = 50_000  # of the random policy, where it is measured
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


_log = logging.getLogger(__name__)

KEYS = {"random": "floor", "random_error": "floor_error", "reference": "ceiling", "kind": "kind", "measure": "measure"}


@dataclass(frozen=True)
class ScoreScale:
    """The two ends of the scale of an environment's scores: normalised, the floor is 0 and the ceiling 1."""

    floor: float  # the random policy's mean score
    floor_error: float  # standard error of the floor; 0 where exact
    ceiling: float  # the best known policy's mean score
    kind: str  # of the ceiling: `EXACT`, `SOLVED` or `GIVEN`
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
    """The scale of an environment's scores on these evaluation episodes; None where nobody knows a ceiling.

    What the user gives comes first; then what is known: measured ends, or exact ones. Where there is no ceiling,
    Gymnasium's `reward_threshold` is one; where there is no floor, the random policy is measured on these episodes.
    """
    given = entry.scale
    if given is not None and given.floor is not None and given.ceiling is not None:
        return ScoreScale(given.floor, 0.0, given.ceiling, GIVEN, "return")
    is_as_registered = not entry.changed().keys() - {"reset_seed"}
    unscaled = entry.model_copy(update={"scale": None}).model_dump_json()
    if entry.id in MEASURED and is_as_registered:
        known = measured_scale(entry.id)
    else:
        known = _of_environment(unscaled, tuple(seeds))
    if known is None:
        ceiling, kind = _threshold(entry) if is_as_registered else None, SOLVED
        if given is not None and given.ceiling is not None:
            ceiling, kind = given.ceiling, GIVEN
        if ceiling is None:
            return None
        if given is not None and given.floor is not None:
            return ScoreScale(given.floor, 0.0, ceiling, kind, "return")
        floor = _random_policy(unscaled, tuple(seeds))
        return None if floor is None else ScoreScale(floor.mean, floor.error, ceiling, kind, floor.measure)
    if given is None:
        return known
    if given.floor is not None:
        return replace(known, floor=given.floor, floor_error=0.0)
    return replace(known, ceiling=float(given.ceiling or 0.0), kind=GIVEN)


def _threshold(entry: EnvEntry) -> float | None:
    """The return at which Gymnasium calls the environment solved, where it says one."""
    threshold = find_spec(entry.id).reward_threshold
    return float(threshold) if isinstance(threshold, int | float) and math.isfinite(threshold) else None


class _Floor(NamedTuple):
    """What the random policy earns."""

    mean: float
    error: float  # standard error of the mean
    measure: str


@lru_cache(maxsize=64)
def _random_policy(entry: str, seeds: tuple[int, ...]) -> _Floor | None:
    """The random policy, measured on evaluation episodes, on as many as `MOST_STEPS` env steps allow (at least two).

    None where it cannot be measured: the environment fails, or its rewards are no finite numbers.
    """
    scores: list[float] = []
    steps = 0
    try:
        env = make_evaluation_env(EnvEntry.model_validate_json(entry))
        with closing(env):
            agent, measure = make_agent("random", env), score_measure(env)
            for seed in seeds:
                (episode,) = evaluate_agent(agent, env, [seed])
                scores.append(float(-episode.length) if measure == "-steps" else episode.total_reward)
                steps += episode.length
                if steps >= MOST_STEPS and len(scores) > 1:
                    break
    except Exception as error:  # whatever user code makes of it: the run itself has come to its end
        _log.warning("the random policy could not be measured, so that there is no scale: %s", in_words(error))
        return None
    if not np.isfinite(scores).all():
        return None
    deviation = float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
    return _Floor(float(np.mean(scores)), deviation / math.sqrt(len(scores)), measure)


def measured_scale(env_id: str) -> ScoreScale | None:
    """The scale of an environment as Gymnasium registers it, where its ends were measured."""
    if env_id not in MEASURED:
        return None
    random, error, solved = MEASURED[env_id]
    return ScoreScale(random, error, solved, SOLVED, "return")


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
    return ScoreScale(float(np.mean(random)), 0.0, float(np.mean(optimal)), EXACT, "-steps" if by_steps else "return")


def _exact_values(model: FiniteModel, horizon: int, *, by_steps: bool) -> tuple[FloatArray, FloatArray]:
    """The values [S] of the best and of the uniformly random policy over episodes of at most `horizon` steps."""
    if by_steps:
        model = FiniteModel(np.full_like(model.rewards, -1.0), model.transitions)
    uniform = np.full(model.rewards.shape, 1 / model.num_actions)
    return optimal_values(model, horizon), policy_values(model, uniform, horizon)


def _measure(env_id: str, num_episodes: int) -> None:
    from experiments.evaluation.episode_seeds import episode_seeds

    env = make_evaluation_env(EnvEntry(id=env_id))
    episodes = evaluate_agent(make_agent("random", env), env, episode_seeds(1_000_003, "validation", num_episodes))
    returns = np.array([episode.total_reward for episode in episodes])
    error = returns.std(ddof=1) / np.sqrt(num_episodes)
    print(f"{env_id}: random {returns.mean():.2f}, standard error {error:.2f}")


if __name__ == "__main__":
    for name in MEASURED:
        _measure(name, 2_000 if name in ("Acrobot-v1", "MountainCar-v0") else 10_000)
