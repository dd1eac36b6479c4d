"""A kernel's NumPy calls, recorded: the same bits as the kernel gives, or no record at all."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from runner import same_bits
from table import TABLE, Row

import verigrad as vg
from verigrad.graph.types import parse_type
from verigrad.runtime.backends.tracing import Call, record
from verigrad.runtime.checking.sample import Sample

TRACEABLE = [r for r in TABLE if r.op.traceable and "0" not in re.split(r"\W+", " ".join(r.types))]


def replay(calls: list[Call]) -> None:
    """Makes the calls, in the buffers that an executor works with."""
    with np.errstate(all="ignore"):
        np.setbufsize(512)
        for c in calls:
            c.function(*c.arguments, **c.keywords)


def drawn(r: Row, size: int, rng: np.random.Generator) -> tuple[vg.Op, list, np.ndarray, list]:
    """The row's op, inputs, what it must give, and its temporaries, full of garbage."""
    sample = Sample(r.op, [parse_type(t) for t in r.types], r.reference, r.values, rng)
    sizes = sample.sizes(size)
    inputs = [np.ascontiguousarray(a).reshape(a.shape) for a in sample.draw(sizes)]
    t = sample.inferred()
    expected = np.empty(t.bind(sizes), t.numpy)
    scratch = [np.empty(s.bind(sizes), s.numpy) for s in r.op.scratch(*sample.types)]
    op = r.op.bind(sizes)
    with np.errstate(all="ignore"):
        op.run(*inputs, out=expected, **({"scratch": tuple(scratch)} if scratch else {}))
    for s in scratch:
        s.view(np.uint8).fill(255)
    return op, inputs, expected, scratch


@pytest.mark.parametrize(
    ("row", "size"),
    [
        pytest.param(r, size, id=f"{r.label}-{size}")
        for r in TRACEABLE
        for size in (1, 3, 40)
        if (r.op.name, size) != ("batch_variance", 1)  # an error
    ],
)
def test_a_record_gives_the_bits_of_the_kernel(
    row: Row, size: int, rng: np.random.Generator
) -> None:
    op, inputs, expected, scratch = drawn(row, size, rng)
    out = np.empty_like(expected)
    before = [a.copy() for a in (*inputs, out)]
    calls = record(op, inputs, out, scratch)
    assert calls is not None
    assert all(a.tobytes() == b.tobytes() for a, b in zip((*inputs, out), before, strict=True))
    replay(calls)
    assert same_bits(out, expected)
    for a in inputs:  # the record is of places: other values give other results
        if a.dtype.kind == "f":
            np.multiply(a, 0.5, out=a)
    with np.errstate(all="ignore"):
        op.run(*inputs, out=expected, **({"scratch": tuple(scratch)} if scratch else {}))
    replay(calls)
    assert same_bits(out, expected)


@pytest.mark.parametrize("row", [r for r in TRACEABLE if r.op.inplace], ids=lambda r: r.label)
def test_a_record_in_place_gives_the_bits_of_the_kernel(row: Row, rng: np.random.Generator) -> None:
    for k in row.op.inplace:
        op, inputs, expected, scratch = drawn(row, 3, rng)
        if k >= len(inputs) or inputs[k].shape != expected.shape:
            continue
        if inputs[k].dtype != expected.dtype:
            continue
        calls = record(op, inputs, inputs[k], scratch)
        assert calls is not None
        replay(calls)
        assert same_bits(inputs[k], expected)


def test_nothing_is_written_while_a_kernel_is_recorded() -> None:
    x, out = np.ones((2, 3), np.float32), np.full((2, 3), 7, np.float32)
    calls = record(vg.exp(vg.input("x", (2, 3))).op, [x], out)
    assert calls is not None and (out == 7).all() and out.flags.writeable
    assert all(type(v) is np.ndarray for c in calls for v in (*c.arguments, c.keywords["out"]))


@pytest.mark.parametrize(
    ("function", "arguments", "keywords", "rows"),
    [
        (np.add, [(4, 6), (4, 6)], {}, 0),
        (np.add, [(4, 6), ()], {}, 0),
        (np.add, [(4, 6), (6,)], {}, 4),
        (np.multiply, [(4, 1), (4, 6)], {}, 4),
        (np.exp, [(4, 6)], {}, 0),
        (np.add.reduce, [(4, 6)], {"axis": 0}, 4),
        (np.add.reduce, [(4, 6)], {"axis": None}, 0),
        (np.dot, [(4, 5), (5, 6)], {}, 0),
    ],
    ids=lambda given: getattr(given, "__name__", str(given)),
)
def test_a_call_knows_the_rows_that_numpy_walks(
    function: Callable[..., Any], arguments: list[tuple[int, ...]], keywords: dict, rows: int
) -> None:
    given = tuple([np.ones(shape, np.float32) for shape in arguments])
    out = np.asarray(function(*given, **keywords))
    assert Call(function, given, {**keywords, "out": out}).rows == rows


@pytest.mark.parametrize("refused", [False, True])
def test_a_record_lets_go_of_the_arrays(refused: bool) -> None:
    """Views of noted arrays hold the tape, and ndarrays are nothing that Python collects."""
    x, out = np.ones((2, 3), np.float32), np.ones((2, 3), np.float32)

    def kernel(x: np.ndarray, out: np.ndarray) -> None:
        np.exp(x.T, out=out.T)
        np.exp(x, out=None if refused else out)

    gone = weakref.ref(x), weakref.ref(out)
    calls = record(claiming(kernel), [x], out)
    assert (calls is None) == refused
    del x, out, calls
    gc.collect()
    assert all(ref() is None for ref in gone)


# ---- kernels that cannot be recorded --------------------------------------------------------

