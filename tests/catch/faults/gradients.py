"""Wrong gradient rules, and wrong sums of cotangents."""

from __future__ import annotations

from typing import Final

from catch.fault import Fault

_TESTS: Final = "ops/test_op_table.py passes/test_cotangents.py"


def _rule(name: str, file: str, old: str, new: str) -> Fault:
    return Fault(name, "gradient rules", file, old, new, _TESTS)


FAULTS: Final = (
    _rule(
        "weight-gradient-scaled",
        "ops/linear.py",
        "matmul(x, dy, transpose_a=True),",
        "matmul(x, dy, transpose_a=True) * 1.0005,",
    ),
    _rule(
        "l2-gradient-without-2",
        "ops/reductions.py",
        "return (dy * 2.0 * node.inputs[0],)",
        "return (dy * node.inputs[0],)",
    ),
    _rule(
        "l1-gradient-negated",
        "ops/pointwise.py",
        "return (dy * sign(node.inputs[0]),)",
        "return (-(dy * sign(node.inputs[0])),)",
    ),
    _rule(
        "relu-slope-at-0",
        "ops/relu.py",
        "np.less_equal(y, 0.0, out=alive)",
        "np.less(y, 0.0, out=alive)",
    ),
    _rule(
        "tanh-slope-with-a-plus",
        "ops/pointwise.py",
        "return (dy - dy * node * node,)",
        "return (dy + dy * node * node,)",
    ),
    _rule(
        "log-softmax-slope-with-a-plus",
        "ops/likelihood.py",
        "return (dy - exp(node) * sum(",
        "return (dy + exp(node) * sum(",
    ),
    _rule(
        "variance-slope-without-2",
        "ops/normalization.py",
        "dy * 2.0 / count(c.type, (0,))",
        "dy / count(c.type, (0,))",
    ),
    _rule(
        "mean-slope-by-one-row-more",
        "ops/reductions.py",
        "dy / count(x, self.reduced(x))",
        "dy / (count(x, self.reduced(x)) + 1.0)",
    ),
    _rule(
        "broadcast-axis-negated",
        "passes/reverse.py",
        "return dy if dy.type == to else reshape(dy, to.shape)",
        "return negative(dy)",
    ),
    _rule(
        "third-reader-forgotten",
        "passes/reverse.py",
        "for part in parts[1:]:",
        "for part in parts[1:2]:",
    ),
)
