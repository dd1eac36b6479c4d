"""What is declared or fed and hardly meant: a softmax taken twice, inputs that nobody scaled."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from ..graph import Array, Graph, Node, warn
from ..ops import Cast, Copy, LayerDropout, Reshape
from ..ops.activations import Softplus
from ..ops.arithmetic import Negative
from ..ops.likelihood import NLL, LogSoftmax
from ..ops.pointwise import Exp, Sigmoid

_LOOKED_AT: Final = 1000
"""How many rows are looked at."""
_WIDE: Final = 16
"""From how many columns on numbers are taken for those of a picture."""
_SPREAD: Final = 20.0
"""Above this standard deviation inputs are taken for numbers that nobody has scaled."""
_TWICE: Final = (
    "the {0} are a {1} already; give the loss what the last layer computes, and take vg.{1} for an "
    "output of its own"
)


def warn_of_doubts(g: Graph) -> None:
    """Warns where the loss takes the softmax of a softmax, or a logistic loss of a sigmoid."""
    if g.loss is None:
        return
    for n, text in _doubts(g):
        origin = f"\n  %{g.names[n]} is made at {n.where.described}" if n.where is not None else ""
        warn(f"graph {g.name}: {text}{origin}")


def _doubts(g: Graph) -> Iterator[tuple[Node, str]]:
    softplus = {n.inputs[0] for n in g.order if isinstance(n.op, Softplus)}
    for n in g.order:
        if isinstance(n.op, NLL) and isinstance(n.inputs[0].op, LogSoftmax):
            scores = _unchanged(n.inputs[0].inputs[0])
            if isinstance(scores.op, Exp) and isinstance(scores.inputs[0].op, LogSoftmax):
                yield scores, _TWICE.format("scores of a softmax cross-entropy", "softmax")
        if isinstance(n.op, Negative) and {n, n.inputs[0]} <= softplus:
            logits = _unchanged(n.inputs[0])
            if isinstance(logits.op, Sigmoid):
                yield logits, _TWICE.format("logits of a binary cross-entropy", "sigmoid")


def _unchanged(n: Node) -> Node:
    """What a node has its numbers from, where it only copies or casts them."""
    while isinstance(n.op, (Cast, Copy)):
        (n,) = n.inputs
    return n


def warn_of_unscaled_inputs(g: Graph, arrays: Mapping[str, Array]) -> None:
    """Warns of inputs that meet a weight as they are: of pictures whose pixels are whole numbers up
    to 255, and of numbers whose standard deviation is above 20."""
    for n in g.inputs:
        name = g.names[n]
        products = [r.op.matrix_product for r in _readers(g, n)]
        if name in arrays and products and all(products):
            rows = np.atleast_1d(arrays[name])[:_LOOKED_AT]
            text = _unscaled(name, rows) if rows.size else None
            if text is not None:
                warn(text)


def _unscaled(name: str, rows: Array) -> str | None:
    """What to tell of an input whose numbers are too large for a weight."""
    if _is_raw(rows):
        return (
            f"input {name!r} holds whole numbers from 0 to 255, and meets a weight as it is, "
            f"which makes the first steps far too large; give {name} / 255, or standardize it"
        )
    with np.errstate(all="ignore"):
        deviation = float(rows.std(dtype=np.float64))
    if not _SPREAD < deviation < math.inf:
        return None
    return (
        f"input {name!r} has a standard deviation of {deviation:.3g}, and meets a weight as it is, "
        f"which makes the first steps far too large; scale your inputs: give "
        f"({name} - mean) / deviation, of each column of the training part"
    )


def _readers(g: Graph, n: Node) -> Iterator[Node]:
    """What reads an input's numbers, whatever their shape."""
    for reader in g.users[n]:
        if isinstance(reader.op, (Cast, Copy, LayerDropout, Reshape)):
            yield from _readers(g, reader)
        else:
            yield reader


def _is_raw(rows: Array) -> bool:
    if math.prod(rows.shape[1:]) < _WIDE or not 127 < rows.max() <= 255 or rows.min() < 0:
        return False
    return bool((rows == np.floor(rows)).all())
