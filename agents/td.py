"""The Bellman target and the step towards it: one equation, one pure function.

R is the reward, S' the next state. Where the episode terminates nothing follows; truncation is not termination, and
does not come in here. Sections are Sutton & Barto's, 2nd ed.
"""


def td_target(reward: float, terminated: bool, next_value: float, discount: float) -> float:
    """R + discount * (what S' is worth), and R alone where the episode terminates (section 6.1, equation 6.2).

    Algorithms differ in what they say S' is worth: max_a Q(S', a) for Q-learning, Q(S', A') for SARSA, and so on.

    Args:
        reward: R.
        terminated: is S' terminal?
        next_value: what S' is worth.
        discount: in [0, 1].
    """
    return reward if terminated else reward + discount * next_value


def moved_towards(value: float, target: float, learning_rate: float) -> float:
    """V <- (1 - learning_rate) * V + learning_rate * target; exactly the target at learning rate 1."""
    return (1.0 - learning_rate) * value + learning_rate * target
