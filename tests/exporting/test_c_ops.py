"""Every op in C beside its kernel: one program of all rows of the table of ops."""

from __future__ import annotations

import numpy as np
import pytest
from c_library import OK, Library, close, needs_gcc
from op_rows import Rows, ours
from table import EXPORTED

from verigrad.runtime.exporting.c.elements import EXPRESSIONS
from verigrad.runtime.exporting.c.kernels import KERNELS
from verigrad.runtime.exporting.c.source import c_files
from verigrad.runtime.exporting.graphs import Exported
from verigrad.runtime.interpreter import interpret

pytestmark = pytest.mark.numpy_bits  # no export depends on what runs a step


def test_every_op_has_one_form_in_c() -> None:
    assert {*EXPRESSIONS} | {*KERNELS} == ours()
    assert not {*EXPRESSIONS} & {*KERNELS}


@pytest.fixture(scope="module", params=["f32", "f64"])
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    made = Rows(request.param)
    e = Exported("rows", made.graph, None, {}, {"N": 5, "M": 5})
    return made, Library(c_files(e, "net", {}), tmp_path_factory.mktemp(request.param))


@needs_gcc
@pytest.mark.parametrize("size", [5, 3, 2])
@pytest.mark.parametrize("special", [False, True])
def test_rows_give_what_their_kernels_give(rows, size: int, special: bool) -> None:
    made, library = rows
    g, feeds = made.graph, made.feeds(size, special)
    with np.errstate(all="ignore"):
        due = interpret(g, feeds).outputs
    order = {g.names[n]: feeds[g.names[n]] for n in g.inputs}
    sizes = dict.fromkeys(g.symbols, size)
    shapes = {k: v.shape for k, v in due.items()}
    status, found = library.call("predict", order, sizes, shapes)
    assert status == OK
    for k, row in enumerate(EXPORTED):
        if special and row.op.is_blas_call:
            continue  # where a BLAS multiplies by an infinite alpha, or by 0, is its own affair
        close(found[f"y{k}"], due[f"y{k}"], row.label, units=256 if special else 64)
