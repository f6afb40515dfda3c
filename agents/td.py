"""Temporal-difference targets: one equation, one pure function."""

from collections.abc import Sequence


def q_learning_target(reward: float, terminated: bool, next_q_values: Sequence[float], discount: float) -> float:
    """The Bellman target of Q-learning, R + discount * max_a Q(S', a); just R where the episode terminates.

    Sutton & Barto, 2nd ed., section 6.5, equation 6.8. Truncation is not termination: it does not come in here.

    Args:
        reward: R.
        terminated: is S' terminal?
        next_q_values: Q(S', .) [A].
        discount: in [0, 1].
    """
    return reward if terminated else reward + discount * max(next_q_values)


def moved_towards(q_value: float, target: float, learning_rate: float) -> float:
    """Q(S, A) <- (1 - learning_rate) * Q(S, A) + learning_rate * target; exactly the target at learning rate 1."""
    return (1.0 - learning_rate) * q_value + learning_rate * target
