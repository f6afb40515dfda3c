"""NumPy's default generator of random numbers in machine code: the same state, the same draws.

A `np.random.Generator` over PCG64 (O'Neill 2014) becomes six 64-bit words: the high and low half of its state and of
its increment, and the half of a draw that is kept for the next 32-bit one. `below` and `uniform` draw from such words
what `envs.mazes.chance` draws from the generator itself.

It loads numba: only what is compiled imports it.
"""

from typing import Any

import llvmlite.ir
import numba.core.cgutils
import numba.extending
import numba.np.arrayobj
import numpy as np
from numpy.typing import NDArray

# numba's and LLVM's types are not Python's.
njit: Any = numba.njit
intrinsic: Any = numba.extending.intrinsic
types: Any = numba.types
ir: Any = llvmlite.ir
alloca_once: Any = numba.core.cgutils.alloca_once
populate_array: Any = numba.np.arrayobj.populate_array

MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645
LOW_WORD = (1 << 64) - 1
NUM_WORDS = 6


def pack(rng: np.random.Generator) -> NDArray[np.uint64]:
    """The words of a generator."""
    state: dict[str, Any] = dict(rng.bit_generator.state)
    number, increment = state["state"]["state"], state["state"]["inc"]
    words = [number >> 64, number & LOW_WORD, increment >> 64, increment & LOW_WORD]
    return np.array([*words, state["has_uint32"], state["uinteger"]], dtype=np.uint64)


def unpack(words: NDArray[np.uint64]) -> np.random.Generator:
    """The generator of some words."""
    rng = np.random.Generator(np.random.PCG64())
    put_back(words, rng)
    return rng


def put_back(words: NDArray[np.uint64], rng: np.random.Generator) -> None:
    """Put a generator where its words have come to."""
    high, low, inc_high, inc_low, has_half, half = map(int, words)
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": inc_high << 64 | inc_low},
        "has_uint32": has_half,
        "uinteger": half,
    }


@intrinsic
def _advance(typing_context: Any, high: Any, low: Any, inc_high: Any, inc_low: Any) -> Any:
    """The next state, (high, low) = (high, low) * MULTIPLIER + (inc_high, inc_low), in 128-bit arithmetic."""
    word = types.uint64
    signature = types.UniTuple(word, 2)(word, word, word, word)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide, narrow = ir.IntType(128), ir.IntType(64)
        sixty_four = ir.Constant(wide, 64)

        def joined(upper: Any, lower: Any) -> Any:
            return builder.or_(builder.shl(builder.zext(upper, wide), sixty_four), builder.zext(lower, wide))

        product = builder.mul(joined(*arguments[:2]), ir.Constant(wide, MULTIPLIER))
        state = builder.add(product, joined(*arguments[2:]))
        halves = [builder.trunc(builder.lshr(state, sixty_four), narrow), builder.trunc(state, narrow)]
        return context.make_tuple(builder, signature.return_type, halves)

    return signature, generate


@intrinsic
def on_stack(typing_context: Any, words: Any) -> Any:
    """A copy of a generator's words that lies on the stack: where all is inlined, in registers."""
    kind = types.Array(types.uint64, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        given = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = alloca_once(builder, ir.ArrayType(word, NUM_WORDS))
        first = builder.bitcast(place, word.as_pointer())
        for index in range(NUM_WORDS):
            at = [ir.Constant(word, index)]
            builder.store(builder.load(builder.gep(given.data, at)), builder.gep(first, at))
        made = context.make_array(kind)(context, builder)
        size = context.get_constant(types.intp, NUM_WORDS)
        stride = context.get_constant(types.intp, 8)
        populate_array(made, data=first, shape=[size], strides=[stride], itemsize=stride, meminfo=None)
        return made._getvalue()

    return kind(words), generate


@njit
def copy_into(words: Any, others: Any) -> None:
    """A generator goes on from where another one has come to."""
    for index in range(NUM_WORDS):
        words[index] = others[index]


@njit
def _next_64(words: Any) -> Any:
    high, low = _advance(words[0], words[1], words[2], words[3])
    words[0] = high
    words[1] = low
    mixed = high ^ low
    turn = high >> np.uint64(58)
    return (mixed >> turn) | (mixed << ((np.uint64(64) - turn) & np.uint64(63)))


@njit
def _next_32(words: Any) -> Any:
    if words[4]:
        words[4] = np.uint64(0)
        return words[5]
    drawn = _next_64(words)
    words[4] = np.uint64(1)
    words[5] = drawn >> np.uint64(32)
    return drawn & np.uint64(0xFFFFFFFF)


@njit
def below(words: Any, count: Any) -> Any:
    """`chance.below`: an integer from 0 to `count` - 1, without bias (Lemire 2019)."""
    if count <= 1:
        return 0
    limit = np.uint64(count)
    product = _next_32(words) * limit
    rest = product & np.uint64(0xFFFFFFFF)
    if rest < limit:
        threshold = (np.uint64(0x100000000) - limit) % limit
        while rest < threshold:
            product = _next_32(words) * limit
            rest = product & np.uint64(0xFFFFFFFF)
    return np.int64(product >> np.uint64(32))


@njit
def uniform(words: Any) -> Any:
    """`chance.uniform`: a number in [0, 1)."""
    return np.float64(_next_64(words) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit
def uniform_at(all_words: Any, index: Any) -> Any:
    """`uniform` from row `index` of the words [N, 6] of many generators: quicker than from a view of the row."""
    high, low = _advance(all_words[index, 0], all_words[index, 1], all_words[index, 2], all_words[index, 3])
    all_words[index, 0] = high
    all_words[index, 1] = low
    mixed = high ^ low
    turn = high >> np.uint64(58)
    drawn = (mixed >> turn) | (mixed << ((np.uint64(64) - turn) & np.uint64(63)))
    return np.float64(drawn >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@numba.extending.overload_method(types.Array, "random")
def _random(words: Any) -> Any:
    """In machine code words draw as their generator does, `rng.random()`: drawn where it stands, without a call."""

    def random(words: Any) -> Any:
        return uniform(words)

    return random
