"""The colours of a graph's text: no text of ours holds what the lexer does not know."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

import verigrad as vg

pygments = pytest.importorskip("pygments")
lexers = pytest.importorskip("pygments.lexers")
GOLDEN = sorted((Path(__file__).parent.parent / "golden").glob("*/*.ir"))


def tokens(text: str) -> list[tuple[str, str]]:
    """Each token's kind, such as Name.Variable, and its text."""
    found = pygments.lex(text, lexers.get_lexer_by_name("verigrad-ir"))
    return [(str(kind).removeprefix("Token."), part) for kind, part in found]


def test_the_package_registers_it() -> None:
    named = [e for e in entry_points(group="pygments.lexers") if e.name == "verigrad-ir"]
    assert [type(lexers.get_lexer_by_name("verigrad-ir"))] == [e.load() for e in named]
    assert lexers.get_lexer_for_filename("net.ir").name == "verigrad IR"


def test_every_golden_file_is_read_without_an_error() -> None:
    assert len(GOLDEN) > 100
    for path in GOLDEN:
        text = path.read_text(encoding="utf-8")
        found = tokens(text)
        assert "".join(part for _, part in found).strip("\n") == text.strip("\n")
        wrong = [part for kind, part in found if kind == "Error"]
        assert not wrong, f"{path}: {wrong}"


def test_every_stage_is_read_without_an_error(three_layer: vg.Graph) -> None:
    text = str(
        vg.compile(three_layer, optimizer=vg.Adam(vg.schedules.cosine(0.1, steps=9)))
        .plan(N=2)
        .graph
    )
    assert "arena" in text
    assert "Error" not in {kind for kind, _ in tokens(text)}


def test_what_each_part_is() -> None:
    text = (
        'graph net {\n  %x: f32[N,4] = normal{key="a}",std=-1.5e-3,shape=[N,4]}(%w)  // group 0\n}'
    )
    shown = [(kind, part) for kind, part in tokens(text) if part.strip()]
    assert shown == [
        ("Keyword", "graph"),
        ("Name.Namespace", "net"),
        ("Punctuation", "{"),
        ("Name.Variable", "%x"),
        ("Punctuation", ":"),
        ("Keyword.Type", "f32"),
        ("Punctuation", "["),
        ("Name.Constant", "N"),
        ("Punctuation", ","),
        ("Literal.Number.Integer", "4"),
        ("Punctuation", "]"),
        ("Operator", "="),
        ("Name.Function", "normal"),
        ("Punctuation", "{"),
        ("Name.Attribute", "key"),
        ("Operator", "="),
        ("Literal.String", '"a}"'),
        ("Punctuation", ","),
        ("Name.Attribute", "std"),
        ("Operator", "="),
        ("Literal.Number.Float", "-1.5e-3"),
        ("Punctuation", ","),
        ("Name.Attribute", "shape"),
        ("Operator", "="),
        ("Punctuation", "["),
        ("Name.Constant", "N"),
        ("Punctuation", ","),
        ("Literal.Number.Integer", "4"),
        ("Punctuation", "]"),
        ("Punctuation", "}"),
        ("Punctuation", "("),
        ("Name.Variable", "%w"),
        ("Punctuation", ")"),
        ("Comment.Single", "// group 0"),
        ("Punctuation", "}"),
    ]


def test_garbage_ends_and_is_marked() -> None:
    assert "Error" in {kind for kind, _ in tokens("graph g {\n  $$ ; ]\n}")}
    assert len(tokens('%a: f32[3] = c{["' + "[" * 20_000)) > 0
