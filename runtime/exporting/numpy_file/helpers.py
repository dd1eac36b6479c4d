"""The functions that lines of NumPy call, each written into a file that needs it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ....ops.clipping import NORM_EPS, SHRINK
from ....ops.erf import NEAR, SMALL, TAILS
from ....ops.gelu import CUBIC, DENSITY, LINEAR
from ....ops.pointwise import SURE

_CONSTANTS: Final[dict[str, object]] = {
    "NORM_EPS": NORM_EPS,
    "SHRINK": SHRINK,
    "CUBIC": CUBIC,
    "LINEAR": LINEAR,
    "DENSITY": DENSITY,
    "SURE": SURE,
    "SMALL": SMALL,
    "NEAR": NEAR,
    "TAILS": {width: tuple(tail) for width, tail in TAILS.items()},
}

_TEXTS: Final[dict[str, str]] = {
    "polynomial": '''
def polynomial(x, coefficients):
    """The sum of coefficients times powers of x, the highest first."""
    y = 0 * x
    for c in coefficients:
        y = y * x + c
    return y
''',
    "normal_tail": '''
# By the bytes of a number: where exp(-a a / 2) is 0, and the polynomial of normal_tail.
TAILS = {TAILS}


def normal_tail(a):
    """P(Z > a) exp(a a / 2) for a standard normal Z and a from 0 on."""
    _, k, p = TAILS[a.itemsize]
    return polynomial((k - a) / (k + a), p) / (1.0 + a)
''',
    "half": '''
def half(x):
    """|x|, but no more than where exp(-x x / 2) is 0."""
    return np.minimum(np.abs(x), TAILS[x.itemsize][0])
''',
    "erf": '''
NEAR = {NEAR}  # W. J. Cody 1969


def erf(x):
    """The error function: Cody's approximation near 0, 1 - 2 P(Z > |x| sqrt 2) elsewhere."""
    a = np.minimum(np.abs(x), 6.0)
    far = np.copysign(1.0 - 2.0 * normal_tail(a * 2.0**0.5) * np.exp(-a * a), x)
    squares = np.minimum(np.abs(x), {SMALL}) ** 2
    near = x * (polynomial(squares, NEAR[0]) / polynomial(squares, NEAR[1]))
    return np.where(a <= {SMALL}, near, far)
''',
    "gelu": '''
def gelu(x):
    """x P(Z < x) for a standard normal Z."""
    a = half(x)
    return np.maximum(x, 0.0) - a * normal_tail(a) * np.exp(-0.5 * a * a)
''',
    "gelu_slope": '''
def gelu_slope(x):
    """P(Z < x) + x phi(x), phi the normal density."""
    a = half(x)
    below = (normal_tail(a) - {DENSITY} * a) * np.exp(-0.5 * a * a)
    return np.where(x < 0, below, 1.0 - below)
''',
    "sigmoid": '''
def sigmoid(x):
    """1 / (1 + exp(-x)), which cannot overflow."""
    e = np.exp(np.minimum(x, {SURE}))
    return e / (1.0 + e)
''',
    "silu_slope": '''
def silu_slope(x):
    """s (1 + x (1 - s)) for s = sigmoid(x)."""
    near = np.minimum(x, {SURE})
    e = np.exp(near)
    return e * (1.0 + near / (1.0 + e)) / (1.0 + e)
''',
    "gelu_slope_by_tanh": '''
def gelu_slope_by_tanh(x):
    """s (1 + x v' (1 - s)) for s = sigmoid(v), v = x (linear + cubic x x)."""
    x = np.clip(x, -25.0, 25.0)
    e = np.exp(np.minimum(x * ({LINEAR} + {CUBIC} * x * x), {SURE}))
    rest = 1.0 / (1.0 + e)
    return e * rest * (1.0 + x * ({LINEAR} + 3.0 * {CUBIC} * x * x) * rest)
''',
    "elu": '''
def elu(x, scale, alpha):
    """scale x above 0, alpha (exp(x) - 1) below."""
    return np.maximum(x, 0.0) * scale + alpha * np.expm1(np.minimum(x, 0.0))
''',
    "softplus": '''
