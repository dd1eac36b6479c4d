"""Products on the tape against NumPy's, in all layouts and parts; and where there is no BLAS."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from conftest import batch, net
from jit_runs import on_threads
from threadpoolctl import threadpool_info

import verigrad as vg

pytest.importorskip("numba")

from verigrad.ops.blas import Blas, numpy_blas
from verigrad.runtime.backends.numba import writer
from verigrad.runtime.backends.numba.lowering import products
from verigrad.runtime.backends.numba.tape.tape import Tape
from verigrad.runtime.backends.tracing import Call

BLAS = numpy_blas()
needs_blas = pytest.mark.skipif(BLAS is None, reason="this NumPy's BLAS has no names we know")

SIZES = [
    (3, 4, 5),
    (1, 1, 1),
    (1, 300, 90),
    (90, 300, 1),
    (1, 300, 1),
    (1, 5, 4),
    (128, 64, 96),
    (37, 200, 41),
    (20, 700, 30),
    (16, 40, 300),
    (65, 1, 33),
]


def run(call: Call, threads: int, blas: Blas | None = BLAS) -> int:
    return made(products.product(call), threads, blas)


def made(p: products.Product | None, threads: int, blas: Blas | None = BLAS) -> int:
    assert p is not None and blas is not None
    with on_threads(threads):
        tape = Tape([])
        parts = products.append(p, blas, tape)
        assert tape.runner(0, len(tape))()
    return parts


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small products are cut as large ones are."""
    monkeypatch.setattr(products, "_SMALL", 1_000)
    monkeypatch.setattr(products, "_SMALL_VECTOR", 1_000)
    yield


@needs_blas
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_products_are_those_of_numpy(
    sizes: tuple[int, int, int], threads: int, dtype: str, rng: np.random.Generator
) -> None:
    m, k, n = sizes
    for turned_a in (False, True):
        for turned_b in (False, True):
            a = rng.standard_normal((k, m) if turned_a else (m, k)).astype(dtype)
            b = rng.standard_normal((n, k) if turned_b else (k, n)).astype(dtype)
            a, b = a.T if turned_a else a, b.T if turned_b else b
            out = np.full((m, n), np.nan, dtype)
            run(Call(np.dot, (a, b), {"out": out}), threads)
            tolerance = {"f4": 1e-4, "f8": 1e-12}[dtype]
            assert np.allclose(out, a.astype("f8") @ b.astype("f8"), rtol=tolerance, atol=tolerance)


@needs_blas
@pytest.mark.parametrize("sizes", [*SIZES, (5, 0, 3)], ids=str)
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_products_are_added_to_what_is_there(
    sizes: tuple[int, int, int], threads: int, dtype: str, rng: np.random.Generator
) -> None:
    m, k, n = sizes
    a, b = (rng.standard_normal(shape).astype(dtype) for shape in ((k, m), (k, n)))
    out = rng.standard_normal((m, n)).astype(dtype)
    alpha, beta = np.array(-0.25, dtype), np.array(0.5, dtype)
    expected = 0.5 * out.astype("f8") - 0.25 * (a.T.astype("f8") @ b.astype("f8"))
    made(products.matrices(a.T, b, out, (alpha, beta)), threads)
    tolerance = {"f4": 1e-4, "f8": 1e-12}[dtype]
    assert np.allclose(out, expected, rtol=tolerance, atol=tolerance)
    alpha[()], beta[()], before = 0, 2, out.copy()  # read anew in each run
    made(products.matrices(a.T, b, out, (alpha, beta)), threads)
    assert (out == 2 * before).all()


@needs_blas
@pytest.mark.parametrize(
    ("sizes", "parts"),
    [
        ((4, 4, 4), 1),
        ((64, 64, 64), 2),
        ((16, 64, 300), 2),
        ((8, 900, 8), 2),
        ((1, 300, 90), 2),
        ((128, 784, 512), 2),
    ],
    ids=str,
)
def test_what_is_large_is_cut(sizes: tuple[int, int, int], parts: int) -> None:
    m, k, n = sizes
    a, b, out = np.ones((m, k), "f4"), np.ones((k, n), "f4"), np.empty((m, n), "f4")
    assert run(Call(np.dot, (a, b), {"out": out}), 2) == parts
    assert (out == k).all()


def test_what_is_no_product_of_matrices_is_left() -> None:
    a, wide = np.ones((4, 4), "f4"), np.ones((4, 4), "f8")
    out = np.zeros((4, 4), "f4")
    for call in (
        Call(np.dot, (a[0], a[1]), {"out": np.empty((), "f4")}),
        Call(np.dot, (a, wide), {"out": np.empty((4, 4), "f8")}),
        Call(np.dot, (a[:, ::2], a[:2]), {"out": out}),
        Call(np.dot, (a.astype("i8"), a.astype("i8")), {"out": out.astype("i8")}),
        Call(np.add, (a, a), {"out": out}),
    ):
        assert products.product(call) is None


@needs_blas
def test_a_blas_that_keeps_its_threads_makes_products_whole() -> None:
    assert BLAS is not None
    a, out = np.ones((64, 64), "f4"), np.empty((64, 64), "f4")
    call = Call(np.dot, (a, a), {"out": out})
    assert run(call, 2, BLAS._replace(get_threads=0, set_threads=0)) == 1
    assert (out == 64).all()


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_without_a_blas_numpy_makes_the_products(
    dtype: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, feeds = net(12, 8, 6, 4), batch(rng, 16, 12, 4)
    options = {"optimizer": vg.SGD(0.1), "backend": "numba", "dtype": dtype}
    expected = vg.compile(n, **options).step(feeds)
    monkeypatch.setattr(writer, "numpy_blas", lambda: None)
    program = vg.compile(n, **options)
    assert np.isclose(program.step(feeds), expected, rtol=1e-6)
    lines = [line.strip() for line in program.source(N=16).splitlines()]
    assert sum(line.startswith("dot(") for line in lines) == 8
    assert "step = run" not in program.source(N=16)


@needs_blas
def test_a_step_leaves_the_threads_of_the_blas_as_they_were(rng: np.random.Generator) -> None:
    def told() -> list[int]:
        return [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]

    with on_threads(2):
        before = told()
        program = vg.compile(net(12, 8, 4), optimizer=vg.SGD(0.1), backend="numba")
        program.step(batch(rng, 8, 12, 4))
        with pytest.raises(vg.RunError):
            program.step({**batch(rng, 8, 12, 4), "y": np.full(8, 9)})
        assert told() == before
