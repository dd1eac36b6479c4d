"""Computes what depends on constants alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from ..graph import (
    SETTINGS,
    Array,
    Constant,
    Graph,
    Node,
    Source,
    VerigradError,
    compute,
    constant,
)
from .base import Pass, Refused, Rewrite

_LARGEST: Final = 16


@dataclass(frozen=True)
class FoldConstants(Pass):
    """An op whose inputs are all constants becomes the constant that its kernel computes.

    Before:

        graph net {
          %x: f32[N] = input
          %c2: f32[] = constant{2.0}
          %c0.25: f32[] = constant{0.25}
          %strength: f32[] = multiply(%c2, %c0.25)
          %y: f32[N] = multiply(%x, %strength)
          return y=%y
        }

    After:

        graph net {
          %x: f32[N] = input
          %strength: f32[] = constant{0.5}
          %y: f32[N] = multiply(%x, %strength)
          return y=%y
        }

    Not for results over 16 elements, which would take more memory than the op that makes them,
    nor where a size is a symbol. The op's own kernel runs in its own dtype, so bits are kept.
    After differentiation, which leaves many factors of 1.
    """

    name: ClassVar[str] = "fold_constants"
    breaks: ClassVar[tuple[str, ...]] = ("as declared",)
    repeated: ClassVar[bool] = True

    def rewrites(self, g: Graph) -> Iterator[Rewrite | Refused]:
        values: dict[Node, Array] = {
            n: n.op.array for n in g.constants if isinstance(n.op, Constant)
        }
        for n in g.order:
            if not n.inputs or isinstance(n.op, Source) or any(i not in values for i in n.inputs):
                continue
            unknown = (*n.type.symbols, *n.op.free_symbols())
            if unknown:
                yield Refused(n, f"not folded: the size of {unknown[0]} is known when it runs")
                continue
            if np.prod(n.type.bind({}), dtype=int) > _LARGEST:
                yield Refused(n, f"not folded: {n.type} is larger than {_LARGEST} elements")
                continue
            try:
                with SETTINGS:
                    values[n] = compute(n, [values[i] for i in n.inputs], {})
            except VerigradError as e:
                yield Refused(n, f"not folded: {e}")
                continue
            folded = constant(values[n], n.type.dtype)
            yield Rewrite(n, folded, f"{n.op.name} of constants")
