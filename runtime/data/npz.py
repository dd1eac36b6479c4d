"""Data sets in .npz files: arrays x and y, and x_test and y_test where there is a test part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ...graph import Array, RunError
from .parts import Samples


def read_npz(path: Path) -> tuple[Samples, Samples | None]:
    """The samples x [n,...], one row each, with labels y [n] where there are any; and the test
    part, of the arrays x_test and y_test, where there is one.

    Nothing is unpickled. u8 values are taken for pixels. Raises RunError for a
    missing array, and for shapes and dtypes that are no samples and labels.
    """
    arrays = _arrays(path)
    test = _samples(path, arrays, "_test") if {"x_test", "y_test"} <= set(arrays) else None
    return _samples(path, arrays, ""), test


def _samples(path: Path, arrays: Mapping[str, Array], suffix: str) -> Samples:
    name = f"x{suffix}"
    if name not in arrays:
        found = ", ".join(sorted(arrays)) or "none"
        raise RunError(f"{path} has no array {name!r}; found {found}, where x and y are expected")
    x, y = arrays[name], arrays.get(f"y{suffix}")
    if x.ndim < 2 or x.dtype.kind not in "fiu":
        raise RunError(
            f"{path}: {name} is {x.dtype}{list(x.shape)}, where numbers [n,features] are expected"
        )
    if y is not None:
        y = _labels(path, f"y{suffix}", y, len(x))
    flat = x.reshape(len(x), math.prod(x.shape[1:]))
    return Samples(flat, y, pixels=x.dtype == np.uint8)


def _labels(path: Path, name: str, y: Array, count: int) -> Array:
    if y.ndim != 1 or len(y) != count:
        raise RunError(
            f"{path}: {name} is {list(y.shape)}, where [{count}] is expected: a label a row"
        )
    if y.dtype.kind == "f":
        if not (np.isfinite(y).all() and (y == np.trunc(y)).all()):
            raise RunError(
                f"{path}: {name} is {y.dtype}, where class names or numbers are expected"
            )
        return y.astype(np.int64)
    if y.dtype.kind not in "iubU":
        raise RunError(f"{path}: {name} is {y.dtype}, where class names or numbers are expected")
    return y


def _arrays(path: Path) -> dict[str, Array]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as opened:
            if isinstance(opened, np.ndarray):
                raise RunError(f"{path} holds one array, where the arrays x and y are expected")
            return {k: opened[k] for k in opened.files}
    except OSError as e:
        raise RunError(f"{path} cannot be read: {e.strerror or e}") from None
    except (ValueError, BadZipFile, EOFError, KeyError) as e:
        raise RunError(f"{path} is no complete .npz file of arrays: {e}") from None
