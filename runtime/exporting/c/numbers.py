"""Values as C writes them: each is read back to the same bits."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ....graph import NUMPY_DTYPES, Array

TYPES: Final = {"f32": "float", "f64": "double", "i64": "int64_t", "bool": "uint8_t"}
"""What C calls our dtypes; a truth value is a byte, 0 or 1, as NumPy has it."""
_IN_A_LINE: Final = 6
_LEAST: Final = -(2**63)


def literal(value: Any, dtype: str) -> str:
    """A number of that dtype; one below 0 in brackets, so that it can stand anywhere."""
    text = _written(np.asarray(value).astype(NUMPY_DTYPES[dtype])[()], dtype)
    return f"({text})" if text[0] in "-(" else text


def listed(array: Array, dtype: str) -> str:
    """The elements of an array between braces, row by row."""
    texts = [_written(v, dtype) for v in array.astype(NUMPY_DTYPES[dtype]).reshape(-1)]
    lines = [", ".join(texts[k : k + _IN_A_LINE]) for k in range(0, len(texts), _IN_A_LINE)]
    return "{\n    " + ",\n    ".join(lines) + "\n}"


def _written(number: Any, dtype: str) -> str:
    if dtype == "bool":
        return str(int(number))
    if dtype == "i64":
        return "INT64_MIN" if number == _LEAST else f"INT64_C({int(number)})"
    if np.isfinite(number):
        return str(number) + ("f" if dtype == "f32" else "")
    name = "NAN" if np.isnan(number) else "INFINITY" if number > 0 else "-INFINITY"
    return name if dtype == "f32" else f"(double){name}"
