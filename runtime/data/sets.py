"""The data sets that users name in Python: `vg.data`.

Each function gives one record: `train`, `validation` and `test`, pairs (x, y) as `vg.fit` takes
them, where x may be `Rows` of a file; `classes`, the names of the labels, empty where `y` are
numbers to predict; `columns`, the features' names; `scaling`, by which features get mean 0 and
variance 1; and `notes`, what one should know of how it was read. Which rows are held out is a
function of `split_seed` alone. A program that is trained on `data.train` keeps the names in its
metadata, and `verigrad predict` reads files by them.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from ...graph import RunError, cut, shown
from ...graph.writing import given_path
from ...ops import check_seed
from ..arguments import check_switch
from ..optional import require
from .arrow_file import from_arrow, read_arrow
from .categories import Columns
from .csv_file import read_csv
from .digits import digits_classification
from .parts import Known, Part, TaskData
from .prepared import prepared
from .rows import Rows
from .schema import described
from .source import from_npz, load_data
from .table import Table
from .target import AskedTask

__all__ = [
    "Part",
    "Rows",
    "TaskData",
    "cifar10",
    "csv",
    "digits",
    "fashion_mnist",
    "mnist",
    "npz",
    "parquet",
    "table",
]

Names = str | Sequence[str]
"""The name of a column, or several."""

_TASKS: Final = ("auto", "classification", "regression")
_OPTION: Final = re.compile(
    r"--(?:(na-is-a-class)|(drop|one-hot|ordinal|task|target)(?: ('[^']*'|[^\s,;]+))?)"
)
"""An option of the command line, with what is given for it."""


def digits(*, split_seed: int = 0) -> TaskData:
    """The handwritten digits that ship with the package: 1,295 rows to train on, 143 to validate
    and 359 to test.

    x f32[n,64] are 8 x 8 pixels, whole numbers from 0 to 16; y i64[n] the digit. `vg.digits()`
    gives the first two parts as one.
    """
    return _known(digits_classification(check_seed(split_seed)))


def fashion_mnist(folder: str | os.PathLike[str], *, split_seed: int = 0) -> TaskData:
    """Fashion-MNIST from the four files of a folder: 54,000 rows to train on, 6,000 to validate
    and 10,000 to test.

    x u8[n,784] are 28 x 28 pixels from 0 to 255; y i64[n] the class. Raises RunError where the
    files are not there, or not whole.
    Source: Xiao, Rasul and Vollgraf 2017, https://github.com/zalandoresearch/fashion-mnist, MIT.
    """
    return _named("fashion-mnist", folder, split_seed)


def mnist(folder: str | os.PathLike[str], *, split_seed: int = 0) -> TaskData:
    """MNIST, whose four files have the names and the format of Fashion-MNIST's.

    Source: LeCun, Cortes and Burges 1998, http://yann.lecun.com/exdb/mnist.
    """
    return _named("mnist", folder, split_seed)


def cifar10(folder: str | os.PathLike[str], *, split_seed: int = 0) -> TaskData:
    """CIFAR-10 from the files of its Python version: 45,000 rows to train on, 5,000 to validate and
    10,000 to test.

    x u8[n,3072] are 32 x 32 pixels of red, then of green and of blue; y i64[n] the class. The
    pickles are read without running anything that they name.
    Source: Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html.
    """
    return _named("cifar10", folder, split_seed)


def csv(
    path: str | os.PathLike[str],
    target: str,
    *,
    task: AskedTask = "auto",
    drop: Names = (),
    one_hot: Names = (),
    ordinal: Names = (),
    na_is_a_class: bool = False,
    split_seed: int = 0,
    in_memory: bool | None = None,
) -> TaskData:
    """A CSV file whose column `target` is to be predicted from the others.

    `task` "auto" takes texts, truth values and few different whole numbers for classes, and other
    numbers for a regression. A column of texts becomes a feature for each category; `drop`,
    `one_hot` and `ordinal` name columns to leave out, to take for categories, and for categories
    in an order, "size=S,M,L". A missing value is the column's mean in the training part. A fifth of
    the rows is the test part, a tenth of the rest the validation, each with its share of all
    classes. Raises RunError, with line and column, for what cannot be read.

    `in_memory=False` keeps no rows: `train.x` are `Rows`, each read from its own bytes where it is
    asked for, and the file is gone over about ten times before. Unsaid, that is done where the
    features would take more than 512 MB.
    """
    if in_memory is not None:
        check_switch("in_memory", in_memory)
    columns = _columns(drop, one_hot, ordinal)
    read = partial(read_csv, given_path(path), whole=in_memory is not False)
    return _made(read, target, task, columns, na_is_a_class, split_seed, in_memory)


def npz(path: str | os.PathLike[str], *, task: AskedTask = "auto", split_seed: int = 0) -> TaskData:
    """The arrays x [n,...] and y [n] of an .npz file, and x_test and y_test where it has them.

    What np.savez writes is mapped: `train.x` are `Rows`, read where they are asked for. What
    np.savez_compressed writes is read into memory. `task` "auto" takes labels that are not all
    whole for numbers to predict. Rows are held out as those of `csv`. Raises RunError for a file
    that is not whole, and for what is no row of finite numbers with a label.
    """
    _check_task(task)
    return _known(from_npz(str(given_path(path)), check_seed(split_seed), task))


def parquet(
    path: str | os.PathLike[str],
    target: str,
    *,
    task: AskedTask = "auto",
    drop: Names = (),
    one_hot: Names = (),
    ordinal: Names = (),
    split_seed: int = 0,
) -> TaskData:
    """A Parquet, Arrow or Feather file, as `csv` reads its own; it takes the extra tables."""
    columns = _columns(drop, one_hot, ordinal)
    return _made(partial(read_arrow, given_path(path)), target, task, columns, False, split_seed)


def table(
    frame: Any,
    target: str,
    *,
    task: AskedTask = "auto",
    drop: Names = (),
    one_hot: Names = (),
    ordinal: Names = (),
    split_seed: int = 0,
) -> TaskData:
    """A table of pandas, polars, Arrow, or any that has `__arrow_c_stream__` or `__dataframe__`, as
    `csv` reads a file; it takes the extra tables. A frame's index is no column."""
    columns = _columns(drop, one_hot, ordinal)
    return _made(partial(_from_frame, frame), target, task, columns, False, split_seed)


