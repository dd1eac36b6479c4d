"""The functions of C that kernels call, each written into a file that needs it.

`{T}` stands for the type of numbers, float or double, `{d}` for its name behind a function of ours,
and `{f}` for what math.h has behind a function of floats. Sums of f32 are added up in double, where
a naive sum in float would lose digits; products of matrices are summed in their own type, as a BLAS
does, row by row of the second matrix, so that both are read as they lie.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ....ops.clipping import NORM_EPS, SHRINK
from ....ops.gelu import CUBIC, DENSITY, LINEAR
from ....ops.pointwise import SURE
from .numbers import TYPES

_CONSTANTS: Final = {
    "eps": repr(NORM_EPS),
    "shrink": repr(SHRINK),
    "root": repr(SHRINK**0.5),
    "linear": repr(LINEAR),
    "cubic": repr(CUBIC),
    "density": repr(DENSITY),
    "sure": f"{SURE:g}",
}

_TEXTS: Final[dict[str, str]] = {
    "max": """
/* The larger, or NaN where either is. */
static {T} vg_max_{d}({T} a, {T} b) {{ return a > b || a != a ? a : b; }}
""",
    "min": """
/* The smaller, or NaN where either is. */
static {T} vg_min_{d}({T} a, {T} b) {{ return a < b || a != a ? a : b; }}
""",
    "larger": """
static int64_t vg_larger(int64_t a, int64_t b) {{ return a > b ? a : b; }}
""",
    "smaller": """
static int64_t vg_smaller(int64_t a, int64_t b) {{ return a < b ? a : b; }}
""",
    "told": """
/* What a whole number compared with itself gives. */
static uint8_t vg_told(int64_t x, uint8_t told) {{
    (void)x;
    return told;
}}
""",
    "sign": """
static {T} vg_sign_{d}({T} x) {{ return x != x ? x : ({T})((x > 0) - (x < 0)); }}
""",
    "sigmoid": """
/* e / (1 + e) for e = exp(x), which cannot overflow: from {sure} on it is 1. */
static {T} vg_sigmoid_{d}({T} x) {{
    const {T} e = exp{f}(x > {sure} ? {sure} : x);
    return e / (1 + e);
}}
""",
    "silu_slope": """
/* s (1 + x (1 - s)) for s = sigmoid(x). */
static {T} vg_silu_slope_{d}({T} x) {{
    const {T} near = x > {sure} ? {sure} : x, e = exp{f}(near), t = 1 + e;
    return e * (1 + near / t) / t;
}}
""",
    "softplus": """
/* ln(1 + exp(x)), as max(x, 0) + ln(1 + exp(-|x|)). */
static {T} vg_softplus_{d}({T} x) {{
    return (x > 0 || x != x ? x : 0) + log1p{f}(exp{f}(-fabs{f}(x)));
}}
""",
    "elu": """
/* scale x above 0, alpha (exp(x) - 1) below. */
static {T} vg_elu_{d}({T} x, {T} scale, {T} alpha) {{
    return x > 0 ? scale * x : alpha * expm1{f}(x);
}}
""",
    "gelu": """
/* x P(Z < x) for a standard normal Z; in double, as its tail would lose digits in float. */
static {T} vg_gelu_{d}({T} x) {{
    const double z = (double)x;
    return z < -40 ? 0 : ({T})(0.5 * z * erfc(-z / 1.4142135623730951));
}}
""",
    "gelu_slope": """
/* P(Z < x) + x phi(x), phi the normal density. */
static {T} vg_gelu_slope_{d}({T} x) {{
    const double z = x > 40 ? 40 : x < -40 ? -40 : (double)x;
    return ({T})(0.5 * erfc(-z / 1.4142135623730951)
                 + z * {density} * exp(-0.5 * z * z));
}}
""",
    "gelu_by_tanh": """
/* x sigmoid(v) for v = x (linear + cubic x x): twice what tanh is given. */
static {T} vg_gelu_by_tanh_{d}({T} x) {{
    const {T} v = x * (({T}){linear} + ({T}){cubic} * x * x);
    const {T} e = exp{f}(v > {sure} ? {sure} : v);
    return x * (e / (1 + e));
}}
""",
    "gelu_slope_by_tanh": """
