"""Temporal-difference targets: one equation, one pure function.

R is the reward, S' the next state, A' the next action. Where the episode terminates nothing follows, and every target
is R alone; truncation is not termination, and does not come in here. Section and equation numbers are Sutton & Barto's,
2nd ed.
"""

from collections.abc import Sequence


def q_learning_target(reward: float, terminated: bool, next_q_values: Sequence[float], discount: float) -> float:
    """The Bellman target of Q-learning, R + discount * max_a Q(S', a) (section 6.5, equation 6.8).

    Args:
        reward: R.
        terminated: is S' terminal?
        next_q_values: Q(S', .) [A].
        discount: in [0, 1].
    """
    return reward if terminated else reward + discount * max(next_q_values)


def sarsa_target(reward: float, terminated: bool, next_q_value: float, discount: float) -> float:
    """SARSA's target, R + discount * Q(S', A'), for the action A' that is taken next (section 6.4, equation 6.7).

    Args:
        reward: R.
        terminated: is S' terminal?
        next_q_value: Q(S', A').
        discount: in [0, 1].
    """
    return reward if terminated else reward + discount * next_q_value


def expected_sarsa_target(
    reward: float, terminated: bool, next_q_values: Sequence[float], probabilities: Sequence[float], discount: float
) -> float:
    """Expected SARSA's target, R + discount * sum over a of pi(a | S') Q(S', a) (section 6.6, equation 6.9).

    Args:
        reward: R.
        terminated: is S' terminal?
        next_q_values: Q(S', .) [A].
        probabilities: pi(. | S') [A], of the policy that acts.
        discount: in [0, 1].
    """
    if terminated:
        return reward
    expected = 0.0
    for probability, q_value in zip(probabilities, next_q_values, strict=True):
        expected += probability * q_value
    return reward + discount * expected


def double_q_learning_target(
    reward: float, terminated: bool, choosing: Sequence[float], judging: Sequence[float], discount: float
) -> float:
    """Double Q-learning's target, R + discount * Q_2(S', argmax_a Q_1(S', a)) (section 6.7, equation 6.10).

    Args:
        reward: R.
        terminated: is S' terminal?
        choosing: Q_1(S', .) [A], of the table that is updated: it says which action is best; ties go to the first.
        judging: Q_2(S', .) [A], of the other table: it says what that action is worth.
        discount: in [0, 1].
    """
    return reward if terminated else reward + discount * judging[choosing.index(max(choosing))]


def epsilon_greedy_probabilities(q_values: Sequence[float], epsilon: float) -> list[float]:
    """pi(. | S) [A] of the epsilon-greedy policy; the greedy share is split evenly among equally good actions."""
    best = max(q_values)
    greedy = (1.0 - epsilon) / q_values.count(best)
    random = epsilon / len(q_values)
    return [random + greedy if value == best else random for value in q_values]


def moved_towards(q_value: float, target: float, learning_rate: float) -> float:
    """Q(S, A) <- (1 - learning_rate) * Q(S, A) + learning_rate * target; exactly the target at learning rate 1."""
    return (1.0 - learning_rate) * q_value + learning_rate * target
