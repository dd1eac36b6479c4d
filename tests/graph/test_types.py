"""Tensor types: dtypes, shapes of numbers and symbols, broadcasting, and errors that explain."""

from __future__ import annotations

import numpy as np
import pytest

import verigrad as vg
from verigrad.graph import TensorType, broadcast, dtype_name
from verigrad.graph.types import parse_type


@pytest.mark.parametrize("text", ["f32[N,784]", "f64[]", "i64[3]", "bool[N,1,M]", "f32[0]"])
def test_a_type_is_read_as_it_is_written(text: str) -> None:
    assert str(parse_type(text)) == text


@pytest.mark.parametrize(
    "text", ["f32", "f16[2]", "f32[2", "f32[-1]", "f32[1.5]", "f32[ ,]", "f32[2]x"]
)
def test_what_is_no_type_is_an_error(text: str) -> None:
    with pytest.raises(vg.GraphError):
        parse_type(text)


def test_a_type_knows_its_bytes_once_symbols_are_sizes() -> None:
    t = parse_type("f32[N,3]")
    assert t.symbols == ("N",) and t.nbytes({"N": 5}) == 60 and t.bind({"N": 0}) == (0, 3)
    with pytest.raises(vg.GraphError, match=r"f32\[N,3\] needs the size of N, e.g. N=128"):
        t.bind({})


@pytest.mark.parametrize("shape", [(-1,), (1.5,), (True,), ("3x",), (None,)])
def test_a_dimension_is_a_size_or_a_symbol(shape: tuple) -> None:
    with pytest.raises(vg.GraphError, match="is neither a size"):
        vg.input("x", shape)


def test_dtypes_go_by_our_names_and_by_numpys() -> None:
    names = [dtype_name(d) for d in ("f32", np.float64, "int64", bool, np.dtype("f4"))]
    assert names == ["f32", "f64", "i64", "bool", "f32"]


@pytest.mark.parametrize("unknown", ["f16", np.int32, "x", None, 7])
def test_another_dtype_is_an_error(unknown: object) -> None:
    with pytest.raises(vg.GraphError, match="is unknown; it is one of f32, f64, i64, bool"):
        vg.input("x", (2,), dtype=unknown)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("f32[N,3]", "f32[3]", "N,3"),
        ("f32[N,1]", "f32[1,M]", "N,M"),
        ("f32[]", "f32[N]", "N"),
        ("f32[2,1]", "f32[4,1,3]", "4,2,3"),
        ("f32[N,0]", "f32[1]", "N,0"),
    ],
)
def test_shapes_broadcast_as_numpys_do(a: str, b: str, expected: str) -> None:
    assert ",".join(map(str, broadcast(parse_type(a), parse_type(b)))) == expected


@pytest.mark.parametrize(
    ("a", "b"), [("f32[N]", "f32[M]"), ("f32[N]", "f32[2]"), ("f32[2]", "f32[3]")]
)
def test_a_symbol_meets_only_itself_or_one(a: str, b: str) -> None:
    with pytest.raises(vg.GraphError, match="do not broadcast"):
        broadcast(parse_type(a), parse_type(b))


def test_a_symbol_is_never_a_one_also_where_it_is_one() -> None:
    x, w = vg.input("x", ("N", 2), dtype="f64"), vg.input("w", (2,), dtype="f64")
    (dw,) = vg.grad(vg.sum(x * w), [w])
    g = vg.Graph("g", {"dw": dw, "x": x})
    assert str(dw.type) == "f64[2]"
    found = vg.interpret(g, {"x": np.ones((1, 2)), "w": np.ones(2)}).outputs["dw"]
    assert found.tolist() == [1.0, 1.0]


def test_a_dimension_that_is_a_sum_of_symbols_is_an_error() -> None:
    x = vg.input("x", ("N", 2))
    with pytest.raises(vg.GraphError, match="would have the size N \\+ N, which is neither"):
        vg.concat(x, x, axis=0)


