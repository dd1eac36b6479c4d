"""Rows as a table has them: what `verigrad predict` does to a file's columns, as nodes.

A model that `verigrad train` wrote tells in its metadata how columns become the features that its
graph reads (`data/encoding.py`), and which mean stands in for a missing value. Where columns are
texts, a file takes each column as an input of its own, under its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ....graph import Array, Graph, Node
from ...data.encoding import Encoding, features
from ...data.schema import encodings_of, fill_of
from .builder import Builder, Typed, Value


class Raw(NamedTuple):
    """How the features of an input are made: of which columns, and what stands in for NaN."""

    encodings: tuple[Encoding, ...]
    fill: Array | None


def raw_input(g: Graph, metadata: Mapping[str, str]) -> dict[Node, Raw]:
    """The input of a graph that is made of a table's columns, if one is."""
    fill, encodings = np.asarray(fill_of(metadata), np.float64), encodings_of(metadata)
    width = len(features(encodings)) or fill.size
    tables = [n for n in g.inputs if n.type.is_float and n.shape[1:] == (width,)]
    if not width or len(tables) != 1:
        return {}
    return {tables[0]: Raw(encodings, fill if fill.size == width else None)}


def assembled(at: Builder, x: Node, raw: Raw, names: Mapping[str, str]) -> Value:
    """The features [N,F] from the columns, each of which is fed under its name in `names`."""
    parts = [_encoded(at, x, e, names[e.name]) for e in raw.encodings]
    return at.op("Concat", *parts, axis=1)


def filled(at: Builder, x: Value, raw: Raw) -> Value:
    """The features with what stands in for NaN."""
    if raw.fill is None:
        return x
    at.owner = "filled"
    return at.where(at.op("IsNaN", x, dtype="bool"), at.number(raw.fill, x.dtype), x)


def _encoded(at: Builder, x: Node, encoding: Encoding, name: str) -> Value:
    """The features of a column; a text that is missing is the empty one."""
    rows = x.shape[:1]
    at.owner = name
    if encoding.kind in ("number", "boolean"):
        return at.op("Unsqueeze", at.input(name, x.type.with_shape(rows)), at.whole(1))
    column = at.op("Unsqueeze", at.input(name, Typed("str", rows)), at.whole(1))
    categories = at.texts([c or "" for c in encoding.categories])
    is_one = at.op("Equal", column, categories, dtype="bool").cast(x.dtype)
    if encoding.kind == "one-hot":
        return is_one
    place = at.op(
        "MatMul", is_one, at.number(np.arange(len(encoding.categories))[:, None], x.dtype)
    )
    has_place = at.op("ReduceMax", is_one, at.whole(1), keepdims=1) > 0.0
    return at.where(has_place, place, np.nan)
