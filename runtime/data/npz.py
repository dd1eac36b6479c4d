"""Data sets in .npz files: arrays x and y, or X and Y, or x_train and y_train; and x_test and
y_test, where there is a test part."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy

from ...graph import Array, RunError, VerigradError, cut, shortened, shown, unwarned
from ...graph.exact import ADVICE, rounded
from ..inputs import is_one_hot
from .kinds import kind_of
from .parts import Samples
from .rows import BLOCK, blocks, mapped
from .target import AskedTask

_NAMES: Final = ("x", "y", "x_test", "y_test")
_MAPPED: Final = ("x", "x_test")
_HEADERS: Final = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_PIECE: Final = 1 << 20
"""How many bytes are summed up at a time for a member's checksum."""
_LOCAL: Final = struct.Struct("<26xHH")
"""What stands before a member of an archive ends in the lengths of its name and of what follows."""


def read_npz(path: Path, task: AskedTask = "classification") -> tuple[Samples, Samples | None]:
    """The samples x [n,...], one row each, with labels y [n] where there are any; and the test
    part, of the arrays x_test and y_test, where there is one.

    Arrays that are not compressed, as np.savez writes them, are mapped: their rows are read where
    they are asked for, after one look at all of them. Nothing is unpickled, and no memory is taken
    for more than the file holds. u8 values are taken
    for pixels. Labels are classes, or for a regression numbers f64; "auto" takes those that are
    not all whole for numbers. Raises RunError for a missing array, for shapes and dtypes that are
    no samples and labels, and for values that are not finite.
    """
    arrays = _arrays(path)
    labels = [arrays[k] for k in ("y", "y_test") if k in arrays]
    measured = task == "regression" or (task == "auto" and any(map(_is_measured, labels)))
    rows = _samples(path, arrays, "", measured)
    if not {"x_test", "y_test"} & set(arrays):
        return rows, None
    test = _samples(path, arrays, "_test", measured)
    if test.x.shape[1] != rows.x.shape[1]:
        raise RunError(
            f"{path}: x has {rows.x.shape[1]} features a row, but x_test has {test.x.shape[1]}"
        )
    if (rows.labels is None) != (test.labels is None):
        raise RunError(f"{path} has labels for one part alone; y and y_test are expected")
    if rows.labels is not None and test.labels is not None:
        kinds = {labels.dtype.kind == "U" for labels in (rows.labels, test.labels)}
        if len(kinds) == 2:
            raise RunError(
                f"{path}: y is {rows.labels.dtype}, but y_test is {test.labels.dtype}; names or "
                "numbers are expected in both"
            )
    return rows, test


def _samples(
    path: Path, arrays: Mapping[str, Array], suffix: str, measured: bool = False
) -> Samples:
    name = f"x{suffix}"
    if name not in arrays:
        raise RunError(f"{path} has no array {name!r}, which holds a row a sample")
    x, y = arrays[name], arrays.get(f"y{suffix}")
    if x.ndim < 2 or x.dtype.kind not in "biuf":
        raise RunError(
            f"{path}: {name} is {x.dtype}{list(x.shape)}, where numbers [n,features] are expected"
        )
    if y is not None:
        y = (_numbers if measured else _labels)(path, f"y{suffix}", y, len(x))
    if not x.size:
        raise RunError(f"{path} is empty: {name} is {list(x.shape)}, with no rows or no features")
    flat = x.reshape(len(x), math.prod(x.shape[1:]))
    _check_finite(path, name, flat)
    wrong = rounded(flat)
    if wrong is not None:
        row, column = wrong
        raise RunError(
            f"{path}: {name} holds {flat[wrong]} in row {row}, column {column}, {ADVICE}"
        )
    if x.dtype == np.bool_:
        flat = np.asarray(flat, np.float32)
    return Samples(mapped(flat), y, pixels=x.dtype == np.uint8)


def _check_finite(path: Path, name: str, x: Array) -> None:
    for start, block in enumerate(blocks(x) if x.dtype.kind == "f" else ()):
        finite = np.isfinite(block)
        if not finite.all():
            row, column = (int(i) for i in np.argwhere(~finite)[0])
            raise RunError(
                f"{path}: {name} holds {block[row, column]} in row {start * BLOCK + row}, column "
                f"{column}, where a finite number is expected; leave such rows out or fill them in"
            )


def _is_measured(y: Array) -> bool:
    return y.dtype.kind == "f" and not np.array_equal(y, np.floor(y))


def _numbers(path: Path, name: str, y: Array, count: int) -> Array:
    """Numbers to predict, f64[count]."""
    _check_one_a_row(path, name, y, count)
    if y.dtype.kind not in "iuf":
        raise RunError(f"{path}: {name} is {y.dtype}, where numbers are expected")
    wrong = np.flatnonzero(~np.isfinite(y))
    if wrong.size:
        raise RunError(
            f"{path}: {name} holds {y[wrong[0]]} in row {wrong[0]}, where a finite number is "
            "expected; leave such rows out"
        )
    large = rounded(y)
    if large is not None:
        raise RunError(f"{path}: {name} holds {y[large]} in row {large[0]}, {ADVICE}")
    return y.astype(np.float64)


def _check_one_a_row(path: Path, name: str, y: Array, count: int) -> None:
    if y.ndim != 1 or len(y) != count:
        raise RunError(
            f"{path}: {name} is {list(y.shape)}, where [{count}] is expected: a label a row"
            f"{_as_one_column(name, y)}"
        )


