"""Dropout's masks, bit for bit: Philox4x64 in whole numbers of 64 bits.

Ours are a function of the seed, a name and the step, and so a step in ONNX draws the same units as
`program.step` does, from its seed and its state %step; masks as inputs would have to be made
outside. Of the four numbers that Philox turns ten times, two are multiplied and two are mixed in:
each pair is a matrix [2,blocks], all blocks at a time. Source: Salmon, Moraes, Dror and Shaw 2011.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ....graph import Node
from ....ops.dropout import LEVELS
from ....ops.random import name_hash
from .builder import Builder, Value

_MULTIPLIERS: Final = np.array([[0xD2E7470EE14C6C93], [0xCA5A826395121157]], np.uint64)
_HALF: Final = 2**32 - 1
_BITS: Final = 32
_WEYL: Final = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
"""What is added to the two keys after each round."""
_ROUNDS: Final = 10
_IN_A_BLOCK: Final = 16
"""How many numbers of 16 bits four words of 64 hold."""


def dropout(at: Builder, n: Node, x: Value) -> Value:
    """x as inference has it."""
    op: Any = n.op
    return x if op.mode == "inverted" else x * op.keep


def dropout_mask(at: Builder, n: Node, step: Value) -> Value:
    """The scale where the word of an element, of 16 bits, is below the share that is kept."""
    op: Any = n.op
    if op.below == LEVELS:
        return at.op("Expand", at.number(op.scale, n.dtype), at.shape(n.shape))
    count = at.op("ReduceProd", at.shape(n.shape), keepdims=0)
    blocks = (count + (_IN_A_BLOCK - 1)) / _IN_A_BLOCK
    seed = at.seeds[op.seed] if op.seed in at.seeds else at.number(op.seed, "u64")
    words = philox(at, seed, name_hash(op.key), step, blocks)
    halves = at.op("Unsqueeze", words, at.whole(2)) >> at.number([0, 16, 32, 48], "u64")
    flat = at.op("Reshape", halves & 0xFFFF, at.whole(-1))
    drawn = at.op("Slice", flat, at.whole(0), at.op("Unsqueeze", count, at.whole(0)))
    kept: Value = at.reshape(drawn, n.shape) < op.below
    return kept.cast(n.dtype) if op.scale == 1 else kept.cast(n.dtype) * op.scale


def philox(at: Builder, seed: Value, key: int, step: Value, blocks: Value) -> Value:
    """u64[blocks,4]: the words of (seed, key) with counters (1, 0, step, 0), (2, 0, step, 0) and so
    on."""
    row = at.op("Concat", at.whole(1), at.op("Unsqueeze", blocks, at.whole(0)), axis=0)
    counted = at.op("Range", at.number(1, "i64"), blocks + 1, 1)
    steps = at.op("Expand", step, row)
    multiplied = at.op("Concat", at.op("Unsqueeze", counted, at.whole(0)), steps, axis=0).cast(
        "u64"
    )
    mixed = multiplied ^ multiplied  # zeros
    first = at.op("Concat", at.op("Unsqueeze", seed, at.whole(0)), at.number([key], "u64"), axis=0)
    added = [[[r * weyl % 2**64] for weyl in _WEYL] for r in range(_ROUNDS)]
    keys = at.op("Unsqueeze", first, at.whole(1)) + at.number(np.array(added, np.uint64), "u64")
    pairs = at.ops(
        "Scan",
        [multiplied, mixed, keys],
        ["u64", "u64"],
        body=_round(at),
        num_scan_inputs=1,
    )
    by_word = at.op("Concat", *[at.op("Unsqueeze", p, at.whole(1)) for p in pairs], axis=1)
    return at.op("Transpose", at.op("Reshape", by_word, at.whole(4, -1)), perm=[1, 0])


def _round(at: Builder) -> Builder:
    """One round: the high words of the products, crossed, are mixed with the other pair and the
    key; the low words, crossed, are the pair to be mixed in next."""
    body = at.inner(multiplied="u64", mixed="u64", key="u64")
    x, mixed, key = body.inputs
    low = x * body.number(_MULTIPLIERS, "u64")
    high, low = (
        body.op("Gather", word, body.whole(1, 0), axis=0) for word in (_high_word(body, x), low)
    )
    body.outputs = [high ^ mixed ^ key, low]
    return body


def _high_word(body: Builder, x: Value) -> Value:
    """The upper 64 of the 128 bits of a product with the multipliers, from products of halves."""
    x0, x1 = x & _HALF, x >> _BITS
    f0, f1 = (
        body.number(_MULTIPLIERS & np.uint64(_HALF), "u64"),
        body.number(_MULTIPLIERS >> np.uint64(_BITS), "u64"),
    )
    low = x1 * f0 + ((x0 * f0) >> _BITS)
    middle = x0 * f1 + (low & _HALF)
    return x1 * f1 + (low >> _BITS) + (middle >> _BITS)
