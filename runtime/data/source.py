"""Which data set a user names: a table of names and one of file endings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from ...graph import RunError, suggest
from .cifar10 import cifar10
from .csv_file import read_csv, read_header
from .digits import digits_classification
from .idx import fashion_mnist
from .npz import read_npz
from .parts import Classification, Samples, classification

NAMED: Final[dict[str, Callable[[Path], Classification]]] = {
    "fashion-mnist": fashion_mnist,
    "cifar10": cifar10,
}
"""Data sets in a folder that the user names: `NAME:FOLDER`."""

FORMS: Final = (
    "digits", "PATH.npz", "PATH.csv --target NAME", *(f"{name}:FOLDER" for name in NAMED)
)  # fmt: skip
"""How data sets are named."""


def load_data(spec: str, target: str | None = None) -> Classification:
    """The data set that `spec` names, in one of FORMS. Raises RunError where there is none."""
    name, colon, folder = spec.partition(":")
    if spec == "digits":
        found = digits_classification()
    elif colon and name in NAMED:
        found = NAMED[name](Path(folder))
    elif spec.endswith(".npz"):
        found = _from_npz(spec, Path(spec))
    elif spec.endswith(".csv"):
        return _from_csv(spec, Path(spec), target)
    else:
        raise _unknown(spec)
    if target is not None:
        raise RunError(f"--target names a column of a CSV file; {spec} has none")
    return found


def load_rows(spec: str, target: str | None, columns: Sequence[str]) -> Samples:
    """The rows of a data set to predict for, with their labels as texts where it has any.

    Of a data set with a test part, that part; of a file, every row. `target` and `columns` are
    those that the model was trained on.
    """
    path = Path(spec)
    if spec.endswith(".npz"):
        whole, test = read_npz(path)
        rows = test or whole
    elif spec.endswith(".csv"):
        rows = read_csv(path, target if target in read_header(path) else None, columns)
    else:
        found = load_data(spec)
        rows = Samples(found.test.x, np.array(found.classes)[found.test.y])
    return rows if rows.labels is None else rows._replace(labels=rows.labels.astype(str))


def _from_npz(spec: str, path: Path) -> Classification:
    rows, test = read_npz(path)
    if rows.labels is None:
        raise RunError(f"{path} has no array 'y', which holds the labels")
    if test is not None and test.x.shape[1] != rows.x.shape[1]:
        raise RunError(
            f"{path}: x has {rows.x.shape[1]} features a row, but x_test has {test.x.shape[1]}"
        )
    return classification(spec, rows, test)


def _from_csv(spec: str, path: Path, target: str | None) -> Classification:
    if target is None:
        header = read_header(path)
        named = f"; its columns are {', '.join(header[:20])}" if header else ""
        raise RunError(f"{path}: --target NAME must say which column holds the class{named}")
    return classification(spec, read_csv(path, target), target=target)


def _unknown(spec: str) -> RunError:
    name = spec.partition(":")[0]
    hint = suggest(name, ["digits", *NAMED]) if name not in NAMED else f"; give {name}:FOLDER"
    return RunError(f"there is no data set {spec!r}{hint}; data is {', '.join(FORMS)}")
