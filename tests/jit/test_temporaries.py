"""A temporary that is read has been written: whatever is reused, returned in the middle, or of
size 1. Python runs the tapes, so that nets of their own cost no compile time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np
import pytest
from conftest import batch
from effort import tries
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from python_tape import python_tapes
from random_graphs import chains, graphs, laned, values_of

import verigrad as vg
from verigrad.graph import Array
from verigrad.passes.methods.optimizers import DIALECTS
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.backends.numba.lowering import statements
from verigrad.runtime.execution.executor import Executor
from verigrad.runtime.planning.plan import Plan

pytest.importorskip("numba")

KINDS = (vg.SGD, vg.Momentum, vg.Nesterov, vg.AdaGrad, vg.RMSProp, vg.Adam, vg.AdamW)
SHAPES = ((1,), (1, 3), (3, 1), (5,), (1, 1), ())


def every_optimizer() -> list[vg.Optimizer]:
    """In every dialect that it has."""
    made: list[vg.Optimizer] = []
    for kind in KINDS:
        for dialect in DIALECTS:
            try:
                made.append(kind(lr=0.1, dialect=dialect))
            except vg.PassError:
                assert kind is vg.Nesterov
    centered = vg.RMSProp(lr=0.1, centered=True, momentum=0.5)
    return [*made, centered, vg.Adam(lr=0.1, bias_correction=False), vg.AdaGrad(0.1, lr_decay=0.1)]


def close(a: Array, b: Array, dtype: str = "f32") -> bool:
    tolerance = {"f32": 2e-4, "f64": 1e-9}[dtype]
    return a.shape == b.shape and np.allclose(
        a, b, rtol=tolerance, atol=tolerance / 10, equal_nan=True
    )


def agree(g: vg.Graph, feeds: Sequence[Mapping[str, Array]], **options: object) -> None:
    """State and loss after a step on each feed are those of NumPy."""
    dtype = str(options.get("dtype", "f32"))
    plain = vg.compile(g, backend="numpy", **options)
    with python_tapes():
        jitted = vg.compile(g, backend="numba", **options)
        for f in feeds:
            assert np.isclose(plain.step(f), jitted.step(f), rtol=1e-4)
    for held, found in ((plain.parameters, jitted.parameters), (plain.state, jitted.state)):
        for name, value in held.items():
            assert close(found[name], value, dtype), name


def fed_gradients(shapes: Sequence[tuple[int, ...]]) -> vg.Graph:
    """The gradient of each parameter is what is fed."""
    terms = [
        vg.sum(vg.parameter(f"w{k}", s, init=vg.init.normal(1.0)) * vg.input(f"g{k}", s))
        for k, s in enumerate(shapes)
    ]
    loss = terms[0]
    for term in terms[1:]:
        loss = loss + term
    return vg.Graph("fed", {}, loss=loss)


@pytest.mark.parametrize("shapes", [SHAPES[:1], SHAPES], ids=str)
@pytest.mark.parametrize("optimizer", every_optimizer(), ids=repr)
def test_updates_of_parameters_with_one_row(
    optimizer: vg.Optimizer, shapes: Sequence[tuple[int, ...]], rng: np.random.Generator
) -> None:
    feeds = [{f"g{k}": rng.standard_normal(s) for k, s in enumerate(shapes)} for _ in range(3)]
    agree(fed_gradients(shapes), feeds, optimizer=optimizer, dtype="f64")


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_a_compiled_update_of_one_element(dtype: str) -> None:
    options = {"optimizer": vg.Nesterov(0.1, dialect="torch"), "dtype": dtype, "backend": "numba"}
    w = vg.parameter("w", (1,), init="zeros")
    g = vg.Graph("g", {}, loss=vg.sum(w * vg.input("g", (1,))))
    program = vg.compile(g, **options)
    for _ in range(3):
        program.step(g=np.ones(1))
    assert np.isclose(program.parameters["w"][0], -0.8049, rtol=1e-6)


def check(g: vg.Graph, size: int, seed: int) -> None:
    """Outputs and updates of two steps are those of the interpreter."""
    values = values_of(g, size, seed)
    scheduled = ScheduleBuffers().apply(g)
    state = {g.names[n]: values[g.names[n]].copy() for n in (*g.parameters, *g.state)}
    executor = Executor(Plan(scheduled, dict.fromkeys(g.symbols, size), g), state, "numba")
    for turn in range(2):
        fresh = values_of(g, size, seed + turn)
        values.update({g.names[n]: fresh[g.names[n]] for n in g.inputs})
        expected = vg.interpret(g, {**values, **{k: v.copy() for k, v in state.items()}})
        held = [a for a in expected.values.values() if a.dtype.kind == "f"]
        assume(all(np.abs(a).max(initial=0) < 1e3 for a in held))  # nor NaN
        executor.step([values[g.names[n]] for n in scheduled.inputs])
        for k, v in expected.outputs.items():
            assert close(executor.output(k), v), k
        for k, v in expected.updates.items():
            assert close(state[k], v), k
            np.copyto(state[k], v)


@settings(max_examples=tries(60))
@given(
    st.one_of(chains(), graphs(), laned()),
    st.sampled_from([0, 1, 1, 3, 4]),
    st.sampled_from([32_768, 8]),
    st.sampled_from([8_192, 2]),
    st.integers(0, 9),
)
def test_random_graphs_are_those_of_the_interpreter(
    g: vg.Graph, size: int, tile: int, few: int, seed: int
) -> None:
    """In tiles and whole, and with functions that loops leave to NumPy."""
    with pytest.MonkeyPatch.context() as patch, python_tapes(), np.errstate(all="ignore"):
        patch.setattr("verigrad.runtime.planning.tiling.TILE", tile)
        patch.setattr(statements, "_FEW", few)
        check(g, size, seed)


@pytest.mark.parametrize("rows", [2, 3, 7])
def test_normalized_layers_with_dropout(rows: int, rng: np.random.Generator) -> None:
    """An input that several read, outputs in the middle, a layer of one unit."""
    x, y = vg.input("x", ("N", 5)), vg.input("y", ("N",), dtype="i64")
    h = vg.gelu(vg.batch_norm(vg.dense(x, 4)))
    narrow = vg.silu(vg.dropout(vg.dense(h, 1), keep=0.5))
    scores = vg.dense(vg.layer_norm(h + narrow), 3) + vg.sum(vg.gelu(x), axes=[1], keepdims=True)
    g = vg.Graph("g", {"s": scores, "h": h, "n": narrow}, loss=vg.softmax_cross_entropy(scores, y))
    feeds = [batch(rng, rows, 5, 3) for _ in range(3)]
    agree(g, feeds, optimizer=vg.Momentum(0.01), dtype="f64")


# ---- ops of a user ---------------------------------------------------------------------------


def _read_in_part(self: vg.Op, x: Array, p: Array, *, out: Array, scratch: Sequence[Array]) -> None:
    np.multiply(x, 2.0, out=scratch[0])
    np.copyto(out, x)
    np.add(scratch[0][1:], out[1:], out=out[1:])


def _written_in_part(
    self: vg.Op, x: Array, p: Array, *, out: Array, scratch: Sequence[Array]
) -> None:
    np.copyto(scratch[0], x)
    np.add(scratch[0][1:], 2.0, out=scratch[0][1:])
    np.add(scratch[0], x, out=out)


def _read_as_bits(self: vg.Op, x: Array, p: Array, *, out: Array, scratch: Sequence[Array]) -> None:
    np.multiply(x, 2.0, out=scratch[0])
    np.add(scratch[0].view("i4"), 1_000_000, out=out.view("i4"))


def _written_as_bits(
    self: vg.Op, x: Array, p: Array, *, out: Array, scratch: Sequence[Array]
) -> None:
    np.multiply(x, 2.0, out=scratch[0])
    np.add(scratch[0].view("i4"), 1_000_000, out=scratch[0].view("i4"))
    np.multiply(x, scratch[0], out=out)


def _taken(self: vg.Op, x: Array, p: Array, *, out: Array, scratch: Sequence[Array]) -> None:
    np.multiply(x, 2.0, out=scratch[0])
    np.copyto(out, x)
    scratch[0].reshape(-1).take(p, None, scratch[1], "clip")
    np.multiply(out, scratch[1][:, None], out=out)


def _put(self: vg.Op, x: Array, p: Array, *, out: Array, scratch: Sequence[Array]) -> None:
    np.multiply(x, 2.0, out=scratch[0])
    np.maximum.reduce(x, axis=-1, out=scratch[1])
    scratch[0].reshape(-1).put(p, scratch[1], "clip")
    np.add(scratch[0], x, out=out)


OWN = {
    run.__name__.lstrip("_"): run
    for run in (_read_in_part, _written_in_part, _read_as_bits, _written_as_bits, _taken, _put)
}


@pytest.mark.parametrize("run", OWN.values(), ids=OWN)
def test_temporaries_of_ops_of_a_user(run: Callable[..., None], rng: np.random.Generator) -> None:
    """Read or written in part, as other numbers, and by places."""
    name = f"own{run.__name__}"
    members = {
        "name": name,
        "traceable": True,
        "row_local": True,
        "infer": lambda self, x, p: x,
        "scratch": lambda self, x, p: (x, x.with_shape(x.shape[:1])),
        "run": run,
        "__annotations__": dict.fromkeys(["name", "traceable", "row_local"], ClassVar[object]),
        "__doc__": "y = something of x, at places p.",
    }
    op = vg.op(type(name, (vg.Op,), members))
    x, p = vg.input("x", ("N", 6)), vg.input("p", ("N",), dtype="i64")
    g = vg.Graph("g", {"o": vg.apply(op(), x, p)})
    feeds = {"x": rng.random((5, 6), "f4"), "p": 6 * np.arange(5) + 2}
    expected = vg.compile(g, backend="numpy").predict(feeds)["o"]
    jitted = vg.compile(g, backend="numba")
    with python_tapes():
        assert close(jitted.predict(feeds)["o"], expected)
