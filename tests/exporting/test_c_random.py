"""Random graphs in C beside the interpreter: any ops, fan-out, updates, and short batches."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from c_library import NOT_FINITE, OK, OVERFLOW, Library, close, needs_gcc
from effort import tries
from hypothesis import given, settings
from random_graphs import chains, graphs, laned, nets, values_of

import verigrad as vg
from verigrad.passes import with_dtype
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.exporting.c.source import c_files
from verigrad.runtime.exporting.graphs import Exported
from verigrad.runtime.interpreter import interpret

pytestmark = [needs_gcc, pytest.mark.numpy_bits]
MOST = 5


def exported_alone(g: vg.Graph, values: dict[str, np.ndarray]) -> Exported:
    """A graph as a step, where it updates something, or as inference."""
    sizes = dict.fromkeys(g.symbols, MOST)
    scheduled = ScheduleBuffers(sizes=sizes).apply(g)
    both = (None, scheduled) if scheduled.updates else (scheduled, None)
    return Exported(g.name, *both, values, sizes)


def check(g: vg.Graph) -> None:
    """Asserts that C gives what the interpreter gives, for batches up to the largest."""
    g = with_dtype(g, "f64")
    values = values_of(g, MOST)
    held = {g.names[n]: values[g.names[n]] for n in (*g.parameters, *g.state)}
    e = exported_alone(g, held)
    with tempfile.TemporaryDirectory() as folder:
        library = Library(c_files(e, "net", {}), Path(folder), "net", "-O0")
        for size in (MOST, 1, 2):
            feeds = {g.names[n]: values_of(g, size, size)[g.names[n]] for n in g.inputs}
            with np.errstate(all="ignore"):
                due = interpret(g, {**held, **feeds})
            shapes = {k: v.shape for k, v in due.outputs.items()}
            name = "predict" if e.step is None else "step"
            if e.step is not None:
                library.init()
            status, found = library.call(name, feeds, dict.fromkeys(g.symbols, size), shapes)
            finite = all(np.isfinite(v).all() for v in due.updates.values())
            assert status in ((OK,) if finite else (NOT_FINITE, OVERFLOW)), (status, str(g))
            if status == OK:
                for key, y in due.outputs.items():
                    close(found[key], y, f"{key} of\n{g}", units=1e7)
                for key in library.fields:
                    y = due.updates.get(key, held[key])
                    close(library[key], y, f"the new {key} of\n{g}", units=1e7)


@given(st.one_of(graphs(), laned(), chains()))
@settings(max_examples=tries(40))
def test_random_graphs_are_the_interpreters(g: vg.Graph) -> None:
    check(g)


@given(nets(most=8))
@settings(max_examples=tries(8))
def test_compiled_steps_of_random_nets_are_the_interpreters(g: vg.Graph) -> None:
    check(vg.compile(g, optimizer=vg.Adam(0.01), clip=vg.ClipNorm(1.0)).training.but(name="net"))
