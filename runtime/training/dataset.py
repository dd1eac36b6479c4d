"""A data set for a program: an array for each input, checked once, gathered batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...graph import Array, Graph, Node, RunError, exactly, shown, suggest
from ...ops import check_labels
from ..data.rows import BLOCK, Reads, Rows
from ..execution.frame_names import column_names, warn_of_order
from ..inputs import check_exact, fed

Data = Mapping[str, Any] | Sequence[Any]


class Inputs(NamedTuple):
    """The inputs of a graph by their names, and what of them are labels."""

    nodes: Mapping[str, Node]
    classifier: Labelled | None

    @classmethod
    def of(cls, g: Graph) -> Inputs:
        """Those of a graph."""
        return cls({g.names[n]: n for n in g.inputs}, labelled(g))


class DataSet:
    """One row of each input a sample, all inputs of the same length, every value usable.

    `data` is a dict by input name, or a tuple in the order of the declared graph's inputs. Raises
    RunError, in the names of the inputs, for data that is empty, of different lengths, of a wrong
    shape or dtype, that holds NaN or infinity, or labels that the scores have no class for.
    `metadata` are the program's: a frame whose columns they name in another order is warned of.
    """

    def __init__(
        self, g: Graph, data: Data, metadata: Mapping[str, str], known: Inputs | None = None
    ) -> None:
        """`known` are the inputs of g, where many data sets are read."""
        inputs, classifier = known if known is not None else Inputs.of(g)
        by_name = _by_name(inputs, data)
        warn_of_order(by_name, metadata)
        self.columns = column_names(by_name)
        self.arrays: Mapping[str, Rows] = {
            name: _checked(name, by_name[name], n) for name, n in inputs.items()
        }
        self.count = _count(self.arrays)
        for name, n in inputs.items():
            _check_values(name, self.arrays[name], n)
        if classifier is not None:
            labels = np.asarray(self.arrays[classifier.labels], np.int64)
            check_labels(labels, classifier.classes, classifier.labels)

    def copied(self) -> DataSet:
        """The same rows in memory of their own."""
        other = object.__new__(DataSet)
        other.columns, other.count = self.columns, self.count
        other.arrays = {k: Rows(np.array(a)) for k, a in self.arrays.items()}
        return other

    def chosen(self, rows: Array) -> DataSet:
        """These rows, which are copied where they are read, some at a time."""
        other = object.__new__(DataSet)
        other.columns, other.count = self.columns, len(rows)
        other.arrays = {k: a.only(rows) for k, a in self.arrays.items()}
        return other

    def part(self, start: int, stop: int) -> dict[str, Array]:
        """These rows, in views where they are of arrays in memory."""
        return {k: a[start:stop] for k, a in self.arrays.items()}

    def whole(self) -> dict[str, Array]:
        """All rows, of arrays in memory where they lie."""
        return {k: a[:] for k, a in self.arrays.items()}


class Gatherer:
    """Copies the rows of a batch into buffers that are made once, and reads no others; `read`
    counts them."""

    def __init__(self, data: DataSet, largest: int) -> None:
        self._inputs = [
            (k, rows, np.empty((largest, *rows.shape[1:]), rows.dtype))
            for k, rows in data.arrays.items()
        ]
        self.read = Reads(sum([rows.read.row_nbytes for rows in data.arrays.values()]))

    def gather(self, rows: Array) -> dict[str, Array]:
        """The rows of every input, in views of the buffers."""
        count = len(rows)
        self.read.rows += count
        return {k: of.take(rows, out[:count]) for k, of, out in self._inputs}


class Labelled:
    """The output that holds scores of classes, and the input that holds the right ones."""

    def __init__(self, scores: str, labels: str, classes: int) -> None:
        self.scores = scores
        self.labels = labels
        self.classes = classes


def labelled(g: Graph) -> Labelled | None:
    """The scores and labels of a classifier: the only input i64[N], and the only output [N,C] of
    floats, or the one that is named `scores`. None where there is no such pair."""
    labels = [g.names[n] for n in g.inputs if n.type.dtype == "i64" and n.type.rank == 1]
    if len(labels) != 1:
        return None
    (batch,) = g[labels[0]].type.shape
    scores = {
        k: int(n.type.shape[1])
        for k, n in g.outputs.items()
        if n.type.is_float and n.type.rank == 2 and n.type.shape[0] == batch
        and isinstance(n.type.shape[1], int) and n.type.shape[1] > 1
    }  # fmt: skip
    name = "scores" if "scores" in scores else next(iter(scores), None)
    if name is None or (name != "scores" and len(scores) > 1):
        return None
    return Labelled(name, labels[0], scores[name])


def _by_name(inputs: Mapping[str, Node], data: Data) -> dict[str, Any]:
    """The data by input name: every input, and nothing else."""
    order = ", ".join(inputs)
    if isinstance(data, Mapping):
        for name in data:
            if name not in inputs:
                raise RunError(f"there is no input {shown(name)}{suggest(name, inputs)}")
        for name, n in inputs.items():
            if name not in data:
                raise RunError(f"input {name!r} is missing; {n.type} is expected")
        return dict(data)
    if not isinstance(data, (tuple, list)) or len(data) != len(inputs):
        described = (
            f"{len(data)} arrays" if isinstance(data, (tuple, list)) else type(data).__name__
        )
        raise RunError(
            f"the data is {described}, where a tuple of {len(inputs)} is expected, in the order of "
            f"the inputs ({order}), or a dict by their names"
        )
    return dict(zip(inputs, data, strict=True))


def _checked(name: str, value: Any, n: Node) -> Rows:
    """What is given for an input as rows that it takes."""
    shape = n.type.shape
    if not shape or not isinstance(shape[0], str):
        raise RunError(
            f"input {name!r} is {n.type}: rows can be drawn only for inputs whose first dimension "
            "is the batch, such as [N,64]; run program.step yourself for others"
        )
    rows = value if isinstance(value, Rows) else Rows(fed(name, value, n))
    if rows is value:
        fed(name, np.broadcast_to(rows.dtype.type(0), rows.shape), n)  # a zero stands for all
        if rows.dtype.kind in "iu" and rows.dtype.itemsize == 8:
            for number, block in enumerate(rows.blocks()):
                check_exact(name, block, n, number * BLOCK)
    if rows.dtype.kind == "u" and n.type.dtype == "i64":
        return Rows(exactly(np.asarray(rows), n.type.dtype, f"input {name!r}", RunError))
    return rows


def _count(arrays: Mapping[str, Rows]) -> int:
    (first, array), *others = arrays.items()
    for name, other in others:
        if len(other) != len(array):
            raise RunError(
                f"input {first!r} has {len(array)} rows, but {shown(name)} has {len(other)}; "
                "one row of each is expected for every sample"
            )
    if not len(array):
        raise RunError(f"the data set is empty: input {first!r} has 0 rows")
    return len(array)


def _check_values(name: str, rows: Rows, n: Node) -> None:
    """Raises RunError at the first NaN or infinity, also one that the input's dtype makes."""
    if rows.dtype.kind != "f":
        return
    with np.errstate(over="ignore"):
        for number, block in enumerate(rows.blocks()):
            finite = np.isfinite(block.astype(n.type.numpy, copy=False))
            if not finite.all():
                row, *columns = np.argwhere(~finite)[0].tolist()
                value = block[(row, *columns)]
                row += number * BLOCK
                place = f"row {row}" + "".join(f", column {c}" for c in columns)
                raise RunError(
                    f"input {name!r} holds {value:g} in {place}, where a finite {n.type.dtype} is "
                    "expected; leave such rows out or fill them in"
                )