/* s (1 + x v' (1 - s)) for s = sigmoid(v). */
static {T} vg_gelu_slope_by_tanh_{d}({T} x) {{
    const {T} z = x > 25 ? 25 : x < -25 ? -25 : x;
    const {T} v = z * (({T}){linear} + ({T}){cubic} * z * z);
    const {T} e = exp{f}(v > {sure} ? {sure} : v), rest = 1 / (1 + e);
    return e * rest * (1 + z * (({T}){linear} + 3 * ({T}){cubic} * z * z) * rest);
}}
""",
    "gaussian": """
static {T} vg_gaussian_{d}({T} x) {{ return ({T})exp(-(double)x * (double)x); }}
""",
    "to_i64": """
/* The whole part; of what no int64_t holds, the least of them. */
static int64_t vg_to_i64(double x) {{
    return x >= -9223372036854775808.0 && x < 9223372036854775808.0 ? (int64_t)x : INT64_MIN;
}}
""",
    "add_product": """
/* c += alpha a b for matrices a [rows,inner] and b [inner,columns], row by row. */
static void vg_add_product_{d}(size_t rows, size_t inner, size_t columns, {T} alpha,
                               const {T} *a, const {T} *b, {T} *c) {{
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < inner; k++) {{
            const {T} scale = alpha * a[i * inner + k];
            for (size_t j = 0; j < columns; j++)
                c[i * columns + j] += scale * b[k * columns + j];
        }}
}}
""",
    "add_product_ta": """
/* c += alpha a' b, where a is read transposed: a [inner,rows], b [inner,columns]. */
static void vg_add_product_ta_{d}(size_t rows, size_t inner, size_t columns, {T} alpha,
                                  const {T} *a, const {T} *b, {T} *c) {{
    for (size_t k = 0; k < inner; k++)
        for (size_t i = 0; i < rows; i++) {{
            const {T} scale = alpha * a[k * rows + i];
            for (size_t j = 0; j < columns; j++)
                c[i * columns + j] += scale * b[k * columns + j];
        }}
}}
""",
    "add_product_tb": """
/* c += alpha a b', where b is read transposed: a [rows,inner], b [columns,inner]. */
static void vg_add_product_tb_{d}(size_t rows, size_t inner, size_t columns, {T} alpha,
                                  const {T} *a, const {T} *b, {T} *c) {{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {{
            {T} total = 0;
            for (size_t k = 0; k < inner; k++)
                total += a[i * inner + k] * b[j * inner + k];
            c[i * columns + j] += alpha * total;
        }}
}}
""",
    "add_product_ta_tb": """
/* c += alpha a' b', both read transposed: a [inner,rows], b [columns,inner]. */
static void vg_add_product_ta_tb_{d}(size_t rows, size_t inner, size_t columns, {T} alpha,
                                     const {T} *a, const {T} *b, {T} *c) {{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {{
            {T} total = 0;
            for (size_t k = 0; k < inner; k++)
                total += a[k * rows + i] * b[j * inner + k];
            c[i * columns + j] += alpha * total;
        }}
}}
""",
    "squares": """
/* The sum of (scale x)^2. */
static double vg_squares_{d}(size_t count, const {T} *x, double scale) {{
    double total = 0;
    for (size_t i = 0; i < count; i++)
        total += (scale * (double)x[i]) * (scale * (double)x[i]);
    return total;
}}
""",
    "clip_factor": """
/* min(1, limit / (norm + {eps})) from the sum of squares, or, where that overflows, from that of
   the elements times {shrink}; minus its root where it is too small for a float. */
static double vg_clip_factor(double limit, double squares, double shrunk) {{
    double divisor, root, factor;
    if (squares < (double)INFINITY)
        divisor = sqrt(sqrt(squares) + {eps});
    else if (shrunk < (double)INFINITY)
        divisor = sqrt(sqrt(shrunk)) / {root};
    else
        return (double)NAN;
    root = sqrt(limit) / divisor;
    factor = root * root < 1 ? root * root : 1;
    return factor >= 1.1754943508222875e-38 ? factor : -root;
}}
""",
    "clip_by": """
