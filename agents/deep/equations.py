"""The equations of DQN on tensors: one equation, one pure function. B transitions, A actions."""

import torch
from torch import Tensor


def td_targets(rewards: Tensor, terminated: Tensor, next_values: Tensor, discounts: Tensor) -> Tensor:
    """R + discount * (what S' is worth), and R alone where the episode terminates: `agents.td.td_target` of [B]."""
    return torch.where(terminated, rewards, rewards + discounts * next_values)


def values_of_best(values: Tensor, scores: Tensor, legal: Tensor | None) -> Tensor:
    """The values [B] of the legal actions with the highest scores [B, A].

    DQN scores by the target network's values themselves (Mnih et al. 2015), double DQN by the online network's (van
    Hasselt et al. 2016).
    """
    if legal is not None:
        scores = torch.where(legal, scores, -torch.inf)
    return values.gather(1, scores.argmax(1, keepdim=True)).squeeze(1)  # [B]


def dueling_values(outputs: Tensor) -> Tensor:
    """Q(s, a) [B, A] = V(s) + A(s, a) - the mean advantage, from [V, A...] (Wang et al. 2016, equation 9)."""
    value, advantages = outputs[:, :1], outputs[:, 1:]
    return value + advantages - advantages.mean(1, keepdim=True)


def huber(errors: Tensor) -> Tensor:
    """Half the square up to 1, then a straight line (Huber 1964)."""
    size = errors.abs()
    return torch.where(size <= 1.0, 0.5 * errors * errors, size - 0.5)


def half_squared(errors: Tensor) -> Tensor:
    """Half the square, whose slope is the error."""
    return 0.5 * errors * errors


LOSSES = {"huber": huber, "squared": half_squared}
