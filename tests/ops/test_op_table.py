"""Every op under the full contract, from one table."""

from __future__ import annotations

import pytest
from table import TABLE, Row

import verigrad as vg
from verigrad.graph import OPS, Source


def ours() -> dict[str, type[vg.Op]]:
    """The ops that verigrad registers; tests register more."""
    return {name: kind for name, kind in OPS.items() if kind.__module__.startswith("verigrad.")}


def test_every_op_has_a_sample_and_errors() -> None:
    wanted = {name for name, kind in ours().items() if not issubclass(kind, Source)}
    wanted -= {"gradient"}  # which a pass expands, and nothing runs
    wanted -= {"to_shards", "all_reduce"}  # whose sums are over all shards, once they are laid out
    wanted -= {"send", "receive"}  # which need ranks: tests/ranks
    assert {r.op.name for r in TABLE} == wanted
    assert {r.op.name for r in TABLE if r.errors} == wanted


def test_every_declared_take_over_is_run_by_a_row() -> None:
    run = {
        (r.op.name, k)
        for r in TABLE
        for k in r.op.inplace
        if str(r.op.infer(*map(vg.graph.types.parse_type, r.types))) == r.types[k]
    }
    assert run == {(name, k) for name, kind in ours().items() for k in kind.inplace}


@pytest.mark.parametrize("row", TABLE, ids=lambda r: r.label)
def test_op_keeps_the_contract(row: Row) -> None:
    report = vg.check_op(
        row.op,
        row.types,
        row.reference,
        errors=row.errors,
        values=row.values,
        stopped=row.stopped,
    )
    assert report.ok, str(report)
