"""Ops whose attributes count rows by other symbols: those of a shard, or of a numbered one."""

from __future__ import annotations

from collections.abc import Callable

from ...graph import Op


def with_symbols(op: Op, changed: Callable[[str], str]) -> Op:
    """The op with each text in its attributes, in tuples as well, made what `changed` says; what is
    no symbol of rows is to stay."""

    def new(value: object) -> object:
        if isinstance(value, tuple):
            return tuple([new(v) for v in value])
        return changed(value) if isinstance(value, str) else value

    values = {field: getattr(op, field) for field in op.field_types}
    others = {field: other for field, v in values.items() if (other := new(v)) != v}
    return op.but(**others) if others else op
