"""Labels: class numbers from 0, where their scores lie, and what is said of those that are none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..graph import Array, Node, RunError, first_row, name_in_batch


def label_places(labels: Array, classes: int, out: Array) -> None:
    """out[i] = i classes + labels[i], the flat place of each row's label.

    Raises RunError naming the first label that is not one of 0 to classes - 1.
    """
    check_labels(labels, classes)
    row_starts(classes, out)
    np.add(out, labels, out=out)


def row_starts(classes: int, out: Array) -> None:
    """out[i] = i classes."""
    if out.size:
        out.fill(classes)
        out[0] = 0
        np.add.accumulate(out, out=out)


def check_labels(labels: Array, classes: int, name: str = "") -> None:
    """Raises LabelError, with the first of the i64 labels that is not one of 0 to classes - 1;
    `name` is that of the input that holds them."""
    # As unsigned numbers, negative labels are large ones too.
    if labels.size and np.maximum.reduce(labels.view(np.uint64)) >= classes:
        raise LabelError(labels, classes, name)


class LabelError(RunError):
    """A label that is none of the classes; `located` gives the error in the name of an input.

    `first` is the row of the batch that the first label is of.
    """

    def __init__(
        self, labels: Array, classes: int, name: str = "", kind: str = "input", first: int = 0
    ) -> None:
        row = int(np.flatnonzero(labels.view(np.uint64) >= classes)[0])
        what = f"{kind} {name!r}" if name else "the input of labels"
        fix = _renumbered(labels, classes, name or "labels") if kind == "input" else ""
        super().__init__(
            f"{what} holds the label {labels[row]} in row {first + row}, which is out of range: "
            f"with {classes} classes, labels are 0 to {classes - 1}{fix}"
        )
        self._found = labels.copy(), classes

    def located(self, n: Node, names: Mapping[Node, str], sizes: Mapping[str, int]) -> LabelError:
        """The same error of the labels that the node reads, with the row of the whole batch."""
        labels = [i for i in n.inputs if i.type.dtype == "i64"][-1]
        kind = "input" if labels.op.name in ("input", "shard") else "node"
        first = first_row(labels.type.shape[0], sizes)
        if first is None:
            return LabelError(*self._found, names[labels], kind)
        return LabelError(*self._found, name_in_batch(names[labels]), kind, first)


def _renumbered(labels: Array, classes: int, name: str) -> str:
    """What makes classes of labels that are other numbers for them."""
    least, most = int(labels.min()), int(labels.max())
    if least >= 1 and most == classes:
        return f"; where they count from 1, give np.asarray({name}) - 1"
    if classes == 2 and least == -1 and bool((np.abs(labels) == 1).all()):
        return f"; where they are -1 and 1, give (np.asarray({name}) + 1) // 2"
    return ""