def test_types_are_values() -> None:
    assert TensorType("f32", ["N", 3]) == parse_type("f32[N,3]")
    assert TensorType("f32", (3,)) != TensorType("f64", (3,))
    assert len({parse_type("f32[N]"), parse_type("f32[N]"), parse_type("f32[M]")}) == 2


# ---- errors of a user's declarations ---------------------------------------------------------


def message_of(declare: object) -> str:
    with pytest.raises(vg.GraphError) as e:
        declare()
    return str(e.value)


def test_a_weight_that_does_not_fit_is_explained() -> None:
    x = vg.input("x", ("N", 784))
    weight = vg.parameter("fc1.weight", (100, 10))
    bias = vg.parameter("fc1.bias", (10,))
    text = message_of(lambda: vg.linear(x, weight, bias, name="fc1"))
    head, op_line, *operands, fix = text.splitlines()
    assert head == (
        "linear in layer fc1: x has 784 columns, but the weight has 100 rows "
        "(f32[N,784] and f32[100,10])"
    )
    assert op_line.startswith("  linear") and "test_types.py:" in op_line
    assert [line.split(" at ")[0] for line in operands] == [
        "  input 0: %x: f32[N,784]",
        "  input 1: %fc1.weight: f32[100,10]",
        "  input 2: %fc1.bias: f32[10]",
    ]
    assert all("test_types.py:" in line for line in operands)
    assert fix == "  fix: declare the weight as [784,10], or feed x as [N,100]"


def test_a_bias_that_does_not_fit_is_explained() -> None:
    x, weight = vg.input("x", ("N", 4)), vg.parameter("w", (4, 3))
    bias = vg.parameter("b", (4,))
    text = message_of(lambda: vg.linear(x, weight, bias))
    assert "the weight has 3 columns, but the bias has 4 elements" in text
    assert "fix: declare the bias as [3]" in text


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda x: vg.dense(x, 0), "dense: units is 0, where a number from 1 is expected"),
        (lambda x: vg.dense(vg.sum(x, [1]), 2, name="fc9"), "dense fc9: x is f32[N]"),
        (lambda x: vg.dense(vg.input("z", ("N", "M")), 2), "where [N,D] with D a number"),
        (lambda x: vg.mlp(x, []), "mlp: units is empty"),
        (lambda x: vg.parameter("w", ("N", 2)), "sizes of parameters are fixed"),
        (lambda x: vg.parameter("w", (2,), init="he"), "initializer 'he' is unknown; known are"),
        (lambda x: vg.parameter("w", (2,), init=3), "init is 3; give a name such as"),
        (lambda x: vg.constant("a"), "a constant is a text"),
        (lambda x: x + np.ones(4), "wrap an array as vg.constant(array)"),
        (lambda x: vg.apply("exp", x), "apply takes an op and nodes"),
        (lambda x: vg.exp(x, name="a b"), "name 'a b' cannot be used"),
        (lambda x: vg.softmax_cross_entropy(x, x), 'declare them as vg.input("y", (\'N\',)'),
        (lambda x: vg.grad(x, [x]), "where a float scalar is expected"),
        (lambda x: vg.grad(vg.sum(x), [vg.input("z", ())]), "y is not made from"),
    ],
)  # fmt: skip
def test_a_declaration_that_does_not_fit_is_explained(declare: object, message: str) -> None:
    x = vg.input("x", ("N", 4))
    assert message in message_of(lambda: declare(x))


def test_numbers_take_the_dtype_of_the_node_beside_them() -> None:
    x = vg.input("x", (2,), dtype="f64")
    assert str((1 - x).type) == str((x / 2).type) == "f64[2]"
    g = vg.Graph("g", {"y": 2 * x - 1})
    assert vg.interpret(g, {"x": np.array([1.0, 2.0])}).outputs["y"].tolist() == [1.0, 3.0]