def _labels(path: Path, name: str, y: Array, count: int) -> Array:
    _check_one_a_row(path, name, y, count)
    if y.dtype.kind == "f":
        wrong = np.flatnonzero(~((y == np.floor(y)) & (abs(y) < 2.0**63)))
        if wrong.size:
            raise RunError(
                f"{path}: {name} holds {y[wrong[0]]} in row {wrong[0]}, where class names or whole "
                "numbers are expected"
            )
        return y.astype(np.int64)
    if y.dtype.kind not in "iubU":
        text = f"; save {name}.astype(str)" if y.dtype.kind in "SM" else ""
        raise RunError(
            f"{path}: {name} is {y.dtype}, where class names or numbers are expected{text}"
        )
    if y.dtype.kind == "U":
        _check_characters(path, name, y)
    return y


def _as_one_column(name: str, y: Array) -> str:
    """What to save in place of labels that stand in columns."""
    if y.ndim != 2 or y.dtype.kind not in "biufU":
        return ""
    if y.shape[1] == 1:
        return f"; save {name}.ravel()"
    return f"; save {name}.argmax(axis=1)" if is_one_hot(y) else ""


def _check_characters(path: Path, name: str, texts: Array) -> None:
    """Raises RunError for a number that stands for no character: Python makes no text of it."""
    if not texts.nbytes:
        return
    code = np.dtype(np.uint32).newbyteorder(texts.dtype.byteorder)
    codes = np.ascontiguousarray(texts).view(code).reshape(len(texts), -1)
    wrong = (codes > sys.maxunicode) | ((codes >= 0xD800) & (codes < 0xE000))
    if wrong.any():
        row = int(wrong.any(axis=1).argmax())
        raise RunError(
            f"{path}: {name} holds {codes[row][wrong[row]][0]:#x} for a character in row {row}, "
            "which stands for none"
        )


def holds_arrays(path: Path) -> bool:
    """Whether a file is a zip archive of arrays, as np.savez writes it."""
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK":
                return False
            with ZipFile(file) as archive:
                return any(name.endswith(".npy") for name in archive.namelist())
    except (OSError, ValueError, BadZipFile, NotImplementedError, RuntimeError):
        return False


def _arrays(path: Path) -> dict[str, Array]:
    """Those of _NAMES that the file holds, whatever their case, and whether `x` or `x_train`."""
    try:
        with path.open("rb") as file:
            start = file.read(400)
            if not start.startswith(b"PK"):
                raise RunError(f"{path} is no complete .npz file of arrays: it is {kind_of(start)}")
            with ZipFile(file) as archive:
                members = [i.filename.removesuffix(".npy") for i in archive.infolist()]
                by_name = {
                    k: [i for i in archive.infolist() if _named(i.filename) == k] for k in _NAMES
                }
                if not by_name["x"]:
                    found = ", ".join([shortened(m, 80) for m in sorted(members)[:8]]) or "none"
                    raise RunError(
                        f"{path} has no array 'x'; found {found}, where x and y are expected"
                    )
                for entries in by_name.values():
                    if len(entries) > 1:
                        names = " and ".join([shown(i.filename) for i in entries[:2]])
                        raise RunError(f"{path} holds {names}, of which one is expected")
                return {k: _array(path, k, archive, *by_name[k]) for k in _NAMES if by_name[k]}
    except OSError as e:
        raise RunError(f"{path} cannot be read: {e.strerror or e}") from None
    except VerigradError:
        raise
    except Exception as e:  # in a damaged header NumPy's reader meets almost any
        raise RunError(f"{path} is no complete .npz file of arrays: {cut(str(e), 500)}") from None


def _named(filename: str) -> str:
    """Which of _NAMES an entry stands for: `X` and `x_train` are x too."""
    return filename.removesuffix(".npy").lower().removesuffix("_train")


def _array(path: Path, name: str, archive: ZipFile, entry: ZipInfo) -> Array:
    """An array of plain values, whose size is that of the entry."""
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed in another way than np.savez does")
    with archive.open(entry) as file:
        shape, fortran, dtype = _header(file)
        if dtype.hasobject:
            raise RunError(
                f"{path}: {name} holds Python objects, where numbers or texts are expected; save "
                f"np.array({name}.tolist()); nothing in it was unpickled"
            )
        if dtype.kind not in "biufcSUmM":
            raise RunError(
                f"{path}: {name} is {shortened(str(dtype))}, where numbers or texts are expected"
            )
        wanted = math.prod(shape) * dtype.itemsize
        if not 0 <= wanted <= entry.file_size:
            raise ValueError(f"{name} tells of {wanted:,} bytes, but has {entry.file_size:,}")
        lies = name in _MAPPED and entry.compress_type == ZIP_STORED
        at = file.tell()
        # Only what is read to its end is held to its checksum.
        data = b"" if lies else file.read(wanted + 1)
        held = len(data) + sum(map(len, iter(partial(file.read, _PIECE), b"")))
    if held != wanted:
        raise ValueError(f"{name} has not the {wanted:,} bytes that it tells of")
    count = math.prod(shape)
    if not wanted:
        flat: Array = np.zeros(count, dtype)
    elif lies:
        flat = np.memmap(path, dtype, "r", _start(path, entry) + at, (count,))
    else:
        flat = np.frombuffer(data, dtype)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _start(path: Path, entry: ZipInfo) -> int:
    """Where in the file a member lies that is not compressed."""
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
    return entry.header_offset + _LOCAL.size + int(name) + int(extra)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the format is not known")
    with unwarned():  # of types that a damaged header names
        return _HEADERS[version](file)
