"""What a score is measured between: the random policy below, the best known policy above.

For finite models both are exact, computed for the very episodes that agents are evaluated on, with their limit of
steps. For LunarLander they are 200 ("solved") and a measured random policy.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from agents.planning import FiniteModel, FloatArray, optimal_values, policy_values
from experiments.evaluation import episode_limit, make_evaluation_env
from experiments.spec import EnvEntry

MAX_STATES = 2_500  # beyond it the exact values of every run would cost more than they tell

# Mean return of the random policy over 10,000 episodes, and the standard error of that mean: measured with
# `python -m experiments.references` on gymnasium 1.4.0.
LUNAR_LANDER_RANDOM, LUNAR_LANDER_RANDOM_ERROR = -182.7, 1.1
LUNAR_LANDER_SOLVED = 200.0


@dataclass(frozen=True)
class Reference:
    """The two ends of the scale of an environment's scores."""

    random: float
    random_error: float  # standard error; 0 where exact
    reference: float
    kind: str  # "exact optimum" or "solved"
    measure: str  # "return" or "-steps": what a score is

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)


def reference_for(entry: EnvEntry, seeds: Sequence[int]) -> Reference | None:
    """The reference of an environment on these evaluation episodes, or None where there is none."""
    if entry.id == "LunarLander-v3" and not entry.changed_settings().keys() - {"reset_seed"}:
        return Reference(LUNAR_LANDER_RANDOM, LUNAR_LANDER_RANDOM_ERROR, LUNAR_LANDER_SOLVED, "solved", "return")
    env = make_evaluation_env(entry)
    try:
        return _exact_reference(entry, env, seeds)
    finally:
        env.close()


def score_measure(entry: EnvEntry) -> str:
    """Mazes with another reward than -1 a step are scored by minus the steps to the exit, all others by the return."""
    is_maze = entry.id.rpartition(":")[2] == "RLLab/Maze-v0"
    return "-steps" if is_maze and entry.settings.get("reward", "step") != "step" else "return"


def _exact_reference(entry: EnvEntry, env: gym.Env[Any, Any], seeds: Sequence[int]) -> Reference | None:
    base: Any = env.unwrapped
    env.reset(seed=seeds[0])  # toy_text has no state before
    if not (hasattr(type(base), "P") or "P" in vars(base)):  # looking at ours would build it
        return None
    if not hasattr(base, "s") or len(getattr(base, "initial_state_distrib", ())) not in range(1, MAX_STATES + 1):
        return None
    if entry.settings.get("fickle_passenger"):  # Taxi: its P does not tell of it
        return None
    horizon = episode_limit(env)
    by_steps = score_measure(entry) == "-steps"
    optimal, random = [], []
    values: tuple[FloatArray, FloatArray] | None = None
    for seed in seeds:
        env.reset(seed=seed)
        if values is None or not getattr(base, "fixed_model", True):
            values = _exact_values(_step_costs(base.P) if by_steps else base.P, horizon)
        optimal.append(float(values[0][base.s]))  # `s`: the current state, toy_text's name
        random.append(float(values[1][base.s]))
    return Reference(
        float(np.mean(random)), 0.0, float(np.mean(optimal)), "exact optimum", "-steps" if by_steps else "return"
    )


def _exact_values(dictionary: Any, horizon: int) -> tuple[FloatArray, FloatArray]:
    """The values [S] of the best and of the uniformly random policy over episodes of at most `horizon` steps."""
    model = FiniteModel.from_dictionary(dictionary)
    uniform = np.full(model.rewards.shape, 1 / model.rewards.shape[1])
    return optimal_values(model, horizon), policy_values(model, uniform, horizon)


def _step_costs(model: Any) -> Any:
    """The same model with -1 a step for its reward."""
    return {
        state: {
            action: [(probability, next_state, -1.0, terminated) for probability, next_state, _, terminated in outcomes]
            for action, outcomes in actions.items()
        }
        for state, actions in model.items()
    }


def _measure_lunar_lander(num_episodes: int = 10_000) -> None:
    from agents.registry import make_agent
    from experiments.evaluation import evaluate_agent
    from experiments.seeding import episode_seeds

    env = make_evaluation_env(EnvEntry(id="LunarLander-v3"))
    episodes = evaluate_agent(make_agent("random", env), env, episode_seeds(1_000_003, "validation", num_episodes))
    returns = np.array([episode.total_reward for episode in episodes])
    print(f"random: {returns.mean():.2f}, standard error {returns.std(ddof=1) / np.sqrt(num_episodes):.2f}")


if __name__ == "__main__":
    _measure_lunar_lander()
