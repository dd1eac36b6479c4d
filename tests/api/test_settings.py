"""What reads a setting of the process never sees what another thread has set for a while."""

from __future__ import annotations

import ctypes
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import ClassVar

import numpy as np
import pytest
from conftest import batch, net
from threadpoolctl import threadpool_limits

import verigrad as vg
from verigrad.graph import Array, TensorType, unwarned
from verigrad.ops import blas
from verigrad.runtime.training.versions import versions

BLAS = blas.numpy_blas()
THREADS = 2


def told() -> int:
    assert BLAS is not None
    found: int = ctypes.CFUNCTYPE(ctypes.c_int)(BLAS.get_threads)()
    return found


@vg.op
class Told(vg.Op):
    """y = x times the threads that the BLAS takes."""

    name: ClassVar[str] = "own_told"

    def infer(self, *types: TensorType) -> TensorType:
        return types[0]

    def run(self, x: Array, *, out: Array) -> None:
        np.multiply(x, float(told()), out=out)


@contextmanager
def over_and_over(of: Callable[[], object]) -> Iterator[None]:
    """Another thread calls this while the block lasts."""
    over, begun = threading.Event(), threading.Event()

    def work() -> None:
        while not over.is_set():
            of()
            begun.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    try:
        yield
    finally:
        over.set()
        thread.join()


def stepping() -> Callable[[], object]:
    pytest.importorskip("numba")
    program = vg.compile(net(200, 200, 4), optimizer=vg.SGD(0.01), backend="numba")
    feeds = batch(np.random.default_rng(0), 200, 200, 4)
    return lambda: program.step(feeds)


def checking() -> Callable[[], object]:
    x = vg.input("x", ("N", 60))
    g = vg.Graph("g", loss=vg.mean(vg.square(vg.dense(x, 60))))
    return lambda: vg.gradcheck(g, {"x": np.ones((60, 60))}, entries=3)


@pytest.fixture(params=[stepping, checking])
def set_meanwhile(request: pytest.FixtureRequest) -> Iterator[None]:
    """Another thread sets the threads of the BLAS to 1, and back."""
    with threadpool_limits(THREADS, user_api="blas"):
        if BLAS is None or not BLAS.set_threads or told() != THREADS:
            pytest.skip("this BLAS does not take so many threads")
        with over_and_over(request.param()):
            yield
        assert told() == THREADS


def graph() -> vg.Graph:
    x = vg.input("x", ("N",))
    return vg.Graph("g", {"y": vg.apply(Told(), x)})


def predicted(backend: str) -> float:
    found: float = vg.compile(graph(), backend=backend).predict(x=np.ones(1))["y"][0]
    return found


def folded() -> float:
    g = vg.Graph("g", {"y": vg.apply(Told(), vg.constant(1.0))})
    assert not vg.compile(g).inference.order
    return float(vg.compile(g).predict()["y"])


def cut_for() -> float:
    from verigrad.runtime.backends.numba.tape.tape import Tape

    return Tape([]).threads


WAYS: dict[str, Callable[[], float]] = {
    "numpy": lambda: predicted("numpy"),
    "numba": lambda: predicted("numba"),
    "interpreted": lambda: vg.interpret(graph(), {"x": np.ones(1, "f4")}).outputs["y"][0],
    "folded": folded,
    "tape": cut_for,
    "versions": lambda: float(versions()["threads"]),
}
TIMES = {"interpreted": 300, "tape": 2_000}
"""How often those are tried that take hardly any time."""


@pytest.mark.usefixtures("set_meanwhile")
@pytest.mark.parametrize("way", WAYS)
def test_the_threads_of_the_blas_are_those_that_are_set_for_good(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way in ("numba", "tape") and find_spec("numba") is None:
        pytest.skip("numba is not installed")
    monkeypatch.setattr(blas.os, "sched_getaffinity", lambda _: range(8), raising=False)
    assert {WAYS[way]() for _ in range(TIMES.get(way, 20))} == {THREADS}


def test_programs_of_both_backends_keep_their_bits(rng: np.random.Generator) -> None:
    """Built and run while others step."""
    pytest.importorskip("numba")
    feeds = [batch(rng, 203, 301, 7) for _ in range(3)]

    def run(backend: str) -> dict[str, bytes]:
        program = vg.compile(net(301, 257, 7), optimizer=vg.Adam(0.01), backend=backend)
        for f in feeds:
            program.step(f)
        return {k: v.tobytes() for k, v in program.parameters.items()}

    backends = ["numpy", "numba"] * 2
    expected = {backend: run(backend) for backend in backends}
    found: list[tuple[str, dict[str, bytes]]] = []
    threads = [
        threading.Thread(target=lambda b=b: found.extend([(b, run(b)) for _ in range(4)]))
        for b in backends
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 16 and all(expected[b] == bits for b, bits in found)


def test_filters_of_warnings_are_put_back() -> None:
    before, interval = list(warnings.filters), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work() -> None:
        for _ in range(300):
            with unwarned():
                warnings.warn("nobody sees this", UserWarning, stacklevel=1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    try:
        for t in threads:
            t.start()
    finally:
        for t in threads:
            t.join()
        sys.setswitchinterval(interval)
    assert list(warnings.filters) == before
