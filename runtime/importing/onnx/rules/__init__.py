"""What each op of ONNX is in ours: a rule an op, in a table a family.

A rule takes a `Call`, and gives a value, or a list of one for each output. It is made of ops that
are there; what none can say has no rule. Formulas are those of ONNX's own list of operators.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..call import Rule
from . import (
    activations,
    choosing,
    circular,
    classical,
    control,
    elementwise,
    losses,
    normalization,
    products,
    reductions,
    shapes,
    slicing,
    storage,
    training,
)

_TABLES: Final = (
    activations, choosing, circular, control, elementwise, losses, normalization, products,
    reductions, shapes, slicing, storage,
)  # fmt: skip

RULES: Final[Mapping[tuple[str, str], Rule]] = {
    **{("", name): rule for table in _TABLES for name, rule in table.RULES.items()},
    **{("ai.onnx.ml", name): rule for name, rule in classical.RULES.items()},
    **{("ai.onnx.preview.training", name): rule for name, rule in training.RULES.items()},
}
"""The rule of each op, by its domain and name."""
