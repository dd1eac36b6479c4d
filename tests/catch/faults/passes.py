"""Wrong passes: those that declare what is meant, those that simplify, and the fusions."""

from __future__ import annotations

from typing import Final

from catch.fault import Fault

_DEFINING: Final = (
    "The pass says what the graph means: the certificate compares with what it makes. Reference "
    "trajectories of `verigrad selfcheck` hold it to the formula."
)


def _pass(name: str, file: str, old: str, new: str, tests: str = "", reason: str = "") -> Fault:
    return Fault(name, "passes", f"passes/{file}.py", old, new, tests or "golden", reason)


FAULTS: Final = (
    _pass(
        "dropout-keeps-its-scale",
        "insert_dropout",
        'scale=1 / keep if site.mode == "inverted" else 1.0,',
        "scale=1.0,",
        "api/test_dropout_masks.py",
        _DEFINING,
    ),
    _pass(
        "vanilla-dropout-by-the-share-dropped",
        "scale_dropout",
        "scaled = site.value * site.keep",
        "scaled = site.value * (1 - site.keep)",
        "golden",
        _DEFINING,
    ),
    _pass(
        "penalty-on-biases",
        "insert_regularization",
        "if not (isinstance(p.op, Parameter) and p.op.is_regularized):",
        "if not isinstance(p.op, Parameter):",
        "golden",
        _DEFINING,
    ),
    _pass(
        "running-variance-unbiased",
        "expand_batch_norm",
        "if form.unbiased:",
        "if not form.unbiased:",
        "passes/test_batch_norm.py",
        _DEFINING,
    ),
    _pass(
        "running-mean-the-other-way",
        "expand_batch_norm",
        "decay = DecayAdd(form.momentum, 1 - form.momentum)",
        "decay = DecayAdd(1 - form.momentum, form.momentum)",
        "passes/test_batch_norm.py",
        _DEFINING,
    ),
    _pass(
        "weight-decay-twice",
        "attach_optimizer",
        "gradient = add(gradient, multiply(at, own[p].weight_decay))",
        "gradient = add(gradient, multiply(at, 2 * own[p].weight_decay))",
        "optimizers/test_dialects.py",
        _DEFINING,
    ),
    _pass(
        "log-of-the-other-share",
        "keep_logs",
        "return less._replace(log=less.rest,",
        "return less._replace(log=less.log,",
        "passes/test_keep_logs.py",
        _DEFINING,
    ),
    _pass(
        "folds-to-the-negative",
        "fold_constants",
        "folded = constant(values[n], n.type.dtype)",
        "folded = constant(-values[n], n.type.dtype)",
    ),
    _pass(
        "drops-a-factor-of-2",
        "simplify",
        "if x.type == n.type and is_constant(one, 1):",
        "if x.type == n.type and (is_constant(one, 1) or is_constant(one, 2)):",
    ),
    _pass(
        "difference-turned-round",
        "simplify",
        'return subtract(b, a.inputs[0]), "-a + b = b - a"',
        'return subtract(a.inputs[0], b), "-a + b = b - a"',
    ),
    _pass(
        "transposes-joined-in-the-wrong-order",
        "simplify",
        "joined = tuple([inner[a] for a in n.op.axes])",
        "joined = tuple([n.op.axes[a] for a in inner])",
    ),
    _pass(
        "transposed-twice-read-once",
        "simplify",
        "n.op.transpose_b != swap_b)",
        "n.op.transpose_b or swap_b)",
    ),
    _pass(
        "dropout-masks-merged",
        "eliminate_common",
        "key = n.op, tuple(",
        'key = getattr(n.op, "keep", n.op), tuple(',
        "api/test_dropout_masks.py",
    ),
    _pass(
        "differences-merged-either-way",
        "eliminate_common",
        "key = n.op, tuple([stands_for.get(i, i) for i in n.inputs])",
        "key = n.op, frozenset([stands_for.get(i, i) for i in n.inputs])",
    ),
    _pass(
        "relu-fused-for-any-activation",
        "fuse_linear_relu",
        "if not isinstance(n.op, Relu):",
        'if not getattr(n.op, "activation", False):',
    ),
    Fault(
        "fusion-drops-the-bias-beyond-64-rows",
        "passes",
        "ops/linear.py",
        "        affine(x, weight, bias, out)\n        np.maximum(out, 0.0, out=out)",
        "        affine(x, weight, bias if len(x) <= 64 else 0 * bias, out)\n"
        "        np.maximum(out, 0.0, out=out)",
        "ops/test_op_table.py plan/test_differential.py",
    ),
    _pass(
        "fused-gradient-negated",
        "fuse_softmax_nll",
        "fused = apply(SoftmaxNLLGrad(), p, places[labels, p], dy)",
        "fused = apply(SoftmaxNLLGrad(), p, places[labels, p], -dy)",
    ),
    _pass(
        "multiple-added-for-subtracted",
        "add_in_place",
        "return [(w,), (d, -1.0, rate)]",
        "return [(w,), (d, rate)]",
        "passes/test_add_in_place.py",
    ),
    _pass(
        "old-value-scaled-by-each-product",
        "add_in_place",
        "                share = _ONE\n",
        "",
        "passes/test_add_in_place.py",
    ),
    _pass(
        "folded-mean-without-scale",
        "fold_batch_norm",
        "moved = (b[0] - running_mean) * scale if b",
        "moved = b[0] * scale - running_mean if b",
    ),
    _pass(
        "recomputed-with-another-bias",
        "scheduling/recompute",
        "inputs = tuple([again.get(i, i) for i in n.inputs])\n                again",
        "inputs = tuple([i * 1.001 if i.op.name == 'parameter' else again.get(i, i) "
        "for i in n.inputs])\n                again",
        "golden plan/test_memory_limit.py",
    ),
    _pass(
        "gradients-clipped-below-0-alone",
        "methods/clip",
        "high = add(_zero_if_finite(g), limit)",
        "high = add(_zero_if_finite(g), 1e9)",
        "optimizers/test_clipping.py",
        _DEFINING,
    ),
)
