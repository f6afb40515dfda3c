"""Which action is taken: the behaviour policies, and what their probabilities are. Plain functions on arrays.

Ties are drawn while exploring. All randomness is `rng.random()`, numbers in [0, 1).
"""

import math

from agents.seeding import Rng
from agents.tabular.memory import (
    EPSILON_GREEDY,
    NOW,
    UCB,
    VISITS,
    FloatArray,
    IntArray,
    Memory,
    Parameters,
)

ILLEGAL = -math.inf  # what an action is worth that was never legal in a state (see `agents.tabular.table`)


def choose(memory: Memory, parameters: Parameters, rng: Rng, state: int) -> int:
    """An action drawn from the behaviour policy."""
    if parameters.exploration == EPSILON_GREEDY:
        epsilon = memory.rates[NOW] if parameters.schedule != VISITS else epsilon_at(memory, parameters, state)
        if rng.random() < epsilon:
            return int(rng.random() * parameters.num_actions)
        return drawn_best(memory.q, rng, state, parameters.num_actions)
    if parameters.exploration == UCB:
        score_by_confidence(memory, parameters, state)
        return drawn_best_score(memory.scratch, rng, parameters.num_actions)
    weigh_by_value(memory, parameters, state)
    return drawn_share(memory.scratch, rng, parameters.num_actions)


def drawn_legal(q: FloatArray, rng: Rng, state: int, num_actions: int) -> int:
    """Any action, all equally likely; not one that is known to be illegal."""
    action = int(rng.random() * num_actions)
    return action if q[state, action] != ILLEGAL else other_legal(q, rng, state, num_actions)


def other_legal(q: FloatArray, rng: Rng, state: int, num_actions: int) -> int:
    """Any legal action, drawn anew where an illegal one was drawn; if there is none, the first."""
    skipped = int(rng.random() * num_legal(q, state, num_actions))
    for action in range(num_actions):
        if q[state, action] != ILLEGAL:
            if skipped == 0:
                return action
            skipped -= 1
    return 0


def num_legal(q: FloatArray, state: int, num_actions: int) -> int:
    """How many actions are not known to be illegal."""
    count = 0
    for action in range(num_actions):
        if q[state, action] != ILLEGAL:
            count += 1
    return count


def epsilon_at(memory: Memory, parameters: Parameters, state: int) -> float:
    """Epsilon in a state; with the schedule "visits" epsilon / N(s), where this visit counts."""
    if parameters.schedule == VISITS:
        visits = visits_of(memory.visits, state, parameters.num_actions) + 1
        return max(parameters.least_rate, parameters.initial_rate / visits)
    return memory.rates[NOW]


def visits_of(visits: IntArray, state: int, num_actions: int) -> int:
    """N(s)."""
    total = 0
    for action in range(num_actions):
        total += visits[state, action]
    return total


# -- the best action, ties drawn ------------------------------------------------------------------------------


# Of four actions, as mazes have, the loop's length is known where it is compiled, and machine code does without it.


def best_value(q: FloatArray, state: int, num_actions: int) -> float:
    """max_a Q(s, a)."""
    return _best_value(q, state, 4) if num_actions == 4 else _best_value(q, state, num_actions)


def _best_value(q: FloatArray, state: int, num_actions: int) -> float:
    best = q[state, 0]
    for action in range(1, num_actions):
        value = q[state, action]
        if value > best:
            best = value
    return best


def first_best(q: FloatArray, state: int, num_actions: int) -> int:
    """argmax_a Q(s, a); ties go to the lowest index."""
    best, chosen = q[state, 0], 0
    for action in range(1, num_actions):
        value = q[state, action]
        if value > best:
            best, chosen = value, action
    return chosen


def drawn_best(q: FloatArray, rng: Rng, state: int, num_actions: int) -> int:
    """argmax_a Q(s, a); ties are drawn."""
    return _drawn_best(q, rng, state, 4) if num_actions == 4 else _drawn_best(q, rng, state, num_actions)


def _drawn_best(q: FloatArray, rng: Rng, state: int, num_actions: int) -> int:
    best, chosen, ties = q[state, 0], 0, 1
    for action in range(1, num_actions):
        value = q[state, action]
        if value > best:
            best, chosen, ties = value, action, 1
        elif value == best:
            ties += 1
    if ties == 1:
        return chosen
    skipped = int(rng.random() * ties)
    for action in range(chosen, num_actions):
        if q[state, action] == best:
            if skipped == 0:
                return action
            skipped -= 1
    return chosen


