"""Epsilon schedules: the probability of a random action as a function of how far the training is."""

from typing import Literal

EpsilonSchedule = Literal["exponential", "linear", "constant"]


def linear(initial: float, final: float, decay_steps: int, step: int) -> float:
    """From `initial` at step 0 to `final` at `decay_steps`, and `final` from there on."""
    if step >= decay_steps:
        return final
    return initial + (final - initial) * (step / decay_steps)


def decayed(epsilon: float, decay: float, minimum: float) -> float:
    """The next episode's epsilon under multiplicative decay: epsilon * decay, never below the minimum."""
    return max(minimum, epsilon * decay)
