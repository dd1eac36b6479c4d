"""Text and graph are one and the same: what is printed is read back, and nothing else is."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from effort import tries
from hypothesis import assume, given, settings
from random_graphs import graphs, nets, values_of
from runner import same_bits

import verigrad as vg
from verigrad.graph.text.attributes import Reader, print_value
from verigrad.graph.text.parser import parse
from verigrad.passes.scheduling.schedule import ScheduleBuffers
from verigrad.runtime.planning.plan import Plan


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
    assert said_of(again) == said_of(placed)


def said_of(g: vg.Graph) -> dict[str, object]:
    """All that a schedule says, in names."""
    s, name = g.schedule, g.names
    named = {k: {name[n]: v for n, v in getattr(s, k).items()} for k in ("groups", "places")}
    scratch = {name[n]: v for n, v in s.scratch.items() if v}
    takeovers = {name[n]: name[old] for n, old in s.takeovers.items()}
    packs = [[name[n] for n in pack] for pack in s.packs]
    once = {name[n] for n in s.once}
    return {**named, "scratch": scratch, "takeovers": takeovers, "packs": packs, "once": once}


@given(nets(), st.sampled_from([vg.Momentum(0.1), vg.Adam(0.1)]))
def test_packs_and_what_is_computed_once_are_read_back(n: vg.Graph, o: vg.Optimizer) -> None:
    program = vg.compile(n, optimizer=o, regularizer=vg.L2(0.1))
    for g in (program.training, program.plan(N=3).graph):
        again = vg.parse(str(g))
        assert str(again) == str(g) and said_of(again) == said_of(g)
        assert again.schedule.packs and again.schedule.once
        vg.verify(again)


@pytest.mark.parametrize(
    "note",
    [
        "group 0, once",
        "group 0, once, arena 0:16",
        "group 0, pack 0.0",
        "group 0, arena 0:16, scratch 64:80, scratch 128:144",
    ],
)
def test_an_annotation_is_printed_as_it_was_read(note: str) -> None:
    text = "graph g {\n  %c: f32[4] = constant{[1.0,2.0,3.0,4.0]}\n"
    text += f"  %y: f32[4] = exp(%c)  // {note}\n  return y=%y\n}}"
    assert str(vg.parse(text)) == text


@pytest.mark.parametrize("note", ["group 0, twice", "once upon a time", "pack 0", "pack a.b"])
def test_another_note_is_a_comment(note: str) -> None:
    text = f"graph g {{\n  %x: f32[4] = input\n  %y: f32[4] = exp(%x)  // {note}\n  return y=%y\n}}"
    assert vg.parse(text).schedule is None


def test_members_of_packs_are_read_in_their_own_order() -> None:
    text = """graph g {
      %x: f32[4] = input
      %a: f32[4] = state{init=zeros}  // pack 0.1
      %b: f32[4] = state{init=zeros}  // pack 1.0
      %c: f32[4] = state{init=zeros}  // pack 0.0
      %y: f32[4] = add(%a, %b)  // group 0
      %z: f32[4] = add(%y, %c)  // group 1, takes over %y
      return z=%z
    }"""
    g = vg.parse(text)
    assert [[g.names[n] for n in pack] for pack in g.schedule.packs] == [["c", "a"], ["b"]]
    assert str(vg.parse(str(g))) == str(g)


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


@settings(max_examples=tries(133))
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


@vg.op
class Noted(vg.Op):
    """x, with a text of the user's."""

    name = "noted"
    text: str

    def infer(self, *types: vg.TensorType) -> vg.TensorType:
        return types[0]


BREAKS = [
    "\u2028",
    "\u2029",
    "\x85",
    "\x0b",
    "\x0c",
    "\x1c",
    "\n",
    "\r\n",
    "\u202e",
    "\ufeff",
    "\ud800",
]


@pytest.mark.parametrize("mark", [*BREAKS, "ö, ⚘", '"', "\\", "//"], ids=ascii)
def test_a_text_with_any_character_is_printed_on_one_line_and_read_back(mark: str) -> None:
    x = vg.input("x", ("N",))
    g = vg.Graph("g", {"y": vg.apply(Noted(f"one{mark}two"), x)})
    text = str(g)
    assert len(text.splitlines()) == 5 and all(line.isprintable() for line in text.splitlines())
    again = vg.parse(text)
    assert str(again) == text and again.order[0].op == g.order[0].op
    assert vg.parse(text.replace("\n", "\r\n")).order[0].op == g.order[0].op


def test_a_separator_that_stands_raw_in_quotes_is_read() -> None:
    noted = '%y: f32[N] = noted{"a\u2028b\x85c"}(%x)'
    text = f"graph g {{\n  %x: f32[N] = input\n  {noted}\n  return y=%y\n}}"
    assert vg.parse(text).order[0].op == Noted("a\u2028b\x85c")
