"""Every op in C beside its kernel: one program of all rows of the table of ops."""

from __future__ import annotations

import numpy as np
import pytest
from c_library import OK, Library, close, needs_gcc
from table import TABLE

import verigrad as vg
from verigrad.graph import OPS, Source
from verigrad.graph.types import parse_type
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.checking.sample import Sample
from verigrad.runtime.exporting.c.elements import EXPRESSIONS
from verigrad.runtime.exporting.c.kernels import KERNELS
from verigrad.runtime.exporting.c.source import c_files
from verigrad.runtime.exporting.graphs import Exported
from verigrad.runtime.interpreter import interpret

NEVER_RUN = {"gradient"}  # a pass puts its nodes in its place


def test_every_op_has_one_form_in_c() -> None:
    ours = {k for k, kind in OPS.items() if kind.__module__.startswith("verigrad.")}
    ours -= {k for k in ours if issubclass(OPS[k], Source)} | NEVER_RUN
    assert {*EXPRESSIONS} | {*KERNELS} == ours
    assert not {*EXPRESSIONS} & {*KERNELS}


class Rows:
    """One graph with an output for each row, in one dtype; each row has symbols of its own."""

    def __init__(self, dtype: str) -> None:
        self.samples: list[tuple[Sample, list[str]]] = []
        outputs, rng = {}, np.random.default_rng(5)
        for k, row in enumerate(TABLE):
            sample = Sample(
                row.op, [parse_type(t) for t in row.types], row.reference, row.values, rng
            ).with_dtype(dtype)
            inputs = [vg.input(f"x{k}_{i}", t.shape, dtype=t.dtype)
                      for i, t in enumerate(sample.types)]  # fmt: skip
            outputs[f"y{k}"] = vg.apply(sample.op, *inputs)
            self.samples.append((sample, [f"x{k}_{i}" for i in range(len(inputs))]))
        outputs["N"] = vg.input("bind", ("N", "M"))
        self.graph = ScheduleBuffers().apply(vg.Graph("rows", outputs))

    def feeds(self, size: int, special: bool = False) -> dict[str, np.ndarray]:
        """Values for all inputs, every symbol at one size."""
        sizes = {"N": size, "M": size}
        feeds = {"bind": np.zeros((size, size), np.float32)}
        for sample, names in self.samples:
            drawn = sample.draw_special(sizes) if special else sample.draw(sizes)
            feeds |= dict(zip(names, drawn, strict=True))
        return feeds


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
    for k, row in enumerate(TABLE):
        if special and row.op.is_blas_call:
            continue  # where a BLAS multiplies by an infinite alpha, or by 0, is its own affair
        close(found[f"y{k}"], due[f"y{k}"], row.label, units=256 if special else 64)