/* x times a factor, or twice where it is minus its root. */
static {T} vg_clip_by_{d}({T} x, {T} factor) {{
    return factor < 0 ? x * factor * factor : x * factor;
}}
""",
    "finite": """
/* Whether no element is infinite or NaN. */
static int vg_finite_{d}(size_t count, const {T} *x) {{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}}
""",
    "labels": """
/* Whether each label is one of 0 to classes - 1; as unsigned, those below 0 are large ones. */
static int vg_labels(size_t count, const int64_t *labels, uint64_t classes) {{
    for (size_t i = 0; i < count; i++)
        if ((uint64_t)labels[i] >= classes)
            return 0;
    return 1;
}}
""",
    "place": """
/* A place of an array of so many elements; the nearest, for what is none. */
static size_t vg_place(int64_t place, size_t count) {{
    return place < 0 ? 0 : (uint64_t)place < count ? (size_t)place : count - 1;
}}
""",
    "philox": """
/* The 128 bits of a b: the upper half; the lower one in *low. */
static uint64_t vg_wide_product(uint64_t a, uint64_t b, uint64_t *low) {{
    const uint64_t half = UINT64_C(0xffffffff), a0 = a & half, a1 = a >> 32, b0 = b & half,
                   b1 = b >> 32, middle = a1 * b0 + (a0 * b0 >> 32),
                   other = a0 * b1 + (middle & half);
    *low = a * b;
    return a1 * b1 + (middle >> 32) + (other >> 32);
}}

/* Four random words: Philox4x64-10 of a key and the counter (block, 0, step, 0). Source: Salmon
   et al., "Parallel random numbers: as easy as 1, 2, 3", 2011. */
static void vg_philox(uint64_t key0, uint64_t key1, uint64_t block, uint64_t step,
                      uint64_t words[4]) {{
    uint64_t c0 = block, c1 = 0, c2 = step, c3 = 0;
    for (int round = 0; round < 10; round++) {{
        uint64_t low0, low1;
        const uint64_t high0 = vg_wide_product(UINT64_C(0xd2e7470ee14c6c93), c0, &low0);
        const uint64_t high1 = vg_wide_product(UINT64_C(0xca5a826395121157), c2, &low1);
        c0 = high1 ^ c1 ^ key0;
        c1 = low1;
        c2 = high0 ^ c3 ^ key1;
        c3 = low0;
        key0 += UINT64_C(0x9e3779b97f4a7c15);
        key1 += UINT64_C(0xbb67ae8584caa73b);
    }}
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}}
""",
    "mask": """
/* A dropout mask: element i takes the i-th 16 bits of the words, and is scale where these are
   below `below`, else 0. */
static void vg_mask_{d}(size_t count, uint64_t seed, uint64_t key, int64_t step, uint64_t below,
                        {T} scale, {T} *mask) {{
    uint64_t words[4] = {{0, 0, 0, 0}};
    for (size_t i = 0; i < count; i++) {{
        if (i % 16 == 0)
            vg_philox(seed, key, i / 16 + 1, (uint64_t)step, words);
        mask[i] = ((words[i % 16 / 4] >> 16 * (i % 4)) & 0xffff) < below ? scale : 0;
    }}
}}
""",
}
_NEEDS: Final = {"mask": ("philox",)}


class Helpers:
    """The helpers that a file needs, in the order of their table."""

    def __init__(self) -> None:
        self._needed: set[tuple[str, str]] = set()

    def call(self, name: str, dtype: str) -> str:
        """The name by which a helper is called, for numbers of that dtype."""
        text = _TEXTS[name]
        typed = "{T}" in text
        for other in _NEEDS.get(name, ()):
            self.call(other, dtype)
        self._needed.add((name, dtype if typed else ""))
        return f"vg_{name}_{dtype}" if typed else f"vg_{name}"

    def texts(self) -> Iterable[str]:
        """The text of each."""
        for name, text in _TEXTS.items():
            for dtype in ("", *TYPES):
                if (name, dtype) in self._needed:
                    kind, ending = TYPES.get(dtype, ""), "f" if dtype == "f32" else ""
                    yield text.format(T=kind, d=dtype, f=ending, **_CONSTANTS).strip("\n")
