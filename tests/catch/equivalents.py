"""Changes that no test can notice, since what is computed is the same: each with the reason."""

from __future__ import annotations

from typing import Final

_ONLY: Final = "there is one element, which is the last as well"
EQUIVALENTS: Final[dict[str, str]] = {
    "passes/fold_batch_norm.py\n"
    "- moved = (b[0] - running_mean) * scale if b else -(running_mean * scale)\n"
    "+ moved = (b[ -1] - running_mean) * scale if b else -(running_mean * scale)": _ONLY,
    "passes/fuse_linear_relu.py\n"
    "- if not isinstance(n.op, Relu) or not isinstance(n.inputs[0].op, Linear):\n"
    "+ if not isinstance(n.op, Relu) or not isinstance(n.inputs[ -1].op, Linear):": _ONLY,
    "passes/fuse_linear_relu.py\n- linear = n.inputs[0]\n+ linear = n.inputs[ -1]": _ONLY,
    "passes/fold_constants.py\n"
    '- yield Refused(n, f"not folded: the size of {unknown[0]} is known when it runs")\n'
    '+ yield Refused(n, f"not folded: the size of {unknown[ -1]} is known when it runs")': (
        "of several unknown sizes a note names any"
    ),
}
"""By the file and the lines that differ, as `python -m catch.mutants` tells them."""
