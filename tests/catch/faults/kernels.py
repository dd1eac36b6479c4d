"""Wrong kernels, of NumPy's backend, which the interpreter runs too, and of numba's."""

from __future__ import annotations

from typing import Final

from catch.fault import Fault

_OPS: Final = "ops/test_op_table.py"
_DRAWN: Final = (
    "A mask has no meaning but the words that it is drawn from: its kernel is its definition. "
    "`verigrad selfcheck` holds it to stored masks."
)


def _numpy(name: str, file: str, old: str, new: str, tests: str = _OPS, reason: str = "") -> Fault:
    return Fault(name, "kernels of NumPy", f"ops/{file}.py", old, new, tests, reason)


def _numba(name: str, file: str, old: str, new: str, reason: str = "") -> Fault:
    where = f"runtime/backends/numba/{file}.py"
    return Fault(name, "kernels of numba", where, old, new, "jit/test_kernels.py", reason)


FAULTS: Final = (
    _numpy(
        "variance-over-one-row-less",
        "normalization",
        "np.divide(out, rows, out=out)",
        "np.divide(out, rows - 1, out=out)",
    ),
    _numpy(
        "last-label-off",
        "labels",
        "    np.add(out, labels, out=out)",
        "    np.add(out, np.where(labels == classes - 1, 0, labels), out=out)",
    ),
    _numpy(
        "exp-of-softmax-scaled",
        "likelihood",
        "np.add.reduce(exps, axis=-1, out=column, keepdims=True)",
        "np.add.reduce(exps, axis=-1, out=column, keepdims=True)\n"
        "        np.multiply(column, 0.999, out=column)",
    ),
    _numpy(
        "descent-of-a-thousandth-less",
        "updates",
        "        np.multiply(d, rate, out=t)\n        np.subtract(w, t, out=out)",
        "        np.multiply(d, rate * 0.999, out=t)\n        np.subtract(w, t, out=out)",
    ),
    _numpy(
        "eps-inside-the-root",
        "updates",
        "        np.sqrt(s, out=t)\n        np.add(t, eps, out=t)\n",
        "        np.add(s, eps, out=t)\n        np.sqrt(t, out=t)\n",
    ),
    _numpy(
        "bias-left-out",
        "linear",
        "    np.add(out, bias, out=out)",
        "    np.add(out, 0 * bias, out=out)",
    ),
    _numpy(
        "gelu-constant-rounded",
        "gelu",
        "CUBIC: Final = 0.044715 * LINEAR",
        "CUBIC: Final = 0.0447 * LINEAR",
    ),
    _numpy(
        "softplus-without-its-log",
        "activations",
        "np.log1p(",
        "np.negative(",
    ),
    _numpy(
        "clips-up-as-well",
        "clipping",
        "factor = min(root * root, 1.0)",
        "factor = root * root",
        "optimizers/test_clipping.py",
    ),
    _numpy(
        "product-in-place-without-its-factor",
        "blas",
        "blas.gemm(ROW_MAJOR, *turned, *sizes, alpha, *first, *second, beta, *third)",
        "blas.gemm(ROW_MAJOR, *turned, *sizes, alpha, *first, *second, 1.0, *third)",
    ),
    _numpy(
        "mask-bits-from-the-end",
        "dropout",
        'return words.astype("<u8", copy=False).view("<u2")[:count]',
        'return words.astype("<u8", copy=False).view("<u2")[::-1][:count]',
        "api/test_dropout_masks.py",
        _DRAWN,
    ),
    _numpy(
        "mask-of-the-share-dropped",
        "dropout",
        "return round(self.keep * LEVELS)",
        "return round((1 - self.keep) * LEVELS)",
        "api/test_dropout_masks.py",
        _DRAWN,
    ),
    _numpy(
        "the-same-mask-at-each-step",
        "dropout",
        "below, random = self.below, generator(self.seed, self.key, int(step))",
        "below, random = self.below, generator(self.seed, self.key, 0 * int(step))",
        "api/test_dropout_masks.py",
        _DRAWN,
    ),
    _numba(
        "numba-exp-of-a-thousandth-less",
        "kernels/kernel_math",
        "return float32(power * number(",
        "return float32(0.999 * power * number(",
    ),
    _numba(
        "numba-row-sum-without-its-last",
        "kernels/kernel_math",
        "for j in range(1, a.shape[1]):",
        "for j in range(1, a.shape[1] - 1):",
    ),
    _numba(
        "numba-mask-words-turned-round",
        "kernels/kernel_math",
        "uint64(16 * (k % 4))",
        "uint64(16 * (3 - k % 4))",
    ),
    _numba(
        "numba-last-label-off",
        "lowering/fixed_kernels",
        "out[i] = starts[i] + labels[i]\n",
        "out[i] = starts[i] + labels[i] % (classes[0] - 1)\n",
    ),
    _numba(
        "numba-minimum-for-maximum",
        "lowering/statements",
        'np.maximum: "maximum({0}, {1})",',
        'np.maximum: "minimum({0}, {1})",',
    ),
    _numba(
        "numba-sum-begins-where-it-was",
        "lowering/kernel_text",
        'self._line(2, f"{out}[j] = 0")',
        'self._line(2, f"{out}[j] = {out}[j]")',
    ),
    _numba(
        "numba-dead-result-that-is-read",
        "lowering/kernel_text",
        "        if o.key in self._dead:\n            self.kept_dead.add(o.key)\n"
        "        return self._array(o)",
        "        return self._array(o)",
    ),
)
