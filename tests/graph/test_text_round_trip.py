"""Text and graph are one and the same: what is printed is read back, and nothing else is."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given, settings
from random_graphs import graphs, values_of
from runner import same_bits

import verigrad as vg
from verigrad.graph.attributes import Reader, print_value
from verigrad.graph.parser import parse
from verigrad.passes.schedule import ScheduleBuffers
from verigrad.runtime.plan import Plan


@given(graphs())
def test_a_graph_is_printed_again_as_it_was_read(g: vg.Graph) -> None:
    text = str(g)
    again = vg.parse(text)
    assert str(again) == text
    assert [n.op for n in again.order] == [n.op for n in g.order]
    vg.verify(again)


@given(graphs(), st.sampled_from([1, 4]))
def test_a_graph_that_was_read_computes_the_same(g: vg.Graph, size: int) -> None:
    values = values_of(g, size)
    a, b = vg.interpret(g, values), vg.interpret(vg.parse(str(g)), values)
    for x, y in ((a.outputs, b.outputs), (a.updates, b.updates)):
        assert x.keys() == y.keys()
        assert all(same_bits(x[k], y[k]) for k in x)


@given(graphs())
def test_a_schedule_with_its_places_is_read_back(g: vg.Graph) -> None:
    assume(g.order)
    placed = Plan(ScheduleBuffers().apply(g), {"N": 3}, g).graph
    again = vg.parse(str(placed))
    assert str(again) == str(placed)
    vg.verify(again)
    for field in ("groups", "takeovers", "places", "scratch"):
        a, b = (getattr(h.schedule, field) for h in (placed, again))
        assert {placed.names[n]: v for n, v in a.items()}.keys() == {again.names[n] for n in b}


# ---- attributes -----------------------------------------------------------------------------

names = st.from_regex(r"[A-Za-z_][\w.-]*", fullmatch=True)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), names
)
attributes = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.text(), names), inner, max_size=3),
    ),
    max_leaves=12,
)


@settings(max_examples=400)
@given(attributes)
def test_an_attribute_is_read_as_it_was_written(value: object) -> None:
    reader = Reader(print_value(value))
    assert repr(reader.value()) == repr(value) and reader.done()


@pytest.mark.parametrize(
    "value",
    [
        'a "quoted" word',
        "two\nlines",
        "back\\slash",
        "// no comment",
        "größe",
        "true",
        "none",
        "inf",
        "nan",
        "",
        " ",
        "f32[N]",
        -0.0,
        1e-300,
        math.inf,
        -math.inf,
        (),
        ((1,), ()),
        {"a": (1, 2.5)},
        vg.TensorType("f32", ("N", 4)),
        vg.L2(0.5),
        vg.Dropout(keep=0.5, layers={"fc 1": 0.25}),
        vg.Momentum(0.1, rho=0.0),
    ],
    ids=repr,
)
def test_a_special_attribute_is_read_as_it_was_written(value: object) -> None:
    found = Reader(print_value(value)).value()
    assert type(found) is type(value) and repr(found) == repr(value)


def test_nan_is_read_as_nan() -> None:
    assert math.isnan(Reader(print_value(math.nan)).value())
    g = vg.Graph("g", {"y": vg.constant([math.nan, -math.inf, -0.0])})
    assert "constant{[nan,-inf,-0.0]}" in str(g)
    assert str(vg.parse(str(g))) == str(g)


@pytest.mark.parametrize(
    "text",
    ["", "[1", "{a:1", '"open', "l2(", "l2(0.5", "l9(1)", "l2(x=1)", "l2(1,2)", "=", "[1 2]"],
)
def test_an_attribute_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(vg.GraphError):
        Reader(text).value()


def test_constants_keep_the_bits_of_f64() -> None:
    g = vg.Graph("g", {"y": vg.constant(0.1)})
    again = vg.parse(str(g)).constants[0].op
    assert again.value.array == 0.1 and again.array == np.float32(0.1)


def test_large_constants_are_named_and_stored() -> None:
    array = np.arange(17.0)
    g = vg.Graph("g", {"y": vg.constant(array)})
    (n,) = g.constants
    stored = f"stored-{n.op.value.digest}"
    assert f"constant{{{stored}}}" in str(g)
    assert str(parse(str(g), {stored: array})) == str(g)
    with pytest.raises(vg.GraphError, match="is stored with the arrays of a file"):
        parse(str(g))
    with pytest.raises(vg.GraphError, match="is another one"):
        parse(str(g), {stored: array + 1})


def test_comments_and_empty_lines_are_passed_over() -> None:
    g = vg.parse(
        """
        // what this is

        graph g {   // its name
          %x: f32[N] = input   // group of people
          return y=%x
        }
        // the end
        """
    )
    assert str(g) == "graph g {\n  %x: f32[N] = input\n  return y=%x\n}"
