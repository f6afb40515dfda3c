"""What the compiled learner does with arrays between its matrix products: plain functions, made into machine code.

Loops run over contiguous numbers and keep the order of sums, so that the results do not depend on a machine's vectors.
"""

import math
from typing import Any

from numpy.typing import NDArray

from agents.td import td_target

Array = NDArray[Any]


def add_bias_relu(hidden: Array, bias: Array) -> None:
    """max(0, hidden [B, H] + bias [H]), in place."""
    zero = hidden.dtype.type(0)
    for row in range(hidden.shape[0]):
        for unit in range(hidden.shape[1]):
            value = hidden[row, unit] + bias[unit]
            hidden[row, unit] = zero if value < 0 else value  # nan stays nan


def add_bias(outputs: Array, bias: Array) -> None:
    """outputs [B, A] + bias [A], in place."""
    for row in range(outputs.shape[0]):
        for action in range(outputs.shape[1]):
            outputs[row, action] += bias[action]


def duel(outputs: Array, values: Array) -> None:
    """Values [B, A] from [V, A...] [B, 1 + A]: V + A - the mean advantage."""
    num_actions = values.shape[1]
    for row in range(values.shape[0]):
        total = outputs.dtype.type(0)
        for action in range(num_actions):
            total += outputs[row, 1 + action]
        base = outputs[row, 0] - total / num_actions
        for action in range(num_actions):
            values[row, action] = base + outputs[row, 1 + action]


def duel_back(slopes: Array, of_outputs: Array) -> None:
    """The slopes [B, 1 + A] of a loss by [V, A...], from those by the values [B, A]."""
    num_actions = slopes.shape[1]
    for row in range(slopes.shape[0]):
        total = slopes.dtype.type(0)
        for action in range(num_actions):
            total += slopes[row, action]
        of_outputs[row, 0] = total
        for action in range(num_actions):
            of_outputs[row, 1 + action] = slopes[row, action] - total / num_actions


def temporal_errors(
    values: Array,
    next_values: Array,
    scores: Array,
    actions: Array,
    rewards: Array,
    terminated: Array,
    discounts: Array,
    legal: Array,
    minds_legal: bool,
    weights: Array,
    is_huber: bool,
    slopes: Array,
    errors: Array,
    sums: Array,
) -> None:
    """Errors [B], and the slopes [B, A] of the mean loss by the values [B, A].

    Args:
        values: [B, A] of S.
        next_values: [B, A] of S', by the target network.
        scores: [B, A] that choose the action there.
        actions: [B].
        rewards: [B].
        terminated: [B].
        discounts: [B].
        legal: [B, A] the actions that may be chosen there.
        minds_legal: may only some?
        weights: [B] of the errors.
        is_huber: which loss.
        slopes: [B, A] filled in.
        errors: [B] filled in.
        sums: [3] filled in: the mean loss, the mean value of the actions, the mean size of the errors.
    """
    num_rows, num_actions = values.shape
    loss, total, size = 0.0, 0.0, 0.0
    for row in range(num_rows):
        best = -1
        for action in range(num_actions):
            if (not minds_legal or legal[row, action]) and (best < 0 or scores[row, action] > scores[row, best]):
                best = action
        taken = actions[row]
        target = td_target(rewards[row], terminated[row], next_values[row, max(best, 0)], discounts[row])
        error = target - values[row, taken]
        errors[row] = error
        total += values[row, taken]
        size += abs(error)
        slope = error
        if is_huber and abs(error) > 1:
            loss += weights[row] * (abs(error) - 0.5)
            slope = math.copysign(1.0, error)
        else:
            loss += weights[row] * 0.5 * error * error
        for action in range(num_actions):
            slopes[row, action] = 0
        slopes[row, taken] = -weights[row] * slope / num_rows
    sums[0], sums[1], sums[2] = loss / num_rows, total / num_rows, size / num_rows


def bias_slopes(slopes: Array, of_bias: Array) -> None:
    """The sum [H] of the slopes [B, H] over the batch."""
    for unit in range(of_bias.shape[0]):
        of_bias[unit] = slopes[0, unit]
    for row in range(1, slopes.shape[0]):
        for unit in range(of_bias.shape[0]):
            of_bias[unit] += slopes[row, unit]


def relu_back(slopes: Array, hidden: Array) -> None:
    """No slope [B, H] where a unit [B, H] was cut off, in place."""
    zero = slopes.dtype.type(0)
    for row in range(slopes.shape[0]):
        for unit in range(slopes.shape[1]):
            slopes[row, unit] = slopes[row, unit] if hidden[row, unit] > 0 else zero


def adam(
    parameters: Array,
    gradient: Array,
    first: Array,
    second: Array,
    shrink: float,
    step: float,
    root: float,
    constants: Array,
) -> None:
    """One step of Adam (Kingma & Ba 2015) over all parameters [P].

    What is negligible counts as zero: the moments of weights that learn no more, of units that are cut off for every
    observation, would fade to numbers below the smallest normal one, with which processors compute a hundred times
    slower.

    Args:
        parameters: [P].
        gradient: [P].
        first: [P] moment.
        second: [P] moment.
        shrink: the gradient is multiplied by it.
        step: learning rate / (1 - beta1 ** t).
        root: sqrt(1 - beta2 ** t).
        constants: [7] beta1, 1 - beta1, beta2, 1 - beta2, epsilon, the size below which a slope is negligible, and
            that of a moment; of the parameters' type.
    """
    zero = parameters.dtype.type(0)
    for index in range(parameters.shape[0]):
        slope = gradient[index] * shrink
        slope = zero if abs(slope) < constants[5] else slope  # nan stays nan
        mean = first[index] + (slope - first[index]) * constants[1]
        square = second[index] * constants[2] + slope * slope * constants[3]
        first[index] = zero if abs(mean) < constants[6] else mean
        second[index] = zero if square < constants[6] else square
        parameters[index] -= step * (first[index] / (math.sqrt(second[index]) / root + constants[4]))


def move_towards(parameters: Array, others: Array, rate: float) -> None:
    """Parameters [P] move by this share of the way to others [P]."""
    for index in range(parameters.shape[0]):
        parameters[index] += rate * (others[index] - parameters[index])


def forward_rows(
    observations: Array, parameters: Array, sizes: Array, one: Array, other: Array, outputs: Array
) -> None:
    """The last layer's outputs [N, O] of observations [N, F], row by row.

    Args:
        observations: [N, F].
        parameters: [P] of all layers, one after the other: weights [inputs, outputs], biases.
        sizes: [L + 1] F, units of each hidden layer, O.
        one: scratch, as long as the longest layer.
        other: the same.
        outputs: [N, O] filled in.
    """
    num_layers, zero = sizes.shape[0] - 1, parameters.dtype.type(0)
    for row in range(observations.shape[0]):
        for unit in range(sizes[0]):
            one[unit] = observations[row, unit]
        begin = 0
        for layer in range(num_layers):
            inputs, units = sizes[layer], sizes[layer + 1]
            bias = begin + inputs * units
            for unit in range(units):
                other[unit] = parameters[bias + unit]
            for source in range(inputs):
                value, first = one[source], begin + source * units
                if value != 0:
                    for unit in range(units):
                        other[unit] += value * parameters[first + unit]
            begin = bias + units
            last = layer == num_layers - 1
            for unit in range(units):
                one[unit] = zero if other[unit] < 0 and not last else other[unit]
        for unit in range(sizes[num_layers]):
            outputs[row, unit] = one[unit]
