"""Softmax, labels and normalization in C, row by row."""

from __future__ import annotations

from typing import Any

from ....graph import Node
from .body import Body
from .loops import variables
from .numbers import TYPES, literal
from .sums import rounded, widened


def write_log_softmax(b: Body, n: Node) -> None:
    """x - ln(sum(exp(x))) along the last axis, the maximum subtracted first."""
    (x,) = n.inputs
    *before, last = n.type.shape
    columns, index = b.text.size(last), variables(len(before))
    (column,) = variables(1, taken=len(before))
    row = b.text.place(before, index)
    place = {"0": column}.get(row, f"({row}) * {columns} + {column}" if " " in row else
                              f"{row} * {columns} + {column}")  # fmt: skip
    kind = TYPES[n.type.dtype]
    exp = "expf" if n.type.dtype == "f32" else "exp"
    if isinstance(last, str):
        b.refuse(f"{columns} == 0", "SIZE")
    with b.text.scope(before, index):
        b.text.add(f"{kind} most = {literal(float('-inf'), n.type.dtype)};", "double total = 0;")
        each = b.text.head(column, columns)
        with b.text.block(each):
            b.text.add(f"most = {b.helper('max', n.type)}(most, {b.element(x, place)});")
        with b.text.block(each):
            power = f"{exp}({b.element(x, place)} - most)"
            b.text.add(f"total += {widened(n, power)};")
        b.text.add(f"const {kind} log_total = {rounded(n, 'log(total)')};")
        with b.text.block(each):
            b.put(n, place, f"{b.element(x, place)} - most - log_total")


def write_nll(b: Body, n: Node) -> None:
    """-p[i, label] of each row."""
    p, labels = n.inputs
    classes = p.type.shape[1]
    _check(b, labels, classes)
    with b.text.block(b.text.head("i", b.text.size(n.type.shape[0]))):
        place = f"i * {classes} + (size_t){b.element(labels, 'i')}"
        b.put(n, "i", f"-{b.element(p, place)}")


def write_nll_grad(b: Body, n: Node) -> None:
    """-dy at the label of each row, 0 elsewhere."""
    dy, labels = n.inputs
    op: Any = n.op
    _check(b, labels, op.classes)
    with b.text.loops(n.type.shape[:1], ("i",)):
        row = "i" if n.type.shape[0] != 1 else "0"
        with b.text.block(b.text.head("j", str(op.classes))):
            chosen = f"(int64_t)j == {b.element(labels, row)}"
            b.put(n, f"{row} * {op.classes} + j", f"{chosen} ? -{b.element(dy, row)} : 0")


def write_label_places(b: Body, n: Node) -> None:
    """The flat places of the labels."""
    starts, labels = n.inputs
    op: Any = n.op
    _check(b, labels, op.classes)
    with b.text.block(b.text.head("i", b.text.size(n.type.shape[0]))):
        b.put(n, "i", f"{b.element(starts, 'i')} + {b.element(labels, 'i')}")


def write_nll_at(b: Body, n: Node) -> None:
    """-p of the place of each row."""
    p, places = n.inputs
    with b.text.block(b.text.head("i", b.text.size(n.type.shape[0]))):
        at = "0" if b.uniform(p) else _place(b, p, places)
        b.put(n, "i", f"-{b.element(p, at)}")


def write_softmax_nll_grad(b: Body, n: Node) -> None:
    """dy (exp(p) - 1 at the label), row by row."""
    p, places, dy = n.inputs
    rows, columns = (b.text.size(d) for d in n.type.shape)
    exp = "expf" if n.type.dtype == "f32" else "exp"
    with b.text.block(b.text.head("i", rows)):
        with b.text.block(b.text.head("j", columns)):
            place = f"i * {columns} + j"
            b.put(n, place, f"{exp}({b.element(p, place)}) * {b.element(dy, 'i')}")
        b.text.add(f"{b.array(n)}[{_place(b, n, places)}] -= {b.element(dy, 'i')};")


def write_batch_norm(b: Body, n: Node) -> None:
    """(x - running_mean) / sqrt(running_var + eps) weight + bias, column by column."""
    x, *columns = n.inputs
    op: Any = n.op
    rows, width = (b.text.size(d) for d in n.type.shape)
    kind, root = TYPES[n.type.dtype], "sqrtf" if n.type.dtype == "f32" else "sqrt"
    with b.text.block(b.text.head("j", width)):
        weight, bias, mean, variance = (b.element(c, "j") for c in columns)
        deviation = f"{root}({variance} + {literal(op.eps, n.type.dtype)})"
        b.text.add(f"const {kind} scale = {weight} / {deviation};")
        with b.text.block(b.text.head("i", rows)):
            place = f"i * {width} + j"
            b.put(n, place, f"({b.element(x, place)} - {mean}) * scale + {bias}")


def _check(b: Body, labels: Node, classes: object) -> None:
    """Refuses labels that are none of the classes."""
    rows = b.text.size(labels.type.shape[0])
    array = b.array(labels)
    b.refuse(f"!{b.helper('labels', labels.type)}({rows}, {array}, {classes})", "LABEL")


def _place(b: Body, of: Node, places: Node) -> str:
    """The place in an array that row i of `places` tells, kept within the array."""
    count = b.text.count(of.type.shape)
    return f"{b.helper('place', of.type)}({b.element(places, 'i')}, {count})"
