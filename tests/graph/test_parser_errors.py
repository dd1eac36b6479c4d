"""Texts that are no graphs: each error is ours, names the line and says what is wrong."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from effort import tries
from hypothesis import given, settings

import verigrad as vg

LINES = [
    "graph net {",
    "  %x: f32[N,4] = input",
    "  %w: f32[4,3] = parameter{init=normal(std=0.5)}",
    "  %s: f32[3] = state{init=zeros}",
    "  %c: f32[3] = constant{[1.0,-inf,nan]}",
    "  %a: f32[N,3] = matmul(%x, %w)  // group 0, arena 0:192",
    "  %h: f32[N,3] = add(%a, %c)  // group 1, takes over %a, arena 0:192",
    "  %m: f32[3] = sum{axes=[0]}(%h)  // group 2, arena 192:204",
    "  update %s = %m",
    "  return loss=%l, h=%h",
    "}",
]
LINES[9] = "  return h=%h"
TEXT = "\n".join(LINES)


def error_of(text: str) -> str:
    with pytest.raises(vg.GraphError) as e:
        vg.parse(text)
    return str(e.value)


def changed(line: int, to: str) -> str:
    return "\n".join([*LINES[:line], *to.split("\n"), *LINES[line + 1 :]])


def test_the_text_is_sound() -> None:
    assert str(vg.parse(TEXT)) == TEXT


@pytest.mark.parametrize(
    ("line", "to", "message"),
    [
        (0, "grph net {", "line 1: a text begins with `graph NAME {`"),
        (0, "graph 9 {", "line 1: a text begins with `graph NAME {`"),
        (1, "  %x = input", "line 2: a node is written `%name: f32[N,4] = op(%input, ...)`"),
        (1, "  x: f32[N,4] = input", "line 2: a statement is expected"),
        (1, "  %x: f16[N,4] = input", "line 2: dtype 'f16' is unknown"),
        (1, "  %x: f32[N,-4] = input", "line 2: dimension '-4' is neither a size"),
        (1, "  %x: f32[N,4] = input(%w)", "line 2: input has no inputs, found '(%w)'"),
        (2, "  %w: f32[4,3] = parameter{init=he_norm}", "line 3: initializer 'he_norm' is unknown"),
        (2, "  %w: f32[4,3] = parameter{int=1}", "line 3: Parameter: field 'int' is unknown"),
        (2, "  %w: f32[4,3] = parameter{init=zeros", "line 3: ',' is expected where 'the end'"),
        (4, "  %c: f32[3] = constant{[1.0,2.0]}", "line 5: the constant has shape [2], its type"),
        (4, "  %c: f32[3] = constant", "line 5: '{' is expected"),
        (4, "  %c: f32[3] = constant{hello}", "line 5: the constant is a text, 'hello'"),
        (4, "  %c: f32[3] = constant{stored-00}", "line 5: the constant stored-00 is stored with"),
        (5, "  %a: f32[N,4] = matmul(%x, %w)", "%a is written as f32[N,4], but matmul gives"),
        (5, "  %a: f32[N,3] = matmull(%x, %w)", "op 'matmull' is unknown; did you mean 'matmul'?"),
        (5, "  %a: f32[N,3] = matmul(%x, %v)", "line 6: %v is not defined"),
        (5, "  %a: f32[N,3] = matmul(%x)", "line 6: matmul takes 2 inputs (a, b), 1 given"),
        (5, "  %a: f32[N,3] = matmul %x, %w", "the inputs of matmul are written `(%a, %b)`"),
        (5, "  %a: f32[N,3] = matmul(%x, w)", "line 6: an input is written %name, found 'w'"),
        (5, "  %a: f32[N,3] = matmul{7}(%x, %w)", "line 6: a field such as name=value is expected"),
        (5, "  %x: f32[N,3] = matmul(%x, %w)", "line 6: %x is defined twice"),
        (5, "  %a: f32[N,3] = matmul(%h, %w)", "cycle: %a reads %h reads %a"),
        (5, "  %a: f32[N,3] = matmul(%a, %w)", "cycle: %a reads %a"),
        (7, "  %m: f32[3] = sum{axes=[0],axes=[1]}(%h)", "line 8: 'axes' is given twice"),
        (7, "  %m: f32[3] = sum{axes=[2]}(%h)", "line 8: sum: axes [2] are not axes of f32[N,3]"),
        (7, LINES[7] + "\n" + LINES[7], "line 9: %m is defined twice"),
        (8, "  update %s <- %m", "line 9: an update is written `update %w = %value`"),
        (8, "  update %s = %q", "line 9: %q is not defined"),
        (8, "  update %s = %m\n  update %s = %c", "line 10: %s is updated twice"),
        (8, "  update %x = %h", "only parameters and state are updated"),
        (8, "  update %s = %a", "f32[3] by a value of type f32[N,3]"),
        (9, "  return h", "line 10: an output is written `key=%name`, found 'h'"),
        (9, "  return h=%h, h=%a", "line 10: the output 'h' is given twice"),
        (9, "  return loss=%h", "the loss is f32[N,3], where a float scalar"),
        (9, "  return h=%h\n  %z: f32[N,4] = tanh(%x)", "line 11: after `return` only"),
        (9, "", "line 11: the graph has no `return`"),
        (10, "", "the text ends without `}`"),
        (10, "}\n}", "line 12: nothing may stand after the closing brace"),
    ],
)  # fmt: skip
def test_an_error_names_the_line(line: int, to: str, message: str) -> None:
    assert message in error_of(changed(line, to))


@pytest.mark.parametrize(
    ("line", "to", "at"),
    [
        (0, "grph net {", "grph"),
        (1, "  %x: f16[N,4] = input", "f16"),
        (2, "  %w: f32[4,3] = parameter{init=zeros,scale=2}", "parameter"),
        (5, "  %a: f32[N,4] = matmul(%x, %w)", "f32[N,4]"),
        (5, "\t  %a: f32[N,3] = matmull(%x, %w)", "matmull"),
        (5, "  %a: f32[N,3] = matmul( %x,  %v )", "%v"),
        (5, "  %a: f32[N,3] = matmul(%x, w)", "w)"),
        (5, "  %a: f32[N,3] = matmul %x, %w", "%x,"),
        (5, "  %a: f32[N,3] = matmul(%h, %w)", "%h"),
        (5, "  %a: f32[N,3] = matmul(%x, %x)", "matmul"),
        (7, "  %m: f32[3] = sum{axes=[0],axes=[1]}(%h)", "[1]"),
        (8, "  update %s = %q", "%q"),
        (8, "  update %r = %m", "%r"),
        (9, "  return h=%h, hh = %a, y", "y"),
        (9, "  return h=%h, g=%none", "g="),
        (10, "}\n   }", "   }"),
    ],
)
def test_an_error_points_to_the_column(line: int, to: str, at: str) -> None:
    last = to.split("\n")[-1]
    start = last.rindex(at) + len(at) - len(at.lstrip())
    told = error_of(changed(line, to)).splitlines()
    if "\t" not in to:
        assert told[-2:] == [f"  in: {last.strip()}", told[-1]]
        indent = len(last) - len(last.lstrip())
        assert told[-1] == f"{' ' * (6 + start - indent)}^ column {start + 1}"
    assert told[-1].endswith(f"column {start + 1}")


def test_a_long_line_is_cut_and_its_column_told() -> None:
    told = error_of(changed(5, f"  %a: f32[N,3] = matmul(%x, {'%w, ' * 999}%v)")).splitlines()
    assert told[-1] == f"  at column {29 + 4 * 999}"
    assert len(told[-2]) < 300


def test_a_node_without_a_group_among_others_is_an_error() -> None:
    assert "%a has no group, where others have one" in error_of(
        changed(5, LINES[5].split("  //")[0])
    )


def test_a_reader_before_its_line_is_an_error() -> None:
    text = "\n".join([*LINES[:5], LINES[6].split("  //")[0], LINES[5].split("  //")[0], *LINES[8:]])
    assert "line 6: %a is read before the line that defines it" in error_of(text)


def test_a_cycle_of_three_is_spelled_out() -> None:
    text = """graph g {
      %a: f32[] = exp(%c)
      %b: f32[] = exp(%a)
      %c: f32[] = exp(%b)
      return y=%c
    }"""
    assert "cycle: %a reads %c reads %b reads %a" in error_of(text)


@pytest.mark.parametrize(
    "text", ["", "\n\n", "}", "graph g {", "\x00", "graph g {\n  return y=%x\n}"]
)
def test_a_text_that_is_no_graph_is_an_error(text: str) -> None:
    assert error_of(text).startswith("line ")


# ---- any text ------------------------------------------------------------------------------

FRAGMENTS = [
    *'%{}()[]=,:/"\\ \n\t.-_0aN',
    "f32[N]",
    "//",
    "%x",
    "inf",
    "-1",
    "1e999",
    "é",
    "group 1",
]


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """The text with a few pieces removed, doubled, swapped or put in."""
    text = TEXT
    for _ in range(draw(st.integers(1, 3))):
        i = draw(st.integers(0, len(text)))
        j = draw(st.integers(i, min(len(text), i + 12)))
        new = draw(
            st.one_of(
                st.just(""),
                st.sampled_from(FRAGMENTS),
                st.just(text[i:j] * 2),
                st.sampled_from(LINES).map(lambda line: f"\n{line}\n"),
            )
        )
        text = text[:i] + new + text[j:]
    return text


@settings(max_examples=tries(500))
@given(mutations())
def test_a_mutated_text_is_read_or_refused_with_an_error_of_ours(text: str) -> None:
    try:
        g = vg.parse(text)
    except vg.VerigradError as e:
        assert str(e).startswith("line ")
    else:
        assert str(vg.parse(str(g))) == str(g)


@settings(max_examples=tries(100))
@given(st.text(alphabet=st.sampled_from("".join(FRAGMENTS) + "graph net")))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(vg.GraphError, match="line "):
        vg.parse(text)
