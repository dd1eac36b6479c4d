"""What Python's operators and indices mean for nodes: as NumPy's for arrays, or an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import verigrad as vg
from verigrad.graph import Graph, Node

ROWS = np.array([[-2.0, -0.5, 0.0, 1.5], [3.0, 0.0, -1.0, 0.25]], np.float32)


def computed(
    *expressions: Callable[[Any], Node], rows: np.ndarray = ROWS
) -> Iterator[tuple[np.ndarray, Any]]:
    """What one program computes for expressions of x, each beside what NumPy does."""
    x = vg.input("x", ("N", *rows.shape[1:]), dtype=rows.dtype)
    outputs = {f"y{k}": build(x) for k, build in enumerate(expressions)}
    found = vg.compile(Graph("expressions", outputs)).predict(x=rows)
    return zip(found.values(), [build(rows) for build in expressions], strict=True)


def test_operators_give_what_numpy_gives() -> None:
    both = computed(
        lambda x: np.float32(2) * x,
        lambda x: np.float64(2) - x,
        lambda x: x / np.int64(4),
        lambda x: np.array(3.0) + x,
        lambda x: 2 / (x + 4),
        lambda x: -x,
        lambda x: +x,
        lambda x: abs(x),
        lambda x: x**2,
        lambda x: x ** np.float32(2),
        lambda x: x**3,
        lambda x: x**0,
        lambda x: (x + 3) ** -1,
        lambda x: abs(x) ** 0.5,
        lambda x: abs(x) ** abs(x),
        lambda x: 2**x,
        lambda x: np.float32(2) ** x,
        lambda x: x @ x.T,
    )
    for found, expected in both:
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_comparisons_are_nodes_of_truth_values() -> None:
    both = computed(
        lambda x: x > 0,
        lambda x: x >= 0,
        lambda x: x < 0,
        lambda x: x <= 0,
        lambda x: 0 < x,  # noqa: SIM300
        lambda x: np.float32(0) >= x,
        lambda x: x > abs(x) - 1,
    )
    for found, expected in both:
        assert found.dtype == bool and found.tolist() == expected.tolist()


def test_equal_nodes_are_one_node() -> None:
    x = vg.input("x", (2,))
    assert x == x and x != vg.input("x", (2,)) and (x == 0) is False
    with pytest.raises(vg.GraphError, match=r"vg\.equal\(a, b\)"):
        vg.where(x == 0, x, 1.0)


@pytest.mark.parametrize("shape", [(2, 4), (3, 4, 5)])
def test_indices_take_what_numpy_takes(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    both = computed(
        lambda x: x[:, 0],
        lambda x: x[:, -1],
        lambda x: x[:, np.int64(1)],
        lambda x: x[:, 1:3],
        lambda x: x[:, :-1],
        lambda x: x[:, -3:99],
        lambda x: x[:, 3:1],
        lambda x: x[..., 2],
        lambda x: x[..., None],
        lambda x: x[None],
        lambda x: x[:, None, 1:],
        lambda x: x[:, 1:2, ...],
        lambda x: x[...],
        lambda x: x[:],
        lambda x: x[::1],
        rows=rng.standard_normal(shape).astype(np.float32),
    )
    for found, expected in both:
        np.testing.assert_array_equal(found, expected)


def test_indices_of_axes_whose_sizes_are_numbers() -> None:
    w = vg.parameter("w", (3, 2), init=np.arange(6.0).reshape(3, 2))
    outputs = {"a": w[1], "b": w[-1, 0], "c": w[1:, 1:], "d": w[2, ..., None]}
    found = vg.compile(vg.Graph("parts", outputs)).predict()
    assert {k: a.tolist() for k, a in found.items()} == {
        "a": [2, 3],
        "b": 4,
        "c": [[3], [5]],
        "d": [[4], [5]],
    }
    assert w[:] is w and w[0:3] is w and len(w) == 3


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda x: x[0], "axis 0 of f32[N,4], whose size N is only known"),
        (lambda x: x[:3], "take all of it, with `:`"),
        (lambda x: x[:, ::2], "the step 2"),
        (lambda x: x[:, ::-1], "the step -1"),
        (lambda x: x[:, [0, 1]], "not a list"),
        (lambda x: x[:, np.arange(2)], "not a ndarray"),
        (lambda x: x[x > 0], "not a Node; choose by a condition with vg.where"),
        (lambda x: x[True], "not True"),
        (lambda x: x[:, 1.0], "not 1.0"),
        (lambda x: x[:, : vg.mean(x)], "not slice"),
        (lambda x: x[:, 4], "index 4 is out of range for axis 1 of f32[N,4]"),
        (lambda x: x[:, -5], "index -5 is out of range"),
        (lambda x: x[:, 0, 0], "3 indices for f32[N,4], which has 2 axes"),
        (lambda x: x[..., 0, ...], "takes `...` once, and not 2 times"),
        (lambda x: list(x), "cannot be iterated over"),
        (lambda x: 0 in x, "cannot be iterated over"),
        (lambda x: len(x), "has no length"),
        (lambda x: 0 < x < 1, "vg.where(0 < x, x < 1, False)"),
        (lambda x: 1 if x > 0 else 2, "no truth value"),
        (lambda x: max(x, x + 1), "no truth value"),
        (lambda x: np.asarray(x), "holds no numbers while the graph is declared"),
        (lambda x: np.ones(4) * x, "wrap an array as vg.constant(array)"),
        (lambda x: x**ROWS, "wrap an array as vg.constant(array)"),
        (lambda x: ROWS @ x, "wrap an array as vg.constant(array)"),
        (lambda x: x < ROWS, "wrap an array as vg.constant(array)"),
        (lambda x: vg.cast(x, "i64") * 0.5, "0.5, which no i64 can hold"),
        (lambda x: vg.cast(x, "i64") ** 2, "floats are expected"),
    ],
)
def test_what_has_no_meaning_says_so(use: Callable[[Any], object], said: str) -> None:
    with pytest.raises(vg.GraphError) as e:
        use(vg.input("x", ("N", 4)))
    assert said in str(e.value)


def test_between_two_numbers_as_the_error_says() -> None:
    x = vg.input("x", ("N", 4))
    between = vg.where(0 < x, x < 1.5, False)  # noqa: SIM300
    program = vg.compile(vg.Graph("between", {"y": between}))
    assert program.predict(x=ROWS)["y"].tolist() == ((ROWS > 0) & (ROWS < 1.5)).tolist()


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 0.0, 2.0, np.float32(2)])
def test_the_slope_of_a_power_is_finite_at_zero(exponent: float) -> None:
    w = vg.parameter("w", (3,), init=np.array([-2.0, 0.0, 1.5]))
    net = vg.Graph("powers", loss=vg.sum(w**exponent))
    _, found = vg.compile(net).gradients()
    expected = (
        [0.0, 0.0, 0.0] if exponent == 0 else exponent * w.op.init.value.array ** (exponent - 1)
    )
    np.testing.assert_allclose(found["w"], expected, rtol=1e-6)


def test_an_exponent_that_is_fed_may_be_zero() -> None:
    w, e = vg.parameter("w", (3,), init="zeros"), vg.input("e", (3,))
    program = vg.compile(vg.Graph("powers", loss=vg.sum(w**e)))
    assert program.gradients(e=[0.0, 1.0, 2.0])[1]["w"].tolist() == [0, 1, 0]


@pytest.mark.parametrize("word", ["axis", "axes"])
@pytest.mark.parametrize("axes", [1, -1, [1], (0, 1), (-1, 0), np.int64(0), range(2), None])
def test_axis_and_axes_are_one_word(axes: Any, word: str) -> None:
    x = vg.input("x", (3, 4))
    over = (0, 1) if axes is None else tuple(np.atleast_1d(axes).tolist())
    shape = np.zeros((3, 4)).sum(axis=over).shape
    assert [f(x, **{word: axes}).shape for f in (vg.sum, vg.mean, vg.max)] == [shape] * 3


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda x: vg.sum(x, -1), "sum{axes=[1]}(%x)"),
        (lambda x: vg.max(x, axis=1, keepdims=True), "max{axes=[1],keepdims=true}(%x)"),
        (lambda x: vg.concat([x, x], axis=1), "concat{1}(%x, %x)"),
        (lambda x: vg.concat(x, x, axes=-1), "concat{1}(%x, %x)"),
        (lambda x: vg.transpose(x, axis=(-1, 0)), "transpose{[1,0]}(%x)"),
        (lambda x: vg.slice(x, -1, 0, 2), "slice{axis=1,start=0,stop=2}(%x)"),
        (lambda x: vg.pad(x, -1, 0, 2), "pad{axis=1,before=0,after=2}(%x)"),
    ],
)
def test_the_text_has_one_form(build: Callable[[Node], Node], text: str) -> None:
    assert text in str(vg.Graph("g", {"y": build(vg.input("x", ("N", 4)))}))


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda x: vg.sum(x, 1, axes=1), "axis and axes are one word"),
        (lambda x: vg.sum(x, "rows"), "axis is 'rows', where a whole number"),
        (lambda x: vg.mean(x, axis=[True]), "axis is True"),
        (lambda x: vg.max(x, axis=2), "axes [2] are not axes of f32[N,4]"),
        (lambda x: vg.concat([x, x]), "write e.g. axis=0"),
        (lambda x: vg.concat(x, axis=(0, 1)), "[0, 1] is given"),
        (lambda x: vg.concat([], axis=0), "vg.concat([a, b], axis=1)"),
        (lambda x: vg.concat([x, 1.0], axis=0), "vg.concat([a, b], axis=1)"),
        (lambda x: vg.Graph("g", x), 'write vg.Graph(..., {"scores": scores})'),
        (lambda x: vg.Graph("g", [x]), "outputs is a list"),
        (lambda x: vg.Graph("g", {"y": x}, updates=[x]), "updates is list"),
        (lambda x: vg.Graph("g", {"y": x}, updates={"s": x}), "both have to be nodes"),
        (lambda x: vg.grad(vg.sum(x), x), "write vg.grad(y, [x])"),
    ],
)
def test_calls_that_cannot_be_say_what_to_write(use: Callable[[Any], object], said: str) -> None:
    with pytest.raises(vg.GraphError) as e:
        use(vg.input("x", ("N", 4)))
    assert said in str(e.value)