def num_best(q: FloatArray, state: int, num_actions: int) -> int:
    """How many actions are tied for the best."""
    best, ties = best_value(q, state, num_actions), 0
    for action in range(num_actions):
        if q[state, action] == best:
            ties += 1
    return ties


def greedy_share(q: FloatArray, state: int, action: int, num_actions: int) -> float:
    """pi(a | s) of the greedy policy, which splits evenly between ties."""
    if q[state, action] < best_value(q, state, num_actions):
        return 0.0
    return 1.0 / max(num_best(q, state, num_actions), 1)  # none is best where values are nan


# -- scores and weights of all actions of a state, in `scratch` -----------------------------------------------


def score_by_confidence(memory: Memory, parameters: Parameters, state: int) -> None:
    """Upper confidence bounds, Q(s, a) + c * sqrt(ln N(s) / N(s, a)) (section 2.7); infinite for an untried action."""
    total = visits_of(memory.visits, state, parameters.num_actions)
    logarithm = math.log(max(total, 1))
    for action in range(parameters.num_actions):
        visits = memory.visits[state, action]
        if memory.q[state, action] == ILLEGAL:
            memory.scratch[action] = -math.inf
        elif visits == 0:
            memory.scratch[action] = math.inf
        else:
            bound = parameters.confidence * math.sqrt(logarithm / visits)
            memory.scratch[action] = memory.q[state, action] + bound


def weigh_by_value(memory: Memory, parameters: Parameters, state: int) -> None:
    """Boltzmann's weights, exp((Q(s, a) - max Q(s, .)) / temperature) (softmax, section 13.1)."""
    best = best_value(memory.q, state, parameters.num_actions)
    for action in range(parameters.num_actions):
        memory.scratch[action] = math.exp((memory.q[state, action] - best) / memory.rates[NOW])


def drawn_best_score(scores: FloatArray, rng: Rng, num_actions: int) -> int:
    """The index of the highest score; ties are drawn."""
    best, chosen, ties = scores[0], 0, 1
    for action in range(1, num_actions):
        score = scores[action]
        if score > best:
            best, chosen, ties = score, action, 1
        elif score == best:
            ties += 1
    if ties == 1:
        return chosen
    skipped = int(rng.random() * ties)
    for action in range(chosen, num_actions):
        if scores[action] == best:
            if skipped == 0:
                return action
            skipped -= 1
    return chosen


def drawn_share(weights: FloatArray, rng: Rng, num_actions: int) -> int:
    """An index, drawn in proportion to its weight."""
    total = 0.0
    for action in range(num_actions):
        total += weights[action]
    left = rng.random() * total
    for action in range(num_actions - 1):
        left -= weights[action]
        if left < 0.0:
            return action
    return num_actions - 1


# -- what the policy's actions are worth together -------------------------------------------------------------


def expected_value(memory: Memory, parameters: Parameters, state: int) -> float:
    """The sum of pi(a | s) Q(s, a) under the behaviour policy (as it is before a visit counts)."""
    num_actions = parameters.num_actions
    if parameters.exploration == EPSILON_GREEDY:
        mean, legal = 0.0, num_legal(memory.q, state, num_actions)
        for action in range(num_actions):
            if memory.q[state, action] != ILLEGAL:
                mean += memory.q[state, action] / legal
        epsilon = epsilon_at(memory, parameters, state)
        return epsilon * mean + (1.0 - epsilon) * best_value(memory.q, state, num_actions)
    if parameters.exploration == UCB:
        score_by_confidence(memory, parameters, state)
        best = memory.scratch[0]
        for action in range(1, num_actions):
            best = max(best, memory.scratch[action])
        for action in range(num_actions):
            memory.scratch[action] = 1.0 if memory.scratch[action] == best else 0.0
    else:
        weigh_by_value(memory, parameters, state)
    total, expected = 0.0, 0.0
    for action in range(num_actions):
        total += memory.scratch[action]
        if memory.scratch[action] != 0.0:
            expected += memory.scratch[action] * memory.q[state, action]
    return expected / total if total != 0.0 else best_value(memory.q, state, num_actions)  # 0 where values are nan
