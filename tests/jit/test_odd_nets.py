"""Nets and ops that are no stacks of dense layers, on the tape against NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
import pytest
from jit_runs import on_threads

import verigrad as vg
from verigrad.graph import Array, TensorType
from verigrad.runtime.backends.numba.lowering import statements

pytest.importorskip("numba")

Feeds = Mapping[str, Array]


def agree(g: vg.Graph, feeds: Feeds, threads: int = 2, **options: object) -> None:
    """Predictions, and steps where there is a loss, are those of NumPy."""
    with on_threads(threads):
        plain, jitted = [vg.compile(g, backend=b, **options) for b in ("numpy", "numba")]
        if g.loss is not None:
            for _ in range(3):
                assert np.isclose(plain.step(feeds), jitted.step(feeds), rtol=1e-5)
            for name, value in plain.parameters.items():
                assert np.allclose(value, jitted.parameters[name], rtol=1e-4, atol=1e-6), name
        if set(g.outputs) - {"loss"}:
            expected, found = plain.predict(feeds), jitted.predict(feeds)
            for key, value in expected.items():
                assert np.allclose(value, found[key], rtol=1e-5, atol=1e-6, equal_nan=True), key


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_sum_that_takes_the_place_of_a_scalar_which_its_loop_reads(threads: int) -> None:
    x = vg.input("x", ("N",))
    y = x * vg.mean(x)
    t = vg.mean(vg.square(y))
    g = vg.Graph("g", {"u": vg.sum(y * t, axes=[0])})
    agree(g, {"x": (1 + np.random.default_rng(0).random(100)).astype("f4")}, threads)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_standardized_target(threads: int, rng: np.random.Generator) -> None:
    x, t = vg.input("x", ("N", 3)), vg.input("t", ("N",))
    off = t - vg.mean(t)
    wanted = off / vg.sqrt(vg.mean(vg.square(off)))
    s = vg.reshape(vg.dense(x, 1), ("N",))
    g = vg.Graph("g", {"s": s}, loss=vg.mean_squared_error(s, wanted))
    feeds = {"x": rng.random((100, 3), "f4"), "t": rng.random(100, "f4")}
    agree(g, feeds, threads, optimizer=vg.SGD(0.1))


@pytest.mark.parametrize("rows", [1, 4, 100])
def test_a_target_of_one_column(rows: int, rng: np.random.Generator) -> None:
    x, t = vg.input("x", ("N", 3)), vg.input("t", ("N", 1))
    s = vg.dense(x, 1)
    g = vg.Graph("g", {"s": s}, loss=vg.mean_squared_error(s, t))
    feeds = {"x": rng.random((rows, 3), "f4"), "t": rng.random((rows, 1), "f4")}
    agree(g, feeds, optimizer=vg.SGD(0.1))


def test_a_cast_to_bool_is_true_or_false() -> None:
    x = vg.input("x", ("N", 2))
    g = vg.Graph("g", {"o": vg.cast(vg.cast(x, "bool"), "f32")})
    agree(g, {"x": np.array([[0.5, 0.0], [np.nan, -3.0]], "f4")})


SHAPES: Mapping[str, Callable[[vg.Node], vg.Node]] = {
    "erf": lambda x: vg.sigmoid(x) * vg.erf(x),
    "tanh": lambda x: vg.exp(vg.tanh(x)) * vg.sigmoid(x),
}


@pytest.mark.parametrize("of", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("few", [statements._FEW, 100])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_functions_have_the_same_bits_in_whatever_group(
    of: Callable[[vg.Node], vg.Node],
    few: int,
    dtype: str,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Recomputation forms other groups; what a loop cannot make is in some of them."""
    monkeypatch.setattr(statements, "_FEW", few)
    x, y = vg.input("x", ("N", 20)), vg.input("y", ("N",), dtype="i64")
    h = x
    for _ in range(9):
        h = of(vg.dense(h, 20))
    g = vg.Graph("g", {"s": h}, loss=vg.softmax_cross_entropy(h, y))
    options = {"optimizer": vg.SGD(0.1), "backend": "numba", "dtype": dtype}
    free = vg.compile(g, **options)
    limit = int(0.45 * free.plan(N=60).nbytes)
    limited = vg.compile(g, **options, memory_limit=limit, recompute=True)
    feeds = {"x": rng.standard_normal((60, 20)), "y": rng.integers(0, 20, 60)}
    for _ in range(3):
        assert free.step(feeds) == limited.step(feeds)
    for name, value in free.parameters.items():
        assert np.array_equal(value, limited.parameters[name]), name


def own(name: str, run: Callable[..., None], scratch: str = "") -> type[vg.Op]:
    """An op of a user that says that it is traceable; scratch of the dtype, and a row of it."""

    def infer(self: vg.Op, *types: TensorType) -> TensorType:
        return types[0]

    def temporaries(self: vg.Op, *types: TensorType) -> tuple[TensorType, ...]:
        x = types[0].with_dtype(scratch) if scratch else types[0]
        return x, x.with_shape((*x.shape[:-1], 1))

    members = {
        "name": name,
        "traceable": True,
        "infer": infer,
        "scratch": temporaries,
        "run": run,
        "__annotations__": {"name": ClassVar[str], "traceable": ClassVar[bool]},
        "__doc__": "y = something of x.",
    }
    return vg.op(type(name, (vg.Op,), members))


def _shifted(self: vg.Op, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
    np.copyto(out, x)
    np.add(out[1:], out[:-1], out=out[1:])


def _from_five(self: vg.Op, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
    np.add.reduce(x, axis=-1, out=scratch[1], keepdims=True, initial=5.0)
    np.multiply(x, scratch[1], out=out)


def _at_least(self: vg.Op, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
    np.maximum.reduce(x, axis=-1, out=scratch[1], keepdims=True, initial=0.7)
    np.multiply(x, scratch[1], out=out)


def _counted(self: vg.Op, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
    np.copyto(scratch[0], x, casting="unsafe")
    np.add.reduce(scratch[0], axis=-1, out=scratch[1], keepdims=True)
    np.multiply(x, scratch[1], out=out)


def _twice(self: vg.Op, x: Array, *, out: Array, scratch: tuple[Array, ...]) -> None:
    np.greater(x, 0.5, out=scratch[0])
    np.add(scratch[0], scratch[0], out=scratch[0])
    np.multiply(x, scratch[0], out=out)


OWN = {
    "shifted": own("own_shifted", _shifted),
    "from_five": own("own_from_five", _from_five),
    "at_least": own("own_at_least", _at_least),
    "counted": own("own_counted", _counted, "i64"),
    "twice": own("own_twice", _twice, "bool"),
}


@pytest.mark.parametrize("op", OWN.values(), ids=OWN)
def test_ops_of_a_user_that_are_traceable(op: type[vg.Op], rng: np.random.Generator) -> None:
    x = vg.input("x", ("N", 6))
    agree(vg.Graph("g", {"o": vg.apply(op(), x)}), {"x": 3 * rng.random((5, 6), "f4")})
