"""Dropout as it is declared, and the random mask that training multiplies by."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from numbers import Real
from typing import ClassVar, Final, Literal, get_args

import numpy as np

from ..graph import (
    Array,
    GraphError,
    Node,
    Op,
    Point,
    Residues,
    Shape,
    TensorType,
    apply,
    check_choice,
    op,
    shard_symbol,
    shown,
)
from .random import check_seed, generator

Mode = Literal["inverted", "vanilla"]
MODES: Final = get_args(Mode)
LEVELS: Final = 1 << 16
# 1,536 words of four values each: 12 kB at a time, since random_raw has no `out`.
_PIECE: Final = 1536
_BLOCK: Final = 16
"""So many 16-bit words Philox makes of one value of its counter."""
_NONE: Final = np.empty(0, "<u2")


@op
class LayerDropout(Op):
    """Dropout as declared; run as it stands it is the inference form: x, or vanilla: keep x.

    The training pipeline puts a random mask in its place.
    """

    name: ClassVar[str] = "dropout"
    inplace: ClassVar[tuple[int, ...]] = (0,)
    elementwise: ClassVar[bool] = True
    traceable: ClassVar[bool] = True
    keep: float
    mode: Mode = "inverted"

    def __post_init__(self) -> None:
        self._set("keep", check_keep(self.keep))
        check_choice("dropout mode", self.mode, MODES)

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1)
        (x,) = types
        if not x.is_float:
            raise GraphError(f"input is {x}, where floats are expected")
        return x

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (dy if self.mode == "inverted" else dy * self.keep,)

    def exact(self, at: Point, x: Residues) -> Residues:
        return x if self.mode == "inverted" else x * self.keep

    def run(self, x: Array, *, out: Array) -> None:
        if self.mode == "inverted":
            np.copyto(out, x)
        else:
            np.multiply(x, self.keep, out=out)


@op
class DropoutMask(Op):
    """mask = scale where a unit is kept, else 0: a function of (seed, key, step) alone.

    Element i, row by row, takes the i-th little-endian 16-bit word of Philox4x64 with key
    (seed, hash of `key`) and counter (0, 0, step, 0); it is kept below round(keep 65536). Elements
    are counted from `start`: the mask of a shard is its rows of the mask of the whole batch.
    """

    name: ClassVar[str] = "dropout_mask"
    random: ClassVar[bool] = True
    flops_per_element: ClassVar[int] = 12  # on integers: Philox and a comparison
    key: str
    keep: float
    shape: Shape
    scale: float = 1.0
    seed: int = 0
    dtype: str = "f32"
    start: int = 0

    def __post_init__(self) -> None:
        self._set("keep", check_keep(self.keep))
        check_seed(self.seed)

    def infer(self, *types: TensorType) -> TensorType:
        self.takes(types, 1, "step")
        if types[0] != TensorType("i64", ()):
            raise GraphError(f"the step is {types[0]}, where i64[] is expected")
        return TensorType(self.dtype, self.shape)

    def vjp(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (None,)

    @property
    def below(self) -> int:
        """The least of the 16-bit words that drop their element."""
        return round(self.keep * LEVELS)

    def bind(self, sizes: Mapping[str, int]) -> Op:
        start = self._first(sizes)
        return self.but(start=start) if start else self

    def _first(self, sizes: Mapping[str, int]) -> int:
        """The place of the first element in the mask of the whole batch."""
        rows = (
            shard_symbol(self.shape[0]) if self.shape and isinstance(self.shape[0], str) else None
        )
        if rows is None:
            return self.start
        (_, *row) = TensorType(self.dtype, self.shape).bind(sizes)
        return rows.rows(sizes[rows.whole])[0] * prod(row)

    def exact(self, at: Point, step: Residues) -> Residues:
        share, first = self.below / LEVELS, self._first(at.sizes)
        return at.coins(f"{self.seed} {self.key}", step, share, first) * self.scale

    def run(self, step: Array, *, out: Array) -> None:
        if self.below == LEVELS:
            out.fill(self.scale)
            return
        below, random = self.below, generator(self.seed, self.key, int(step))
        flat, begun = out.reshape(-1), self._skipped(random)
        np.less(begun[: flat.size], below, out=flat[: begun.size])
        for start in range(begun.size, flat.size, 4 * _PIECE):
            piece = flat[start : start + 4 * _PIECE]
            # No name holds the words, so that they are freed before the next are drawn.
            np.less(_halves(random.random_raw((piece.size + 3) // 4), piece.size), below, out=piece)
        if self.scale != 1.0:
            np.multiply(out, self.scale, out=out)

    def _skipped(self, random: np.random.Philox) -> Array:
        """The 16-bit words from `start` on that are left of the block that it lies in, where it is
        not the first of one; the generator then stands behind that block."""
        blocks, within = divmod(self.start, _BLOCK)
        if blocks:
            random.advance(blocks)
        return _halves(random.random_raw(_BLOCK // 4), _BLOCK)[within:] if within else _NONE


def _halves(words: Array, count: int) -> Array:
    """The first `count` 16-bit numbers of 64-bit words, the lowest first."""
    return words.astype("<u8", copy=False).view("<u2")[:count]


def dropout(x: Node, *, keep: float, mode: Mode = "inverted", name: str | None = None) -> Node:
    """Declares dropout of x; `keep` in (0, 1] is the probability of keeping a unit.

    Inverted: x mask / keep in training, x in inference. Vanilla: x mask, and keep x.
    """
    return apply(LayerDropout(check_keep(keep), mode), x, name=name)


def check_keep(keep: float, what: str = "keep") -> float:
    """The probability as a float, or an error that says what it may be."""
    if isinstance(keep, bool) or not isinstance(keep, Real) or not 0 < keep <= 1:
        raise GraphError(
            f"{what} is {shown(keep)}, where a probability in (0, 1] is expected: the share of "
            "units that stay, e.g. keep=0.5 (other libraries give the share that is dropped)"
        )
    if round(keep * LEVELS) == 0:
        raise GraphError(f"{what} is {shown(keep)}, which no unit in {LEVELS} would survive")
    return float(keep)