def softplus(x):
    """ln(1 + exp(x)), which cannot overflow."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))
''',
    "log_softmax": '''
def log_softmax(x):
    """x - ln(sum(exp(x))) along the last axis."""
    if not x.shape[-1]:
        raise ValueError("the softmax of no classes is not defined")
    x = x - np.max(x, axis=-1, keepdims=True)
    return x - np.log(np.sum(np.exp(x), axis=-1, keepdims=True))
''',
    "mean": '''
def mean(x, **axes):
    """The mean along some axes; that of nothing is an error."""
    total = np.sum(x, **axes)
    if total.size and not x.size:
        raise ValueError("the mean of nothing is not defined; give one row or more")
    return total / max(1, x.size // max(1, total.size))
''',
    "maximum_along": '''
def maximum_along(x, **axes):
    """The maximum along some axes; of nothing, -infinity, which nobody reads."""
    if np.sum(x, **axes).size and not x.size:
        raise ValueError("the maximum of nothing is not defined; give one row or more")
    return np.max(x, initial=-np.inf, **axes)
''',
    "first_max": '''
def first_max(x, axes):
    """1 at the first maximum along some axes, 0 elsewhere."""
    last = range(x.ndim - len(axes), x.ndim)
    rows = np.moveaxis(x, axes, last)
    count = int(np.prod([x.shape[a] for a in axes]))
    flat = rows.reshape((*rows.shape[: x.ndim - len(axes)], count))
    y = np.zeros_like(flat)
    if x.size:
        np.put_along_axis(y, np.argmax(flat, axis=-1)[..., None], 1.0, axis=-1)
    return np.moveaxis(y.reshape(rows.shape), last, axes)
''',
    "variance": '''
def variance(centered):
    """The mean square of each column; fewer than two rows have none."""
    if len(centered) < 2:
        raise ValueError("batch normalization takes two rows or more")
    return np.einsum("nd,nd->d", centered, centered) / len(centered)
''',
    "checked": '''
def checked(labels, classes):
    """The labels, where they are 0 to classes - 1."""
    if labels.size and not (0 <= labels.min() and labels.max() < classes):
        raise ValueError(f"labels are {{labels.min()}} to {{labels.max()}}, of {{classes}} classes")
    return labels
''',
    "nll_grad": '''
def nll_grad(dy, labels, classes):
    """-dy at the label of each row, 0 elsewhere."""
    y = np.zeros((len(dy), classes), dy.dtype)
    y[np.arange(len(dy)), checked(labels, classes)] = -dy
    return y
''',
    "softmax_nll_grad": '''
def softmax_nll_grad(log_p, places, dy):
    """dy (exp(log_p) - 1 at the label), row by row; places are those of the labels, flat."""
    y = np.exp(log_p) * dy[:, None]
    y.reshape(-1)[places] -= dy
    return y
''',
    "clip_factor": '''
def clip_factor(limit, *gradients):
    """min(1, limit / (norm + {NORM_EPS})) for the norm of all elements, in f64.

    NaN where the norm is not finite, minus its root where it is too small for an f32.
    """

    def squares(scale):
        return sum(float(np.sum(np.square(g * np.float64(scale)))) for g in gradients)

    total, shrunk = squares(1.0), 0.0
    if total < np.inf:
        divisor = np.sqrt(np.sqrt(total) + {NORM_EPS})
    elif (shrunk := squares({SHRINK})) < np.inf:
        divisor = np.sqrt(np.sqrt(shrunk)) / {SHRINK}**0.5
    else:
        return gradients[0].dtype.type(np.nan)
    root = np.sqrt(limit) / divisor
    factor = min(root * root, 1.0)
    return gradients[0].dtype.type(factor if factor >= np.finfo(np.float32).tiny else -root)
''',
    "clip_by": '''
def clip_by(x, factor):
    """x times a factor, twice where it is minus its root."""
    return x * factor * factor if factor < 0 else x * factor
''',
    "dropout_mask": '''
def dropout_mask(shape, key, step, below, scale, dtype):
    """scale where a unit is kept, else 0: element i takes the i-th 16 bits of a Philox stream."""
    counter = np.array([0, 0, step, 0], np.uint64)
    random = np.random.Philox(key=np.array(key, np.uint64), counter=counter)
    size = int(np.prod(shape, dtype=np.int64))
    words = random.random_raw((size + 3) // 4).astype("<u8").view("<u2")[:size]
    return ((words < below) * dtype(scale)).reshape(shape)
''',
    "padded": '''
def padded(x, axis, before, after):
    """x with zeros before and after it along an axis."""
    widths = [(0, 0)] * x.ndim
    widths[axis] = before, after
    return np.pad(x, widths)
''',
}
_NEEDS: Final = {
    "normal_tail": ("polynomial",),
    "half": ("normal_tail",),
    "erf": ("normal_tail", "polynomial"),
    "gelu": ("half", "normal_tail"),
    "gelu_slope": ("half", "normal_tail"),
    "nll_grad": ("checked",),
}
NAMES: Final = frozenset(_TEXTS)


class Helpers:
    """The helpers that a file needs, in the order of their table."""

    def __init__(self) -> None:
        self._needed: set[str] = set()

    def call(self, name: str) -> str:
        """The name of a helper, which the file then has."""
        self._needed.add(name)
        for other in _NEEDS.get(name, ()):
            self.call(other)
        return name

    def texts(self) -> Iterable[str]:
        """The text of each."""
        for name, text in _TEXTS.items():
            if name in self._needed:
                yield _filled(text).strip("\n")


def _filled(text: str) -> str:
    """A text with the constants in it, and `{{` as one brace."""
    known = re.sub(r"(?<!\{)\{([A-Z_]+)\}", lambda m: repr(_CONSTANTS[m[1]]), text)
    return known.replace("{{", "{").replace("}}", "}")
