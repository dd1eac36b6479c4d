"""Running the kernel of one node by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from .errors import RunError
from .node import Node
from .op import Array, Op
from .types import TensorType

Empty = Callable[[tuple[int, ...], np.dtype[Any]], Array]
"""Makes an array of a shape and a dtype, such as `np.empty`."""


def compute(n: Node, inputs: Sequence[Array], sizes: Mapping[str, int]) -> Array:
    """The node's result, in a new array; `sizes` are those of the symbols.

    Raises RunError where there is no memory for it, and what the kernel raises.
    """
    try:
        out = np.empty(n.type.bind(sizes), n.type.numpy)
    except MemoryError:
        raise RunError(f"{n!r} takes more memory than this machine has") from None
    call = kernel_call(n.op, [i.type for i in n.inputs], inputs, out, sizes)
    with np.errstate(all="ignore"):
        call()
    return out


def kernel_call(
    op: Op,
    types: Sequence[TensorType],
    inputs: Sequence[Array],
    out: Array,
    sizes: Mapping[str, int],
    empty: Empty = np.empty,
) -> Callable[[], None]:
    """The call of an op's kernel on these arrays, with temporaries made by `empty`."""
    wanted = op.scratch(*types)
    scratch = {"scratch": tuple([empty(t.bind(sizes), t.numpy) for t in wanted])} if wanted else {}
    return partial(op.bind(sizes).run, *inputs, out=out, **scratch)
