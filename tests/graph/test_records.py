"""Records: immutable values with typed fields, equal by class and field."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest

import verigrad as vg


class Point(vg.Record):
    x: int
    y: int = 0
    scale: float = 1.0
    kind: ClassVar[str] = "plane"


class Solid(Point):
    z: int = 5
    y: int = 7


def test_fields_are_given_by_place_or_by_name() -> None:
    assert Point(1, 2) == Point(x=1, y=2) == Point(y=2, x=1, scale=1.0)
    assert Point(1).values() == (1, 0, 1.0)


@pytest.mark.parametrize(
    ("args", "fields", "message"),
    [
        ((), {}, "Point needs the field 'x'"),
        ((1, 2, 3, 4), {}, "Point has 3 fields, 4 given"),
        ((1,), {"x": 2}, "field 'x' is given twice"),
        ((1,), {"w": 2}, "field 'w' is unknown; the fields are: x, y, scale"),
        ((1,), {"kind": "x"}, "field 'kind' is unknown"),
    ],
)
def test_fields_that_do_not_fit_are_errors(args: tuple, fields: dict, message: str) -> None:
    with pytest.raises(TypeError) as e:
        Point(*args, **fields)
    assert message in str(e.value)


def test_a_record_is_immutable() -> None:
    p = Point(1)
    with pytest.raises(AttributeError, match="Point is immutable; make a new one to set 'x'"):
        p.x = 2
    with pytest.raises(AttributeError, match="Point is immutable"):
        del p.x
    assert p.but(x=3) == Point(3) and p == Point(1)


def test_equal_means_of_one_class_and_equal_fields() -> None:
    assert Point(1) != Solid(1) and Point(1) != Point(2) and Point(1) != 1
    assert len({Point(1), Point(1), Point(2)}) == 2


def test_zero_and_minus_zero_are_two() -> None:
    assert Point(1, scale=0.0) != Point(1, scale=-0.0)
    assert Point(1, scale=0.0) == Point(1, scale=0)
    assert vg.L2(0.0).changed() == {"strength": 0.0}


def test_only_what_differs_from_the_defaults_is_shown() -> None:
    assert repr(Point(1, 0)) == "Point(x=1)"
    assert repr(Point(1, 2, -math.inf)) == "Point(x=1, y=2, scale=-inf)"


def test_a_subclass_adds_fields_and_changes_defaults() -> None:
    assert Solid.field_names == ("x", "y", "scale", "z")
    assert Solid(1).y == 7 and Solid(1).z == 5


def test_an_attribute_of_minus_zero_survives_its_text() -> None:
    @vg.op
    class Shift(vg.Op):
        name: ClassVar[str] = "shift_for_record_tests"
        by: float = 0.0

        def infer(self, *types: vg.TensorType) -> vg.TensorType:
            return types[0]

    x = vg.input("x", (2,))
    a, b = vg.apply(Shift(0.0), x), vg.apply(Shift(-0.0), x)
    g = vg.Graph("g", {"a": a, "b": b})
    assert "shift_for_record_tests{by=-0.0}(%x)" in str(g)
    again = vg.parse(str(g))
    assert math.copysign(1, again.outputs["b"].op.by) == -1
    assert again.outputs["a"].op != again.outputs["b"].op


def test_a_node_is_immutable_and_equal_to_itself_alone() -> None:
    x = vg.input("x", (2,))
    a, b = vg.exp(x), vg.exp(x)
    assert a == a and a != b and len({a, b}) == 2
    with pytest.raises(AttributeError, match="a Node is immutable; use Graph"):
        a.inputs = ()
    with pytest.raises(AttributeError, match="a Node is immutable"):
        del a.op


def test_registering_what_is_no_op_is_an_error() -> None:
    with pytest.raises(vg.GraphError, match=r"@vg.op takes a subclass of vg.Op"):
        vg.op(Point)
    with pytest.raises(vg.GraphError, match="Nameless needs a name, such as `name: ClassVar"):
        vg.op(type("Nameless", (vg.Op,), {}))
    with pytest.raises(vg.GraphError, match=r"op 'matmul' is already verigrad.ops.linear.MatMul"):
        vg.op(type("Other", (vg.Op,), {"name": "matmul"}))