def _named(name: str, folder: str | os.PathLike[str], split_seed: int) -> TaskData:
    return _known(load_data(f"{name}:{given_path(folder)}", split_seed=check_seed(split_seed)))


def _made(
    read: Callable[[], Table],
    target: str,
    task: AskedTask,
    columns: Columns,
    na_is_a_class: bool,
    split_seed: int,
    in_memory: bool | None = None,
) -> TaskData:
    """The data set of a table; errors name the arguments as Python has them."""
    if not isinstance(target, str):
        raise RunError(f"target is {shown(target)}, where the name of a column is expected")
    _check_task(task)
    seed = check_seed(split_seed)
    try:
        data = prepared(read(), target, seed, task, columns, na_is_a_class, in_memory)
    except RunError as e:
        raise RunError(_in_python(str(e))) from None
    return _known(data._replace(notes=tuple(map(_in_python, data.notes))))


def _check_task(task: object) -> None:
    if task not in _TASKS:
        raise RunError(f"task is {shown(task)}, where one of {', '.join(_TASKS)} is expected")


def _known(data: TaskData) -> TaskData:
    """The data set whose parts tell of it."""
    told = described(data)
    train, validation, test = (Known.of(part, told) for part in data.parts)
    return data._replace(train=train, validation=validation, test=test)


def _columns(drop: Names, one_hot: Names, ordinal: Names) -> Columns:
    return Columns(_listed("drop", drop), _listed("one_hot", one_hot), _listed("ordinal", ordinal))


def _listed(name: str, given: Names) -> tuple[str, ...]:
    """Names of columns, of which one need not be in a list."""
    listed: Any = (given,) if isinstance(given, str) or not isinstance(given, Iterable) else given
    names = tuple(listed)
    if not all(isinstance(n, str) for n in names):
        raise RunError(f"{name} is {shown(given)}, where names of columns are expected")
    return names


def _from_frame(frame: Any) -> Table:
    """The table that a frame of another library holds."""
    pyarrow = require("pyarrow", "tables")
    column = type(frame).__name__ == "Series"  # which has a stream as well, of no names
    pandas = type(frame).__module__.partition(".")[0] == "pandas" and not column
    try:
        if isinstance(frame, pyarrow.Table):
            made = frame
        elif pandas:
            made = pyarrow.Table.from_pandas(frame, preserve_index=False)
        elif hasattr(frame, "__arrow_c_stream__") and not column:
            made = pyarrow.table(frame)
        elif hasattr(frame, "__dataframe__"):
            made = require("pyarrow.interchange", "tables").from_dataframe(frame)
        else:
            advice = "of arrays, give vg.fit a pair (x, y)"
            if hasattr(frame, "collect_schema"):
                advice = "give frame.collect()"
            raise RunError(
                f"the table is {shown(frame)}, where a frame of pandas, polars or Arrow is "
                f"expected; {advice}"
            )
    except RunError:
        raise
    except Exception as e:  # of columns that no type of Arrow holds, and of a frame's own code
        raise RunError(f"the table cannot be read: {cut(str(e), 500)}") from None
    return from_arrow("the table", made)


def _in_python(text: str) -> str:
    """A message of the command line's options with the arguments that they are here."""

    def argument(m: re.Match[str]) -> str:
        name = (m[1] or m[2]).replace("-", "_")
        if m[1]:
            return f"{name}=True"
        return f"{name}={shlex.split(m[3])[0]!r}" if m[3] else f"{name}="

    return _OPTION.sub(argument, text)
