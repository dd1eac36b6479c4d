"""What a notebook shows: a table or a picture that fits, text where there is no more."""

from __future__ import annotations

import html.parser
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import batch

import verigrad as vg
from verigrad.graph.notebook import Bar, Table, as_svg, page

EMPTY = {"br", "img", "hr"}


class Tags(html.parser.HTMLParser):
    """Reads HTML whose tags must be closed in order, and collects tags and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    """One of each that is shown as a table, of a small net."""
    x, y = vg.input("x", ("N", 6)), vg.input("y", ("N",), dtype="i64")
    scores = vg.mlp(x, [5, 3])
    net = vg.Graph("net", {"scores": scores}, loss=vg.softmax_cross_entropy(scores, y))
    program = vg.compile(net, optimizer=vg.Momentum(0.1), certify=True)
    feeds = batch(np.random.default_rng(0), 8, 6, 3)
    data = (feeds["x"], feeds["y"])
    return {
        "program": program,
        "history": vg.fit(program, data, epochs=2, validation=data),
        "plan": program.plan(N=8),
        "cost": program.cost(N=8),
        "profile": program.profile(feeds, steps=2),
        "certificate": program.certificate,
        "gradcheck": vg.gradcheck(net, feeds),
        "bisection": program.bisect(feeds),
    }


SHOWN = {
    "program": ["fc1.weight", "f32[6,5]", "120", "fc2.bias.velocity", "differentiate"],
    "history": ["epoch", "train loss", "validation accuracy", "2"],
    "plan": ["plan of net, N=8", "offset", "fc2"],
    "cost": ["cost of net, N=8", "backward", "linear_relu", "flops"],
    "profile": ["profile of net, N=8", "measured us", "share"],
    "certificate": ["exact", "derivatives", "proved", "floats"],
    "gradcheck": ["fc1.weight", "PASS", "30 of 30", "PASS: largest error"],
    "bisection": ["guilty", "nobody"],
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_table_and_the_text(values: dict[str, Any], name: str) -> None:
    value = values[name]
    bundle = value._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/plain"] == str(value)
    read = Tags(bundle["text/html"])
    assert "table" in read.tags
    for text in SHOWN[name]:
        assert any(text in found for found in read.texts), text


def test_a_graph_is_a_picture_that_fits(three_layer: vg.Graph) -> None:
    bundle = three_layer._repr_mimebundle_()
    assert bundle["text/plain"] == str(three_layer)
    root = bundle["image/svg+xml"].split(">", 1)[0]
    assert root.startswith("<svg ") and "max-width:100%;height:auto;background:#ffffff" in root
    assert "viewBox" in root and root.count("width=") == root.count("height=") == 1


def test_a_wide_picture_is_no_wider_than_a_cell() -> None:
    def shown(root: str) -> str:
        class Picture:
            @as_svg
            def _repr_mimebundle_(self) -> str:
                return f"<?xml version='1.0'?>\n{root}<g/></svg>"

        return " ".join(Picture()._repr_mimebundle_()["image/svg+xml"].split())

    style = 'style="max-width:100%;height:auto;background:#ffffff"'
    wide = shown('<svg width="1760pt"\n height="500pt" viewBox="0 0 1760 500">')
    assert f'<svg width="800" height="227" {style} viewBox="0 0 1760 500"><g/>' in wide
    small = shown('<svg viewBox="0 0 75 30" width="75.0pt" height="30pt">')
    assert f'<svg width="100" height="40" {style} viewBox="0 0 75 30"><g/>' in small
    pixels = shown('<svg width="75" height="30px" viewBox="0 0 75 30">')
    assert f'<svg width="75" height="30" {style} viewBox="0 0 75 30"><g/>' in pixels
    unsized = shown('<svg viewBox="0 0 75 30">')
    assert '<svg viewBox="0 0 75 30"><g/>' in unsized


def test_a_graph_that_nothing_can_draw_is_text(
    three_layer: vg.Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "verigrad.graph.pictures.rendering.engines", lambda *_: iter(asked.append(1) or ())
    )
    assert three_layer._repr_mimebundle_() == {"text/plain": str(three_layer)}
    assert three_layer._repr_svg_() is None
    assert len(asked) == 1  # a program that fails may take seconds


@pytest.mark.parametrize(
    ("types", "shown"),
    [
        (["text/plain"], {"text/plain"}),
        (["text/plain", "text/html", "image/svg+xml"], {"text/plain", "text/html"}),
    ],
)
def test_ipython_in_a_terminal_is_shown_text(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch, types: list[str], shown: set[str]
) -> None:
    shell = SimpleNamespace(display_formatter=SimpleNamespace(active_types=types))
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert set(values["cost"]._repr_mimebundle_()) == shown


def test_what_is_told_stays_text() -> None:
    hostile = "</script><script>alert('1 & 2')</script>"
    shown = page(hostile, Table([hostile], [[hostile]]), notes=[hostile])
    read = Tags(shown)
    assert "script" not in read.tags
    assert read.texts.count(hostile) == 4


def test_columns_of_numbers_stand_at_the_right() -> None:
    rows = [("relu", 1234, "1.5e-07", Bar("12.5 %", 0.5)), ("2nd", 5, "-", Bar("nan", 0.0))]
    shown = page("", Table(("op", "flops", "error", "std"), rows))
    assert "<tr><td class=text>relu</td><td>1,234</td><td>1.5e-07</td>" in shown
    assert "<td style=background-size:50%>12.5 %</td>" in shown
    assert "<th class=text>op</th><th>flops</th><th>error</th><th>std</th>" in shown


def test_a_table_without_rows_has_its_heads() -> None:
    assert "<th" in page("", Table(("a", "b"), [])) and Tags(page("", Table(("a", "b"), [])))


def test_a_long_table_says_how_much_more_there_is() -> None:
    shown = page("", Table(("n",), [(k,) for k in range(1300)]))
    assert shown.count("<tr>") == 202
    assert "and 1,100 more" in shown
