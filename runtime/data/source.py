"""Which data set a user names: a table of names and one of file endings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from ...graph import RunError, shortened, suggest
from ...graph.writing import reaching
from . import arrow_file, csv_file
from .arrow_file import read_arrow
from .categories import AS_THEY_ARE, Columns
from .cifar10 import cifar10, is_cifar10
from .csv_file import read_csv, read_header
from .digits import digits_classification
from .idx import fashion_mnist, is_mnist, mnist
from .kinds import kind_of
from .npz import holds_arrays, read_npz
from .parts import Samples, TaskData, classification, regression
from .prepared import prepared, rows_of
from .schema import Schema
from .table import Table
from .target import AskedTask, told

NAMED: Final[dict[str, Callable[[Path, int], TaskData]]] = {
    "fashion-mnist": fashion_mnist,
    "mnist": mnist,
    "cifar10": cifar10,
}
"""Data sets in a folder that the user names: `NAME:FOLDER`."""

TABLES: Final = (*csv_file.ENDINGS, *arrow_file.ENDINGS)
"""How the names of files with tables end."""

FORMS: Final = (
    "digits", "PATH.npz", "PATH.csv --target NAME", "PATH.parquet --target NAME",
    *(f"{name}:FOLDER" for name in NAMED),
)  # fmt: skip
"""How data sets are named."""


def load_data(
    spec: str,
    target: str | None = None,
    split_seed: int = 0,
    na_is_a_class: bool = False,
    task: AskedTask = "classification",
    columns: Columns = AS_THEY_ARE,
) -> TaskData:
    """The data set that `spec` names, in one of FORMS. Raises RunError where there is none.

    `split_seed` draws the parts that the data set does not bring: validation, and mostly test.
    With `na_is_a_class`, NA, n/a, nan and ? in the column `target` are classes, not missing.
    `task` "auto" is what the labels suggest; `columns` says how some of a table's are read.
    """
    if not 0 <= split_seed < 2**64:
        raise RunError(f"split_seed is {split_seed}, where an integer from 0 is expected")
    name, colon, folder = spec.partition(":")
    if spec == "digits":
        data = digits_classification(split_seed)
    elif colon and name in NAMED:
        data = NAMED[name](_folder(name, Path(folder)), split_seed)
    elif _is_npz(spec):
        data = from_npz(spec, split_seed, task)
    elif _ends(spec, *TABLES):
        path = Path(spec)
        if target is None:
            raise _without_target(path)
        return prepared(_table(path), target, split_seed, task, columns, na_is_a_class)
    else:
        raise _unknown(spec)
    _refuse_columns(spec, target, na_is_a_class, columns)
    if task == "regression" and data.task != task:
        raise RunError(f"--task regression predicts a column of a table; {spec} has classes")
    return data


def load_rows(spec: str, known: Schema, target: str | None = None) -> Samples:
    """The rows of a data set to predict for, with their labels as texts where it has any, or as
    numbers where the model predicts those.

    Of a data set with a test part, that part; of a file, every row. `known` is what the model
    keeps of the data that it was trained on: columns are found by their names, those that it was
    not trained on are passed over, with a note, and missing values are filled. The labels of a
    table are in the column `target`; unsaid, in that of training, where it is there.
    """
    path = Path(spec)
    if _ends(spec, *TABLES) and not _is_npz(spec):
        table = _table(path)
        if target is None and known.target in table.columns:
            target = known.target
        rows = rows_of(table, known, target)
    elif target is not None:
        raise RunError(f"--target names a column of a table; {spec} has none")
    elif _is_npz(spec):
        whole, test = read_npz(path, known.task)
        rows = test or whole
    else:
        data = load_data(spec, split_seed=known.split_seed)
        rows = Samples(data.test.x, np.array(data.classes)[data.test.y])
    if rows.labels is None or known.task == "regression":
        return rows
    return rows._replace(labels=rows.labels.astype(str))


def _table(path: Path) -> Table:
    """The table in a file, which its ending says how to read."""
    return read_csv(path) if _ends(str(path), *csv_file.ENDINGS) else read_arrow(path)


def _without_target(path: Path) -> RunError:
    """Names the columns of a table, of which one is the target."""
    csv = _ends(str(path), *csv_file.ENDINGS)
    header = read_header(path) if csv else [*read_arrow(path).columns]
    listed = ", ".join([shortened(name, 40) for name in header[:20]])
    columns = f"; its columns are {listed}" if header else ""
    return RunError(f"{path}: --target NAME must say which column holds the class{columns}")


def _refuse_columns(spec: str, target: str | None, na_is_a_class: bool, columns: Columns) -> None:
    """Raises RunError for what is said of a table's columns where there is no table."""
    if target is not None:
        raise RunError(f"--target names a column of a CSV file; {spec} has none")
    if na_is_a_class:
        raise RunError(f"--na-is-a-class is for a column of a CSV file; {spec} has none")
    for field, names in columns._asdict().items():
        if names:
            option = f"--{field.replace('_', '-')}"
            raise RunError(f"{option} names a column of a table; {spec} has none")


def from_npz(spec: str, split_seed: int, task: AskedTask) -> TaskData:
    """The data set of an .npz file, whose labels say what it is for, where `task` is "auto"."""
    rows, test = read_npz(Path(spec), task)
    if rows.labels is None:
        raise RunError(f"{spec} has no array 'y', which holds the labels")
    if rows.labels.dtype.kind != "f":
        return classification(spec, rows, test, split_seed=split_seed)
    data = regression(spec, rows, test, split_seed=split_seed)
    note = told("y", rows.labels, "number", "regression")
    return data._replace(notes=(note,) if task == "auto" else ())


def _is_npz(spec: str) -> bool:
    """Whether a file holds arrays, whatever it is called; else, whether it is called so."""
    return holds_arrays(Path(spec)) or _ends(spec, ".npz")


def _ends(spec: str, *endings: str) -> bool:
    return spec.lower().endswith(endings)


def _folder(name: str, path: Path) -> Path:
    """The folder of a named data set; RunError says what is there in its place."""
    with reaching(path):
        is_file, others = path.is_file(), _held(path)
    if is_file:
        raise RunError(
            f"{path} is {_kind(path)}, where the folder of {name}'s files is expected; unpack it"
        )
    if others and name not in others:
        raise RunError(f"{path} holds the files of {others[0]}; give {others[0]}:{path}")
    return path


def _held(folder: Path) -> list[str]:
    """The named data sets whose files lie in a folder."""
    if is_mnist(folder):
        return ["mnist", "fashion-mnist"]
    return ["cifar10"] if is_cifar10(folder) else []


def _kind(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return kind_of(file.read(400))
    except OSError as e:
        raise RunError(f"{path} cannot be read: {e.strerror or e}") from None


def _unknown(spec: str) -> RunError:
    name = spec.partition(":")[0]
    forms = f"data is {', '.join(FORMS)}"
    path = Path(spec)
    with reaching(path):
        is_dir, is_file = path.is_dir(), path.is_file()
    if is_dir:
        choices = " or ".join([f"{known}:{spec}" for known in _held(path)])
        return RunError(
            f"{spec} is a folder; say what is in it, e.g. {choices or f'cifar10:{spec}'}; {forms}"
        )
    if is_file:
        return RunError(
            f"{spec} is no data set: its name ends in neither .npz nor .csv, and it is "
            f"{_kind(path)}; {forms}"
        )
    hint = suggest(name, ["digits", *NAMED]) if name not in NAMED else f"; give {name}:FOLDER"
    return RunError(f"there is no data set {spec!r}{hint}; {forms}")