Kernel = Callable[..., Any]


class Claimed(vg.Op):
    """An op that says that it is straight, whatever its kernel does."""

    name: ClassVar[str] = "claimed"
    traceable: ClassVar[bool] = True

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]


def claiming(kernel: Kernel) -> vg.Op:
    return type("Kernel", (Claimed,), {"run": lambda self, *a, out: kernel(*a, out)})()


def branches(x: np.ndarray, out: np.ndarray) -> None:
    if x.max() > 0:
        np.exp(x, out=out)


def branches_on_an_element(x: np.ndarray, out: np.ndarray) -> None:
    np.exp(x, out=out) if x[0] > 0 else np.tanh(x, out=out)


def branches_on_a_place(x: np.ndarray, out: np.ndarray) -> None:
    np.exp(x, out=out) if x.argmax() > 0 else np.tanh(x, out=out)


def loops_over_elements(x: np.ndarray, out: np.ndarray) -> None:
    np.copyto(out, x)
    for v in x:
        np.add(out, v, out=out)


def scales_by_an_element(x: np.ndarray, out: np.ndarray) -> None:
    np.multiply(x, x[0], out=out)


def copies_what_it_made(x: np.ndarray, out: np.ndarray) -> None:
    np.copyto(out, np.asarray(x) * 2)


def writes_two_results(x: np.ndarray, out: np.ndarray) -> None:
    np.modf(x, out=(out, out))


REFUSED: dict[str, Kernel] = {
    "a branch on a maximum": branches,
    "a branch on an element": branches_on_an_element,
    "a branch on where the maximum is": branches_on_a_place,
    "a loop over elements": loops_over_elements,
    "an element as a number": scales_by_an_element,
    "an array of its own": copies_what_it_made,
    "two results": writes_two_results,
    "no out": lambda x, out: np.copyto(out, np.exp(x)),
    "an operator": lambda x, out: np.copyto(out, x * 2),
    "assigned to all": lambda x, out: out.__setitem__(..., x),
    "assigned to a slice": lambda x, out: out.__setitem__(slice(1), 0),
    "assigned through flat": lambda x, out: out.flat.__setitem__(slice(None), x),
    "a copy": lambda x, out: np.copyto(out, x.copy()),
    "a cast": lambda x, out: np.copyto(out, x.astype(np.float64), casting="unsafe"),
    "a reshape that copies": lambda x, out: np.exp(x[::-1].repeat(1), out=out),
    "dot as a method": lambda x, out: x.dot(np.eye(3, dtype=np.float32), out=out),
    "a plain view that is written": lambda x, out: np.exp(np.asarray(x), out=np.asarray(out)),
    "a function that is no ufunc": lambda x, out: np.cumsum(x, out=out),
    "where": lambda x, out: np.copyto(out, np.where(x > 0, x, 0)),
    "a sort": lambda x, out: out.sort(),
    "a float": lambda x, out: out.fill(float(x[0])),
    "an item": lambda x, out: out.fill(x.item(0)),
    "an index": lambda x, out: np.add.at(out, [0], 1),
    "an error": lambda x, out: {}["no such key"],
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_kernel_that_is_no_line_of_calls_is_refused(what: str) -> None:
    x, out = np.arange(1, 4, dtype=np.float32), np.full(3, 7, np.float32)
    assert record(claiming(REFUSED[what]), [x], out) is None
    assert (out == 7).all() and (x == [1, 2, 3]).all()
    assert out.flags.writeable and x.flags.writeable


RECORDED: dict[str, Kernel] = {
    "an operator that writes": lambda x, out: np.copyto(out, x) or out.__iadd__(x),
    "fill": lambda x, out: out.fill(3),
    "a view": lambda x, out: np.exp(x[::-1], out=out),
    "a part": lambda x, out: np.copyto(out, 0) or np.exp(x[1:], out=out[1:]),
    "a reduction": lambda x, out: np.copyto(out, 0) or np.add.reduce(x, out=out[:1], keepdims=True),
    "a sum": lambda x, out: np.copyto(out, 0) or x.sum(out=out[:1], keepdims=True),
    "a where of ones own": lambda x, out: np.copyto(out, 1) or np.log(x, out=out, where=True),
    "a whole number as exponent": lambda x, out: np.ldexp(x, 3, out=out),
    "a wider number": lambda x, out: np.multiply(x, np.float64(0.1), out=out),
    "accumulate": lambda x, out: np.add.accumulate(x, out=out),
    "a method with out": lambda x, out: x.cumsum(out=out),
    "rounding": lambda x, out: x.round(out=out),
    "einsum": lambda x, out: np.einsum("i,i->i", x, x, out=out),
    "dot": lambda x, out: np.copyto(out, 0) or np.dot(x, x, out=out[:1].reshape(())),
}


@pytest.mark.parametrize("what", RECORDED)
def test_a_line_of_calls_is_recorded(what: str) -> None:
    x, out = np.arange(1, 4, dtype=np.float32), np.full(3, 7, np.float32)
    op, expected = claiming(RECORDED[what]), np.empty(3, np.float32)
    op.run(x, out=expected)
    calls = record(op, [x], out)
    assert calls is not None and (out == 7).all()
    replay(calls)
    assert same_bits(out, expected)


def test_what_is_not_traceable_or_empty_is_not_recorded() -> None:
    x = vg.input("x", ("N", 3))
    assert not vg.max(x, axes=[1]).op.traceable
    full = np.ones((2, 3), np.float32)
    assert record(vg.max(x, axes=[1]).op, [full], np.empty(2, np.float32)) is None
    empty = np.ones((0, 3), np.float32)
    assert record(vg.exp(x).op, [empty], empty.copy()) is None
